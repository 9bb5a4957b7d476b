"""
EDGE: what people call a machine, and who made it.

Names come from what is on this machine: leases, /etc/hosts, /etc/ethers and,
if it is wanted, the resolver.  All of it is optional, and none of it may keep
an alert from going out: what cannot be read names nobody.
"""

from botalert.machines.directory import Directory, warnings

__all__ = ["Directory", "warnings"]
