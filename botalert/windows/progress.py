"""
What is remembered of a source's packets, until its threshold is met.

Of each group the last N distinct values are kept with the times at which each
came last, N being the largest number that is asked for.  For ``3 DST in 10s``:

    second  DST   kept                      distinct values in the last 10 s
    0       a     a:0                       1
    4       b     a:0 b:4                   2
    6       a     b:4 a:6                   2
    12      c     b:4 a:6 c:12              3: the third last came 8 s ago, it is met
    12      d     a:6 c:12 d:12             (had c not met it; b is needed no more)

The N-th last distinct value tells all: if it came within the window, so did
the others.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice, repeat
from typing import Any

from botalert.threshold import DAYS, PACKETS, Measure
from botalert.windows.rules import FOREVER, Counting, Rules, Step

# What is remembered of one source, whatever it does; the oldest go first.
MOST_GROUPS = 4096

Value = str | int
Tail = dict[Value, int]
"""The last distinct values with the times at which each came last, the latest at the
end; of packets, times with how many came then."""

Column = Iterable[Any]
"""One value for each of some lines; None where a line has none."""
_ONES, _ONE_GROUP = repeat(1), repeat("")


class Track:
    """
    What one :class:`Counting` counts: distinct values.

    Attributes:
        tails: By group, the one that was active last being the last.
        reached: The most that any group had at any time.
    """

    __slots__ = ("_least", "_most", "_steps", "_width", "reached", "tails")

    def __init__(self, counting: Counting) -> None:
        self._steps = counting.steps
        self._least, self._most = counting.steps[0].number, counting.steps[-1].number
        self._width = max(step.width for step in counting.steps)
        self.tails: OrderedDict[str, Tail] = OrderedDict()
        self.reached = 0

    @property
    def lacks(self) -> int:
        """How many lines have to come, at least, before it is enough."""
        return self._least - self.reached

    def take(self, times: Column, groups: Column, values: Column, repeats: Column) -> bool:
        """Count lines, in their order; whether that is enough, after which nothing is counted."""
        tails, least, most = self.tails, self._least, self._most
        for time, group, value in zip(times, groups, values):  # noqa: B905 - some have no end
            if group is None or value is None:
                continue
            tail = tails.get(group)
            if tail is None:
                tail = self._begin(group, time)
            else:
                tails.move_to_end(group)
                tail.pop(value, None)
            tail[value] = time
            held = len(tail)
            self.reached = max(self.reached, held)
            if held > most:
                del tail[next(iter(tail))]
            if held >= least and self._is_enough(tail, time):
                return True
        return False

    def most(self, step: Step, time: int) -> tuple[str, int]:
        """Return the group that was active last, and how many it has at *time*, up to a step's."""
        if not self.tails:
            return "", 0
        group, tail = next(reversed(self.tails.items()))
        return group, min(self._number(tail, time - step.width), step.number)

    def settle(self, time: int) -> None:
        """Forget what no window reaches that ends at *time*, or later."""
        begin = time - self._width
        for group, tail in list(self.tails.items()):
            if self._last(tail) < begin:
                self._forget(group)
            else:
                self._trim(group, begin)

    def _trim(self, group: str, begin: int) -> None:
        """Forget what of *group* came before *begin*; the last of it did not."""
        tail = self.tails[group]
        while tail[value := next(iter(tail))] < begin:
            del tail[value]

    def size(self) -> int:
        """Return about how many things it holds."""
        return sum(2 + len(tail) for tail in self.tails.values())

    def parts(self) -> list[object]:
        """Return all that it knows as what JSON can hold."""
        return [[group, list(tail.items())] for group, tail in self.tails.items()]

    def restore(self, parts: list[Any]) -> None:
        """Take what :meth:`parts` gave."""
        for group, tail in parts:
            self.tails[group] = {value: at for value, at in tail}  # noqa: C416 - of pairs only
            self.reached = max(self.reached, self._number(self.tails[group], -FOREVER))

    def _begin(self, group: str, time: int) -> Tail:
        tails = self.tails
        if len(tails) >= MOST_GROUPS:
            begin = time - self._width
            while tails and self._last(tails[oldest := next(iter(tails))]) < begin:
                self._forget(oldest)
            if len(tails) >= MOST_GROUPS:
                self._forget(next(iter(tails)))
        tail: Tail = {}
        tails[group] = tail
        return tail

    def _forget(self, group: str) -> None:
        del self.tails[group]

    def _is_enough(self, tail: Tail, time: int) -> bool:
        held = len(tail)
        for number, width in self._steps:
            if held < number:
                return False
            if time - next(islice(reversed(tail.values()), number - 1, None)) <= width:
                return True
        return False

    def _last(self, tail: Tail) -> int:
        """Return when a group was active last."""
        return next(reversed(tail.values()))

    def _number(self, tail: Tail, begin: int) -> int:
        return sum(at >= begin for at in tail.values())


