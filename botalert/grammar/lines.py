"""
One line of a log into a drop, or the reason why not.

The two readers share a face, so that all that follows is one corridor:
however a line is read, a :class:`~botalert.model.Drop` comes out.
"""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from botalert.grammar.heads import read_head
from botalert.grammar.packets import is_arp, looks_like_packet, packet_start, read_packet
from botalert.grammar.patterns import lazy_pattern
from botalert.grammar.verdicts import UNKNOWN, read_verdict
from botalert.model import Drop, Outcome, Packet
from botalert.times import StampReader

ANY_PROGRAM = "*"

# rsyslog's and syslogd's own note; the packet stands in the brackets.
_REPEATED = lazy_pattern(
    r"message repeated (\d{1,9}) times: \[ ?(?:\[ *\d+\.\d+(?:@\d+)?\] ?)?", re.ASCII
)
_DESCRIPTION = lazy_pattern(r'(?:^|[ \]])DESCR=(?:"([^"]*)"?|([^ ]*))')


class LineReader(Protocol):
    """Reads the lines of one log."""

    def read(self, line: bytes) -> Drop | Outcome:
        """Read one line, given without its newline; never raises for what it says."""
        ...


def text_of(line: bytes) -> str:
    """
    Decode a line as read; bytes that are no UTF-8 become U+FFFD.

    A crash leaves NUL bytes where a line was to be written; they stand
    before the next one.
    """
    return line.removesuffix(b"\r").lstrip(b"\0").decode("utf-8", "replace")


class KernelReader:
    """
    Reads what the kernel's packet loggers write.

    Args:
        programs: The syslog programs whose lines are believed; "*" for any.
        stamps: Reads the lines' times.

    Attributes:
        any_program: Whether all lines are believed.
        stamps: Reads the lines' times.
    """

    def __init__(self, programs: Collection[str], stamps: StampReader) -> None:
        self._programs = frozenset(programs)
        self.any_program = ANY_PROGRAM in programs
        self.stamps = stamps

    def read(self, line: bytes) -> Drop | Outcome:
        """See :class:`LineReader`."""
        text = text_of(line)
        head = read_head(text, self.stamps, any_program=self.any_program)
        if head is None or not (self.any_program or head.program in self._programs):
            return Outcome.NOT_A_PACKET
        return drop_of_message(
            text[head.end :], time=head.time, uptime=head.uptime, host=head.host, line=text
        )


def drop_of_message(
    message: str, *, time: datetime | None, uptime: float | None, host: str | None, line: str
) -> Drop | Outcome:
    """
    Read what the kernel's packet loggers write, without the head that the log puts before it.

    Args:
        message: Prefix and packet; perhaps inside syslog's note that it was repeated.
        time: When it was logged.
        uptime: Seconds since boot, where they are known.
        host: The machine that logged it, where that is known.
        line: The evidence.
    """
    message, repeat = _unwrap(message)
    start = packet_start(message)
    packet = None if start is None else read_packet(message[start:])
    if packet is None:
        return _unread(message)
    return drop_of_packet(
        packet,
        message[:start].strip(),
        time=time,
        uptime=uptime,
        host=host,
        repeat=repeat,
        line=line,
    )


def drop_of_packet(
    packet: Packet,
    prefix: str,
    *,
    time: datetime | None,
    uptime: float | None,
    host: str | None,
    repeat: int,
    line: str,
) -> Drop:
    """Give *packet* with what its rule's prefix tells."""
    return Drop(
        packet=_described(packet, prefix),
        prefix=prefix,
        verdict=read_verdict(prefix),
        time=time,
        uptime=uptime,
        host=host,
        repeat=repeat,
        line=line,
    )


def _unwrap(message: str) -> tuple[str, int]:
    repeated = _REPEATED.match(message) if message.startswith("message repeated ") else None
    if repeated is None:
        return message, 1
    body = message[repeated.end() :].rstrip()
    return body.removesuffix("]"), int(repeated[1])


def _unread(message: str) -> Outcome:
    if looks_like_packet(message) and not is_arp(message):
        return Outcome.UNPARSED
    return Outcome.NOT_A_PACKET


def _described(packet: Packet, prefix: str) -> Packet:
    """Add UniFi's DESCR, which stands before the packet, to its fields."""
    described = _DESCRIPTION.search(prefix) if "DESCR=" in prefix else None
    if described is None:
        return packet
    value = described[1] if described[1] is not None else described[2]
    return Packet({**packet.fields, "DESCR": value}, packet.flags, packet.embedded)


class PatternReader:
    """
    Reads lines by an administrator's own pattern, whole, as 0.5a did.

    Programs and verdicts don't apply, and a source need not be an address.

    Args:
        pattern: Searched in each line; its named groups are the fields.
        stamps: Reads the lines' times.
    """

    def __init__(self, pattern: "re.Pattern[str]", stamps: StampReader) -> None:
        self._pattern = pattern
        self._stamps = stamps

    def read(self, line: bytes) -> Drop | Outcome:
        """See :class:`LineReader`."""
        text = text_of(line)
        found = self._pattern.search(text.strip())
        if found is None:
            return Outcome.NOT_A_PACKET
        fields = {name: value for name, value in found.groupdict().items() if value is not None}
        head = read_head(text, self._stamps, any_program=True)
        assert head is not None  # Any head will do, or none.
        return Drop(
            packet=Packet(fields, tuple(fields.get("FLAGS", "").split())),
            prefix=fields.get("PREFIX", ""),
            verdict=fields.get("VERDICT", UNKNOWN),
            time=head.time,
            uptime=head.uptime,
            host=fields.get("HOST", head.host),
            repeat=1,
            line=text,
        )
