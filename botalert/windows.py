"""
Whether a threshold is met, over time, as a value that merges.

What decides is the order of a log's lines and the times that count: a stamp
that is earlier than the latest one counts at that; one more than a minute
before the previous packet's begins the windows anew, and what follows is
another *stretch*.  A threshold is met at a packet if, of all packets of its
stretch up to it that lie within the window, enough are distinct; without a
window all packets count.

A log is cut into parts that are looked at by themselves, so a part keeps what
may still matter to its neighbours: of its first stretch the packets that bring
the first N distinct values, of its last one the last N values with their
times, and when each measure held, where several must hold at one moment.
Merging is exact: what stands before a part reaches into it for one window's
length, and as long as that lasts all of the part's own packets lie within the
window, so which came first is all that matters.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from botalert.threshold import DAYS, PACKETS, SECONDS, Measure, Threshold

MICROSECONDS = 1_000_000
# A clock that is set, or lines of several processors, step back so far.
STEP_BACK = 60 * MICROSECONDS
# What is remembered of one source, whatever it does; the oldest go first.
MOST_GROUPS = 4096
_FOREVER = 1 << 62


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
        self._places = {name: place for place, name in enumerate(self.values)}

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

    def counted(self, measure: Measure, packets: "Packets") -> "tuple[str, Value] | None":
        """Give the group that *packets* are of and the value that counts; None if nothing does."""
        group = "" if measure.per is None else packets.values[self._places[measure.per]]
        if group is None:
            return None
        if measure.what == PACKETS:
            return group, packets.number
        if measure.what == DAYS:
            day = packets.own_day if measure.window is None else packets.day
            return (group, day) if day and packets.is_timed else None
        value = packets.values[self._places[measure.what]]
        return None if value is None else (group, value)

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
        return _FOREVER
    return measure.window - 1 if measure.what == DAYS else measure.window * MICROSECONDS


class Packets(NamedTuple):
    """
    One line's packets, as far as a threshold cares.

    Attributes:
        number: How many lines of the part stand before it.
        time: What time it is, in microseconds; None if no line had one yet.
        day: What day it is, an ordinal; 0 if none.
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
Tail = dict[Value, int]
"""The last distinct values with the times at which each came last, the latest at the
end; of PACKETS, times with how many came then."""


