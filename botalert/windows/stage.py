"""
How far a threshold is met by some lines of a log, and by what stands before and after them.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from botalert.threshold import DAYS, SECONDS
from botalert.windows.heads import Heads
from botalert.windows.rules import (
    FOREVER,
    MICROSECONDS,
    Moment,
    Packets,
    Rules,
    Way,
    begins_stretch,
    counting,
)
from botalert.windows.tracks import Tracks

# What stands before a part reaches so far into it, and a window's length, at
# most: more lines, each a minute before the one before it, would step back.
_REACH = SECONDS["h"] * MICROSECONDS
# What is remembered of a source: values, groups, lines.
_THINGS_OF_ONE_KB = 3
# A moment at which nothing comes.
_NOTHING = Packets(0, None, 0, False, 0, (), 0, is_within=True)


class Spans:
    """
    From when to when each measure held, in a part's first stretch.

    Needed only where several must hold at one moment.

    Attributes:
        held: By the numbers of measures; ascending, and none overlaps another.
    """

    __slots__ = ("_rules", "held")

    def __init__(self, rules: Rules, held: dict[int, list[tuple[int, int]]] | None = None) -> None:
        self._rules = rules
        self.held: dict[int, list[tuple[int, int]]] = {} if held is None else held

    def hold(self, number: int, packets: Packets, until: int) -> None:
        """Note that a measure holds from now on."""
        at = self._at(number, packets)
        if self._rules.measures[number].window is None or at is None:
            return
        own = self.held.setdefault(number, [])
        if own and own[-1][0] <= at <= own[-1][1]:
            own[-1] = (own[-1][0], max(until, own[-1][1]))
        else:
            own.append((at, until))

    def covers(self, number: int, packets: Packets) -> bool:
        """Tell whether a measure held then."""
        at = self._at(number, packets)
        if at is None:
            return False
        own = self.held.get(number, [])
        behind = bisect_right(own, (at, FOREVER))
        return behind > 0 and at <= own[behind - 1][1]

    def behind(self, latest: Moment | None) -> "Spans":
        """Give them by the times that count behind *latest*."""
        if latest is None:
            return self
        found = {}
        for number, own in self.held.items():
            begin = latest.day if self._counts_days(number) else latest.time
            found[number] = _disjoint(
                (max(at, begin), until) for at, until in own if until >= begin
            )
        return Spans(self._rules, found)

    def starts(self) -> list[int]:
        """
        Give the times at which measures came to hold.

        Not of days: one begins with a line that is among what a part opened with.
        """
        return sorted(
            at
            for number, own in self.held.items()
            if not self._counts_days(number)
            for at, _ in own
        )

    def united(self, other: "Spans") -> "Spans":
        """Give both."""
        numbers = {*self.held, *other.held}
        return Spans(
            self._rules,
            {
                each: _disjoint([*self.held.get(each, ()), *other.held.get(each, ())])
                for each in numbers
            },
        )

    def _at(self, number: int, packets: Packets) -> int | None:
        """Give the time in which a measure's window is."""
        return packets.day if self._counts_days(number) else packets.time

    def _counts_days(self, number: int) -> bool:
        return self._rules.measures[number].what == DAYS


