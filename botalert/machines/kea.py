"""
Leases as Kea's memfile backend writes them: CSV, with a head that names its columns.

A lease is written anew whenever it changes, until the server cleans up.
Versions differ in their columns.
"""

import re
from collections.abc import Iterator

from botalert.grammar.packets import canonical_address
from botalert.machines.files import lines, mac_of, plain_name
from botalert.machines.lease import Lease, seconds

_HEAD = "address,"
_NEEDED = {"address", "valid_lifetime", "expire", "hostname"}
_ACTIVE, _DECLINED = "0", "1"
_PREFIX = "2"
_EVER = 0xFFFFFFFF
# A comma within a value, for one.
_ESCAPED = re.compile(r"&#x([0-9a-fA-F]{2})")


def reads(text: str) -> bool:
    """Tell whether *text* is written so."""
    return set(next(lines(text), "").strip().split(",")) >= _NEEDED


def leases(text: str) -> Iterator[Lease]:
    """Give the leases in *text*, in its order."""
    columns: list[str] = []
    for line in lines(text):
        values = line.strip().split(",")
        if line.startswith(_HEAD):
            columns = values
            continue
        lease = _lease(dict(zip(columns, values, strict=False)))
        if lease is not None:
            yield lease


def _lease(row: dict[str, str]) -> Lease | None:
    """Read *row*; what only says that a lease has ended tells nothing new of who had it."""
    address = canonical_address(row.get("address", ""))
    life, expire = seconds(row.get("valid_lifetime", "")), seconds(row.get("expire", ""))
    state = row.get("state", _ACTIVE)
    if address is None or not life or expire is None or row.get("lease_type") == _PREFIX:
        return None
    start, end = expire - life, None if life >= _EVER else expire
    # Somebody uses the address whom the server has not given it to.
    if state == _DECLINED:
        return Lease(address, "", None, start, end)
    if state != _ACTIVE:
        return None
    name = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), row.get("hostname", ""))
    return Lease(address, plain_name(name), mac_of(row.get("hwaddr", "")), start, end)
