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
from botalert.model import FirstRun

# Several lines: no two files of a log begin with the same ones.
HEAD_BYTES = 2048
TAIL_BYTES = 1024
# More files than a log has: a position outlives a listing that missed its
# file in the middle of a rename.
KEPT_POSITIONS = 128
# How often files may vanish between listing and opening before it is told.
LISTINGS = 8
# What is shown of a line to tell when it was written.
GAP_CHARACTERS = 40

# The offset of a file of which nothing is to be read any more.
READ_WHOLE = (1 << 63) - 1

Consumer = Callable[[bytes, Iterable[bytes]], None]
"""Takes the first bytes of one file and the blocks of it that are new."""


class Position(NamedTuple):
    """
    How far one file of a log has been read.

    Attributes:
        head: The file's first bytes, after unpacking, by which it is known
            again; as many of them as have been read, up to a limit.
        offset: Bytes read from the file's beginning, after unpacking; or
            ``READ_WHOLE`` where nothing of it is to be read any more.
        tail: The bytes just before *offset*, which tell whether it is still
            the same file there, and when its last line was written.
        newest: Whether nothing newer was known when it was read: if it is
            nowhere to be found then, what was written since is missing.
    """

    head: bytes
    offset: int
    tail: bytes
    newest: bool


@dataclass(frozen=True, slots=True)
class Log:
    """
    A log as configured.

    Attributes:
        path: The file being written.
        history: Globs that say where its rotations are; if none, they are
            beside it.
    """

    path: str
    history: tuple[str, ...] = ()


class _VanishedError(Exception):
    """A file was gone when it was to be opened: rotation is going on."""


@dataclass(slots=True)
class _Known:
    """A position, and whether its file was found in this listing."""

    position: Position
    found: bool = False

    def is_lost(self) -> bool:
        """Tell whether it should have been found and was not."""
        return self.position.newest and not self.found


@dataclass(frozen=True, slots=True)
class _File:
    """
    A file that is there now.

    Attributes:
        path: Where.
        head: Its first bytes, after unpacking.
        packed: Whether it is an archive, to which nothing is added any more.
        live: Whether it is the one being written.
    """

    path: str
    head: bytes
    packed: bool
    live: bool

    def begins_like(self, other: "_File") -> bool:
        """Tell whether one of the two may be a copy of the other."""
        shorter = min(len(self.head), len(other.head))
        return shorter > 0 and self.head[:shorter] == other.head[:shorter]


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
            if self.faults and not self._known:
                raise self.faults[0]  # Nothing to remember: the next run is the first, too.
            return
        raise TryAgainError(
            f"{self._log.path}: its files vanish as they are opened. Wait until it is rotated."
        )

    def cursor(self) -> str:
        """Tell how far the log has been read, as text to be kept."""
        found = (each for each in reversed(self._known) if each.found)
        newest = self._awaited or next(found, None)
        return _packed(
            known.position._replace(newest=known is newest)
            for known in self._known[-KEPT_POSITIONS:]
        )

    def remarks(self) -> list[str]:
        """Tell what is worth knowing and no fault; a file's lines have nothing of the kind."""
        return []

    def _read_listed(self, consume: Consumer) -> None:
        for known in self._known:
            known.found = False
        files = self._listed()
        if self._first is not None:
            self._pass_over(files, self._first)
            self._first = None
        for number, file in enumerate(files):
            try:
                self._read_file(file, files[number + 1 :], consume)
            except BotalertError as error:
                self.faults.append(error)

    def _listed(self) -> list[_File]:
        """List the files that are there and can be read, oldest first."""
        paths = [*rotations(self._log)]
        if os.path.lexists(self._log.path):
            paths.append(self._log.path)
        elif not paths:
            raise NoInputError(
                f"{self._log.path}: no such file. Name the log that your syslog daemon writes."
            )
        files = []
        for path in paths:
            live = path == self._log.path
            try:
                with _opened(path) as stream:
                    packed = not unpack.is_plain(stream)
                    files.append(_File(path, stream.read(HEAD_BYTES), packed, live))
            except BotalertError as error:
                self.faults.append(error)
        return files

    def _pass_over(self, files: Sequence[_File], first: FirstRun) -> None:
        """Note as read what the first run is not to read."""
        for file in files:
            if first is FirstRun.ALL or (first is FirstRun.LIVE and file.live):
                continue
            if file.packed:
                position = Position(file.head, READ_WHOLE, b"", newest=False)
            else:
                with _opened(file.path) as stream:
                    position = _position_at(stream, _end_of_lines(stream))
            if position.head:
                self._known.append(_Known(position, found=True))

    def _read_file(self, file: _File, newer: Sequence[_File], consume: Consumer) -> None:
        """Read what is new in *file*."""
        with _opened(file.path) as stream:
            head = stream.read(HEAD_BYTES)
            known = self._match(head, stream)
            if known is not None:
                known.found = True
                start = known.position.offset
            else:
                start = 0
            if not head or start == READ_WHOLE or not _reaches(stream, start):
                return
            stream.seek(start)
            blocks = LineBlocks(stream, offset=start, unfinished=_is_finished(file, newer))
            consume(head, blocks)
            position = _position_at(stream, blocks.offset)
            if file.packed:
                position = position._replace(offset=READ_WHOLE)
        self.read_bytes += blocks.offset - start
        if start == 0 and not self._resumed:
            self._resumed = head
        self._note(known, position)

    def _match(self, head: bytes, stream: LogStream) -> _Known | None:
        """Find the position of the file that begins with *head*, the farthest if there are more."""
        matching = [known for known in self._known if _is_same(known.position, head, stream)]
        return max(matching, key=lambda known: known.position.offset, default=None)

    def _note(self, known: _Known | None, position: Position) -> None:
        if not position.head:
            return
        if known is not None:
            self._known.remove(known)
        self._known.append(_Known(position, found=True))


