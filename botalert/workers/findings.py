"""
What was seen, sorted, however much it is.
"""

import marshal
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

from botalert.course import Seen, Tallies, met
from botalert.detect import Detection, detection_rank, signal_order
from botalert.tally import Tally
from botalert.workers.plan import Plan
from botalert.workers.spool import Extent, Spool

Found = tuple[tuple[str, str], Seen]
"""A signal and a source, and what the one saw of the other."""

Run = tuple[Extent, ...]
"""Where findings stand that are sorted."""

_Row = tuple[Any, tuple[str, str], Seen]
_KEY = itemgetter(0)
_ROWS_AT_ONCE = 256


class Findings:
    """
    What was seen by each signal of each source.

    For a run it is all, by source and signal, as the state file has them; else
    it is the detections, in the order that people see.

    Args:
        plan: What is looked for.
        spool: Where it stands while it is too much to be held.
    """

    def __init__(self, plan: Plan, spool: Spool) -> None:
        self._rules = plan.rules
        self._is_run = plan.is_run
        self._order = signal_order(signal.name for signal in plan.signals)
        self._spool = spool
        self._held: Tallies | None = None
        self._runs: list[Run] = []

    def add(self, seen: Tallies) -> None:
        """
        Take what was *seen* of some sources, of which nothing else comes.

        Raises:
            InputOutputError: There is no room for it.
        """
        if self._held is None and not self._runs:
            self._held = seen
            return
        if self._held is not None:
            held, self._held = self._held, None
            self._runs.append(self.written(held))
        self._runs.append(self.written(seen))

    def add_runs(self, runs: Iterable[Run]) -> None:
        """Take what others have :meth:`written`."""
        self._runs += runs

    def written(self, seen: Tallies) -> Run:
        """
        Put what was *seen* into the spool; return where.

        Raises:
            InputOutputError: There is no room for it.
        """
        from botalert.packing import packed_any

        rows = iter(self._sorted(seen))
        extents = []
        while some := [(*row[:2], packed_any(row[2])) for row in islice(rows, _ROWS_AT_ONCE)]:
            extents.append(self._spool.append(marshal.dumps(some)))
        return tuple(extents)

    def items(self) -> Iterator[Found]:
        """Give all, in their order."""
        if self._held is not None:
            for _, key, seen in self._sorted(self._held):
                yield key, seen
        for _, key, seen in merge(*map(self._read, self._runs), key=_KEY):
            yield key, seen

    def detections(self) -> Iterator[Detection]:
        """Give all as detections; not of a run."""
        for (signal, source), seen in self.items():
            assert isinstance(seen, Tally)
            yield Detection(signal, source, seen)

    def _sorted(self, seen: Tallies) -> Sequence[_Row]:
        rows: list[_Row]
        if self._is_run:
            rows = [((source, signal), (signal, source), own) for (signal, source), own in seen.items()]
        else:
            rows = [
                (detection_rank(Detection(*key, tally), self._order), key, tally)
                for key, own in seen.items()
                if (tally := met(own)) is not None
            ]
        rows.sort(key=_KEY)
        return rows

    def _read(self, run: Run) -> Iterator[_Row]:
        from botalert.packing import unpacked_any

        for extent in run:
            for rank, (signal, source), text in marshal.loads(self._spool.read(extent)):
                rules = self._rules.get(signal) if self._is_run else None
                yield rank, (signal, source), unpacked_any(text, rules)

