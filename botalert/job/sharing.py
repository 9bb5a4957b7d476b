"""
A scan, shared out between processes.

Large files are cut into ranges of bytes, which workers read for themselves;
what only one can read (an archive, standard input, what is new in a log) is
read here and handed out in chunks.  What a worker finds carries its place, so
it does not matter who found it, nor when.
"""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, count
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, cast

from botalert.config import LogSettings
from botalert.course import rules_of
from botalert.errors import BotalertError
from botalert.grammar import LineReader
from botalert.job.logs import LogFile, opened_by_hand
from botalert.log import names, unpack
from botalert.log.blocks import (
    BLOCK_BYTES,
    LINE_LIMIT_BYTES,
    LineBlocks,
    LineRange,
    SeekableStream,
    Stream,
)
from botalert.match import Signal
from botalert.scan import LineCounts, Part, Scanner, united
from botalert.times import ALWAYS, Span
from botalert.windows import Rules

if TYPE_CHECKING:
    from mmap import mmap

    from botalert.crew import Crew

# One that is done, and one so that the worker need not wait for the next.
TASKS_EACH = 2
# Less is scanned before a worker has started.
SHARED_BYTES = 4 << 20
# What a worker reads for its last task: so little that all end at about one time.
RANGE_BYTES = 4 << 20
# What is handed out at once; a block more may be in it, and that may be a long line.
CHUNK_BYTES = 1 << 19
_SLOT_BYTES = CHUNK_BYTES + LINE_LIMIT_BYTES + BLOCK_BYTES
# No file has more bytes.
_PLACES_BITS = 48
_COUNTER_BYTES = 8
# A worker that has found more, in KB, gives it away.
MOST_HELD_KB = 40000
# So many tallies are sent at once: while they are, they take three times their room.
MOST_AT_ONCE = 1000

Counter = Callable[[int], None]
"""Told how many more bytes were read."""


class Meter(Protocol):
    """Told how far a scan is; bytes as they are in the files, packed or not."""

    def expect(self, more: int | None) -> None:
        """Be told how many more bytes will be read; None if nobody knows."""
        ...

    def read(self, more: int) -> None:
        """Be told how many more bytes were read."""
        ...


class Search(NamedTuple):
    """
    What a scan looks for.

    Attributes:
        signals: The signals.
        reader_of: Gives the reader of lines that settings ask for.
        span: Which packets count.
        counts: Whether to count lines.
    """

    signals: Sequence[Signal]
    reader_of: Callable[[LogSettings], LineReader]
    span: Span = ALWAYS
    counts: bool = False

    @property
    def rules(self) -> Mapping[str, Rules]:
        """Those of signals that have thresholds."""
        return rules_of(self.signals)


class Range(NamedTuple):
    """The lines that begin in a range of a file's bytes; to its end if *end* is None."""

    place: int
    file: int
    start: int = 0
    end: int | None = None


class Chunk(NamedTuple):
    """Blocks of a file, of these lengths, one behind the other in a slot of shared memory."""

    place: int
    file: int
    slot: int
    lengths: tuple[int, ...]


Task = Range | Chunk


class Answer(NamedTuple):
    """
    What came of a task so far.

    Attributes:
        parts: Some of what was found so far; all that is left if no task follows.
        read_bytes: How much was read for it, after unpacking, once it is done.
        fault: The place of a task that could not be done to its end, and why.
        slot: Of which slot nothing is needed any more.
        counts: Of all tasks, if no task follows.
    """

    parts: list[Part]
    read_bytes: int = 0
    fault: tuple[int, BotalertError] | None = None
    slot: int | None = None
    counts: LineCounts | None = None


