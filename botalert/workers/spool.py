"""
What is put aside while a scan goes on: bytes in a file without a name.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

from botalert.errors import InputOutputError
from botalert.workers.plan import path_of


class Extent(NamedTuple):
    """Where in a spool something stands."""

    offset: int
    length: int


class Address(NamedTuple):
    """
    How another process reaches a spool.

    Attributes:
        path: By which any process of this user opens it.
        directory: Where it is on disk, for messages.
    """

    path: str
    directory: str


class Spool:
    """
    A file that only grows, and that several processes may add to.

    It is made when it is first needed, has no name (or loses it at once), is
    of mode 0600, and is gone when all have closed it, or died.

    Args:
        directory: Where it is, unless TMPDIR says otherwise.
        path: Where it is open already; "" to make it.
    """

    def __init__(self, directory: str, path: str = "") -> None:
        self._directory = directory if path else os.environ.get("TMPDIR") or directory
        self._path = path
        self._descriptor: int | None = None

    @classmethod
    def at(cls, address: Address) -> "Spool":
        """Return the one at *address*."""
        return cls(address.directory, address.path)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def address(self) -> Address:
        """
        Return how another process reaches it, while it is open here.

        Raises:
            InputOutputError: It can't be made.
        """
        return Address(path_of(self._opened()), self._directory)

    def append(self, data: bytes) -> Extent:
        """
        Put *data* aside; return where.

        Raises:
            InputOutputError: There is no room for it.
        """
        descriptor = self._opened()
        with _told(self._directory):
            # At one stroke, also while others append: O_APPEND of open(2).  What is
            # cut short is left behind and tried again, until it is told why.
            while os.write(descriptor, data) < len(data):
                pass
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
        return Extent(end - len(data), len(data))

    def read(self, extent: Extent) -> bytes:
        """
        Return what stands there.

        Raises:
            InputOutputError: It can't be read.
        """
        pieces = []
        offset, left = extent
        while left:
            with _told(self._directory):
                piece = os.pread(self._opened(), left, offset)
            if not piece:
                raise InputOutputError(f"{self._directory}: what was put aside there is gone.")
            pieces.append(piece)
            offset, left = offset + len(piece), left - len(piece)
        return b"".join(pieces)

    def _opened(self) -> int:
        if self._descriptor is None:
            with _told(self._directory):
                self._descriptor = self._open()
        return self._descriptor

    def _open(self) -> int:
        if self._path:
            return os.open(self._path, _FLAGS)
        # Most scans need none, and it imports what unpacks archives.
        import tempfile

        with tempfile.TemporaryFile(dir=self._directory) as file:
            return os.open(path_of(file.fileno()), _FLAGS)


_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC


@contextmanager
def _told(directory: str) -> Iterator[None]:
    """Tell of what goes wrong with a spool in *directory*."""
    try:
        yield
    except OSError as error:
        raise InputOutputError(
            f"{directory}: no room for what was found: {error.strerror or error}. Free some "
            "space there, or name another directory in the variable TMPDIR."
        ) from error
