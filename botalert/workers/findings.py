"""
What was seen, sorted, however much it is.
"""

import marshal
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

from botalert.course import Tallies
from botalert.workers.plan import Row, RowOf
from botalert.workers.spool import Extent, Spool

Run = tuple[Extent, ...]
"""Where rows stand that are sorted."""

_RANK = itemgetter(0)
_ROWS_AT_ONCE = 256


class Findings:
    """
    What was seen by each signal of each source, as rows in order.

    Args:
        row_of: Makes a row of what was seen, or none.
        spool: Where they stand while they are too many to be held.
    """

    def __init__(self, row_of: RowOf, spool: Spool) -> None:
        self._row_of = row_of
        self._spool = spool
        self._held: list[Row] = []
        self._runs: list[Run] = []

    def add(self, seen: Tallies) -> None:
        """
        Take what was *seen* of some sources, of which nothing else comes.

        Raises:
            InputOutputError: There is no room for it.
        """
        if self._held:
            self._runs.append(self._written(self._held))
        self._held = self._rows(seen)

    def add_runs(self, runs: Iterable[Run]) -> None:
        """Take what others have :meth:`written`."""
        self._runs += runs

    def written(self, seen: Tallies) -> Run:
        """
        Put what was *seen* into the spool; return where.

        Raises:
            InputOutputError: There is no room for it.
        """
        return self._written(self._rows(seen))

    def rows(self) -> Iterator[Any]:
        """Give the rows in order, without their ranks."""
        runs = [iter(self._held), *map(self._read, self._runs)]
        return (row for _, row in merge(*runs, key=_RANK))

    def _rows(self, seen: Tallies) -> list[Row]:
        rows = (self._row_of(*key, own) for key, own in seen.items())
        return sorted((row for row in rows if row is not None), key=_RANK)

    def _written(self, rows: list[Row]) -> Run:
        rest = iter(rows)
        extents = []
        while some := list(islice(rest, _ROWS_AT_ONCE)):
            extents.append(self._spool.append(marshal.dumps(some)))
        return tuple(extents)

    def _read(self, run: Run) -> Iterator[Row]:
        for extent in run:
            yield from marshal.loads(self._spool.read(extent))