def _packed(positions: Iterable[Position]) -> str:
    return json.dumps(
        [
            [b64encode(each.head).decode(), each.offset, b64encode(each.tail).decode(), each.newest]
            for each in positions
        ]
    )


def _unpacked(cursor: str) -> list[Position]:
    return [
        Position(b64decode(head), offset, b64decode(tail), newest)
        for head, offset, tail, newest in json.loads(cursor)
    ]


def rotations(log: Log) -> list[str]:
    """
    Find the rotations of *log*, oldest first.

    Raises:
        BotalertError: Their directory cannot be read.
    """
    try:
        paths = _globbed(log) if log.history else names.rotations(log.path)
        modified = {}
        for path in paths:
            if os.path.isfile(path):
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


def _globbed(log: Log) -> list[str]:
    """
    Find what the globs of *log* mean.

    Several logs may share one folder for their rotations: those that are
    called like this one are its own.  If none is, they are called otherwise.
    """
    found = {path for pattern in log.history for path in glob.glob(pattern)}
    live = os.path.realpath(log.path)
    others = sorted(path for path in found if os.path.realpath(path) != live)
    name = os.path.basename(log.path)
    own = [path for path in others if names.suffix_of(os.path.basename(path), name) is not None]
    return own or others


@contextmanager
def _opened(path: str) -> Iterator[LogStream]:
    """Open a file of the log; raise _VanishedError if it is gone."""
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(kind):  # A FIFO would be waited for without end.
            raise DataError(
                f"{path}: is no regular file, so how far it was read cannot be remembered. "
                "Name a log file, or use `botalert scan`."
            )
        with unpack.opened(path) as stream:
            yield stream
    except (FileNotFoundError, NoInputError) as error:
        raise _VanishedError from error
    except OSError as error:
        raise reading_error(path, error) from error


def _is_same(position: Position, head: bytes, stream: LogStream) -> bool:
    """Tell whether *position* is one of the file that begins with *head*."""
    shorter = min(len(head), len(position.head))
    if not shorter or head[:shorter] != position.head[:shorter]:
        return False
    if position.offset == READ_WHOLE or not _reaches(stream, position.offset):
        return True  # A copy, or the same file while it is written again.
    stream.seek(position.offset - len(position.tail))
    return stream.read(len(position.tail)) == position.tail


def _reaches(stream: LogStream, offset: int) -> bool:
    """Tell whether *stream* has *offset* bytes; an archive is unpacked up to there."""
    if offset == 0:
        return True
    stream.seek(offset - 1)
    return bool(stream.read(1))


def _is_finished(file: _File, newer: Sequence[_File]) -> bool:
    """
    Tell whether a last line without its newline will never get one.

    The live file's may; and that of a rotated file as long as the daemon
    has not begun a newer one.  A newer file that begins like this one is
    what it is just being copied from.
    """
    if file.packed:
        return True
    return any(other.head and not other.begins_like(file) for other in newer)


def _position_at(stream: LogStream, offset: int) -> Position:
    """Describe the position *offset* of *stream*."""
    stream.seek(0)
    head = stream.read(min(offset, HEAD_BYTES))
    stream.seek(max(offset - TAIL_BYTES, 0))
    return Position(head, offset, stream.read(min(offset, TAIL_BYTES)), newest=False)


def _end_of_lines(stream: LogStream) -> int:
    """Find the offset behind the last newline of a plain file."""
    end = stream.seek(0, os.SEEK_END)
    while end > 0:
        start = max(end - HEAD_BYTES, 0)
        stream.seek(start)
        newline = stream.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


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
