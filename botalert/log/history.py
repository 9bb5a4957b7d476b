"""
A log and its rotations, read on from where they were left, each line once.

A file is known again by its content: by its first bytes, which neither
renaming nor packing nor copying changes and which a reused inode does not
have, and by the bytes before the position that was reached.  So it does not
matter what rotation does (create, copytruncate, dates, several times between
two runs), nor in the middle of what it is found:

- a file whose beginning is known is read on from its position;
- a file that is unknown is new, and is read from its beginning;
- a file that is shorter than what was read of it is a copy, or is being
  written again, and holds nothing new;
- of a file and its archive, which stand side by side while it is packed,
  only the file is read.

A position is kept for every file, not for the live one alone: a daemon goes
on writing to a renamed file until it is told to open the new one.
"""

import errno
import glob
import json
import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from botalert.errors import (
    BotalertError,
    DataError,
    NoInputError,
    TryAgainError,
    reading_error,
)
from botalert.log import names, unpack
from botalert.log.blocks import LineBlocks, LogStream
from botalert.log.unpack import Identity
from botalert.model import FirstRun

# Some lines: few files of a log begin with the same ones, and those are told
# apart by what follows.
HEAD_BYTES = 1024
# What is kept before a position, of the newest file and of the others: enough
# to see what a copy lacks that was made just before the file was cut.
NEWEST_TAIL_BYTES = 16384
TAIL_BYTES = 256
# Positions of files that are gone outlive a listing that missed them.
KEPT_ABSENT = 64
# How often files may vanish between listing and opening before it is told.
LISTINGS = 8
# What is shown of a line to tell when it was written.
GAP_CHARACTERS = 40
_COMPARED_BYTES = 1 << 16
READ_TO_ITS_END = -1

Consumer = Callable[[Iterable[bytes]], None]
"""Takes the blocks of one file that are new."""

Stamp = tuple[int, int]
"""Size and time of a file: neither changes when it is renamed."""


class Position(NamedTuple):
    """
    How far one file of a log has been read.

    Attributes:
        head: The file's first bytes, after unpacking, by which it is known
            again; as many of them as have been read, up to a limit.
        offset: Bytes read from the file's beginning, after unpacking.
        tail: The bytes just before *offset*, which tell whether it is still
            the same file there, and when its last line was written.
        newest: Whether nothing newer was known when it was read: if it is
            nowhere to be found then, what was written since is missing.
        archive: The stamp of an archive of which nothing is to be read any
            more, so that it need not be unpacked again; also of a file that
            the first run could not read and was not to.
    """

    head: bytes
    offset: int
    tail: bytes
    newest: bool = False
    archive: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """
    A log as configured.

    Attributes:
        path: The file being written.
        history: Globs that say where its rotations are; if none, they are
            beside it.
        others: The paths of other logs, which are never its rotations.
    """

    path: str
    history: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()


class _VanishedError(Exception):
    """A file was gone when it was to be opened: rotation is going on."""


@dataclass(slots=True)
class _Known:
    """
    A position, and the file of this listing that is its.

    Attributes:
        position: How far.
        file: The file that reaches it; None if none was found.
    """

    position: Position
    file: "_File | None" = None

    def is_lost(self) -> bool:
        """Tell whether it should have been found and was not."""
        return self.position.newest and self.file is None


@dataclass(frozen=True, slots=True)
class _File:
    """
    A file that is there now.

    Attributes:
        path: Where.
        head: Its first bytes, after unpacking.
        identity: What it keeps when it is renamed in the middle of a reading.
        stamp: Its size and time.
        packed: Whether it is an archive, to which nothing is added any more.
        live: Whether it is the one being written.
        named: Whether its name says that it is of this log.
    """

    path: str
    head: bytes
    identity: Identity
    stamp: Stamp
    packed: bool
    live: bool
    named: bool

    def begins_like(self, head: bytes) -> bool:
        """Tell whether it may be the file that begins with *head*, or a copy."""
        shorter = min(len(self.head), len(head))
        return shorter > 0 and self.head[:shorter] == head[:shorter]


