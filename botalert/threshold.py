"""
How much has to happen before a signal triggers: the words of ``threshold:``.

A threshold is a set of alternatives, each a *measure*.  What they mean over
time is :mod:`botalert.windows`'s.
"""

from typing import NamedTuple

PACKETS, FLOWS, DAYS = "packets", "flows", "days"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Units of time, in seconds."""


class Measure(NamedTuple):
    """
    So many of something, within some time.

    Attributes:
        number: How many there must be.
        what: PACKETS, FLOWS or DAYS, or the field whose distinct values count.
        per: The field that divides packets into groups, one of which must do; None for one group.
        window: How far the first and the last of them may be apart, in
            seconds, included; of DAYS, how many consecutive days they lie
            in; None for any time.
    """

    number: int
    what: str
    per: str | None = None
    window: int | None = None

    def words(self) -> str:
        """Say it for people."""
        unit = self.what
        if unit in (PACKETS, FLOWS, DAYS):
            what = f"{self.number} {unit if self.number != 1 else unit[:-1]}"
        else:
            names = _NAMES.get(unit, (f"value of {unit}", f"values of {unit}"))
            what = f"{self.number} {names[self.number != 1]}"
        if self.per is not None:
            what += f" for one {_NAMES.get(self.per, (f'value of {self.per}',))[0]}"
        if self.window is None:
            return what
        if unit == DAYS:
            return f"{what} of {self.window}"
        return f"{what} within {duration_words(self.window)}"


Threshold = tuple[Measure, ...]
"""Alternatives, one of which must be met."""

_FIRST_PACKET = Measure(1, PACKETS)
ONE_PACKET: Threshold = (_FIRST_PACKET,)

_NAMES = {
    "DST": ("destination", "destinations"),
    "DPT": ("port", "ports"),
    "SPT": ("source port", "source ports"),
    "SRC": ("address", "addresses"),
    "PROTO": ("protocol", "protocols"),
    "IN": ("interface", "interfaces"),
}
# Every time has a whole number of the last.
_UNITS = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}


def is_met_by_any_packet(threshold: Threshold) -> bool:
    """Whether the first packet meets *threshold*, for good."""
    return _FIRST_PACKET in threshold


def threshold_words(threshold: Threshold) -> str:
    """Say *threshold* for people: "at least 5 destinations within an hour"."""
    return "at least " + ", or ".join(measure.words() for measure in threshold)


def duration_words(seconds: int) -> str:
    """Say a time in its largest unit that has a whole number of them: "an hour", "36 hours"."""
    unit = next(each for each in _UNITS if seconds % SECONDS[each] == 0)
    number, name = seconds // SECONDS[unit], _UNITS[unit]
    if number == 1:
        return f"{'an' if name == 'hour' else 'a'} {name}"
    return f"{number} {name}s"
