"""
Hits into tallies, in their order.

However hits were found, they are folded here: those of a run, of a scan, of a
partition of either.  Hits of one source are taken in the order of reading,
forward only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter

from botalert.course import Course, Seen, Tallies, Trace
from botalert.hits import Batch, Kind, Strip
from botalert.model import Hit
from botalert.tally import KEPT_LINES, Tally
from botalert.windows import Rules

Known = Callable[[str, str], Course | None]
"""Tells what earlier runs left of a signal's threshold and a source."""

_PLACE = itemgetter(0)
# So many kinds of hits are known with where they are counted.
_MOST_KINDS = 1 << 14
# So many tell what all weigh.
_MOST_WEIGHED = 250
# It is weighed after so many hits; one of a new source takes as much room as so many.
_MOST_UNWEIGHED = 1 << 15
_HITS_OF_NEW = 16
# What one takes, in KB: a tally without evidence, what a threshold adds to it, a
# line of evidence; and how many destinations or hours, or things that a threshold
# remembers, take one.
_TALLY_KB = 1.2
_TRACE_KB = 1.0
_LINE_KB = 0.35
_ITEMS_OF_ONE_KB = 10
_THINGS_OF_ONE_KB = 12


def nothing_known(signal: str, source: str) -> None:
    """Know of no earlier run."""


class Fold:
    """
    What was seen by each signal of each source.

    Args:
        rules: Those of the signals that have thresholds.
        known: Tells what to go on from.
        seen: What was seen before.

    Attributes:
        seen: By signal and source.
    """

    def __init__(
        self,
        rules: Mapping[str, Rules],
        known: Known = nothing_known,
        seen: Tallies | None = None,
    ) -> None:
        self.seen: Tallies = {} if seen is None else seen
        self._rules = rules
        self._known = known
        # Where hits of a kind are counted, of the log that is read.
        self._counted: dict[Kind, list[Tally | Trace]] = {}
        self._log = ""
        self._unweighed = 0

    def add(self, batch: Batch) -> None:
        """Count the hits of *batch*, the next in reading order."""
        if batch.log != self._log or len(self._counted) > _MOST_KINDS:
            self._counted.clear()
            self._log = batch.log
        notes = _Notes()
        alone = self._add_plainly(batch.hits, notes)
        waiting: dict[Trace, list[Strip]] = {}
        for strip in batch.strips:
            for counted in self._counted_by(strip.kind):
                if isinstance(counted, Tally):
                    tally = counted
                elif counted.is_done:
                    tally = counted.pieces[-1].tally
                else:
                    waiting.setdefault(counted, []).append(strip)
                    continue
                strip.count_in(tally)
                notes.note_strip(tally, strip, batch.lines)
            self._unweighed += len(strip.places)
        self._unweighed += len(batch.hits)
        for trace, strips in waiting.items():
            _go_on(trace, strips, alone.pop(trace, []), batch, notes)
        for trace, hits in alone.items():
            _go_on(trace, [], hits, batch, notes)
        notes.write()

    def _add_plainly(
        self, hits: Iterable[tuple[int, Hit]], notes: "_Notes"
    ) -> dict[Trace, list[tuple[int, Hit]]]:
        """Count those of *hits* of which the order does not matter; return the others."""
        alone: dict[Trace, list[tuple[int, Hit]]] = {}
        for place, hit in hits:
            counted = self._counted_of((hit.signal, hit.source))
            if isinstance(counted, Tally):
                tally = counted
            elif counted.is_done:
                tally = counted.pieces[-1].tally
            else:
                alone.setdefault(counted, []).append((place, hit))
                continue
            tally.count_one(hit)
            notes.note(tally, place, hit.interface, hit.mac, [(place, hit.line)])
        return alone

    def divided(self, lane_of: Callable[[str], int]) -> dict[int, Tallies]:
        """Return what was seen by the lanes of its sources; nothing is held here any more."""
        lanes: dict[int, Tallies] = {}
        for key, seen in self.seen.items():
            lanes.setdefault(lane_of(key[1]), {})[key] = seen
        self.seen = {}
        self._counted.clear()
        return lanes

    def is_heavier_than(self, most_kb: int) -> bool:
        """Whether it takes more room than that; looked at once in a while."""
        if self._unweighed < _MOST_UNWEIGHED:
            return False
        self._unweighed = 0
        return self.weight() > most_kb

    def weight(self) -> int:
        """Return about how much room it takes, in KB."""
        # Of many, some are like all.
        step = len(self.seen) // _MOST_WEIGHED + 1
        weighed = islice(self.seen.values(), None, None, step)
        return step * round(sum(map(_weight, weighed)))

    def _counted_by(self, kind: Kind) -> list[Tally | Trace]:
        """Return where hits of *kind* are counted, for each of its targets."""
        counted = self._counted.get(kind)
        if counted is None:
            counted = self._counted[kind] = list(map(self._counted_of, kind.targets))
        return counted

    def _counted_of(self, target: tuple[str, str]) -> Tally | Trace:
        seen = self.seen.get(target)
        if seen is None:
            rules = self._rules.get(target[0])
            seen = Tally() if rules is None else self._known(*target) or Course(rules)
            self.seen[target] = seen
            self._unweighed += _HITS_OF_NEW
        return seen if isinstance(seen, Tally) else seen.trace(self._log)


