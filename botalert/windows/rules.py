"""
What a threshold asks, made ready, and what it is told of a line.
"""

from itertools import chain
from typing import Any, NamedTuple

from botalert.threshold import DAYS, PACKETS, SECONDS, Measure, Threshold

MICROSECONDS = 1_000_000
# So far lines of several processors step back; a clock that is set, farther.
_STEP_BACK = 60 * MICROSECONDS
# Later than any time.
FOREVER = 1 << 62


class Moment(NamedTuple):
    """
    When a packet was logged.

    Attributes:
        clock: Which clock tells: STAMP or UPTIME; they can't be compared.
        time: In microseconds.
        day: The ordinal of the calendar day that the stamp names; 0 of an uptime.
    """

    clock: int
    time: int
    day: int


STAMP, UPTIME = 0, 1


def begins_stretch(last: Moment | None, moment: Moment | None) -> bool:
    """Tell whether *moment*, logged next after *last*, begins the windows anew."""
    if last is None or moment is None:
        return False
    return last.clock != moment.clock or moment.time < last.time - _STEP_BACK


def counting(moment: Moment, latest: Moment | None) -> Moment:
    """Give the moment at which a line counts that is logged at *moment*, after *latest*."""
    if latest is None:
        return moment
    if moment.time < latest.time:
        return latest
    # Of two offsets one may name the day before.
    return moment if moment.day >= latest.day else moment._replace(day=latest.day)


Way = tuple[int, ...]
"""The numbers of the measures that must hold at one moment."""


class Rules:
    """
    What a signal's threshold asks, made ready.

    Attributes:
        measures: All that its alternatives ask for.
        ways: For each alternative the numbers of its measures.
        values: The fields whose values count, and FLOWS.
        silence: After how long without a packet all begins anew, in microseconds.
        realert: After how long a detection is followed by another; None for never.
        least_silence: The shorter of both.
        widths: How far the first and the last may be apart, of each measure.
        needs: Of each measure what counts and how many there must be.
        reach: How long what was before may matter; None for any time.
    """

    def __init__(self, threshold: Threshold, retain: int, realert: int | None) -> None:
        self.measures = tuple(dict.fromkeys(chain.from_iterable(threshold)))
        self.ways = tuple(
            tuple(sorted({self.measures.index(measure) for measure in way})) for way in threshold
        )
        asked = (each for measure in self.measures for each in (measure.what, measure.per))
        self.values = tuple(
            dict.fromkeys(each for each in asked if each not in (None, PACKETS, DAYS))
        )
        self.needs = tuple((measure.what, measure.number) for measure in self.measures)
        longest = max(_seconds(measure, retain) for measure in self.measures)
        self.silence = max(SECONDS["d"], longest) * MICROSECONDS
        self.realert = None if realert is None else realert * MICROSECONDS
        silences = (self.silence, self.realert)
        self.least_silence = min(each for each in silences if each is not None)
        self.widths = tuple(map(_width, self.measures))
        lengths = [_seconds(each, retain) for each in self.measures if each.window is not None]
        is_bounded = len(lengths) == len(self.measures)
        self.reach = max(lengths) * MICROSECONDS if is_bounded else None
        # Of each measure its number, and where what a line tells has its group
        # and its value; and the same of those without a window.
        told = (None, PACKETS, DAYS, *self.values)
        self._counted = [
            (number, told.index(each.per), told.index(each.what))
            for number, each in enumerate(self.measures)
        ]
        self._lasting = [each for each in self._counted if self.measures[each[0]].window is None]

    @property
    def text(self) -> str:
        """Give what tells them from others."""
        return repr(self._asked())

    def windows_of(self, way: Way) -> Way:
        """Give those of a way's measures that have a window."""
        return tuple(number for number in way if self.measures[number].window is not None)

    def counted(self, packets: "Packets") -> "Counted":
        """Give which measures count *packets*, in which group, and the value that counts."""
        in_windows = packets.is_timed and packets.is_within
        return self.counted_of(packets.number, packets.own_day, packets.values, in_windows)

    def counted_of(
        self, line: int, own_day: int, values: tuple[str | None, ...], in_windows: bool
    ) -> "Counted":
        """
        Give the same without the packets: most are not needed for anything else.

        Args:
            line: The packets' number.
            own_day: Their own day.
            values: Their values.
            in_windows: Whether windows count them.
        """
        told: tuple[Any, ...] = ("", line, own_day or None, *values)
        return [
            (number, group, value)
            for number, group_at, value_at in (self._counted if in_windows else self._lasting)
            if (group := told[group_at]) is not None and (value := told[value_at]) is not None
        ]

    def __eq__(self, other: object) -> bool:
        """Compare what is asked."""
        if not isinstance(other, Rules):
            return NotImplemented
        return self._asked() == other._asked()

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._asked())

    def _asked(self) -> tuple[object, ...]:
        return self.measures, self.ways, self.silence, self.realert


def _seconds(measure: Measure, retain: int) -> int:
    if measure.window is None:
        return retain
    return measure.window * (SECONDS["d"] if measure.what == DAYS else 1)


def _width(measure: Measure) -> int:
    if measure.window is None:
        return FOREVER
    return measure.window - 1 if measure.what == DAYS else measure.window * MICROSECONDS


class Packets(NamedTuple):
    """
    One line's packets, as far as a threshold cares.

    Attributes:
        number: How many lines of the part stand before it.
        time: What time it is, in microseconds; None if no line had one yet.
        day: The latest day so far, an ordinal; 0 if none.
        is_timed: Whether the line itself says so; else it counts in no window.
        own_day: The day that its own stamp names.
        values: What it has of :attr:`Rules.values`.
        repeat: How many packets it stands for.
        is_within: Whether it is of the part's first stretch.
    """

    number: int
    time: int | None
    day: int
    is_timed: bool
    own_day: int
    values: tuple[str | None, ...]
    repeat: int
    is_within: bool


Value = str | int

Counted = list[tuple[int, str, Value]]
"""The numbers of measures with the group and the value that each counts of a line."""
