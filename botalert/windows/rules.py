"""
What a threshold asks, made ready, and what it is told of a line.
"""

from itertools import chain
from typing import NamedTuple

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
        widths: How far the first and the last may be apart, of each measure.
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
        longest = max(_seconds(measure, retain) for measure in self.measures)
        self.silence = max(SECONDS["d"], longest) * MICROSECONDS
        self.realert = None if realert is None else realert * MICROSECONDS
        self.widths = tuple(map(_width, self.measures))
        lengths = [_seconds(each, retain) for each in self.measures if each.window is not None]
        is_bounded = len(lengths) == len(self.measures)
        self.reach = max(lengths) * MICROSECONDS if is_bounded else None
        places = {name: place for place, name in enumerate(self.values)}
        # Of each measure its number, whether it has a window, and where a line's
        # values have its group and its value.
        self._counted = tuple(
            (
                number,
                measure.window is not None,
                None if measure.per is None else places[measure.per],
                places.get(measure.what, measure.what),
            )
            for number, measure in enumerate(self.measures)
        )

    @property
    def text(self) -> str:
        """Give what tells them from others."""
        return repr(self._asked())

    @property
    def is_trivial(self) -> bool:
        """Tell whether any packet meets them, for good."""
        first = Measure(1, PACKETS)
        return self.realert is None and any(
            all(self.measures[number] == first for number in way) for way in self.ways
        )

    def windows_of(self, way: Way) -> Way:
        """Give those of a way's measures that have a window."""
        return tuple(number for number in way if self.measures[number].window is not None)

    def counted(self, packets: "Packets") -> "Counted":
        """Give which measures count *packets*, in which group, and the value that counts."""
        found: Counted = []
        in_windows = packets.is_timed and packets.is_within
        values = packets.values
        for number, is_window, per, what in self._counted:
            group = "" if per is None else values[per]
            if group is None or (is_window and not in_windows):
                continue
            if isinstance(what, int):
                value = values[what]
                if value is not None:
                    found.append((number, group, value))
            elif what == PACKETS:
                found.append((number, group, packets.number))
            elif packets.is_timed and packets.own_day:
                found.append((number, group, packets.own_day))
        return found

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
