"""
The hot loop: blocks of a log in, hits out, in reading order.

One corridor for everything that looks for packets.  A line that a signal
wants must contain certain bytes ("IN=eth1 ", "DPT=25"), and looking for
those costs next to nothing: where one line in twenty matters, jumping from
one such line to the next is ten times as fast as reading every line (`make
bench` prints the figures).  The plain meaning is :mod:`botalert.match`'s,
and a line that is jumped over could not have met it.
"""

import os.path
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from botalert.grammar import LineReader
from botalert.match import Condition, Pattern, Range, Signal, Text, matches, sender_mac
from botalert.model import Drop, Hit, Outcome

Needle = tuple[bytes, ...]
"""Alternatives, one of which a wanted line must contain."""

# Every packet line that can be read has a source.
_ANY_PACKET: Needle = (b"SRC=",)
# What every line of a JSON log contains, and hardly one of a text log.
JSON_OBJECT = b'{"'
_PORTS = ("SPT", "DPT")
_INTERFACES = ("IN", "OUT")


@dataclass(slots=True)
class LineCounts:
    """What went by, for --stats."""

    read: int = 0
    packets: int = 0
    unparsed: int = 0


def needles(signal: Signal) -> tuple[Needle, ...]:
    """
    Give the bytes that a line must contain to meet *signal*.

    Only conditions whose values the kernel writes in exactly one way tell
    some: interfaces, which keep their case, and ports, which are decimal.
    """
    found = (_needle(condition) for condition in signal.conditions)
    return tuple(needle for needle in found if needle) or (_ANY_PACKET,)


def _needle(condition: Condition) -> Needle | None:
    if condition.field in _INTERFACES:
        head = f"{condition.field}="
        tests = [_interface_bytes(test) for test in condition.plain]
    elif condition.field in _PORTS:
        head = f"{condition.field}="
        tests = [_port_bytes(test) for test in condition.plain]
    else:
        return None
    if not tests or None in tests:
        return None
    return tuple(dict.fromkeys(head.encode() + test for test in tests if test is not None))


def _interface_bytes(test: object) -> bytes | None:
    # An interface is never the line's last word: SRC= must follow.
    match test:
        case Text(""):
            return b" "
        case Text(text, exact_case=True) if text.isascii():
            return text.encode() + b" "
        case Pattern(text, exact_case=True) if text.isascii():
            return text.partition("*")[0].encode()
    return None


def _port_bytes(test: object) -> bytes | None:
    match test:
        case Range(low, high) if low == high:
            return str(low).encode()
        case Range(low, high) if len(str(low)) == len(str(high)):
            return os.path.commonprefix([str(low), str(high)]).encode()
    return None


class Finder:
    """
    Finds the lines of a block that any of some signals may want.

    Args:
        signals: What is looked for.  None takes every line, as a reader
            with a pattern of its own or --stats must.
        also: Bytes whose lines are to be read, too.
    """

    def __init__(self, signals: Sequence[Signal] | None, also: Sequence[bytes] = ()) -> None:
        wanted = None if signals is None else [needles(signal) for signal in signals]
        if wanted is not None:
            wanted.extend(((part,),) for part in also)
        self._wanted = wanted
        # Jump by the longest needle of each signal: the longer, the faster
        # bytes.find is, and the rarer it usually stands in a log.
        longest = [max(each, key=lambda n: min(map(len, n))) for each in wanted or ()]
        self._jumps = tuple(dict.fromkeys(part for needle in longest for part in needle))

    def lines(self, block: bytes) -> Iterator[bytes]:
        """Give the lines of *block*, which ends with a line's end, that may matter."""
        if self._wanted is None:
            yield from block.removesuffix(b"\n").split(b"\n") if block else ()
            return
        positions = {jump: block.find(jump) for jump in self._jumps}
        while positions := {jump: at for jump, at in positions.items() if at >= 0}:
            hit = min(positions.values())
            start = block.rfind(b"\n", 0, hit) + 1
            end = block.find(b"\n", hit)
            end = len(block) if end < 0 else end
            line = block[start:end]
            if any(_contains(line, each) for each in self._wanted):
                yield line
            for jump, at in positions.items():
                if at < end:
                    positions[jump] = block.find(jump, end)


def _contains(line: bytes, wanted: tuple[Needle, ...]) -> bool:
    return all(any(part in line for part in needle) for needle in wanted)


def drops(
    blocks: Iterable[bytes], finder: Finder, reader: LineReader, counts: LineCounts | None = None
) -> Iterator[Drop]:
    """
    Give the packet lines of *blocks*, in reading order.

    Args:
        blocks: Whole lines each.
        finder: Picks the lines that are worth reading.
        reader: Reads them.
        counts: Counts what goes by, if given; then *finder* must take every line.
    """
    for block in blocks:
        for line in finder.lines(block):
            outcome = reader.read(line)
            if counts is not None:
                _count(counts, outcome)
            if isinstance(outcome, Drop):
                yield outcome


def _count(counts: LineCounts, outcome: Drop | Outcome) -> None:
    counts.read += 1
    if isinstance(outcome, Drop):
        counts.packets += 1
    elif outcome is Outcome.UNPARSED:
        counts.unparsed += 1


def within(
    packets: Iterable[Drop], since: datetime | None, until: datetime | None
) -> Iterator[Drop]:
    """Keep the drops from *since* on and before *until*; one without a time is outside."""
    if since is None and until is None:
        yield from packets
        return
    for drop in packets:
        if drop.time is None or (since and drop.time < since) or (until and drop.time >= until):
            continue
        yield drop


def hits(packets: Iterable[Drop], signals: Sequence[Signal]) -> Iterator[Hit]:
    """Give a hit for each of *signals* that each of *packets* meets."""
    for drop in packets:
        for signal in signals:
            if matches(drop, signal):
                yield hit_of(drop, signal)


def hit_of(drop: Drop, signal: Signal) -> Hit:
    """Keep of *drop* what a tally needs."""
    fields = drop.packet.fields
    return Hit(
        signal=signal.name,
        source=fields["SRC"],
        time=drop.time,
        destination=fields.get("DST"),
        port=fields.get("DPT"),
        interface=fields.get("IN"),
        mac=sender_mac(drop),
        repeat=drop.repeat,
        line=drop.line,
    )
