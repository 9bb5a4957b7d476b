"""
What one run or scan found: tallies of any number of sources.

While they are few they are merged in memory.  What is more is written, in
parts, into a temporary file of SQLite's; reading it back sorts the parts and
merges those of each source, as they come: an external merge sort.  That a
tally's merge is associative makes the two the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botalert.course import Seen, Tallies, unite, weight
from botalert.detect import Detection, detections, signal_order
from botalert.scan import Part, united
from botalert.windows import Rules

if TYPE_CHECKING:
    from botalert.state.parts import PartsFile

# So much is held in memory, by :func:`botalert.tally.weight`.
LIMIT_KB = 52000


class Ledger:
    """
    Tallies by signal and source; a context manager.

    What was written to a temporary file is gone when this is closed, and when
    the process dies.

    Args:
        limit: So much stays in memory, in KB.
        rules: Those of signals that have thresholds.
    """

    def __init__(self, limit: int = LIMIT_KB, rules: Mapping[str, Rules] | None = None) -> None:
        self._rules = rules or {}
        self._limit = limit
        self._weight = 0
        # What is in memory: of attempts that succeeded, and of the present one.
        self._settled: Tallies = {}
        self._held: list[Part] = []
        self._attempt = 1
        self._has_spilled = False
        self._file: PartsFile | None = None

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget everything."""
        self._settled, self._held = {}, []
        if self._file is not None:
            self._file.close()

    def add(self, part: Part) -> None:
        """
        Take *part*, whose tallies are the ledger's from now on.

        Parts may come in any order of their places; of two with one place the
        first that comes was read first.

        Raises:
            InputOutputError: There is no space for it.
        """
        self._weight += weight(part.tallies)
        if self._held and self._held[-1].place == part.place:
            unite(self._held[-1].tallies, part.tallies)
        else:
            self._held.append(part)
        if self._weight < self._limit:
            return
        # What was added to a source that is held was weighed as if it were new.
        self._weight = weight(self._settled) + sum(weight(each.tallies) for each in self._held)
        if self._weight >= self._limit / 2:
            self._spill()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Keep all that is added within this block; or nothing of it, if the block fails."""
        self._settle()
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            if not succeeded:
                self._held.clear()
                if self._has_spilled and self._file is not None:
                    self._file.void.add(self._attempt)
            self._settle()

    def items(self) -> Iterator[tuple[tuple[str, str], Seen]]:
        """
        Give each signal and source once, with all that was added; in order of source and signal.

        Raises:
            InputOutputError: There is no space to sort them.
        """
        file = self._all_in_one()
        if file is None:
            yield from sorted(self._settled.items(), key=lambda pair: (pair[0][1], pair[0][0]))
            return
        yield from file.items()

    def detections(self, signal_names: Sequence[str]) -> Iterator[Detection]:
        """
        Give each signal and source once, in the order that people see.

        Raises:
            InputOutputError: There is no space to sort them.
        """
        file = self._all_in_one()
        if file is None:
            yield from detections(self._settled, signal_names)
        else:
            from botalert.state.parts import ranked

            yield from ranked(file, signal_order(signal_names))

    def _all_in_one(self) -> "PartsFile | None":
        """Bring everything together: in the file, or in memory if there is none."""
        self._settle()
        if self._file is not None:
            self._spill()
        return self._file

    def _settle(self) -> None:
        """End the present attempt; what it added counts."""
        if self._has_spilled:
            self._spill()
        else:
            unite(self._settled, united(self._held))
        self._held = []
        self._has_spilled = False
        self._attempt += 1

    def _spill(self) -> None:
        if self._file is None:
            from botalert.state.parts import PartsFile

            self._file = PartsFile(self._rules)
        # An attempt of which something is in the file has nothing in memory.
        self._file.write(Part(0, self._settled), self._attempt - 1)
        for part in self._held:
            self._file.write(part, self._attempt)
        self._settled, self._held = {}, []
        self._has_spilled = True
        self._weight = 0