class Reading:
    """
    One reading of a log and its rotations.

    Args:
        log: The log.
        known: How far it was read; None if it never was.
        first: What is read then.

    Attributes:
        read_bytes: How much was new.
        faults: The files that cannot be read; they are tried again next time.
        missing: Which span is missing, if the newest file of last time is
            nowhere to be found; a sentence for people.
    """

    def __init__(self, log: Log, known: str | None, first: FirstRun) -> None:
        self.read_bytes = 0
        self.faults: list[BotalertError] = []
        self.missing: str | None = None
        self._resumed = b""
        self._awaited: _Known | None = None
        self._log = log
        self._known = [_Known(position) for position in _unpacked(known or "[]")]
        self._first = first if known is None else None

    def read(self, consume: Consumer) -> None:
        """
        Give all that is new to *consume*, file by file, oldest first.

        A file that fails is told in :attr:`faults`, and its position stays
        where it was true; *consume* must then forget what it had of it.

        Raises:
            BotalertError: Nothing of the log can be read.
        """
        for listing in range(LISTINGS):
            self.faults.clear()
            try:
                self._read_listed(consume)
            except _VanishedError:
                continue
            lost = next((each for each in self._known if each.is_lost()), None)
            # Perhaps it was just being renamed: look once more.
            if lost is not None and listing == 0:
                continue
            if lost is not None and self.faults:
                self._awaited = lost  # It may be what cannot be read just now.
            elif lost is not None:
                self.missing = _gap(lost.position.tail, self._resumed)
            return
        raise TryAgainError(
            f"{self._log.path}: its files vanish as they are opened. Wait until it is rotated."
        )

    def cursor(self) -> str:
        """Tell how far the log has been read, as text to be kept."""
        found = [known for known in self._known if known.file is not None]
        absent = [known for known in self._known if known.file is None][-KEPT_ABSENT:]
        # While files are being read, the live one is still the newest.
        live = [known for known in found if known.file is not None and known.file.live]
        newest = self._awaited or next(reversed(live or found), None)
        kept = (known for known in self._known if known.file is not None or known in absent)
        return _packed(_kept(known.position, newest=known is newest) for known in kept)

    def remarks(self) -> list[str]:
        """Tell what is worth knowing and no fault; a file's lines have nothing of the kind."""
        return []

    def _read_listed(self, consume: Consumer) -> None:
        for known in self._known:
            known.file = None
        files = self._listed()
        if self._first is not None:
            self._pass_over(files, self._first)
            self._first = None
        # First the files that reach a position: a shorter one that begins
        # alike may be a copy of one of them.
        for file in files:
            self._find(file)
        for number, file in enumerate(files):
            try:
                self._read_file(file, files[number + 1 :], consume)
            except BotalertError as error:
                self.faults.append(error)

    def _listed(self) -> list[_File]:
        """List the files that are there and can be read, oldest first."""
        paths = rotations(self._log)
        if os.path.exists(self._log.path):
            paths.append(self._log.path)
        elif not paths:
            raise NoInputError(
                f"{self._log.path}: no such file. Name the log that your syslog daemon writes."
            )
        files = []
        for path in paths:
            live = path == self._log.path
            try:
                about = _stat(path)
                identity = unpack.identity_of(about)
                with _opened(path, identity) as stream:
                    packed = not unpack.is_plain(stream)
                    named = live or is_named_after(path, self._log)
                    head = stream.read(HEAD_BYTES)
                files.append(_File(path, head, identity, _stamp(about), packed, live, named))
            except BotalertError as error:
                if live and self._first is not None:
                    raise  # The next run is the first, too.
                if self._first in (FirstRun.LIVE, FirstRun.NEW):
                    self._known.append(_Known(Position(b"", 0, b"", archive=_stamp(_stat(path)))))
                self.faults.append(error)
        return files

    def _pass_over(self, files: Sequence[_File], first: FirstRun) -> None:
        """Note as read what the first run is not to read."""
        live = next((file for file in files if file.live), None)
        for file in files:
            if first is FirstRun.ALL or not file.head:
                continue
            if first is FirstRun.LIVE and live is not None and _is_copy(file, live):
                continue
            if file.packed:
                position = Position(file.head, 0, b"", archive=file.stamp)
            else:
                with _opened(file.path, file.identity) as stream:
                    position = _end_of_lines(stream)
            if position.head:
                self._known.append(_Known(position))

    def _find(self, file: _File) -> _Known | None:
        """Find the position that *file* reaches, the farthest if there are more."""
        untouched = (each for each in self._known if each.position.archive == file.stamp)
        known = next((each for each in untouched if file.head.startswith(each.position.head)), None)
        alike = [each for each in self._known if file.begins_like(each.position.head)]
        if known is None and alike:
            with _opened(file.path, file.identity) as stream:
                reached = [each for each in alike if _reaches(stream, each.position)]
            known = max(reached, key=lambda each: each.position.offset, default=None)
        if known is not None:
            known.file = file
        return known

    def _read_file(self, file: _File, newer: Sequence[_File], consume: Consumer) -> None:
        """Read what is new in *file*."""
        known = self._find(file)
        if known is not None and known.position.archive == file.stamp:
            return
        start = known.position if known is not None else self._start_of(file)
        if start is None or not file.head:
            return
        with _opened(file.path, file.identity) as stream:
            stream.seek(start.offset)
            blocks = LineBlocks(stream, offset=start.offset, unfinished=_is_finished(file, newer))
            size = None if file.packed else max(file.stamp[0] - start.offset, 0)
            recorder = NewBlocks(blocks, start, size)
            consume(recorder)
        self.read_bytes += blocks.offset - start.offset
        if known is None and not self._resumed:
            self._resumed = file.head
        archive = file.stamp if file.packed else None
        self._note(known, recorder.position()._replace(archive=archive), file)

    def _start_of(self, file: _File) -> Position | None:
        """
        Tell from where to read *file*, which reaches no position; None if nothing is new in it.

        It holds nothing new if it is the beginning of a file that is there,
        or of one that was: logs are copied before they are cut.  If it goes
        on otherwise than what is known, it was cut there and written again.
        """
        for known in [each for each in self._known if file.begins_like(each.position.head)]:
            with _opened(file.path, file.identity) as stream:
                if known.file is None:
                    agreed = _agreed(stream, known.position)
                elif known.file.path != file.path:
                    with _opened(known.file.path, known.file.identity) as other:
                        agreed = None if not _is_beginning(stream, other) else READ_TO_ITS_END
                else:
                    agreed = None
                if agreed is None:
                    continue
                if agreed == READ_TO_ITS_END:
                    if not (file.live and known.file is None):
                        return None
                    self.missing = _gap(known.position.tail, b"")
                    return _end_of_lines(stream)
                known_from = known.position.offset - len(known.position.tail)
                return Position(
                    known.position.head[:agreed],
                    agreed,
                    known.position.tail[: agreed - known_from],
                )
        return Position(b"", 0, b"") if file.named else None

    def _note(self, known: _Known | None, position: Position, file: _File) -> None:
        if position.head:
            if known is not None:
                self._known.remove(known)
            self._known.append(_Known(position, file))