class Worker:
    """
    Scans what it is given; each process has its own.

    Args:
        files: What tasks are about.
        search: What is looked for.
        memory: Where chunks are.
        counter: Told what was read.
    """

    def __init__(
        self,
        files: Sequence[LogFile],
        search: Search,
        counter: Counter,
        memory: "mmap | None" = None,
    ) -> None:
        self._files = files
        self._search = search
        self._counter = counter
        self._memory = memory
        self._counts = LineCounts() if search.counts else None
        self._scanners: dict[int, Scanner] = {}

    def __call__(self, task: Task | None) -> Iterator[Answer]:
        """Do *task*; without one, give all that is left."""
        if task is None:
            yield from self._taken()
            yield Answer([], counts=self._counts)
        elif isinstance(task, Chunk):
            yield from self.scan(task.file, task.place, self._blocks(task))
            yield Answer([], slot=task.slot)
        else:
            yield from self._scan_range(task)

    def scan(self, file: int, place: int, blocks: Iterable[bytes]) -> Iterator[Answer]:
        """Scan *blocks* of *file*, which stand at *place*; give away much that is found."""
        scanner = self._scanner(file, place)
        for block in blocks:
            scanner.scan(block)
            if sum(each.weight for each in self._scanners.values()) > MOST_HELD_KB:
                yield from self._taken()

    def _scanner(self, file: int, place: int) -> Scanner:
        """Give the scanner for lines of *file* that stand at *place*."""
        settings = self._files[file].settings
        scanner = self._scanners.get(id(settings))
        if scanner is None:
            scanner = self._scanners[id(settings)] = Scanner(
                self._search.signals,
                self._search.reader_of(settings),
                self._search.span,
                self._counts,
            )
        scanner.begin(place, self._files[file].log)
        return scanner

    def _scan_range(self, task: Range) -> Iterator[Answer]:
        reading = _Reading(task, self._files[task.file], self._search.span, self._counter)
        yield from self.scan(task.file, task.place, reading)
        yield reading.answer()

    def _blocks(self, chunk: Chunk) -> Iterator[bytes]:
        assert self._memory is not None
        start = chunk.slot * _SLOT_BYTES
        for length in chunk.lengths:
            yield self._memory[start : start + length]
            start += length

    def _taken(self) -> Iterator[Answer]:
        """Give away what was found."""
        for scanner in self._scanners.values():
            for part in scanner.take():
                yield from (Answer([each]) for each in _portions(part))


def _portions(part: Part) -> Iterator[Part]:
    """Divide *part*, which is empty then."""
    while part.tallies:
        number = min(len(part.tallies), MOST_AT_ONCE)
        yield Part(part.place, dict(part.tallies.popitem() for _ in range(number)))