class PacketsTrack(Track):
    """The same of packets: the last times at which enough came."""

    __slots__ = ("_totals",)

    def __init__(self, counting: Counting) -> None:
        super().__init__(counting)
        self._totals: dict[str, int] = {}

    def take(self, times: Column, groups: Column, values: Column, repeats: Column) -> bool:
        """See :class:`Track`."""
        tails, totals, least, most = self.tails, self._totals, self._least, self._most
        for time, group, packets in zip(times, groups, repeats):  # noqa: B905
            if group is None:
                continue
            tail = tails.get(group)
            if tail is None:
                tail = self._begin(group, time)
            else:
                tails.move_to_end(group)
            tail[time] = tail.get(time, 0) + packets
            total = totals.get(group, 0) + packets
            while total - tail[first := next(iter(tail))] >= most:
                total -= tail.pop(first)
            totals[group] = total
            self.reached = max(self.reached, total)
            if total >= least and self._is_enough(tail, time):
                return True
        return False

    def restore(self, parts: list[Any]) -> None:
        """See :class:`Track`."""
        super().restore(parts)
        self._totals = {group: sum(tail.values()) for group, tail in self.tails.items()}

    def _forget(self, group: str) -> None:
        super()._forget(group)
        del self._totals[group]

    def _trim(self, group: str, begin: int) -> None:
        tail = self.tails[group]
        while int(at := next(iter(tail))) < begin:
            self._totals[group] -= tail.pop(at)

    def _is_enough(self, tail: Tail, time: int) -> bool:
        total, steps = 0, iter(self._steps)
        number, width = next(steps)
        for at in reversed(tail):
            total += tail[at]
            while total >= number:
                if time - int(at) <= width:
                    return True
                step = next(steps, None)
                if step is None:
                    return False
                number, width = step
        return False

    def _last(self, tail: Tail) -> int:
        return int(next(reversed(tail)))

    def _number(self, tail: Tail, begin: int) -> int:
        return sum(packets for at, packets in tail.items() if int(at) >= begin)


class DaysTrack(Track):
    """
    The same of calendar days, which are their own times: the last that are different.

    A line may be late, its day one before the latest.
    """

    __slots__ = ()

    def take(self, times: Column, groups: Column, values: Column, repeats: Column) -> bool:
        """See :class:`Track`; *times* are the latest days so far."""
        for today, group, day in zip(times, groups, values):  # noqa: B905
            if group is None or not day:
                continue
            tail = self.tails.get(group)
            if tail is None:
                tail = self._begin(group, today)
            else:
                self.tails.move_to_end(group)
            tail[day] = day
            self.reached = max(self.reached, len(tail))
            if len(tail) > self._most:
                del tail[min(tail)]
            if self._is_enough(tail, today):
                return True
        return False

    def _is_enough(self, tail: Tail, time: int) -> bool:
        days = sorted(tail.values(), reverse=True)
        return any(
            len(days) >= number and time - days[number - 1] <= width
            for number, width in self._steps
        )

    def _last(self, tail: Tail) -> int:
        return max(tail.values())


class Progress:
    """
    How far a source is towards a threshold.

    Attributes:
        is_met: Whether it is met; then nothing is remembered any more.
    """

    __slots__ = ("_rules", "_tracks", "is_met")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        # Most sources never need any.
        self._tracks: list[Track] = []
        self.is_met = False

    @property
    def lacks(self) -> int:
        """How many lines, each one packet, have to come at least before it can be met."""
        return min((track.lacks for track in self._tracks), default=self._rules.least)

    def _begun(self) -> list[Track]:
        if not self._tracks:
            self._tracks = list(map(_track, self._rules.countings))
        return self._tracks

    def take(
        self,
        times: Column,
        todays: Column,
        days: Column,
        columns: Sequence[Column],
        repeats: Column = _ONES,
        *,
        in_windows: bool = True,
    ) -> bool:
        """
        Take on lines of one stretch.

        Args:
            times: When each counts, in microseconds, ascending; 0 if no line had a
                time yet.
            todays: The latest day so far, an ordinal; 0 if none.
            days: The day that each line's stamp names; 0 if none.
            columns: What the lines have of each of :attr:`Rules.values`.
            repeats: How many packets each line stands for.
            in_windows: Whether windows count them: not without a time.

        Returns:
            Whether the threshold is met now.
        """
        for counting, track in zip(self._rules.countings, self._begun(), strict=True):
            if counting.is_windowed and not in_windows:
                continue
            groups = _ONE_GROUP if counting.per is None else columns[counting.per]
            if counting.what == DAYS:
                self.is_met = track.take(todays, groups, days, repeats)
            else:
                self.is_met = track.take(times, groups, _values(counting, columns), repeats)
            if self.is_met:
                self._tracks = []  # Nothing of it matters any more.
                break
        return self.is_met

    def begin_stretch(self) -> None:
        """Begin the windows anew."""
        for place, counting in enumerate(self._rules.countings):
            if counting.is_windowed:
                self._begun()[place] = _track(counting)

    def settle(self, time: int | None) -> None:
        """Forget what no window reaches that ends at *time*, or later."""
        for counting, track in zip(self._rules.countings, self._begun(), strict=True):
            if time is not None and counting.is_windowed and counting.what != DAYS:
                track.settle(time)

    def most(self, measure: Measure, time: int, day: int) -> tuple[str, int]:
        """Return the group of *measure* that was active last, and how many it has by then."""
        place, step = self._rules.place_of(measure)
        return self._begun()[place].most(step, day if measure.what == DAYS else time)

    def size(self) -> int:
        """Return about how many things it holds."""
        return sum(track.size() for track in self._tracks)

    def parts(self) -> list[object]:
        """Return all that it knows as what JSON can hold; see :meth:`of_parts`."""
        parts = [track.parts() for track in self._tracks]
        return [self.is_met, parts if any(parts) else []]

    @classmethod
    def of_parts(cls, rules: Rules, parts: list[Any]) -> "Progress":
        """
        Make one of what :meth:`parts` gave.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: It is something else.
        """
        progress = cls(rules)
        progress.is_met, tracks = parts
        if tracks:
            for track, own in zip(progress._begun(), tracks, strict=True):
                track.restore(own)
        return progress


def _track(counting: Counting) -> Track:
    return _TRACKS.get(counting.what, Track)(counting)


_TRACKS: dict[str | int, type[Track]] = {PACKETS: PacketsTrack, DAYS: DaysTrack}


def _values(counting: Counting, columns: Sequence[Column]) -> Column:
    return columns[counting.what] if isinstance(counting.what, int) else _ONES
