"""
How far a log has been read, and whether it is still the same log.

A file is known again by its content: by a hash of its first bytes, which
neither renaming nor packing changes and a reused inode does not have.  While
a file is short, the hash covers what there is of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO

from botalert.errors import DataError
from botalert.log import unpack
from botalert.log.blocks import LineBlocks
from botalert.model import Cursor

FINGERPRINT_BYTES = 4096

START = Cursor(0, sha256(b"").hexdigest(), 0)


def resume(stream: BinaryIO, cursor: Cursor) -> int:
    """
    Bring *stream*, at its beginning, to where *cursor* points.

    Returns:
        The offset from which to read on: the cursor's, or 0 where this is
        another file than the cursor's or has been cut shorter since.
    """
    if _fingerprint(stream, cursor.fingerprint_bytes) == cursor.fingerprint:
        # The byte before is there unless the file was cut shorter.  Seeking
        # in an archive unpacks up to there.
        stream.seek(max(cursor.offset - 1, 0))
        if cursor.offset == 0 or stream.read(1):
            return cursor.offset
    return stream.seek(0)


def cursor_at(stream: BinaryIO, offset: int) -> Cursor:
    """Describe the position *offset* of the log that *stream* reads."""
    covered = min(offset, FINGERPRINT_BYTES)
    stream.seek(0)
    return Cursor(offset, _fingerprint(stream, covered), covered)


def _fingerprint(stream: BinaryIO, size: int) -> str:
    return sha256(stream.read(size)).hexdigest()


class Continuation:
    """
    A log being read on from where it was left.

    Attributes:
        started: The offset where this reading began.
        rewound: Whether that is the beginning though more had been read.
        blocks: What is new; with a last line that is still being written
            left for the next time.
    """

    def __init__(self, path: str, stream: BinaryIO, known: Cursor) -> None:
        self._stream = stream
        self.started = resume(stream, known)
        self.rewound = self.started < known.offset
        # Nothing more is written to an archive: its last line is whole.
        packed = not unpack.is_plain(path)
        self.blocks = LineBlocks(stream, offset=self.started, unfinished=packed)

    def cursor(self) -> Cursor:
        """Tell how far *blocks* has been read."""
        return cursor_at(self._stream, self.blocks.offset)


@contextmanager
def continued(path: str, known: Cursor | None) -> Iterator[Continuation]:
    """
    Open the log at *path* where *known* points; at its beginning for None.

    Raises:
        BotalertError: It cannot be read, or is no file in which a position
            can be remembered.
    """
    with unpack.opened(path) as stream:
        if not unpack.is_regular(path):
            raise DataError(
                f"{path}: is no regular file, so how far it was read cannot be remembered. "
                "Name a log file, or use `botalert scan`."
            )
        yield Continuation(path, stream, known or START)