class Sharing:
    """
    Scans files and streams, by as many processes as are worth it; a context manager.

    Args:
        files: What is scanned, in reading order.
        search: What is looked for.
        jobs: How many processes may scan at once.
        meter: Told what was read; None if nobody wants to know.
    """

    def __init__(
        self, files: Sequence[LogFile], search: Search, jobs: int, meter: Meter | None = None
    ) -> None:
        self._files = list(files)
        self._held = ExitStack()
        self._search = search
        self._jobs = jobs
        self._meter = meter
        self._counter: Counter = _to_nobody if meter is None else meter.read
        self._own = Worker(self._files, search, self._counter)
        self._crew: Crew[Task, Answer] | None = None
        self._free_slots = deque(range(jobs * TASKS_EACH))
        self._memory: mmap | None = None
        self._is_all_held = True

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the workers, whatever they are doing."""
        if self._crew is not None:
            self._crew.__exit__(kind, error, trace)
        self._held.close()

    def scan_files(self) -> Iterator[Answer]:
        """
        Scan all files; give answers as they come, the last with all that is left.

        Raises:
            TryAgainError: A worker died.
        """
        shapes = [_shape_of(file.path) for file in self._files]
        if self._meter is not None:
            for shape in shapes:
                self._meter.expect(shape.size if shape.is_file else None)
        alone: Collection[int] = range(len(shapes))
        if self._jobs > 1 and sum(shape.size for shape in shapes) >= SHARED_BYTES:
            # An archive is unpacked by one process; if there are too few of
            # them for all, this one unpacks for the others.
            spread = sum(shape.is_packed for shape in shapes) >= self._jobs
            alone = [
                number
                for number, shape in enumerate(shapes)
                if not shape.is_file or (shape.is_packed and not spread)
            ]
            yield from self._scan_ranges(shapes, alone)
        for number in alone:
            yield from self._scan_alone(number)
        yield from self.finish()

    def scan_stream(self, number: int, blocks: Iterable[bytes]) -> Iterator[Answer]:
        """
        Scan *blocks*, of the file of that number; its answers have no fault and no bytes.

        Raises:
            BotalertError: A worker died, or what *blocks* raises.
        """
        rest = iter(blocks)
        # Uniting many small parts would take longer, if there are thresholds.
        is_shared = self._jobs > 1 and not self._search.rules
        first = _up_to(SHARED_BYTES, rest) if is_shared else rest
        yield from self._noted(self._own.scan(number, _place(number), first))
        if is_shared and (block := next(rest, None)) is not None:
            yield from self._noted(self._done(self._chunks(number, chain([block], rest))))

    def finish(self) -> Iterator[Answer]:
        """
        Give all that is left of what was scanned.

        Raises:
            TryAgainError: A worker died.
        """
        answers: Iterable[Answer] = self._own(None)
        if self._crew is None:
            yield from answers
            return
        answers = chain(answers, self._crew.finish())
        if not self._is_all_held:
            yield from answers
            return
        # What nobody gave away before is united at once: half of the room.
        parts: list[Part] = []
        for answer in answers:
            parts += answer.parts
            yield answer._replace(parts=[])
        yield Answer([Part(0, united(parts))])

    def _hold(self, number: int, shape: "_Shape") -> None:
        """Keep a file open that several will read: it may be rotated meanwhile."""
        file = self._files[number]
        if shape.size > RANGE_BYTES and not shape.is_packed:
            with suppress(OSError):  # Who reads it tells why.
                descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
                self._held.callback(os.close, descriptor)
                self._files[number] = file._replace(descriptor=descriptor)

    def _scan_ranges(
        self, shapes: Sequence["_Shape"], without: Collection[int]
    ) -> Iterator[Answer]:
        for number, shape in enumerate(shapes):
            self._hold(number, shape)
        plain = [shape.size for shape in shapes if shape.is_file and not shape.is_packed]
        sizes = _sizes(sum(plain), self._jobs, are_even=bool(self._search.rules))
        tasks = [
            task
            for number, shape in enumerate(shapes)
            if number not in without
            for task in _ranges(number, shape, sizes)
        ]
        # Archives first: they can't be cut, and take longest.
        tasks.sort(key=lambda task: not shapes[task.file].is_packed)
        if tasks:
            yield from self._noted(self._done(tasks))

    def _scan_alone(self, number: int) -> Iterator[Answer]:
        """Scan what only one process can read."""
        whole = Range(_place(number), number)
        reading = _Reading(whole, self._files[number], self._search.span, self._counter)
        yield from self.scan_stream(number, reading)
        yield reading.answer()

    def _noted(self, answers: Iterable[Answer]) -> Iterator[Answer]:
        """Pass *answers* on and note whether any gives something away."""
        for answer in answers:
            self._is_all_held = self._is_all_held and not answer.parts
            yield answer

    def _done(self, tasks: Iterable[Task]) -> Iterator[Answer]:
        """Have workers do *tasks*."""
        for answer in self._started().do(tasks):
            if answer.slot is not None:
                self._free_slots.append(answer.slot)
            yield answer

    def _started(self) -> "Crew[Task, Answer]":
        if self._crew is None:
            # They take as long as a small log.
            from mmap import mmap

            from botalert.crew import Crew

            self._memory = memory = mmap(-1, len(self._free_slots) * _SLOT_BYTES)
            counters = _Counters(self._jobs)
            workers = [
                Worker(self._files, self._search, counters.counter(number), memory)
                for number in range(self._jobs)
            ]
            meter = self._meter
            pulse = None if meter is None else lambda: meter.read(counters.more())
            self._crew = Crew(workers, TASKS_EACH, pulse)
        return self._crew

    def _chunks(self, number: int, blocks: Iterable[bytes]) -> Iterator[Chunk]:
        """Put *blocks* into shared memory; a slot is free again when its chunk was answered."""
        rest = iter(blocks)
        assert self._memory is not None
        for place in count(_place(number) + 1):
            slot = self._free_slots.popleft()
            start = at = slot * _SLOT_BYTES
            lengths = []
            for block in rest:
                self._memory[at : at + len(block)] = block
                at += len(block)
                lengths.append(len(block))
                if at - start >= CHUNK_BYTES:
                    break
            if not lengths:
                self._free_slots.append(slot)
                return
            yield Chunk(place, number, slot, tuple(lengths))


class _Reading:
    """The blocks of a range of *file*."""

    def __init__(self, task: Range, file: LogFile, span: Span, counter: Counter) -> None:
        self._task = task
        self._file = file
        self._span = span
        self._counter = counter
        self._read_bytes = 0
        self._fault: BotalertError | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Give the blocks."""
        try:
            with opened_by_hand(self._file, self._span) as stream:
                lines: Stream = stream
                if self._task.start or self._task.end is not None:
                    lines = LineRange(
                        cast(SeekableStream, stream), self._task.start, self._task.end
                    )
                blocks = LineBlocks(lines)
                for block in _counted(blocks, stream, self._counter):
                    self._read_bytes = blocks.offset
                    yield block
        except BotalertError as error:
            self._fault = error

    def answer(self) -> Answer:
        """Tell how much was read, after unpacking, and what went wrong in the end."""
        fault = None if self._fault is None else (self._task.place, self._fault)
        return Answer([], self._read_bytes, fault)