class NewBlocks:
    """
    The blocks of one file that are new; notes what the position behind them looks like.

    From what was read, not from the file afterwards: it may be cut while it
    is read.

    Attributes:
        expected_bytes: How many there were before reading began; None of an archive.
    """

    def __init__(self, blocks: LineBlocks, start: Position, expected_bytes: int | None) -> None:
        self.expected_bytes = expected_bytes
        self._blocks = blocks
        self._head = start.head
        self._tail = start.tail
        self._complete = len(start.head) == min(start.offset, HEAD_BYTES)

    def __iter__(self) -> Iterator[bytes]:
        before = self._blocks.offset
        for block in self._blocks:
            if len(self._head) < HEAD_BYTES and self._complete:
                self._head = (self._head + block[:HEAD_BYTES])[:HEAD_BYTES]
            exact = self._blocks.offset - before == len(block)
            # A line beyond any sense is left out: what is known begins behind it.
            self._complete = self._complete and (exact or len(self._head) >= HEAD_BYTES)
            known = self._tail + block if exact and len(block) < NEWEST_TAIL_BYTES else block
            self._tail = known[-NEWEST_TAIL_BYTES:]
            before = self._blocks.offset
            yield block

    def position(self) -> Position:
        """Describe where the blocks end."""
        return Position(self._head, self._blocks.offset, self._tail)


