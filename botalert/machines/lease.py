"""
What a DHCP server remembers of an address.
"""

import re
from typing import NamedTuple

_SECONDS = re.compile(r"[0-9]{1,15}")


class Lease(NamedTuple):
    """
    An address that a machine was given for some time.

    Attributes:
        address: In canonical short form.
        name: What the machine calls itself; "" if it has no name.
        mac: Its hardware address, in lower case; None if that is not told.
        start: Since when, in seconds since 1970; None if that is not told.
        end: Until when; None for ever, or if that is not told.
    """

    address: str
    name: str
    mac: str | None
    start: int | None
    end: int | None

    def has_begun(self, moment: float) -> bool:
        """Tell whether it was given before *moment*."""
        return self.start is None or self.start <= moment

    def holds(self, moment: float) -> bool:
        """Tell whether the address was that machine's at *moment*."""
        return self.has_begun(moment) and (self.end is None or moment <= self.end)


def seconds(text: str) -> int | None:
    """Read seconds since 1970, or of a duration; None where *text* is none."""
    return int(text) if _SECONDS.fullmatch(text) else None
