"""
The packet itself, as the kernel's packet loggers write it.

Source of the order and the shapes: net/netfilter/nf_log_syslog.c (Linux),
output/ulogd_output_LOGEMU.c (ulogd 2).  The kernel separates by single
spaces, writes ``KEY=value`` and bare flags, quotes the packet of an ICMP
error in brackets, and writes ``FRAG:`` and the IPv6 fragment's ``ID:`` with
a colon.  A prefix is free text and stands before, with or without a space.
"""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from socket import AF_INET, inet_pton

from botalert.grammar.patterns import lazy_pattern
from botalert.model import Packet

# RFC 1700's numbers by the names that the kernel, or else /etc/protocols, uses.
PROTOCOLS = {
    "1": "ICMP",
    "2": "IGMP",
    "4": "IPIP",
    "6": "TCP",
    "17": "UDP",
    "41": "IPV6",
    "47": "GRE",
    "50": "ESP",
    "51": "AH",
    "58": "ICMPv6",
    "89": "OSPF",
    "103": "PIM",
    "112": "VRRP",
    "132": "SCTP",
    "136": "UDPLITE",
}

FLAGS = frozenset("CE DF MF CWR ECE URG ACK PSH RST SYN FIN INCOMPLETE".split())

# What a sender may write behind IN=, which it follows, or behind OUT=.
_AFTER_OUT = r"(?:PHYSIN|PHYSOUT|MAC|MACSRC|MACDST|MACPROTO|VPROTO|VID|TUNNEL|SRC)="
# Linux allows 15 bytes; a bound keeps a line of nothing but "IN=" quick.
_INTERFACE = r"[^ ]{0,64}"
_BEGINS_IN = lazy_pattern(rf"IN={_INTERFACE} {{1,9}}(?:OUT=|{_AFTER_OUT})")
_BEGINS_OUT = lazy_pattern(rf"OUT={_INTERFACE} {{1,9}}{_AFTER_OUT}")
_ENDS_IN_PAIR = lazy_pattern(r"(?:^| )([A-Z][A-Z0-9_]*)=[^ ]* *$")
_KNOWN_BEFORE_OUT = frozenset({"DESCR"})

# What has spaces inside, and the bracket that opens what an ICMP error quotes.
_OPTIONS = lazy_pattern(r"(?<![^ ])OPT \(([^)]*)\)?")
_INCOMPLETE = lazy_pattern(r"(?<![^ ])INCOMPLETE \[([0-9]+)(?: bytes\]?)?")
_QUOTE = "[SRC="
# An ICMP error quotes one packet, and that one at most one: more is damage.
_MOST_QUOTES = 8
_BRACKET = lazy_pattern(r"[\[\]]")

_NAME = lazy_pattern(r"[A-Z][A-Z0-9_]*")
_PORT = lazy_pattern(r"0|[1-9][0-9]{0,4}")
_LOOKS = lazy_pattern(r"(?:^| )(?:IN|OUT)=")
_TELLING = lazy_pattern(r"(?:^| )(SRC|DST|PROTO|SPT|DPT)=")


def packet_start(text: str) -> int | None:
    """
    Find where the packet begins in *text* and the prefix ends.

    It begins at the last ``IN=``, also one glued to the prefix, behind which
    stands what the kernel writes next; or at ``OUT=`` where the sender leaves
    out an empty IN, but not behind an unknown ``KEY=``, which is a damaged
    IN.  None where no packet begins.
    """
    position = text.rfind("IN=")
    while position >= 0:
        if not text.endswith("PHYS", 0, position) and _BEGINS_IN.match(text, position):
            return position
        position = text.rfind("IN=", 0, position)
    position = text.rfind("OUT=")
    while position >= 0:
        if not text.endswith("PHYS", 0, position) and _BEGINS_OUT.match(text, position):
            before = _ENDS_IN_PAIR.search(text, 0, position)
            return position if before is None or before[1] in _KNOWN_BEFORE_OUT else None
        position = text.rfind("OUT=", 0, position)
    return None


def looks_like_packet(text: str) -> bool:
    """Tell whether *text* has the marks of a packet line, readable or not."""
    return bool(_LOOKS.search(text)) or len(set(_TELLING.findall(text))) >= 2


