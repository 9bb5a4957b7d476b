"""
A stream cut into blocks of whole lines.

Memory follows the block, not the log.  How the stream is cut changes
nothing in what the lines are; a property test holds that.
"""

from collections.abc import Iterator
from typing import Protocol

# Larger ones come from mmap(2) (glibc's M_MMAP_THRESHOLD), and the kernel clears
# every page of them anew: that took longer than reading.
BLOCK_BYTES = 1 << 16
# A longer line is no log line but damage, and is passed over whole.  It must
# not be shorter than a block, or the cut would decide which lines are.
LINE_LIMIT_BYTES = 4 << 20


class Stream(Protocol):
    """What blocks are cut from."""

    def read1(self, size: int, /) -> bytes:
        """Read up to *size* bytes at once; nothing at the end."""
        ...


class LogStream(Stream, Protocol):
    """An open log, unpacked."""

    def read(self, size: int = -1, /) -> bytes:
        """Read *size* bytes, or all."""
        ...

    def peek(self, size: int, /) -> bytes:
        """Look at what comes next."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to *offset*; an archive is unpacked up to there."""
        ...


class SeekableStream(LogStream, Protocol):
    """A file that anybody may read from anywhere."""

    def readline(self, size: int = -1, /) -> bytes:
        """Read up to *size* bytes of a line."""
        ...

    def tell(self) -> int:
        """Tell the offset."""
        ...


class LineRange:
    """
    The lines that begin within a range of a file, as a stream.

    Args:
        stream: The whole file.
        start: Where the range begins.
        end: Where it ends; None for the file's end.
    """

    def __init__(self, stream: SeekableStream, start: int, end: int | None) -> None:
        self._stream = stream
        self._is_within_line = False
        if start:
            # The line that goes on there belongs to the range before.
            stream.seek(start - 1)
            self._is_within_line = True
            while self._rest_of_line():
                pass
        self._left = None if end is None else max(end - stream.tell(), 0)

    def read1(self, size: int, /) -> bytes:
        """See :class:`Stream`."""
        if self._left == 0:
            return self._rest_of_line()
        chunk = self._stream.read1(size if self._left is None else min(size, self._left))
        if self._left is not None:
            self._left = self._left - len(chunk) if chunk else 0
        self._is_within_line = bool(chunk) and not chunk.endswith(b"\n")
        return chunk

    def _rest_of_line(self) -> bytes:
        """Read on in a line until it ends, piece by piece."""
        if not self._is_within_line:
            return b""
        piece = self._stream.readline(BLOCK_BYTES)
        self._is_within_line = bool(piece) and not piece.endswith(b"\n")
        return piece


class LineBlocks:
    """
    Blocks of whole lines of a stream.

    A line longer than ``LINE_LIMIT_BYTES`` becomes an empty one.  What an
    archive holds before it is damaged is given before the error is raised.

    Args:
        stream: Where the bytes come from.
        offset: Where in the log the stream stands.
        unfinished: Whether to give a last line without its newline, too.
            One that is still being written has to wait.
        block_bytes: How much to read at once.

    Attributes:
        offset: Behind the last line given; bytes from the log's beginning.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        offset: int = 0,
        unfinished: bool = True,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        assert block_bytes <= LINE_LIMIT_BYTES
        self.offset = offset
        self._stream = stream
        self._unfinished = unfinished
        self._block_bytes = block_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Give the blocks; each but perhaps the last ends with a newline."""
        carried: list[bytes] = []
        carried_bytes = 0
        while chunk := self._stream.read1(self._block_bytes):
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                carried_bytes += len(chunk)
                if carried_bytes <= LINE_LIMIT_BYTES:
                    carried.append(chunk)
                continue
            first_end = chunk.index(b"\n")
            self.offset += carried_bytes + cut
            if carried_bytes + first_end > LINE_LIMIT_BYTES:
                yield chunk[first_end:cut]
            else:
                yield b"".join([*carried, memoryview(chunk)[:cut]])
            carried = [chunk[cut:]]
            carried_bytes = len(chunk) - cut
        if self._unfinished and carried_bytes:
            self.offset += carried_bytes
            yield b"".join(carried) if carried_bytes <= LINE_LIMIT_BYTES else b"\n"