def _kept(position: Position, *, newest: bool) -> Position:
    """Shorten what is kept of *position*: only the newest file is likely to be cut."""
    tail = position.tail if newest else position.tail[-TAIL_BYTES:]
    return position._replace(tail=tail, newest=newest)


def _packed(positions: Iterable[Position]) -> str:
    return json.dumps(
        [
            [b64encode(p.head).decode(), p.offset, b64encode(p.tail).decode(), p.newest, p.archive]
            for p in positions
        ]
    )


def _unpacked(cursor: str) -> list[Position]:
    return [
        Position(
            b64decode(head), offset, b64decode(tail), newest, tuple(archive) if archive else None
        )
        for head, offset, tail, newest, archive in json.loads(cursor)
    ]


def rotations(log: Log) -> list[str]:
    """
    Find what may be rotations of *log*, oldest first.

    Raises:
        BotalertError: Their directory cannot be read.
    """
    try:
        paths = _globbed(log) if log.history else _beside(log)
        modified = {}
        for path in paths:
            if os.path.isfile(path) and os.path.abspath(path) not in log.others:
                modified[path] = os.stat(path).st_mtime
    except FileNotFoundError:
        # The directory is gone, or a file was renamed since it was listed:
        # then it is there again under its new name.
        return rotations(log) if os.path.isdir(os.path.dirname(log.path) or ".") else []
    except OSError as error:
        raise reading_error(error.filename or log.path, error) from error
    # While a file is packed, its archive is there already, half-written.
    whole = [
        path
        for path in modified
        if names.unpacked_name(path) == path or names.unpacked_name(path) not in modified
    ]
    return names.in_order(log.path, whole, modified)


def is_named_after(path: str, log: Log) -> bool:
    """Tell whether the name of *path* says that it is a rotation of *log*."""
    name = os.path.basename(path)
    lives = (log.path, os.path.realpath(log.path))
    return any(names.suffix_of(name, os.path.basename(live)) is not None for live in lives)


def _beside(log: Log) -> list[str]:
    """List what is called like *log*, also where it is linked to."""
    lives = dict.fromkeys([log.path, os.path.realpath(log.path)])
    return list(dict.fromkeys(path for live in lives for path in names.namesakes(live)))


def _globbed(log: Log) -> list[str]:
    """
    Find what the globs of *log* mean.

    Several logs may share one folder for their rotations: those that are
    called like this one are its own.
    """
    found = {path for pattern in log.history for path in glob.glob(pattern)}
    live = os.path.realpath(log.path)
    return sorted(
        path for path in found if os.path.realpath(path) != live and is_named_after(path, log)
    )


@contextmanager
def _opened(path: str, identity: Identity) -> Iterator[LogStream]:
    """Open a file of the log; raise _VanishedError if it is gone, or another has its name."""
    try:
        kind = _stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(kind):  # A FIFO would be waited for without end.
            raise DataError(
                f"{path}: is no regular file, so how far it was read cannot be remembered. "
                "Name a log file, or use `botalert scan`."
            )
        with unpack.opened(path, identity) as stream:
            yield stream
    except (FileNotFoundError, NoInputError) as error:
        raise _VanishedError from error
    except OSError as error:
        raise reading_error(path, error) from error


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except FileNotFoundError as error:
        raise _VanishedError from error