class Tracks:
    """What is known at a moment of each measure: the last values of each of its groups."""

    __slots__ = ("_packets", "_rules", "groups", "until")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.groups: list[dict[str, Tail]] = [{} for _ in rules.measures]
        # How many are in the tails of groups whose packets count.
        self._packets: dict[tuple[int, str], int] = {}
        # Up to which time each measure holds.
        self.until = [-_FOREVER] * len(rules.measures)

    def copy(self) -> "Tracks":
        """Give one that changes by itself."""
        other = Tracks(self._rules)
        other.groups = [
            {name: dict(tail) for name, tail in groups.items()} for groups in self.groups
        ]
        other.until = list(self.until)
        other._packets = dict(self._packets)
        return other

    def parts(self) -> list[object]:
        """Give all that it knows as what JSON can hold; see :meth:`of_parts`."""
        return [
            [[name, list(tail.items())] for name, tail in groups.items()] for groups in self.groups
        ]

    @classmethod
    def of_parts(cls, rules: Rules, parts: list[Any]) -> "Tracks":
        """Make one of what :meth:`parts` gave."""
        tracks = cls(rules)
        for number, (measure, groups) in enumerate(zip(rules.measures, parts, strict=True)):
            for name, tail in groups:
                for value, at in tail:
                    if measure.what == PACKETS:
                        tracks.count(number, name, value, value, at)
                    else:
                        tracks.count(number, name, value, at, 1)
        return tracks

    def begin_stretch(self) -> None:
        """Begin the windows anew."""
        for number, measure in enumerate(self._rules.measures):
            if measure.window is not None:
                self._forget(number)

    def _forget(self, number: int) -> None:
        for group in self.groups[number]:
            self._packets.pop((number, group), None)
        self.groups[number] = {}
        self.until[number] = -_FOREVER

    def add(self, packets: Packets) -> None:
        """Count *packets*."""
        for number, measure in enumerate(self._rules.measures):
            if measure.window is not None and not (packets.is_timed and packets.is_within):
                continue
            counted = self._rules.counted(measure, packets)
            if counted is not None:
                group, value = counted
                self.count(number, group, value, packets.time or 0, packets.repeat)

    def count(self, number: int, group: str, value: Value, time: int, repeat: int) -> None:
        """Count *value* of one measure's *group*."""
        measure = self._rules.measures[number]
        groups = self.groups[number]
        tail = groups.pop(group, None)
        if tail is None:
            tail = {}
            if len(groups) >= MOST_GROUPS:
                gone = next(iter(groups))
                del groups[gone]
                self._packets.pop((number, gone), None)
        groups[group] = tail  # The one that was active last is the last.
        needed = measure.number
        if measure.what == PACKETS:
            tail[time] = tail.get(time, 0) + repeat
            total = self._packets.get((number, group), 0) + repeat
            while total - tail[earliest := next(iter(tail))] >= needed:
                total -= tail.pop(earliest)
            self._packets[number, group] = total
            is_enough = total >= needed
        else:
            at = int(value) if measure.what == DAYS else time
            tail.pop(value, None)
            tail[value] = at
            if len(tail) > needed:
                del tail[next(iter(tail))]
            is_enough = len(tail) >= needed
        if not is_enough:
            return
        if measure.window is None:
            self.until[number] = _FOREVER
            return
        first = next(iter(tail))
        oldest = int(first) if measure.what == PACKETS else tail[first]
        self.until[number] = max(self.until[number], oldest + self._rules.widths[number])

    def holds(self, number: int, time: int | None, day: int) -> bool:
        """Tell whether a measure is met at *time*, a moment on *day*."""
        until = self.until[number]
        if until == _FOREVER or time is None:
            return until == _FOREVER
        return (day if self._rules.measures[number].what == DAYS else time) <= until

    def most(self, number: int, time: int, day: int) -> tuple[str, int]:
        """Give the group of a measure that was active last, and how many it has at *time*."""
        if not self.groups[number]:
            return "", 0
        group, tail = next(reversed(self.groups[number].items()))
        measure = self._rules.measures[number]
        if measure.what == PACKETS:
            oldest = time - self._rules.widths[number]
            count = sum(packets for at, packets in tail.items() if int(at) >= oldest)
            return group, min(count, measure.number)
        oldest = (day if measure.what == DAYS else time) - self._rules.widths[number]
        return group, sum(at >= oldest for at in tail.values())

    def append(self, later: "Tracks", latest: "Moment | None", *, goes_on: bool) -> None:
        """Take in what *later* knows at its end; *goes_on* if it is of the same stretch."""
        for number, measure in enumerate(self._rules.measures):
            if measure.window is not None and not goes_on:
                self._forget(number)
            time, day = (latest.time, latest.day) if latest and goes_on else (-_FOREVER, 0)
            if measure.window is None:
                time, day = -_FOREVER, 0
            for name, tail in later.groups[number].items():
                for value, at in tail.items():
                    if measure.what == PACKETS:
                        self.count(number, name, value, max(int(value), time), at)
                    elif measure.what == DAYS:
                        self.count(number, name, max(at, day), 0, 1)
                    else:
                        self.count(number, name, value, max(at, time), 1)


class Heads:
    """Which lines bring one of the first values that any measure needs."""

    __slots__ = ("_rules", "_seen")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._seen: list[dict[str, dict[Value, int]]] = [{} for _ in rules.measures]

    def needs(self, packets: Packets) -> bool:
        """Tell whether this line does; count it."""
        # All of them count, also behind one that needs it.
        return sum(self._is_new(number, packets) for number in range(len(self._seen))) > 0

    def _is_new(self, number: int, packets: Packets) -> bool:
        measure = self._rules.measures[number]
        if measure.window is not None and not (packets.is_timed and packets.is_within):
            return False
        counted = self._rules.counted(measure, packets)
        if counted is None:
            return False
        group, value = counted
        groups = self._seen[number]
        if group not in groups and len(groups) >= MOST_GROUPS:
            return False
        seen = groups.setdefault(group, {})
        if measure.what == PACKETS:
            value = PACKETS
            is_new = seen.get(value, 0) < measure.number
            seen[value] = seen.get(value, 0) + packets.repeat
            return is_new
        # Of days any may matter: a prefix makes one of the first of them.
        if value in seen or (len(seen) >= measure.number and measure.what != DAYS):
            return False
        seen[value] = 1
        return True


