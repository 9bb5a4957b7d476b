"""
Leases as dnsmasq writes them (lease_update_file in its src/lease.c).

A line has the time at which the lease ends, the hardware address (in IPv6 the
IAID), the address, the name or "*", and the client's identifier.  When a lease
began is not told.
"""

from collections.abc import Iterator

from botalert.grammar.packets import canonical_address
from botalert.machines.files import lines, mac_of, plain_name
from botalert.machines.lease import Lease, seconds

_FIELDS = 5
# Built for a machine whose clock may be wrong (HAVE_BROKEN_RTC) it writes how
# long a lease is instead; so long is none, and so early ends none.
_FIRST_MOMENT = 10**9


def reads(text: str) -> bool:
    """Tell whether *text* is written so: its first line is a lease or the server's identifier."""
    first = next(lines(text), "")
    return first.startswith("duid ") or _lease(first) is not None


def leases(text: str) -> Iterator[Lease]:
    """Give the leases in *text*; at most one of each address."""
    for line in lines(text):
        lease = _lease(line)
        if lease is not None:
            yield lease


def _lease(line: str) -> Lease | None:
    fields = line.split()
    if len(fields) < _FIELDS or (end := seconds(fields[0])) is None:
        return None
    address = canonical_address(fields[2])
    if address is None:
        return None
    # Other hardware than Ethernet has its type and a hyphen before the address.
    mac = mac_of(fields[1].rpartition("-")[2])
    return Lease(address, plain_name(fields[3]), mac, None, end if end >= _FIRST_MOMENT else None)
