"""
Which signals a value meets, looked up instead of tried.

A set of signals is an integer, one bit each.  For every field that signals
ask about, the signals that do not fail on a value are worked out once and
remembered; the signals that a packet meets are the intersection over its
fields (Lakshman and Stiliadis, "High-Speed Policy-based Packet Forwarding",
SIGCOMM 1998).  So thirty signals cost no more than one.
"""

from collections.abc import Hashable, Sequence
from typing import TypeVar

from botalert.match import Condition, Signal

MOST_REMEMBERED = 65536


class Masks:
    """
    The conditions of some signals, by the field that they ask about.

    Attributes:
        every: All signals.
        fields: What is asked about.
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.every = (1 << len(signals)) - 1
        by_field: dict[str, dict[Condition, int]] = {}
        for number, signal in enumerate(signals):
            for condition in signal.conditions:
                bits = by_field.setdefault(condition.field, {})
                bits[condition] = bits.get(condition, 0) | 1 << number
        self._by_field = {field: tuple(bits.items()) for field, bits in by_field.items()}
        self.fields = frozenset(by_field)

    def of(self, field: str, values: Sequence[str]) -> int:
        """Give the signals that a packet with *values* of *field*, or none, does not fail."""
        mask = self.every
        for condition, bits in self._by_field.get(field, ()):
            if mask & bits and not condition.holds(values):
                mask &= ~bits
        return mask


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memory(dict[Key, Value]):
    """What was worked out, up to a limit; then it begins anew."""

    def keep(self, key: Key, value: Value) -> Value:
        """Remember *value*; give it back."""
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        self[key] = value
        return value


def numbers_in(mask: int) -> list[int]:
    """Give the numbers of the signals in *mask*, ascending."""
    numbers = []
    while mask:
        lowest = mask & -mask
        numbers.append(lowest.bit_length() - 1)
        mask ^= lowest
    return numbers
