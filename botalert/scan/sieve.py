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

from botalert.grammar.forms import JSON_LINE
from botalert.match import Condition, Pattern, Range, Signal, Text

Needle = tuple[bytes, ...]
"""Alternatives, one of which a wanted line must contain."""

# Every packet line that can be read has a source.
_ANY_PACKET: Needle = (b"SRC=",)
# What an ICMP error quotes may stand anywhere, also within a value, which then
# is not what is jumped to.
_QUOTE = b"[SRC="
_DIGITS = re.compile(rb"[0-9]++")
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


def _jump(literal: bytes) -> "re.Pattern[bytes]":
    """Give a pattern that finds *literal*, once a line, and the line's end."""
    return re.compile(re.escape(literal) + rb"[^\n]*+")


class Sieve:
    """
    Finds the lines of a block that any of some signals may want.

    Args:
        signals: What is looked for.
        json: Whether lines that are JSON objects are to be read, too.
    """

    def __init__(self, signals: Sequence[Signal], *, json: bool) -> None:
        self._literals = literals(signals)
        self._ports = wanted_ports(signals)
        self._json = json
        self._jumps = [_jump(literal) for literal in self._literals]
        self._blocks_to_pass = 0

    def lines(self, block: bytes) -> list[bytes] | None:
        """
        Give the lines of *block* that may matter, without their ends.

        None where looking for them would take longer than reading them all.
        """
        if self._blocks_to_pass:
            self._blocks_to_pass -= 1
            return None
        spans: dict[int, int] = {}
        for jump in self._jumps:
            self._add_spans(spans, jump, block, self._ports)
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

    @staticmethod
    def _add_spans(
        spans: dict[int, int],
        jump: "re.Pattern[bytes]",
        block: bytes,
        ports: frozenset[bytes] | None,
    ) -> None:
        find, rfind = block.find, block.rfind
        for found in jump.finditer(block):
            at, end = found.span()
            start = rfind(b"\n", 0, at) + 1
            if ports is not None:
                port = rfind(b"DPT=", start, end) + 4
                digits = _DIGITS.match(block, port, end)
                # Of two the first counts, and one may stand in a rule's prefix
                # or in what an ICMP error quotes.
                if (
                    (digits is None or digits[0] not in ports)
                    and (port < 4 or find(b"DPT=", start, port - 4) < 0)
                    and find(_QUOTE, start, end) < 0
                ):
                    continue
            spans[start] = end
