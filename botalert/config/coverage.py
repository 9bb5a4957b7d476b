"""
How much the values of a condition let through, and what is left of it by barred ones.

Numbers and addresses are compared as spans, so that several values together
cover what none of them does alone.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from botalert.grammar.packets import PROTOCOLS
from botalert.match import Network, Pattern, ProtocolRange, Range, Test, Text

_PROTOCOL = "PROTO"
# FLAGS has several values in one packet; of free text, one value may be written in many ways.
_UNCOUNTED = frozenset({"FLAGS", "PREFIX", "DESCR"})
_NUMBERS_OF_PROTOCOLS = {name.casefold(): int(number) for number, name in PROTOCOLS.items()}


class Span(NamedTuple):
    """Neighbouring values of one kind, from *low* to *high*, both included."""

    kind: str
    low: int
    high: int


def is_covered(field: str, asked: Collection[Test], covering: Collection[Test]) -> bool:
    """Tell whether what meets one of *asked* meets one of *covering*, if anything is asked."""
    return bool(asked) and number_left(field, asked, covering) == 0


def number_left(field: str, asked: Collection[Test], barred: Collection[Test]) -> int | None:
    """Tell how many values of *field* meet one of *asked* and none of *barred*; None for any."""
    barred_spans = _spans(field, barred)
    number = _size([*_spans(field, asked), *barred_spans]) - _size(barred_spans)
    others = [
        test
        for test in asked
        if _span(field, test) is None and not any(_takes(each, test) for each in barred)
    ]
    if others and (field in _UNCOUNTED or not all(isinstance(test, Text) for test in others)):
        return None
    return number + len(set(others))


def versions_left(field: str, asked: Collection[Test], barred: Collection[Test]) -> set[int]:
    """Tell of which IP versions the addresses are that meet one of *asked* and none of *barred*."""
    of_version = {
        version: [
            test for test in asked if isinstance(test, Network) and test.network.version == version
        ]
        for version in (4, 6)
    }
    return {version for version, tests in of_version.items() if number_left(field, tests, barred)}


def _spans(field: str, tests: Iterable[Test]) -> list[Span]:
    spans = (_span(field, test) for test in tests)
    return [span for span in spans if span is not None]


def _span(field: str, test: Test) -> Span | None:
    """Give the numbers that *test* holds for; None if it is about other things."""
    match test:
        case Network(network):
            kind = f"IPv{network.version}"
            return Span(kind, int(network.network_address), int(network.broadcast_address))
        case Range(low, high):
            return Span("number", low, high)
        case ProtocolRange(low, high):
            return Span(_PROTOCOL, low, high)
        case Text(text) if field == _PROTOCOL and text.casefold() in _NUMBERS_OF_PROTOCOLS:
            number = _NUMBERS_OF_PROTOCOLS[text.casefold()]
            return Span(_PROTOCOL, number, number)
    return None


def _size(spans: Iterable[Span]) -> int:
    """Count the values in *spans*, each once."""
    size = 0
    kind, reached = "", -1
    for span in sorted(spans):
        if span.kind != kind:
            kind, reached = span.kind, -1
        size += max(0, span.high - max(reached, span.low - 1))
        reached = max(reached, span.high)
    return size


def _takes(barred: Test, asked: Test) -> bool:
    """Tell whether all that *asked* holds for, *barred* holds for, too."""
    # A pattern's own "*" is in no value, so only a "*" of the other takes it.
    return isinstance(asked, (Text, Pattern)) and barred.holds(asked.text)
