"""
Names of addresses: hosts(5).
"""

from botalert.grammar.packets import canonical_address
from botalert.machines.files import lines, plain_name

PATH = "/etc/hosts"


def read_hosts(text: str) -> dict[str, str]:
    """Give the name of each address in *text*: the first one of its first line."""
    names: dict[str, str] = {}
    for line in lines(text):
        fields = line.partition("#")[0].split()
        address = canonical_address(fields[0]) if len(fields) > 1 else None
        name = plain_name(fields[1]) if address else ""
        if address and name:
            names.setdefault(address, name)
    return names
