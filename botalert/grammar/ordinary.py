"""
The lines that a firewall's log is full of, by one pattern for a whole block.

A line is ordinary if it is written as net/netfilter/nf_log_syslog.c (Linux)
writes a TCP, UDP or ICMP packet behind the head of a syslog daemon, and
nothing in it is odd: then its columns say all that matters of it.  Whatever
is not is left to the reader of single lines, which decides what it is; so
this pattern may be as narrow as it likes, but never wider.

What the pattern does at each byte is what a scan costs.  A possessive
quantifier ("++") stands wherever the next byte can't belong to what it
repeats, and "|" with nothing behind it where "?" would be slower.
"""

import re
from collections.abc import Callable, Collection, Sequence

from botalert.grammar.packets import FLAGS, protocol_name
from botalert.grammar.patterns import lazy_pattern
from botalert.model import Packet
from botalert.threshold import FLOWS

PERIOD, CLOCK, SENDER, FLOW, DESTINATION = range(5)
"""
The columns that every row begins with.

``PERIOD``: the stamp's beginning, a day "Nov 20 " or an hour "2026-11-20T23:".
``CLOCK``: the rest of it, "23:58:33" or "58:33.105166"; compares as text.
``SENDER``: a zone, the machine and the program: "+00:00 fw1 kernel: ".
``FLOW``: from the rule's prefix to SRC's value.
``DESTINATION``: DST's value.
"""

FIRST_COLUMN = 5
"""Where those begin that may be asked for."""
Row = tuple[str, ...]

COLUMNS: dict[str, tuple[str, ...]] = {
    "header": ("LEN", "TOS", "PREC", "TTL", "ID", "TC", "HOPLIMIT", "FLOWLBL"),
    "fragment": ("FLAGS",),
    "protocol": ("PROTO",),
    "sport": ("SPT",),
    "dport": ("DPT",),
    "window": ("SEQ", "ACK", "WINDOW", "RES"),
    "flags": ("FLAGS",),
    "mark": ("MARK",),
    "icmp": ("TYPE", "CODE", "ID", "SEQ"),
}
"""
Columns that may be asked for, in a row's order, with the fields that they tell.

A port or protocol stands there as its value, all else as in the line.
"""
UNTOLD = frozenset({"URGP"})
"""Fields that ordinary lines may have, and no column tells."""

COUNTED = frozenset({"SRC", "DST", "SPT", "DPT", "PROTO", "IN", FLOWS})
"""What a threshold may count by rows."""

_DAY = r"(?:[A-Z][a-z][a-z] [ 1-3][0-9] |[0-9]{4}-[0-9]{2}-[0-9]{2}[T ])"
_HOUR = r"(?:[01][0-9]|2[0-3]):"
_CLOCK = r"[0-5][0-9]:[0-5][0-9](?:\.[0-9]++|)"
# A bracket begins an uptime, which is no sender's.  No text here is longer than
# what kernels and hosts have: what is remembered of lines stays small.
_SENDER = r"[^ \n]{0,9}+ [^ \n\[][^ \n]{0,254}+ [^ \n\[][^ \n]{0,63}+ "
_UPTIME = r"\[ *+[0-9]{1,12}+\.[0-9]{6}\] "
_ADDRESS = r"[0-9a-f.:]{1,45}+"
_FLOW = (
    r"[^=\n]{0,255}+=[^ \n]{0,64}+ OUT=[^ \n]{0,64}+ "
    rf"(?:MAC=[0-9a-fA-F:]{{0,255}}+ SRC=|SRC=){_ADDRESS}"
)
_IPV4 = "LEN=[0-9]++ TOS=[0-9A-Fx]++ PREC=[0-9A-Fx]++ TTL=[0-9]++ ID=[0-9]++ "
_IPV6 = "LEN=[0-9]++ TC=[0-9]++ HOPLIMIT=[0-9]++ FLOWLBL=[0-9]++ "
# Columns of one value each, and what it becomes.
_VALUES: dict[str, Callable[[str], str]] = {"protocol": protocol_name, "sport": str, "dport": str}
_PORT = "[1-5][0-9]{4}|[1-9][0-9]{0,3}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]|0"
_SEQUENCE = "(?:SEQ=[0-9]++ ACK=[0-9]++ |)WINDOW=[0-9]++ RES=0x[0-9A-F]{2} "
_MARK = " MARK=0x[0-9a-f]++|"


def line_pattern(asked: Collection[str], *, any_program: bool, by_hour: bool) -> "re.Pattern[str]":
    """
    Give the pattern whose ``findall`` makes a row of each line of a block.

    It is for text of one character a byte (ISO 8859-1): rows then need no
    decoding, and what isn't ASCII is only compared.

    A row has the five columns above, those of ``COLUMNS`` that *asked*
    names, in that order, and last the line itself where it is not ordinary;
    of such a line all other columns are empty.  Every line has to end with
    a newline.  It is compiled when it is first used.
    """

    def column(name: str, pattern: str) -> str:
        return f"({pattern})" if name in asked else f"(?:{pattern})"

    ports = f"SPT={column('sport', _PORT)} DPT={column('dport', _PORT)} "
    # The last of the words that stand for flags is URGP's name.
    tcp = column("window", _SEQUENCE) + column("flags", "[A-Z ]*+") + "(?<=URGP)="
    tail = f"[0-9]++{column('mark', _MARK)} *+"
    icmp = column("icmp", "TYPE=[0-9]++ CODE=[0-9]++ (?:ID=[0-9]++ SEQ=[0-9]++|) *+")
    # Without a program's name, what a tag is depends on what follows it.
    sender = f"({_SENDER})(?:{_UPTIME}|)"
    if any_program:
        sender = rf"({_SENDER}(?:(?={_UPTIME})\[|))(?:(?<=\[){_UPTIME[2:]}|)"
    stamp = f"({_DAY}{_HOUR})({_CLOCK})" if by_hour else f"({_DAY})({_HOUR}{_CLOCK})"
    return lazy_pattern(
        f"(?:{stamp}{sender}({_FLOW}) DST=({_ADDRESS}) "
        + column("header", f"{_IPV4}|{_IPV6}")
        + column("fragment", "[CDEFM ]*+(?<= )")
        + f"PROTO={column('protocol', '[A-Za-z0-9]++')} "
        + f"(?:{ports}(?:{tcp}|LEN=){tail}|{icmp})"
        + r"|([^\n]*+))\n"
    )


def columns_for(fields: Collection[str]) -> tuple[str, ...]:
    """Name the columns that tell *fields*, in a row's order."""
    return tuple(name for name, told in COLUMNS.items() if any(each in fields for each in told))


def packet_of(columns: Sequence[str], texts: Sequence[str]) -> Packet:
    """Read what *texts*, those of *columns*, tell of a packet."""
    fields: dict[str, str] = {}
    flags: list[str] = []
    for column, text in zip(columns, texts, strict=True):
        told = COLUMNS[column]
        if text and column in _VALUES:
            fields[told[0]] = _VALUES[column](text)
        else:
            for word in text.split():
                name, equals, value = word.partition("=")
                if equals:
                    fields.setdefault(name, value)
                elif word in FLAGS:
                    flags.append(word)
    return Packet(fields, tuple(flags))
