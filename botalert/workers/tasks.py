"""
The two steps of a scan that is shared out, as plain functions of values.

First the hits of each part of the logs are put aside in lanes; then each lane
is folded, its hits of all parts in the order of reading.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import local
from typing import NamedTuple, cast

from botalert.errors import BotalertError
from botalert.hits import Batch
from botalert.log import unpack
from botalert.log.blocks import LineBlocks, LineRange, SeekableStream, Stream
from botalert.scan import LineCounts, Scanner
from botalert.times import Span
from botalert.workers.findings import Findings, Run
from botalert.workers.lanes import Lanes, LaneWriter, batches_in
from botalert.workers.partition import Folder
from botalert.workers.plan import LogFile, Plan, opened_by_hand
from botalert.workers.spool import Address, Extent, Spool

Counter = Callable[[int], None]
"""Told how many more bytes were read, as they are in the file, packed or not."""


class Range(NamedTuple):
    """
    The lines that begin in a range of a file's bytes.

    Attributes:
        file: The file's number in the plan.
        number: Counts the parts of all logs, in the order of reading.
        start: Where the range begins.
        end: Where it ends; None for the file's end.
        size: About how many bytes it has.
    """

    file: int
    number: int = 0
    start: int = 0
    end: int | None = None
    size: int = 0


class Chunk(NamedTuple):
    """
    Blocks of whole lines that only one can read.

    Attributes:
        file: Of which file they are, by its number in the plan.
        number: Counts the parts of all logs, in the order of reading.
        path: Where they stand in memory, for any process of this user.
        lengths: How long each is.
    """

    file: int
    number: int
    path: str
    lengths: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many bytes they have."""
        return sum(self.lengths)

    def blocks(self) -> Iterator[bytes]:
        """Give them."""
        with open(self.path, "rb") as memory:
            yield from map(memory.read, self.lengths)


Part = Range | Chunk
"""A part of the logs."""


class Scanned(NamedTuple):
    """
    What came of a part of the logs.

    Attributes:
        lanes: Where its hits stand.
        read_bytes: How much was read, after unpacking.
        file_bytes: The same as it is in the file, packed or not.
        counts: Its lines, if they are counted.
        fault: Why it could not be read to its end.
    """

    lanes: Lanes
    read_bytes: int = 0
    file_bytes: int = 0
    counts: LineCounts | None = None
    fault: BotalertError | None = None


class Reading:
    """
    The blocks of a range of a file.

    Attributes:
        read_bytes: How much was read, after unpacking.
        file_bytes: The same as it is in the file.
        fault: Why it could not be read to its end.
    """

    def __init__(self, file: LogFile, span: Span, part: Range) -> None:
        self.read_bytes = self.file_bytes = 0
        self.fault: BotalertError | None = None
        self._file = file
        self._span = span
        self._part = part

    def blocks(self, counter: Counter | None = None) -> Iterator[bytes]:
        """Give the blocks; tell *counter* how much of the file each is."""
        start, end = self._part.start, self._part.end
        try:
            with opened_by_hand(self._file, self._span) as stream:
                lines: Stream = stream
                if start or end is not None:
                    lines = LineRange(cast(SeekableStream, stream), start, end)
                blocks = LineBlocks(lines)
                for block in blocks:
                    self.read_bytes = blocks.offset
                    position = unpack.packed_position(stream)
                    before, self.file_bytes = self.file_bytes, position or blocks.offset
                    if counter is not None:
                        counter(self.file_bytes - before)
                    yield block
        except BotalertError as error:
            self.fault = error


def scan_part(plan: Plan, file: LogFile, part: Part, address: Address) -> Scanned:
    """
    Put the hits of a part of a file aside.

    Args:
        plan: What is looked for; it need not name the file.
        file: Where.
        part: Where in it.
        address: Of the spool that gets the hits.

    Raises:
        InputOutputError: There is no room for them.
    """
    scanner = _scanner(plan, file)
    scanner.counts = LineCounts() if plan.counts else None
    is_later, _REMEMBERED.number = part.number > _REMEMBERED.number, part.number
    with Spool.at(address) as spool:
        writer = LaneWriter(spool, 0, _REMEMBERED.plain)
        if isinstance(part, Chunk):
            _write(writer, scanner.batches(part.blocks(), file.log, is_later=is_later))
            return Scanned(writer.written(), counts=scanner.counts)
        reading = Reading(file, plan.span, part)
        _write(writer, scanner.batches(reading.blocks(), file.log, is_later=is_later))
        lanes = writer.written()
    return Scanned(lanes, reading.read_bytes, reading.file_bytes, scanner.counts, reading.fault)


def _write(writer: LaneWriter, batches: Iterable[Batch]) -> None:
    for batch in batches:
        writer.add(batch)


# What a scanner remembers of a log serves its other parts, too, and changes nothing in
# what it finds; each thread has its own.
_REMEMBERED = local()


def _scanner(plan: Plan, file: LogFile) -> Scanner:
    key = (plan.token, pickle.dumps(file.settings))
    if getattr(_REMEMBERED, "key", None) != key:
        reader = plan.reader(file.settings)
        counts = LineCounts() if plan.counts else None
        # Whoever shares a log out knows that its lines are many.
        _REMEMBERED.scanner = Scanner(plan.signals, reader, plan.span, counts, few_lines=0)
        _REMEMBERED.plain = {}
        _REMEMBERED.number = -1
        _REMEMBERED.key = key
    scanner: Scanner = _REMEMBERED.scanner
    return scanner


class Share(NamedTuple):
    """
    Some of the hits of a lane.

    Attributes:
        pieces: Where its hits stand, in the order of reading.
        number: Which share it is: of every so many signals one.
        of: How many shares the lane has.
    """

    pieces: Sequence[Sequence[Extent]]
    number: int = 0
    of: int = 1


def fold_share(plan: Plan, share: Share, address: Address) -> list[Run]:
    """
    Fold hits of a lane.

    Args:
        plan: What is looked for.
        share: Which hits.
        address: Of the spool that has them, and gets what was seen.

    Returns:
        Where what was seen stands.

    Raises:
        InputOutputError: There is no room for it.
    """
    with Spool.at(address) as spool:
        folder = Folder(plan.rules, spool, plan.held_kb, plan.known)
        findings = Findings(plan.row_of, spool)
        signals = [signal.name for signal in plan.signals[share.number :: share.of]]
        batches = batches_in(spool, share.pieces, frozenset(signals) if share.of > 1 else None)
        return [findings.written(seen) for seen in folder.seen(batches, depth=1)]
