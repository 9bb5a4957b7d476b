"""
What a threshold asks, made ready, and the moments at which packets count.
"""

from typing import NamedTuple

from botalert.threshold import DAYS, PACKETS, SECONDS, Measure, Threshold

MICROSECONDS = 1_000_000
# So far lines of several processors step back; a clock that is set, farther.
STEP_BACK = 60 * MICROSECONDS
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
    """Whether *moment*, logged next after *last*, begins the windows anew."""
    if last is None or moment is None:
        return False
    return last.clock != moment.clock or moment.time < last.time - STEP_BACK


def counting(moment: Moment, latest: Moment | None) -> Moment:
    """Return the moment at which a line counts that is logged at *moment*, after *latest*."""
    if latest is None:
        return moment
    # Of two offsets one may name the day before, or after.
    day = max(moment.day, latest.day)
    later = latest if moment.time < latest.time else moment
    return later if later.day == day else later._replace(day=day)


class Step(NamedTuple):
    """
    One measure, of those that count the same.

    Attributes:
        number: How many there must be.
        width: How far the first and the last of them may be apart, in
            microseconds; of days, in days.
    """

    number: int
    width: int


class Counting(NamedTuple):
    """
    What one or several measures count: alike, but up to other numbers, in other windows.

    Attributes:
        what: PACKETS, DAYS, or the place of what is counted in :attr:`Rules.values`.
        per: The place of what divides packets into groups; None for one group.
        is_windowed: Whether a step back begins it anew.
        steps: The measures, the smallest number first.
    """

    what: str | int
    per: int | None
    is_windowed: bool
    steps: tuple[Step, ...]


class Rules:
    """
    What a signal's threshold asks, made ready.

    Attributes:
        measures: Its alternatives.
        values: The fields whose values count, and FLOWS.
        countings: What the measures count.
        least: How many packets have to come, at least, before it can be met.
        silence: After how long without a packet all begins anew, in microseconds.
        realert: After how long a detection is followed by another; None for never.
        least_silence: The shorter of both.
    """

    def __init__(self, threshold: Threshold, retain: int, realert: int | None) -> None:
        self.measures = tuple(dict.fromkeys(threshold))
        asked = (each for measure in self.measures for each in (measure.what, measure.per))
        self.values = tuple(
            dict.fromkeys(each for each in asked if each not in (None, PACKETS, DAYS))
        )
        steps: dict[tuple[str, str | None, bool], list[Step]] = {}
        for measure in self.measures:
            steps.setdefault(_counted_by(measure), []).append(_step(measure))
        self.countings = tuple(
            Counting(
                what if what in (PACKETS, DAYS) else self.values.index(what),
                None if per is None else self.values.index(per),
                is_windowed,
                tuple(sorted(own)),
            )
            for (what, per, is_windowed), own in steps.items()
        )
        self._places = list(steps)
        self.least = min(measure.number for measure in self.measures)
        longest = max(_seconds(measure, retain) for measure in self.measures)
        self.silence = max(SECONDS["d"], longest) * MICROSECONDS
        self.realert = None if realert is None else realert * MICROSECONDS
        silences = (self.silence, self.realert)
        self.least_silence = min(each for each in silences if each is not None)

    @property
    def text(self) -> str:
        """What tells them from others."""
        return repr(self._asked())

    def place_of(self, measure: Measure) -> tuple[int, Step]:
        """Return which of :attr:`countings` tells of *measure*, and its step there."""
        return self._places.index(_counted_by(measure)), _step(measure)

    def __eq__(self, other: object) -> bool:
        """Compare what is asked."""
        if not isinstance(other, Rules):
            return NotImplemented
        return self._asked() == other._asked()

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._asked())

    def _asked(self) -> tuple[object, ...]:
        return self.measures, self.silence, self.realert


def _counted_by(measure: Measure) -> tuple[str, str | None, bool]:
    return measure.what, measure.per, measure.window is not None


def _step(measure: Measure) -> Step:
    if measure.window is None:
        return Step(measure.number, FOREVER)
    is_days = measure.what == DAYS
    return Step(measure.number, measure.window - 1 if is_days else measure.window * MICROSECONDS)


def _seconds(measure: Measure, retain: int) -> int:
    if measure.window is None:
        return retain
    return measure.window * (SECONDS["d"] if measure.what == DAYS else 1)