def _go_on(
    trace: Trace,
    strips: Sequence[Strip],
    hits: list[tuple[int, Hit]],
    batch: Batch,
    notes: "_Notes",
) -> None:
    """Take *trace* on by what *batch* has of it: in bulk if that can be, else one by one."""
    tally = None if hits else trace.take(strips, is_steady=batch.is_steady)
    if tally is None:
        for strip in strips:
            hits += strip.hits(batch.lines, trace.rules.values)
        for _, hit in sorted(hits, key=_PLACE):
            trace.add(hit)
    elif len(strips) == 1:
        _note(tally, strips[0], batch.lines)
    else:
        for strip in strips:
            notes.note_strip(tally, strip, batch.lines)


def _note(tally: Tally, strip: Strip, lines: Mapping[int, str]) -> None:
    """Give *tally* names and evidence of the only strip of a batch that is counted in it."""
    kind = strip.kind
    tally.name(kind.interface, kind.mac)
    if len(tally.evidence) < KEPT_LINES:
        for place in strip.places[:KEPT_LINES]:
            if place in lines:
                tally.prove(lines[place])


class _Notes:
    """Names and evidence of a batch, which are the first in the order of reading."""

    def __init__(self) -> None:
        self._named: list[tuple[int, Tally, str | None, str | None]] = []
        self._proving: dict[int, tuple[Tally, list[tuple[int, str]]]] = {}

    def note_strip(self, tally: Tally, strip: Strip, lines: Mapping[int, str]) -> None:
        """Note what *tally* may need of *strip*."""
        kind, places = strip.kind, strip.places
        if len(tally.evidence) < KEPT_LINES:
            found = [(place, lines[place]) for place in places[:KEPT_LINES] if place in lines]
            self.note(tally, places[0], kind.interface, kind.mac, found)
        elif kind.mac not in tally.macs or kind.interface not in tally.interfaces:
            self.note(tally, places[0], kind.interface, kind.mac, [])

    def note(
        self,
        tally: Tally,
        place: int,
        interface: str | None,
        mac: str | None,
        lines: list[tuple[int, str]],
    ) -> None:
        """Note what *tally* may need of hits, of which the first is at *place*."""
        if (mac and mac not in tally.macs) or (interface and interface not in tally.interfaces):
            self._named.append((place, tally, interface, mac))
        if lines and len(tally.evidence) < KEPT_LINES:
            known = self._proving.get(id(tally))
            if known is None:
                self._proving[id(tally)] = (tally, lines)
            else:
                known[1].extend(lines)

    def write(self) -> None:
        """Give the tallies what was noted."""
        self._named.sort(key=_PLACE)
        for _, tally, interface, mac in self._named:
            tally.name(interface, mac)
        for tally, lines in self._proving.values():
            for _, line in sorted(lines)[:KEPT_LINES]:
                tally.prove(line)


def _weight(seen: Seen) -> float:
    if isinstance(seen, Tally):
        return _weight_of(seen)
    return sum(map(_weight_of_trace, seen.logs.values()))


def _weight_of_trace(trace: Trace) -> float:
    held = sum(_weight_of(piece.tally) for piece in trace.pieces)
    return held + _TRACE_KB + trace.size() / _THINGS_OF_ONE_KB


def _weight_of(tally: Tally) -> float:
    items = len(tally.destinations) + len(tally.ports) + len(tally.hours) + len(tally.days)
    return _TALLY_KB + _LINE_KB * len(tally.evidence) + items / _ITEMS_OF_ONE_KB
