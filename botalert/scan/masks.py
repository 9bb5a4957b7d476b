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

from botalert.match import Condition, Signal, Test, field_values
from botalert.model import Drop

MOST_REMEMBERED = 65536
# A line may have any text, a prefix of some KB.
_LONGEST_REMEMBERED = 255


class Masks:
    """
    The conditions of some signals, by the field that they ask about.

    Args:
        signals: The signals, in the order of their bits.

    Attributes:
        every: All signals.
        fields: What is asked about.
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._signals = signals
        self.every = (1 << len(signals)) - 1
        askers: dict[Condition, int] = {}
        for number, signal in enumerate(signals):
            for condition in signal.conditions:
                askers[condition] = askers.get(condition, 0) | 1 << number
        self._by_field: dict[str, list[tuple[Condition, int]]] = {}
        for condition, bits in askers.items():
            self._by_field.setdefault(condition.field, []).append((condition, bits))
        self.fields = frozenset(self._by_field)

    def of(self, field: str, values: Sequence[str]) -> int:
        """Give the signals that a packet with *values* of *field*, or none, does not fail."""
        mask = self.every
        for condition, bits in self._by_field.get(field, ()):
            if mask & bits and not condition.holds(values):
                mask &= ~bits
        return mask

    def tests_of(self, field: str) -> list[Test]:
        """Give all that is asked of *field*."""
        conditions = [condition for condition, _ in self._by_field.get(field, ())]
        return [test for each in conditions for test in (*each.plain, *each.barred)]

    def signals_in(self, mask: int) -> list[Signal]:
        """Give the signals in *mask*, in their order."""
        found = []
        while mask:
            lowest = mask & -mask
            found.append(self._signals[lowest.bit_length() - 1])
            mask ^= lowest
        return found


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memory(dict[Key, Value]):
    """What was worked out, up to a limit; then it begins anew."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: Key, value: Value) -> Value:
        """Remember *value*; give it back."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value


class Matcher:
    """
    Tells which signals a packet meets.

    Args:
        masks: Of the signals.
    """

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        # Of many destinations most need not be looked at: other fields decide before.
        fields = sorted(masks.fields, key=lambda field: (field == "DST", field))
        self._known: dict[str, Memory[tuple[str, ...], int]] = {each: Memory() for each in fields}

    def met_by(self, drop: Drop) -> list[Signal]:
        """Give the signals that *drop* meets by :func:`botalert.match.matches`, in their order."""
        if not drop.packet.fields.get("SRC"):
            return []
        met = self._masks.every
        for field, known in self._known.items():
            values = field_values(drop, field)
            mask = known.get(values)
            if mask is None:
                mask = self._masks.of(field, values)
                if sum(map(len, values)) <= _LONGEST_REMEMBERED:
                    known.keep(values, mask)
            met &= mask
            if not met:
                break
        return self._masks.signals_in(met)
