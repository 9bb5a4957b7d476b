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
from functools import lru_cache

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
_BEGINS_IN = re.compile(rf"IN=[^ ]* +(?:OUT=|{_AFTER_OUT})")
_BEGINS_OUT = re.compile(rf"OUT=[^ ]* +{_AFTER_OUT}")
_ENDS_IN_PAIR = re.compile(r"(?:^| )([A-Z][A-Z0-9_]*)=[^ ]* *$")
_KNOWN_BEFORE_OUT = frozenset({"DESCR"})

# One token, at the text's beginning, behind a space or behind the bracket that
# opens a quote.  A quote is closed by a bracket of its own, or by one at the
# end of its last value.
_TOKEN = re.compile(
    r"""
    (?<! [^ \[] )
    (?: OPT[ ]\( (?P<options> [^)]* ) \)?
      | INCOMPLETE[ ]\[ (?P<bytes> [0-9]+ ) (?:[ ]bytes\])?
      | (?P<quote> \[ ) (?= SRC= )
      | (?P<name> [A-Z][A-Z0-9_]* ) = (?P<value> [^ ]* )
      | (?P<fragment_name> FRAG | ID ) : (?P<fragment> [^ \]]* )
      | (?P<flag> [A-Z]+ ) (?= [ \]] | $ )
    )
    | (?P<close> \] ) (?= [ \]] | $ )
    """,
    re.VERBOSE,
)

_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_NUMBER = re.compile(r"[0-9]+")
_LOOKS = re.compile(r"(?:^| )(?:IN|OUT)=")
_TELLING = re.compile(r"(?:^| )(SRC|DST|PROTO|SPT|DPT)=")


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
    packet = _Draft()
    nested = [packet]  # Quotes nest; the innermost is last.
    for token in _TOKEN.finditer(text):
        current = nested[-1]
        if token.lastgroup == "quote":
            nested.append(current.quote())
        elif token.lastgroup == "close":
            nested = nested[:-1] or nested
        elif token.lastgroup == "value":
            if token.end() == len(text) and not token["value"]:
                break  # "DPT=" at the line's very end lost its value.
            value, closed = _unclosed(token["value"], len(nested) - 1)
            if not current.add(token["name"], value) and current is packet:
                return None
            nested = nested[: len(nested) - closed]
        else:
            current.note(token)
    if not packet.fields.keys() >= {"SRC", "DST"}:
        return None
    return packet.packet()


def _unclosed(value: str, depth: int) -> tuple[str, int]:
    """Part the brackets that close quotes, at most *depth*, from the end of *value*."""
    bare = value.rstrip("]") if depth else value  # An interface may be called "a]".
    return bare, min(len(value) - len(bare), depth)


class _Draft:
    """A packet while its line is being read."""

    __slots__ = ("embedded", "fields", "flags")

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.flags: list[str] = []
        self.embedded: list[_Draft] = []

    def quote(self) -> "_Draft":
        """Begin the packet that this one quotes."""
        quoted = _Draft()
        self.embedded.append(quoted)
        return quoted

    def note(self, token: "re.Match[str]") -> None:
        """Note what is neither a pair nor a bracket."""
        kind = token.lastgroup
        if kind == "fragment":
            self.fields.setdefault(token["fragment_name"], token["fragment"])
        elif kind == "bytes":
            self.fields.setdefault("INCOMPLETE", token["bytes"])
        elif kind == "options":
            self.fields.setdefault("OPT", token["options"].strip())
        elif token["flag"] in FLAGS:
            self.flags.append(token["flag"])

    def add(self, name: str, value: str) -> bool:
        """Add a field if its name is new; tell whether its value is sound."""
        sound = True
        if name in ("SRC", "DST"):
            canonical = canonical_address(value)
            sound = canonical is not None
            value = canonical or value
        elif name in ("SPT", "DPT"):
            sound = is_port(value)
        elif name == "LEN":
            sound = _NUMBER.fullmatch(value) is not None
        elif name == "PROTO":
            value = PROTOCOLS.get(value, value)
        self.fields.setdefault(name, value)
        return sound

    def packet(self) -> Packet:
        quoted = self.embedded[0].packet() if self.embedded else None
        return Packet(self.fields, tuple(self.flags), quoted)


def is_port(text: str) -> bool:
    """Tell whether *text* is a port as the kernel writes one: decimal, 0 to 65535."""
    return _PORT.fullmatch(text) is not None and int(text) <= 65535


@lru_cache(maxsize=65536)
def canonical_address(text: str) -> str | None:
    """Write an IP address in its short form (RFC 5952); None where it is none."""
    if "%" in text:  # The kernel writes no scope; ipaddress would take one.
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