def is_arp(text: str) -> bool:
    """Tell whether *text* is an ARP packet's line, which has no SRC and DST."""
    return " ARP HTYPE=" in text


def read_packet(text: str) -> Packet | None:
    """
    Read the packet in *text*, which begins with it.

    None where it lost its SRC or DST or where SRC, DST, LEN, SPT or DPT is
    damaged, be it at the name's second coming: such a line is never guessed
    at.  A line that is only cut short is read as far as it goes.
    """
    if text.endswith("="):  # "DPT=" at the line's very end lost its value.
        text = text[: text.rfind(" ") + 1]
    packet, sound = _read(text)
    return packet if sound and packet.fields.keys() >= {"SRC", "DST"} else None


def _read(text: str, depth: int = 0) -> tuple[Packet, bool]:
    """Read a packet, quoted or not; tell whether all of its values are sound."""
    embedded = None
    for _ in range(_MOST_QUOTES):
        if _QUOTE not in text:
            break
        text, quoted = _parted(text)
        if embedded is None and depth < _MOST_QUOTES:
            embedded = _read(quoted, depth + 1)[0]
    fields: dict[str, str] = {}
    flags: list[str] = []
    sound = True
    text = _take(text, "OPT", _OPTIONS, fields)
    text = _take(text, "INCOMPLETE", _INCOMPLETE, fields)
    for token in text.split(" "):
        name, equals, value = token.partition("=")
        if not equals:
            if token in FLAGS:
                flags.append(token)
            elif token.startswith(("FRAG:", "ID:")):
                name, _, value = token.partition(":")
                fields.setdefault(name, value)
        elif name in _CHECKS:
            canonical = _CHECKS[name](value)
            sound = sound and canonical is not None
            fields.setdefault(name, value if canonical is None else canonical)
        elif name not in fields and _NAME.fullmatch(name):
            fields[name] = value
    return Packet(fields, tuple(flags), embedded), sound


def _parted(text: str) -> tuple[str, str]:
    """Part the first packet that *text* quotes from what stands around it."""
    start = text.index(_QUOTE)
    depth = 0
    for bracket in _BRACKET.finditer(text, start):
        depth += 1 if bracket[0] == "[" else -1
        if depth == 0:
            return text[:start] + text[bracket.end() :], text[start + 1 : bracket.start()]
    return text[:start], text[start + 1 :]


def _take(text: str, name: str, pattern: "re.Pattern[str]", fields: dict[str, str]) -> str:
    """Move what has spaces inside from *text* to *fields*; of two the first counts."""
    if name not in text:
        return text
    found = pattern.search(text)
    if found is None:
        return text
    fields[name] = found[1].strip()
    return pattern.sub("", text)


def is_port(text: str) -> bool:
    """Tell whether *text* is a port as the kernel writes one: decimal, 0 to 65535."""
    return _PORT.fullmatch(text) is not None and int(text) <= 65535


def protocol_name(text: str) -> str:
    """Give a protocol's usual name for its number; anything else as it stands."""
    return PROTOCOLS.get(text, text)


@lru_cache(maxsize=65536)
def canonical_address(text: str) -> str | None:
    """Write an IP address in its short form (RFC 5952); None where it is none."""
    try:
        # An IPv4 address has one form only, and this takes a thirtieth of the time.
        inet_pton(AF_INET, text)
    except (OSError, ValueError):  # Not one, or with a NUL in it.
        pass
    else:
        return text
    if "%" in text:  # The kernel writes no scope; ipaddress would take one.
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # Python's short form of these changed with 3.13; RFC 5952, section 5.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(address) if mapped is None else f"::ffff:{mapped}"


def _port(text: str) -> str | None:
    return text if is_port(text) else None


def _number(text: str) -> str | None:
    return text if text.isascii() and text.isdigit() else None


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "SRC": canonical_address,
    "DST": canonical_address,
    "LEN": _number,
    "SPT": _port,
    "DPT": _port,
    "PROTO": protocol_name,
}
"""What the values of some fields become; None where one is damaged."""