def _counted(blocks: Iterable[bytes], stream: Stream, counter: Counter) -> Iterator[bytes]:
    """Pass *blocks* of *stream* on and tell *counter* how much of the file that was."""
    before = 0
    for block in blocks:
        position = unpack.packed_position(stream)
        if position is None:
            counter(len(block))
        else:
            counter(position - before)
            before = position
        yield block


class _Counters:
    """
    How many bytes each worker has read, in shared memory.

    A worker whose parent is gone, and so will never be asked again, ends when
    it counts.
    """

    def __init__(self, jobs: int) -> None:
        from mmap import mmap

        self._memory = mmap(-1, jobs * _COUNTER_BYTES)
        self._jobs = jobs
        self._seen = 0
        self._parent = os.getpid()

    def counter(self, number: int) -> Counter:
        """Give what worker *number* calls with how much it has read."""
        total = 0

        def counter(more: int) -> None:
            nonlocal total
            total += more
            start = number * _COUNTER_BYTES
            self._memory[start : start + _COUNTER_BYTES] = total.to_bytes(_COUNTER_BYTES, "big")
            if os.getppid() != self._parent:
                os._exit(os.EX_TEMPFAIL)

        return counter

    def more(self) -> int:
        """Tell how much was read since the last call."""
        starts = range(0, self._jobs * _COUNTER_BYTES, _COUNTER_BYTES)
        totals = (self._memory[start : start + _COUNTER_BYTES] for start in starts)
        seen, self._seen = self._seen, sum(int.from_bytes(total, "big") for total in totals)
        return self._seen - seen


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


def _sizes(whole: int, jobs: int, *, are_even: bool) -> Iterator[int]:
    """
    Give the sizes of ranges, one after the other, for files that have *whole* bytes together.

    Of what is left, three quarters are shared out between all, so that all end
    at about one time, and parts are few (after Polychronopoulos and Kuck,
    "Guided Self-Scheduling", IEEE Transactions on Computers C-36, 1987): many
    parts of one source cost more than its lines.  With thresholds they cost so
    much that each worker gets one range, of *even* sizes.
    """
    even = -(-whole // jobs)
    while True:
        size = max(even if are_even else whole * 3 // (4 * jobs), RANGE_BYTES)
        whole = max(whole - size, 0)
        yield size


def _ranges(number: int, shape: _Shape, sizes: Iterator[int]) -> Iterator[Range]:
    """Cut a file into tasks; who reads the last range reads what is added meanwhile, too."""
    place = _place(number)
    start = 0
    while not shape.is_packed and (end := start + next(sizes)) < shape.size:
        yield Range(place + start, number, start, end)
        start = end
    yield Range(place + start, number, start)


def _up_to(most: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Give those of *blocks* that come first, until they have as many bytes as *most*."""
    given = 0
    while given < most and (block := next(blocks, None)) is not None:
        given += len(block)
        yield block


def _place(number: int) -> int:
    """Give the place of the file of that number; in it, bytes or chunks are counted."""
    return number << _PLACES_BITS


def _to_nobody(more: int) -> None:
    """Tell nobody."""
