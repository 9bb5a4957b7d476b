"""
Who made a network card: the registry of hardware addresses, as packages install it.
"""

import re
from collections.abc import Callable, Iterable

# As ieee-data, hwdata, Wireshark, nmap, arp-scan and systemd have it.
PATHS = (
    "/usr/share/ieee-data/oui.txt",
    "/usr/share/hwdata/oui.txt",
    "/usr/share/wireshark/manuf",
    "/usr/share/nmap/nmap-mac-prefixes",
    "/usr/share/arp-scan/ieee-oui.txt",
    "/usr/lib/udev/hwdb.d/20-OUI.hwdb",
)
LOCAL = "locally administered"
"""Said of an address that its machine chose: a virtual one, or one that hides its own."""
LONGEST_VENDOR = 60

_LOCAL_BIT = 0x02
# A prefix of 6, 7 or 9 digits, in pairs or not, behind which Wireshark has zeros
# and the number of bits, IEEE "(base 16)", and systemd a line of its own.
_LINE = re.compile(
    r"^(?:OUI:)?(?P<prefix>(?:[0-9A-F]{2}:){2,5}[0-9A-F]{2}|[0-9A-F]{6,9})(?:/(?P<bits>[0-9]{1,2}))?"
    r"(?:\*\n ID_OUI_FROM_DATABASE=|[ \t]+\(base 16\)[ \t]+|[ \t]+)(?P<vendor>[^\n]+)",
    re.MULTILINE | re.ASCII,
)
# Whose name says nothing: of blocks that were handed on, or kept secret.
_NOBODY = ("ieee registration authority", "private")
_DIGITS = (9, 7, 6)


def vendor_of(mac: str, registry: Callable[[], dict[str, str]]) -> str:
    """
    Say who made the card with the address *mac*; "" if nobody knows.

    Args:
        mac: In lower case, with colons.
        registry: Gives vendors by prefix; asked only if it can tell.
    """
    digits = mac.replace(":", "").upper()
    if int(digits[:2], 16) & _LOCAL_BIT:
        return LOCAL
    vendors = registry()
    return next((vendors[p] for p in (digits[:n] for n in _DIGITS) if p in vendors), "")


def read_registry(text: str) -> dict[str, str]:
    """Give each vendor in *text* by the digits that its addresses begin with, in upper case."""
    return dict(_vendors(_LINE.finditer(text)))


def _vendors(lines: Iterable["re.Match[str]"]) -> Iterable[tuple[str, str]]:
    for found in lines:
        digits = found["prefix"].replace(":", "")
        # Wireshark has a short name before the long one.
        vendor = found["vendor"].rpartition("\t")[2].strip()[:LONGEST_VENDOR]
        if vendor and vendor.casefold() not in _NOBODY:
            yield digits[: int(found["bits"]) // 4 if found["bits"] else None], vendor