def _disjoint(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Unite those of *spans* that overlap."""
    united: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if united and begin <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((begin, end))
    return united


class Stage:
    """
    Lines about a source, in reading order, and whether a threshold was met among them.

    It merges with what was read before and after it, whatever the windows.

    Attributes:
        is_met: Whether it was.
        lines: How many lines there were.
        first: The first moment as logged; None if there was none.
        last: The last moment as logged.
        latest: The last moment that counts.
    """

    __slots__ = (
        "_heads",
        "_is_single",
        "_rules",
        "_spans",
        "_together",
        "_tracks",
        "first",
        "is_met",
        "last",
        "latest",
        "lines",
    )

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.is_met = False
        self.lines = 0
        self.first: Moment | None = None
        self.last: Moment | None = None
        self.latest: Moment | None = None
        # Whether no stretch but the first has begun.
        self._is_single = True
        self._tracks = Tracks(rules)
        # What matters to lines before: which brought first values, ...
        self._heads = Heads(rules)
        # ... from when to when measures held in the first stretch, ...
        self._spans = Spans(rules)
        # ... and at which line the windows of a way last held together.
        self._together: dict[Way, int] = {}

    def add(self, moment: Moment | None, values: tuple[str | None, ...], repeat: int) -> None:
        """Count the next line."""
        counts = self._step(moment)
        number, self.lines = self.lines, self.lines + 1
        if self.is_met:
            return
        time, day = (counts.time, counts.day) if counts else (None, 0)
        is_timed, own_day = (False, 0) if moment is None else (True, moment.day)
        counted = self._rules.counted_of(number, own_day, values, is_timed)
        self._tracks.add(time, repeat, counted)
        is_within = self._is_single
        if not is_within:  # Lines before reach it only by what has no window.
            counted = self._rules.counted_of(number, own_day, values, in_windows=False)
        is_needed = self.is_reached(time) and self._heads.are_needed(repeat, counted)
        is_held = self._tracks.is_held()
        if is_needed or is_held:  # As few are of a source that stays below its threshold.
            packets = Packets(number, time, day, is_timed, own_day, values, repeat, is_within)
            if is_needed:
                self._heads.opening.append(packets)
            if is_held:
                self._look(packets)

    def _step(self, moment: Moment | None) -> Moment | None:
        """Go on to *moment*; give the one that counts."""
        if moment is None:
            return self.latest
        last = self.last
        if last is not None and last is self.latest and _is_next(last, moment):
            self.last = self.latest = moment
            return moment
        if self.first is None:
            self.first = moment
            self._tracks.reached = self._reached()
        if begins_stretch(self.last, moment):
            self._is_single = False
            self._tracks.begin_stretch()
            self.latest = None
        self.last = moment
        self.latest = counting(moment, self.latest)
        return self.latest

    def is_reached(self, time: int | None) -> bool:
        """Tell whether what was before may matter to what comes at *time*, in the first stretch."""
        if self._rules.reach is None or self.first is None or time is None:
            return True
        return time - self.first.time <= self._rules.reach + _REACH

    def _reached(self) -> int:
        """Tell up to which time lines may count later than they seem to, behind others."""
        if self.first is None or not self._is_single:
            return -FOREVER
        return self.first.time + _REACH

    def _look(self, packets: Packets) -> None:
        """See whether the threshold is met now."""
        holds, rules = self._tracks.holds, self._rules
        for way in rules.ways:
            held = [number for number in way if holds(number, packets.time, packets.day)]
            if len(held) == len(way):
                self._meet()
                return
            if len(way) > 1:
                if self._is_single:
                    for number in held:
                        self._spans.hold(number, packets, self._tracks.until[number])
                if all(number in held for number in rules.windows_of(way)):
                    self._together[way] = packets.number

    def _meet(self) -> None:
        self.is_met = True
        # Nothing of it matters any more.
        self._tracks = Tracks(self._rules)
        self.settle()

    def most(self, number: int) -> tuple[str, int]:
        """Give the group of a measure that was active last, and how many it has; none once met."""
        latest = self.latest
        return self._tracks.most(number, latest.time if latest else 0, latest.day if latest else 0)

    def settle(self) -> None:
        """Forget what matters only to lines before: there were none."""
        self._tracks.settle(self.latest)
        self._heads, self._spans, self._together = Heads(self._rules), Spans(self._rules), {}

    def weight(self) -> int:
        """Tell about how much room it takes, in KB."""
        held = sum(map(len, self._spans.held.values()))
        return (len(self._heads.opening) + held + self._tracks.size()) // _THINGS_OF_ONE_KB

    def merged(self, later: "Stage") -> "Stage":
        """Give what this and *later*, read after it, are together."""
        whole = Stage(self._rules)
        whole.lines = self.lines + later.lines
        whole.first, whole.last = self.first or later.first, later.last or self.last
        goes_on = not begins_stretch(self.last, later.first)
        is_one = goes_on and later._is_single
        whole.latest = later.latest
        if is_one and self.latest is not None:
            whole.latest = counting(later.latest or self.latest, self.latest)
        whole._is_single = self._is_single and is_one
        if self.is_met or later.is_met or _Seam(self, later, goes_on=goes_on).joins(whole):
            whole._meet()
            return whole
        whole._tracks = self._tracks.copy()
        whole._tracks.reached = whole._reached()
        whole._tracks.append(later._tracks, self.latest, goes_on=is_one)
        return whole

    def parts(self) -> list[object]:
        """Give all that it knows as what JSON can hold; see :meth:`of_parts`."""
        return [
            self.is_met,
            self.lines,
            self.first,
            self.last,
            self.latest,
            self._is_single,
            self._tracks.parts(),
            self._heads.opening,
            list(self._spans.held.items()),
            list(self._together.items()),
        ]

    @classmethod
    def of_parts(cls, rules: Rules, parts: list[Any], *, anew: bool = False) -> "Stage":
        """
        Make one of what :meth:`parts` gave; with *anew*, of other rules.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: It is something else.
        """
        stage = cls(rules)
        stage.is_met, stage.lines, *moments, stage._is_single, tracks, opening, held, together = (
            parts
        )
        stage.first, stage.last, stage.latest = (each and Moment(*each) for each in moments)
        if anew:
            return stage
        stage._tracks = Tracks.of_parts(rules, tracks, stage._reached())
        for each in opening:
            packets = Packets(*each)
            packets = packets._replace(values=tuple(packets.values))
            stage._heads.add(packets, rules.counted(packets))
        stage._spans = Spans(
            rules, {number: [(begin, end) for begin, end in own] for number, own in held}
        )
        stage._together = {tuple(way): number for way, number in together}
        return stage


class _Seam:
    """
    Where two parts meet.

    Args:
        before: The one.
        after: The other, read after it.
        goes_on: Whether *after* begins in the stretch in which *before* ends.
    """

    def __init__(self, before: Stage, after: Stage, *, goes_on: bool) -> None:
        self._rules = before._rules
        self._before = before
        self._after = after
        self._goes_on = goes_on
        # What is known as the lines that matter of *after* are gone through.
        self._tracks = before._tracks.copy()
        if not goes_on:
            self._tracks.begin_stretch()
        # By itself, *after* knows when its measures held.
        self._spans = after._spans.behind(before.latest) if goes_on else Spans(self._rules)
        # What both are to lines before them.
        self._is_single = before._is_single and goes_on
        self._heads = Heads(self._rules)
        self._held = Spans(self._rules, {n: list(own) for n, own in before._spans.held.items()})
        self._together = dict(before._together)

    def joins(self, whole: Stage) -> bool:
        """Make *whole* open with what both open with; or tell that the threshold is met."""
        for packets in self._before._heads.opening:
            self._heads.add(packets, self._rules.counted(packets))
        waiting = sorted(self._after._together.items(), key=lambda pair: pair[1])
        for packets in self._moments():
            while waiting and waiting[0][1] < packets.number:
                if self._is_lasting(waiting.pop(0)[0]):
                    return True
            if packets.repeat:
                self._count(packets)
            if self._is_met(packets):
                return True
        if any(self._is_lasting(way) for way, _ in waiting):
            return True
        for way, number in self._after._together.items():
            self._together[way] = max(self._together.get(way, 0), self._number(number))
        whole._heads, whole._together = self._heads, self._together
        whole._spans = self._held.united(self._spans) if self._is_single else self._held
        return False

    def _number(self, number: int) -> int:
        """Give the number of a line of *after* in the whole."""
        return self._before.lines + number

    def _count(self, packets: Packets) -> None:
        counted = self._rules.counted(packets)
        self._tracks.add(packets.time, packets.repeat, counted)
        if packets.is_within and not self._is_single:
            packets = packets._replace(is_within=False)
            counted = self._rules.counted(packets)
        self._heads.add(packets._replace(number=self._number(packets.number)), counted)

    def _is_met(self, packets: Packets) -> bool:
        """Tell whether the threshold is met now, and note what holds."""
        for way in self._rules.ways:
            held = [number for number in way if self._holds(number, packets)]
            if len(held) == len(way):
                return True
            if len(way) > 1 and packets.is_within:
                for number in held if self._is_single else ():
                    if self._tracks.holds(number, packets.time, packets.day):
                        self._held.hold(number, packets, self._tracks.until[number])
                if all(number in held for number in self._rules.windows_of(way)):
                    self._together[way] = self._number(packets.number)
        return False

    def _holds(self, number: int, packets: Packets) -> bool:
        if self._rules.measures[number].window is None:
            return self._tracks.until[number] == FOREVER
        # Of later stretches *after* knows all by itself.
        return packets.is_within and (
            self._tracks.holds(number, packets.time, packets.day)
            or self._spans.covers(number, packets)
        )

    def _is_lasting(self, way: Way) -> bool:
        """Tell whether all of a way's measures hold that have no window."""
        return all(
            self._tracks.until[number] == FOREVER
            for number in way
            if self._rules.measures[number].window is None
        )

    def _moments(self) -> Iterator[Packets]:
        """
        Give what *after* opened with by the times that count behind *before*.

        Among it stands, as no packets, each moment at which a measure came to hold.
        """
        opening = self._after._heads.opening
        latest = self._before.latest
        if not self._goes_on:
            yield from (packets._replace(is_within=False) for packets in opening)
            return
        nothing = _NOTHING._replace(day=latest.day if latest else 0)
        starts = deque(at for at in self._spans.starts() if self._after.is_reached(at))
        for packets in opening:
            if not packets.is_within:
                break
            moved = packets if latest is None else _behind(latest, packets)
            while starts and moved.time is not None and starts[0] < moved.time:
                yield nothing._replace(time=starts.popleft())
            yield moved
            # Days begin with a line that is among these, so it is still that day.
            nothing = _NOTHING._replace(number=moved.number, day=moved.day)
        for at in starts:
            yield nothing._replace(time=at)
        yield from (packets for packets in opening if not packets.is_within)


def _behind(latest: Moment, packets: Packets) -> Packets:
    """Give *packets* as they count behind *latest*."""
    time = latest.time if packets.time is None else max(packets.time, latest.time)
    return packets._replace(time=time, day=max(packets.day, latest.day))


def _is_next(last: Moment, moment: Moment) -> bool:
    """Tell whether *moment* comes after *last* as it should."""
    return last.clock == moment.clock and last.time <= moment.time and last.day <= moment.day
