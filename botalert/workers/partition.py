"""
Hits folded in as much memory as there is.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from botalert.course import Tallies
from botalert.fold import Fold, Known, nothing_known
from botalert.hits import Batch
from botalert.windows import Rules
from botalert.workers.lanes import Lanes, LaneWriter, batches_in, lane_of
from botalert.workers.spool import Spool

# Dividing fewer is of no use; nor is it more often: they have one hash.
_FEW_SEEN = 32
_DEEPEST = 8


class Folder:
    """
    Folds hits of any number of sources.

    Args:
        rules: Those of signals that have thresholds.
        spool: Where hits are put aside.
        held_kb: How much may be held.
        known: Tells what to go on from.
    """

    def __init__(
        self,
        rules: Mapping[str, Rules],
        spool: Spool,
        held_kb: int,
        known: Known = nothing_known,
    ) -> None:
        self._rules = rules
        self._spool = spool
        self._held_kb = held_kb
        self._known = known

    def seen(
        self, batches: Iterable[Batch], depth: int = 0, before: Tallies | None = None
    ) -> Iterator[Tallies]:
        """
        Fold *batches*; give what was seen, all of a source at once, some sources after others.

        When too much is held, the hits that are left are put aside in lanes.
        Each lane is folded by itself, going on from what is held of its
        sources, and divided once more if that is still too much.

        Args:
            batches: Hits, in the order of reading.
            depth: How often they were divided before.
            before: What was seen before.

        Raises:
            InputOutputError: There is no room for what has to be put aside.
        """
        rest = iter(batches)
        fold = Fold(self._rules, self._known, before)
        for batch in rest:
            fold.add(batch)
            if (
                fold.is_heavier_than(self._held_kb)
                and len(fold.seen) > _FEW_SEEN
                and depth < _DEEPEST
            ):
                break
        else:
            yield fold.seen
            return
        held = fold.divided(partial(lane_of, depth=depth))
        for lane, extents in enumerate(self._put_aside(rest, depth)):
            own = held.pop(lane, {})
            if own or extents:
                yield from self.seen(batches_in(self._spool, [extents]), depth + 1, own)

    def _put_aside(self, batches: Iterable[Batch], depth: int) -> Lanes:
        writer = LaneWriter(self._spool, depth)
        for batch in batches:
            writer.add(batch)
        return writer.written()
