"""
Who does what of a scan, and when.

One process folds hits as it finds them.  Several first put aside the hits of
parts of the logs, and then fold them lane by lane.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from itertools import chain, count
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar

from botalert.errors import BotalertError
from botalert.hits import Batch
from botalert.log import names, unpack
from botalert.scan import LineCounts, Scanner
from botalert.workers.findings import Findings
from botalert.workers.lanes import LANES, Lanes
from botalert.workers.partition import Folder
from botalert.workers.plan import LogFile, Plan, path_of
from botalert.workers.spool import Extent, Spool
from botalert.workers.tasks import (
    Chunk,
    Counter,
    Part,
    Range,
    Reading,
    Scanned,
    Share,
    fold_share,
    scan_part,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

T = TypeVar("T")

# Less is scanned before workers have started.
SHARED_BYTES = 4 << 20
# A part is so large that what is done for each counts little, and so small that all
# workers end at about one time.
SMALLEST_PART_BYTES = 4 << 20
LARGEST_PART_BYTES = 64 << 20
_PARTS_EACH = 4
# What only one can read is handed out in pieces of this size.
CHUNK_BYTES = 8 << 20
# So many more tasks are handed out than there are workers.
_TASKS_AHEAD = 1

Workers = Callable[[int], "AbstractContextManager[Executor]"]
"""Starts so many workers; all that they get are functions and values that can be pickled."""


class Meter(Protocol):
    """Told how far a scan is; bytes as they are in the files, packed or not."""

    def expect(self, more: int | None) -> None:
        """Be told how many more bytes will be read; None if nobody knows."""
        ...

    def read(self, more: int) -> None:
        """Be told how many more bytes were read."""
        ...


def _processes(number: int) -> "AbstractContextManager[Executor]":
    # What it needs takes as long to import as a small log to scan.
    from botalert.workers.pool import processes

    return processes(number)


class Search:
    """
    Finds what a plan asks for; a context manager.

    Args:
        plan: What is looked for.
        jobs: How many may work at once.
        workers: Starts those who work, if there is more than one.

    Attributes:
        findings: What was seen.
        read_bytes: How much was read, after unpacking.
        counts: The lines, if they are counted.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: int,
        workers: Workers = _processes,
    ) -> None:
        self._held = ExitStack()
        self._spool = self._held.enter_context(Spool(plan.directory))
        self._plan = plan
        self._jobs = jobs
        self._counter: Counter = _to_nobody
        self._workers = workers
        self._faults: list[tuple[int, BotalertError]] = []
        self.read_bytes = 0
        self.counts = LineCounts() if plan.counts else None
        self.findings = Findings(plan.row_of, self._spool)
        self._scanners: dict[int, Scanner] = {}
        self._chunks_held: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of all that is held."""
        for descriptor in self._chunks_held.values():
            os.close(descriptor)
        self._held.close()

    @property
    def faults(self) -> list[BotalertError]:
        """Why files could not be read to their end, in the order of reading."""
        return [fault for _, fault in sorted(self._faults, key=lambda pair: pair[0])]

    def files(self, meter: Meter | None = None) -> None:
        """
        Scan all files of the plan.

        Args:
            meter: Told how much was read, if wanted.

        Raises:
            BotalertError: A worker died, or there is no room for what was found.
        """
        shapes = [_shape_of(file.path) for file in self._plan.files]
        if meter is not None:
            self._counter = meter.read
            for shape in shapes:
                meter.expect(shape.size if shape.is_file else None)
        if self._jobs > 1:
            files = tuple(map(self._opened, self._plan.files, shapes))
            self._plan = self._plan._replace(files=files)
            self._share(self._parts(shapes))
        else:
            self._fold(self._batches(map(Range, range(len(shapes)))))

    def stream(self, blocks: Iterable[bytes]) -> None:
        """
        Scan *blocks* of whole lines, of the first file of the plan.

        Raises:
            BotalertError: A worker died, there is no room for what was found, or
                what *blocks* raises.
        """
        if self._jobs > 1:
            self._share(self._chunks(0, count(), blocks))
        else:
            self._fold(self._scanner(0).batches(blocks, self._plan.files[0].log))

    def _fold(self, batches: Iterable[Batch]) -> None:
        """Fold *batches* in this process."""
        plan = self._plan
        folder = Folder(plan.rules, self._spool, plan.held_kb, plan.known)
        for seen in folder.seen(batches):
            self.findings.add(seen)

    def _batches(self, parts: Iterable[Part]) -> Iterator[Batch]:
        """Give the hits of *parts*."""
        for part in parts:
            scanner, log = self._scanner(part.file), self._plan.files[part.file].log
            if isinstance(part, Chunk):
                yield from scanner.batches(part.blocks(), log)
                self._let_go(part)
            else:
                reading = Reading(self._plan.files[part.file], self._plan.span, part)
                yield from scanner.batches(reading.blocks(self._counter), log)
                self._note(part.file, reading)
        # What they remember takes room that may be needed now.
        self._scanners.clear()

    def _scanner(self, number: int) -> Scanner:
        settings = self._plan.files[number].settings
        scanner = self._scanners.get(id(settings))
        if scanner is None:
            reader = self._plan.reader(settings)
            scanner = Scanner(self._plan.signals, reader, self._plan.span, self.counts)
            self._scanners[id(settings)] = scanner
        return scanner

    def _note(self, number: int, read: Reading | Scanned) -> None:
        """Note what came of a file, or of a part of it."""
        self.read_bytes += read.read_bytes
        if read.fault is not None:
            self._faults.append((number, read.fault))

    def _share(self, parts: Iterable[Part]) -> None:
        """Have workers find the hits of *parts* and fold them, if that is worth it."""
        rest = iter(parts)
        first = list(_first_parts(rest))
        if len(first) < 2 or sum(part.size for part in first) < SHARED_BYTES:
            self._fold(self._batches(first))
            return
        # A task knows its own file; all of them would be sent with each.
        held_kb = max(self._plan.held_kb // self._jobs, 1)
        files, plan = self._plan.files, self._plan._replace(files=(), held_kb=held_kb)
        address = self._spool.address()
        with self._workers(self._jobs) as executor:
            most = self._jobs + _TASKS_AHEAD
            parts = chain(first, rest)
            tasks = ((part, (scan_part, plan, files[part.file], part, address)) for part in parts)
            scanned: list[Lanes] = []
            for part, outcome in _done(executor, tasks, most):
                scanned.append(outcome.lanes)
                if isinstance(part, Range):
                    self._note(part.file, outcome)
                    self._counter(outcome.file_bytes)
                else:
                    self._let_go(part)
                if self.counts is not None and outcome.counts is not None:
                    self.counts.add(outcome.counts)
            folds = (
                (None, (fold_share, plan, share, address)) for share in _shares(scanned, self._jobs)
            )
            for _, runs in _done(executor, folds, most):
                self.findings.add_runs(runs)

    def _opened(self, file: LogFile, shape: "_Shape") -> LogFile:
        """Keep a file open that several will read: it may be rotated meanwhile."""
        if not shape.is_packed and shape.size > SMALLEST_PART_BYTES:
            with suppress(OSError):  # Who reads it tells why.
                descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
                self._held.callback(os.close, descriptor)
                return file._replace(held=path_of(descriptor))
        return file

    def _parts(self, shapes: Sequence["_Shape"]) -> Iterator[Part]:
        """Divide all files, in the order of reading."""
        whole = sum(shape.size for shape in shapes)
        size = whole // (self._jobs * _PARTS_EACH)
        size = min(max(size, SMALLEST_PART_BYTES), LARGEST_PART_BYTES)
        # An archive is unpacked by one process; if there are too few of them for
        # all, this one unpacks for the others.
        are_spread = sum(shape.is_packed for shape in shapes) >= self._jobs
        numbers = count()
        for number, shape in enumerate(shapes):
            if shape.is_file and (are_spread or not shape.is_packed):
                yield from _ranges(number, numbers, shape, size)
            else:
                reading = Reading(self._plan.files[number], self._plan.span, Range(number))
                yield from self._chunks(number, numbers, reading.blocks(self._counter))
                self._note(number, reading)

    def _chunks(
        self, file: int, numbers: Iterator[int], blocks: Iterable[bytes]
    ) -> Iterator[Chunk]:
        """Put *blocks* of the file of that number where workers can read them."""
        rest = iter(blocks)
        for first in rest:
            # Sent through a pipe, they would be copied four times more; held until
            # there are enough of them, each would get memory that the kernel has
            # to clear first, which takes as long as to unpack it.
            descriptor = os.memfd_create("botalert", os.MFD_CLOEXEC)
            path = path_of(descriptor)
            self._chunks_held[path] = descriptor
            with open(descriptor, "wb", closefd=False) as memory:
                some = chain([first], _up_to(CHUNK_BYTES - len(first), rest))
                lengths = tuple(map(memory.write, some))
            yield Chunk(file, next(numbers), path, lengths)

    def _let_go(self, chunk: Chunk) -> None:
        os.close(self._chunks_held.pop(chunk.path))


def _first_parts(parts: Iterator[Part]) -> Iterator[Part]:
    """Give so many of *parts* that sharing them out may be worth it, or all."""
    size = 0
    for number, part in enumerate(parts, start=1):
        yield part
        size += part.size
        if number > 1 and size >= SHARED_BYTES:
            return


def _done(
    executor: "Executor", tasks: Iterable[tuple[T, tuple[Any, ...]]], most: int
) -> Iterator[tuple[T, Any]]:
    """Have *tasks* done, at *most* so many at a time; give what came of each, in their order."""
    waiting: deque[tuple[T, Future[Any]]] = deque()
    for name, (function, *values) in tasks:
        if len(waiting) >= most:
            first, future = waiting.popleft()
            yield first, future.result()
        waiting.append((name, executor.submit(function, *values)))
    for name, future in waiting:
        yield name, future.result()


def _shares(scanned: Sequence[Lanes], jobs: int) -> list[Share]:
    """
    Divide what was *scanned* between so many; the largest first, so that all end at about one time.

    A lane that is too large for one, as that of a machine that is most of the
    log, is read by all, each for some of the signals.
    """
    lanes = [[each[lane] for each in scanned if each[lane]] for lane in range(LANES)]
    lanes.sort(key=_size_of, reverse=True)
    most = sum(map(_size_of, lanes)) // jobs
    shares = []
    for pieces in lanes:
        of = jobs if _size_of(pieces) > most else 1
        shares += [Share(pieces, number, of) for number in range(of) if pieces]
    return shares


def _size_of(pieces: Sequence[Sequence[Extent]]) -> int:
    return sum(extent.length for extents in pieces for extent in extents)


class _Shape(NamedTuple):
    """
    What a file is like.

    Attributes:
        is_file: Whether anybody can read it from anywhere: no pipe, no journal.
        is_packed: Whether it is an archive.
        size: Its bytes, an archive's as they are packed.
    """

    is_file: bool
    is_packed: bool = False
    size: int = 0


def _shape_of(path: str) -> _Shape:
    if path == unpack.STANDARD_INPUT or names.is_journal(path):
        return _Shape(is_file=False)
    size = unpack.file_size(path)
    if size is None:
        return _Shape(is_file=False)
    return _Shape(True, unpack.is_packed(path), size)


def _ranges(file: int, numbers: Iterator[int], shape: _Shape, size: int) -> Iterator[Range]:
    """Divide a file; who reads the last range reads what is added meanwhile, too."""
    start = 0
    while not shape.is_packed and (end := start + size) < shape.size:
        yield Range(file, next(numbers), start, end, end - start)
        start = end
    yield Range(file, next(numbers), start, None, max(shape.size - start, 0))


def _up_to(most: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Give those of *blocks* that come first, until they have as many bytes as *most*."""
    given = 0
    while given < most and (block := next(blocks, None)) is not None:
        given += len(block)
        yield block


def _to_nobody(more: int) -> None:
    """Tell nobody."""
