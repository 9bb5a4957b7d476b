"""
What is known at a moment of each measure of a threshold.
"""

from typing import Any

from botalert.threshold import DAYS, PACKETS
from botalert.windows.rules import FOREVER, Counted, Moment, Rules, Value

# What is remembered of one source, whatever it does; the oldest go first.
MOST_GROUPS = 4096

Tail = dict[Value, int]
"""The last distinct values with the times at which each came last, the latest at the
end; of PACKETS, times with how many came then."""


class Tracks:
    """
    What is known at a moment of each measure: the last values of each of its groups.

    Attributes:
        groups: Of each measure, the one that was active last being the last.
        until: Up to which time each measure holds.
        reached: Up to which time all may count later, behind what was read before.
    """

    __slots__ = ("_packets", "_rules", "groups", "reached", "until")

    def __init__(self, rules: Rules, reached: int = -FOREVER) -> None:
        self._rules = rules
        self.reached = reached
        self.groups: list[dict[str, Tail]] = [{} for _ in rules.measures]
        # How many are in the tails of groups whose packets count.
        self._packets: dict[tuple[int, str], int] = {}
        self.until = [-FOREVER] * len(rules.measures)

    def copy(self) -> "Tracks":
        """Give one that changes by itself."""
        other = Tracks(self._rules, self.reached)
        other.groups = [
            {name: dict(tail) for name, tail in groups.items()} for groups in self.groups
        ]
        other.until = list(self.until)
        other._packets = dict(self._packets)
        return other

    def settle(self, latest: Moment | None) -> None:
        """Forget what no window reaches that ends at *latest*, or later."""
        for number, measure in enumerate(self._rules.measures):
            if measure.window is None or measure.what == DAYS or latest is None:
                continue
            begin = latest.time - self._rules.widths[number]
            groups = self.groups[number]
            for name, tail in list(groups.items()):
                if self._last(number, tail) < begin:
                    del groups[name]
                    self._packets.pop((number, name), None)

    def size(self) -> int:
        """Tell about how many things it holds."""
        return sum(1 + len(tail) for groups in self.groups for tail in groups.values())

    def parts(self) -> list[object]:
        """Give all that it knows as what JSON can hold; see :meth:`of_parts`."""
        return [
            [[name, list(tail.items())] for name, tail in groups.items()] for groups in self.groups
        ]

    @classmethod
    def of_parts(cls, rules: Rules, parts: list[Any], reached: int) -> "Tracks":
        """Make one of what :meth:`parts` gave."""
        tracks = cls(rules, reached)
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
        self.reached = -FOREVER
        for number, measure in enumerate(self._rules.measures):
            if measure.window is not None:
                self._forget(number)

    def _forget(self, number: int) -> None:
        for group in self.groups[number]:
            self._packets.pop((number, group), None)
        self.groups[number] = {}
        self.until[number] = -FOREVER

    def add(self, time: int | None, repeat: int, counted: Counted) -> None:
        """Count packets at *time*, of which the rules say what counts."""
        for number, group, value in counted:
            self.count(number, group, value, time or 0, repeat)

    def count(self, number: int, group: str, value: Value, time: int, repeat: int) -> None:
        """Count *value* of one measure's *group*."""
        what, needed = self._rules.needs[number]
        groups = self.groups[number]
        tail = groups.pop(group, None)
        if tail is None:
            tail = {}
            self._make_room(number, time)
        groups[group] = tail
        if what == PACKETS:
            tail[time] = tail.get(time, 0) + repeat
            total = self._packets.get((number, group), 0) + repeat
            while total - tail[earliest := next(iter(tail))] >= needed:
                total -= tail.pop(earliest)
            self._packets[number, group] = total
            is_enough = total >= needed
        elif what == DAYS:
            tail[value] = int(value)
            if len(tail) > needed:
                del tail[min(tail)]  # A line may be late, its day the one before.
            is_enough = len(tail) >= needed
        else:
            tail.pop(value, None)
            tail[value] = time
            if len(tail) > needed:
                del tail[next(iter(tail))]
            is_enough = len(tail) >= needed
        if is_enough:
            self._hold(number, tail)

    def _hold(self, number: int, tail: Tail) -> None:
        """Note that a measure is met by *tail*."""
        measure = self._rules.measures[number]
        if measure.window is None:
            self.until[number] = FOREVER
            return
        first = min(tail) if measure.what == DAYS else next(iter(tail))
        oldest = int(first) if measure.what in (PACKETS, DAYS) else tail[first]
        self.until[number] = max(self.until[number], oldest + self._rules.widths[number])

    def _make_room(self, number: int, time: int) -> None:
        """Forget groups that have not been active within the window, and the oldest of too many."""
        groups = self.groups[number]
        measure = self._rules.measures[number]
        # Of days few are kept anyway.
        is_timed = measure.window is not None and measure.what != DAYS
        begin = time - self._rules.widths[number] if is_timed else -FOREVER
        if begin <= self.reached:
            begin = -FOREVER
        while groups:
            name, tail = next(iter(groups.items()))
            if len(groups) < MOST_GROUPS and self._last(number, tail) >= begin:
                return
            del groups[name]
            self._packets.pop((number, name), None)

    def _last(self, number: int, tail: Tail) -> int:
        """Give when a group of a measure was active last."""
        is_packets = self._rules.measures[number].what == PACKETS
        return int(next(reversed(tail.items()))[not is_packets])

    def is_held(self) -> bool:
        """Tell whether any measure was met since the stretch began."""
        return max(self.until) > -FOREVER

    def holds(self, number: int, time: int | None, day: int) -> bool:
        """Tell whether a measure is met at *time*, a moment on *day*."""
        until = self.until[number]
        if until == FOREVER or time is None:
            return until == FOREVER
        return (day if self._rules.measures[number].what == DAYS else time) <= until

    def most(self, number: int, time: int, day: int) -> tuple[str, int]:
        """Give the group of a measure that was active last, and how many it has at *time*."""
        if not self.groups[number]:
            return "", 0
        group, tail = next(reversed(self.groups[number].items()))
        measure = self._rules.measures[number]
        oldest = (day if measure.what == DAYS else time) - self._rules.widths[number]
        if measure.what == PACKETS:
            count = sum(packets for at, packets in tail.items() if int(at) >= oldest)
            return group, min(count, measure.number)
        return group, sum(at >= oldest for at in tail.values())

    def append(self, later: "Tracks", latest: "Moment | None", *, goes_on: bool) -> None:
        """Take in what *later* knows at its end; *goes_on* if it is of the same stretch."""
        for number, measure in enumerate(self._rules.measures):
            if measure.window is not None and not goes_on:
                self._forget(number)
            is_behind = latest is not None and goes_on and measure.window is not None
            time = latest.time if latest is not None and is_behind else -FOREVER
            for name, tail in later.groups[number].items():
                for value, at in tail.items():
                    if measure.what == PACKETS:
                        self.count(number, name, value, max(int(value), time), at)
                    else:
                        self.count(number, name, value, max(at, time), 1)