Spans = dict[int, list[tuple[int, int]]]
"""From when to when measures held, by their numbers."""


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
        "_held",
        "_is_single",
        "_opening",
        "_rules",
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
        # What a prefix may need: the lines that brought first values, ...
        self._heads = Heads(rules)
        self._opening: list[Packets] = []
        # ... from when to when measures held in the first stretch, ...
        self._held: Spans = {}
        # ... and at which line the windows of a way last held together.
        self._together: dict[Way, int] = {}

    def add(self, moment: Moment | None, values: tuple[str | None, ...], repeat: int) -> None:
        """Count the next line."""
        counts = self._step(moment)
        number, self.lines = self.lines, self.lines + 1
        if self.is_met:
            return
        time, day = (counts.time, counts.day) if counts else (None, 0)
        own_day = moment.day if moment else 0
        packets = Packets(
            number, time, day, moment is not None, own_day, values, repeat, is_within=True
        )
        self._tracks.add(packets)
        if not self._is_single:
            packets = packets._replace(is_within=False)
        if self._heads.needs(packets):
            self._opening.append(packets)
        self._look(packets)

    def most(self, number: int) -> tuple[str, int]:
        """Give the group of a measure that was active last, and how many it has; none once met."""
        latest = self.latest
        return self._tracks.most(number, latest.time if latest else 0, latest.day if latest else 0)

    def settle(self) -> None:
        """Forget what matters only to what was read before: there was nothing."""
        self._heads = Heads(self._rules)
        self._opening, self._held, self._together = [], {}, {}

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
            self._opening,
            list(self._held.items()),
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
        stage._tracks = Tracks.of_parts(rules, tracks)
        for packets in opening:
            read = Packets(*packets)
            read = read._replace(values=tuple(read.values))
            if stage._heads.needs(read):
                stage._opening.append(read)
        stage._held = {number: [(a, b) for a, b in spans] for number, spans in held}
        stage._together = {tuple(way): number for way, number in together}
        return stage

    def _step(self, moment: Moment | None) -> Moment | None:
        """Go on to *moment*; give the one that counts."""
        if moment is None:
            return self.latest
        if self.first is None:
            self.first = moment
        if begins_stretch(self.last, moment):
            self._is_single = False
            self._tracks.begin_stretch()
            self.latest = None
        self.last = moment
        self.latest = counting(moment, self.latest)
        return self.latest

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
                        _hold(rules, self._held, number, packets, self._tracks.until[number])
                if all(number in held for number in rules.windows_of(way)):
                    self._together[way] = packets.number

    def _meet(self) -> None:
        self.is_met = True
        # Nothing of it matters any more.
        self._tracks, self._heads = Tracks(self._rules), Heads(self._rules)
        self._opening, self._held, self._together = [], {}, {}

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
        if self.is_met or later.is_met or whole._continues(self, later, goes_on=goes_on):
            whole._meet()
            return whole
        whole._tracks = self._tracks.copy()
        whole._tracks.append(later._tracks, self.latest, goes_on=is_one)
        return whole

    def _continues(self, before: "Stage", after: "Stage", *, goes_on: bool) -> bool:
        """Become what both opened with; tell whether the threshold is met where they meet."""
        rules, holds_on = self._rules, before._is_single and goes_on
        self._held = {number: list(spans) for number, spans in before._held.items()}
        self._together = dict(before._together)
        for packets in before._opening:
            if self._heads.needs(packets):
                self._opening.append(packets)
        tracks = before._tracks.copy()
        if not goes_on:
            tracks.begin_stretch()
        spans = after._spans_from(before.latest) if goes_on else {}
        waiting = sorted(after._together.items(), key=lambda pair: pair[1])
        for packets in after._moments(spans, before.latest, goes_on=goes_on):
            while waiting and waiting[0][1] < packets.number:
                if _lasting(rules, tracks, waiting.pop(0)[0]):
                    return True
            if packets.repeat:
                tracks.add(packets)
                moved = packets._replace(
                    number=before.lines + packets.number,
                    is_within=packets.is_within and holds_on,
                )
                if self._heads.needs(moved):
                    self._opening.append(moved)
            for way in rules.ways:
                held = [
                    number
                    for number in way
                    if (packets.is_within or rules.measures[number].window is None)
                    and (
                        tracks.holds(number, packets.time, packets.day)
                        or _covers(rules, spans, number, packets)
                    )
                ]
                if len(held) == len(way):
                    return True
                if len(way) > 1 and packets.is_within:
                    for number in held if holds_on else ():
                        if tracks.holds(number, packets.time, packets.day):
                            _hold(rules, self._held, number, packets, tracks.until[number])
                    if all(number in held for number in rules.windows_of(way)):
                        self._together[way] = before.lines + packets.number
        if any(_lasting(rules, tracks, way) for way, _ in waiting):
            return True
        for way, number in after._together.items():
            self._together[way] = max(self._together.get(way, 0), before.lines + number)
        if holds_on:
            for number, own in spans.items():
                self._held[number] = sorted([*self._held.get(number, []), *own])
        return False

    def _spans_from(self, latest: Moment | None) -> Spans:
        """Give when measures held, by the times that count behind *latest*."""
        if latest is None:
            return self._held
        found: Spans = {}
        for number, spans in self._held.items():
            is_days = self._rules.measures[number].what == DAYS
            begin = latest.day if is_days else latest.time
            found[number] = [(max(at, begin), until) for at, until in spans if until >= begin]
        return found

    def _moments(self, spans: Spans, latest: Moment | None, *, goes_on: bool) -> Iterator[Packets]:
        """
        Give what it opened with by the times that count behind *latest*.

        Among it stands, as no packets, each moment at which a measure came to hold.
        """
        opening = self._opening
        if not goes_on:
            yield from (packets._replace(is_within=False) for packets in opening)
            return
        before = _NOTHING._replace(day=latest.day if latest else 0)
        starts = sorted(
            at
            for number, own in spans.items()
            if self._rules.measures[number].what != DAYS
            for at, _ in own
        )
        for packets in opening:
            if not packets.is_within:
                break
            if latest is not None:
                time = latest.time if packets.time is None else max(packets.time, latest.time)
                packets = packets._replace(time=time, day=max(packets.day, latest.day))
            while starts and packets.time is not None and starts[0] < packets.time:
                yield before._replace(time=starts.pop(0))
            yield packets
            # Days begin with a line that is among these, so it is still that day.
            before = _NOTHING._replace(number=packets.number, day=packets.day)
        for at in starts:
            yield before._replace(time=at)
        yield from (packets for packets in opening if not packets.is_within)


