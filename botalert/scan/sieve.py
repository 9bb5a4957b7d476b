"""
Which lines of a block any signal may want: a look at bytes, not yet at lines.

A line that a signal wants must contain certain bytes ("IN=eth1 ", "DPT=25").
Looking for those costs next to nothing, so where few lines matter the scan
jumps from one to the next; `make bench` prints the figures.
"""

import os.path
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from botalert.grammar.forms import JSON_LINE
from botalert.match import Condition, Pattern, Range, Signal, Text

Needle = tuple[bytes, ...]
"""Alternatives, one of which a wanted line must contain."""

# Every packet line that can be read has a source.
_ANY_PACKET: Needle = (b"SRC=",)
# What an ICMP error quotes may stand anywhere, also within a value, which then
# is not what is jumped to.
_QUOTE = b"[SRC="
_PORT = b"DPT="
_PORTS = ("SPT", "DPT")
_INTERFACES = ("IN", "OUT")

# More literals than these take longer to find than lines take to read.
_MOST_LITERALS = 4
_MOST_PORTS = 4096
# Where more of a block is wanted, reading all of it is faster; how large a
# block has to be to tell, and for how many more that is believed.
_DENSE = 0.6
_TELLING_BYTES = 1 << 14
_DENSE_BLOCKS = 63


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
        tests = [_interface_bytes(test) for test in condition.plain]
    elif condition.field in _PORTS:
        tests = [_port_bytes(test) for test in condition.plain]
    else:
        return None
    if not tests or None in tests:
        return None
    head = f"{condition.field}=".encode()
    return tuple(dict.fromkeys(head + test for test in tests if test is not None))


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


def literals(signals: Sequence[Signal]) -> tuple[bytes, ...]:
    """
    Choose literals, one of which every line that *signals* want must contain.

    One that all signals share is best; else the longest of each: the longer,
    the faster it is found, and the rarer it usually stands in a log.
    """
    wanted = [needles(signal) for signal in signals]
    shared = Counter(needle for each in wanted for needle in set(each))
    chosen = dict.fromkeys(
        part
        for each in wanted
        for part in max(each, key=lambda needle: (shared[needle], min(map(len, needle))))
    )
    if len(chosen) > _MOST_LITERALS:
        return _ANY_PACKET
    # Behind IN= no quote can follow: the packet would not begin there.
    return tuple(chosen if all(part.startswith(b"IN=") for part in chosen) else [*chosen, _QUOTE])


def wanted_ports(signals: Iterable[Signal]) -> frozenset[bytes] | None:
    """Give all DPTs that *signals* name, if each names some and they are not too many."""
    found: set[bytes] = set()
    for signal in signals:
        named = [c.plain for c in signal.conditions if c.field == "DPT" and c.plain]
        if not named:
            return None
        for test in named[0]:
            if not isinstance(test, Range) or test.high - test.low >= _MOST_PORTS:
                return None
            found.update(str(port).encode() for port in range(test.low, test.high + 1))
    return frozenset(found) if len(found) <= _MOST_PORTS else None


def _jump(literal: bytes, ports: frozenset[bytes] | None) -> "re.Pattern[bytes]":
    """Give a pattern that finds *literal*, once a line, one of *ports* if given, and the end."""
    return re.compile(re.escape(literal) + _behind(literal, ports) + rb"[^\n]*+")


def _behind(literal: bytes, ports: frozenset[bytes] | None) -> bytes:
    if ports is None or literal == _QUOTE:
        return b""
    if literal.startswith(_PORT):
        rest = (_PORT + port for port in ports)
        return _one_of(port.removeprefix(literal) for port in rest if port.startswith(literal))
    # Of two DPTs one may stand in a rule's prefix; what is quoted, between a name and its value.
    return rb"(?:[^\n]*%b%b|[^\n]*%b)" % (_PORT, _one_of(ports), re.escape(_QUOTE))


def _one_of(numbers: Iterable[bytes]) -> bytes:
    """Give a pattern of whole *numbers*, which looks at each of their digits once."""
    rests: dict[bytes, list[bytes]] = {}
    for number in numbers:
        rests.setdefault(number[:1], []).append(number[1:])
    return b"(?:%b)" % b"|".join(
        digit + _one_of(rest) if digit else b"(?![0-9])" for digit, rest in sorted(rests.items())
    )


class Sieve:
    """
    Finds the lines of a block that any of some signals may want.

    Args:
        signals: What is looked for.
        json: Whether lines that are JSON objects are to be read, too.
    """

    def __init__(self, signals: Sequence[Signal], *, json: bool) -> None:
        self._literals = literals(signals)
        self._json = json
        self._signals = signals
        self._blocks_to_pass = 0

    @cached_property
    def _jumps(self) -> "list[re.Pattern[bytes]]":
        # Compiling them takes longer than reading a few lines.
        ports = wanted_ports(self._signals)
        return [_jump(literal, ports) for literal in self._literals]

    def lines(self, block: bytes) -> list[bytes] | None:
        """
        Give the lines of *block* that may matter, without their ends.

        None where looking for them would take longer than reading them all.
        """
        if self._blocks_to_pass:
            self._blocks_to_pass -= 1
            return None
        rfind = block.rfind
        spans = {
            rfind(b"\n", 0, found.start()) + 1: found.end()
            for jump in self._jumps
            for found in jump.finditer(block)
        }
        has_json = self._json and b"{" in block
        if has_json:
            spans.update(found.span() for found in JSON_LINE.finditer(block))
        ordered = sorted(spans.items()) if has_json or len(self._jumps) > 1 else spans.items()
        lines = [block[start:end] for start, end in ordered]
        if len(block) >= _TELLING_BYTES and sum(map(len, lines)) > _DENSE * len(block):
            self._blocks_to_pass = _DENSE_BLOCKS
        return lines

    def may_want(self, line: bytes) -> bool:
        """Tell whether *line* is one of those that :meth:`lines` gives, or nearly so."""
        return any(literal in line for literal in self._literals) or (
            self._json and JSON_LINE.match(line) is not None
        )