def _stamp(about: os.stat_result) -> Stamp:
    return about.st_size, about.st_mtime_ns


def _reaches(stream: LogStream, position: Position) -> bool:
    """Tell whether *stream* is the file of *position*, or a whole copy of it."""
    if not position.tail:
        return False
    stream.seek(position.offset - len(position.tail))
    return stream.read(len(position.tail)) == position.tail


def _is_copy(file: _File, live: _File) -> bool:
    """Tell whether *file* is *live*, or has nothing but its beginning."""
    if file is live or not file.begins_like(live.head):
        return file is live
    with _opened(file.path, file.identity) as one, _opened(live.path, live.identity) as other:
        return _is_beginning(one, other)


def _is_beginning(stream: LogStream, other: LogStream) -> bool:
    """Tell whether *other* begins with all that is in *stream*."""
    while piece := stream.read(_COMPARED_BYTES):
        if other.read(len(piece)) != piece:
            return False
    return True


def _agreed(stream: LogStream, position: Position) -> int | None:
    """
    Tell how far *stream* is what was read up to *position*, by whole lines.

    Returns:
        ``READ_TO_ITS_END`` where it ends before it differs, an offset where
        it differs, and None where it is another file.  What is known is the
        tail; of a file that ends before that, the head must do.
    """
    known_from = position.offset - len(position.tail)
    length = _length(stream, position.offset)
    if length is not None and length <= known_from:
        return READ_TO_ITS_END
    stream.seek(known_from)
    here = stream.read(len(position.tail))
    pairs = enumerate(zip(here, position.tail, strict=False))
    differs = next((place for place, (one, other) in pairs if one != other), len(here))
    if differs == len(here):
        return READ_TO_ITS_END
    line_end = here.rfind(b"\n", 0, differs) + 1
    return known_from + line_end if line_end else None


def _length(stream: LogStream, limit: int) -> int | None:
    """Tell how many bytes *stream* has; None if they are *limit* or more."""
    length = 0
    stream.seek(0)
    while piece := stream.read(_COMPARED_BYTES):
        length += len(piece)
        if length >= limit:
            return None
    return length


def _is_finished(file: _File, newer: Sequence[_File]) -> bool:
    """
    Tell whether a last line without its newline will never get one.

    The live file's may; and that of a rotated file as long as the daemon
    has not begun a newer one.  A newer file that begins like this one is
    what it is just being copied from.
    """
    if file.packed:
        return True
    return any(other.head and not other.begins_like(file.head) for other in newer)


def _end_of_lines(stream: LogStream) -> Position:
    """Describe the position behind the last newline of a plain file."""
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(end - _COMPARED_BYTES, 0))
    content = stream.read(_COMPARED_BYTES)
    whole = content[: content.rfind(b"\n") + 1]
    offset = max(end - _COMPARED_BYTES, 0) + len(whole)
    stream.seek(0)
    return Position(stream.read(min(offset, HEAD_BYTES)), offset, whole[-NEWEST_TAIL_BYTES:])


def _gap(tail: bytes, resumed: bytes) -> str:
    """Say which span is missing: from the last line read to the first one now."""
    last = _shown(tail.rstrip(b"\n").rpartition(b"\n")[2])
    first = _shown(resumed.partition(b"\n")[0])
    since = f"after {last!r}" if last else "since the last run"
    until = f"and before {first!r}" if first else "until now"
    return (
        f"what was written {since} {until} may be missing: the file was removed or cut "
        "before it was read. Keep more rotations, or run more often."
    )


def _shown(line: bytes) -> str:
    """Give the beginning of a line, where its stamp is."""
    return line[:GAP_CHARACTERS].decode("utf-8", "replace")