_NOTHING = Packets(0, None, 0, False, 0, (), 0, True)


def begins_stretch(last: Moment | None, moment: Moment | None) -> bool:
    """Tell whether *moment*, logged next after *last*, begins the windows anew."""
    if last is None or moment is None:
        return False
    return last.clock != moment.clock or moment.time < last.time - STEP_BACK


def counting(moment: Moment, latest: Moment | None) -> Moment:
    """Give the moment at which a line counts that is logged at *moment*, after *latest*."""
    if latest is None:
        return moment
    if moment.time < latest.time:
        return latest
    # Of two offsets one may name the day before.
    return moment if moment.day >= latest.day else moment._replace(day=latest.day)


def _at(rules: Rules, number: int, packets: Packets) -> int | None:
    """Give the time in which a measure's window is."""
    return packets.day if rules.measures[number].what == DAYS else packets.time


def _hold(rules: Rules, spans: Spans, number: int, packets: Packets, until: int) -> None:
    """Note that a measure holds from now on."""
    at = _at(rules, number, packets)
    if rules.measures[number].window is None or at is None:
        return
    own = spans.setdefault(number, [])
    if own and own[-1][0] <= at <= own[-1][1]:
        own[-1] = (own[-1][0], max(until, own[-1][1]))
    else:
        own.append((at, until))


def _covers(rules: Rules, spans: Spans, number: int, packets: Packets) -> bool:
    at = _at(rules, number, packets)
    return at is not None and any(begin <= at <= end for begin, end in spans.get(number, ()))


def _lasting(rules: Rules, tracks: Tracks, way: Way) -> bool:
    """Tell whether all of a way's measures hold that have no window."""
    return all(
        tracks.until[number] == _FOREVER for number in way if rules.measures[number].window is None
    )
