"""
Opening a log: plain, or packed with gzip, xz, bzip2 or zstd, told by its first bytes.

Names lie (logrotate's ``compressext``, a log sent by mail); the magic
numbers of RFC 1952, RFC 8878, the xz format's section 2.1.1.1 and bzip2 don't.
"""

import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from botalert.errors import reading_error
from botalert.log.blocks import LogStream

STANDARD_INPUT = "-"

Identity = tuple[int, int]
"""Device and inode of a file: it keeps them when it is renamed."""

# The modules that unpack take longer to import than a small log to scan.
_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7zXZ\x00"
_BZIP2 = b"BZh"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@contextmanager
def opened(path: str, identity: Identity | None = None, held: str = "") -> Iterator[LogStream]:
    """
    Open the log at *path* ("-" is standard input), unpacked, for reading.

    With *identity*, only the file that has it: another may have taken its
    name, and then the file is not found.  With *held*, what is open there,
    whatever has become of its name.

    Errors that arise while the block is read from are told as ours, too.

    Raises:
        BotalertError: It is not there, may not be read, is a directory, or
            is an archive that is damaged or cut short.
    """
    try:
        with _raw(path, held) as raw:
            if identity is not None and identity_of(os.fstat(raw.fileno())) != identity:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            with _unpacked(path, raw) as stream:
                yield stream
    except OSError as error:
        raise reading_error(path, error) from error


@contextmanager
def _raw(path: str, held: str) -> Iterator[io.BufferedReader]:
    if path == STANDARD_INPUT:
        yield cast(io.BufferedReader, sys.stdin.buffer)
    else:
        with open(held or path, "rb") as raw:
            yield raw


@contextmanager
def _unpacked(path: str, raw: io.BufferedReader) -> Iterator[LogStream]:
    start = raw.peek(len(_XZ))[: len(_XZ)]
    if start.startswith(_ZSTANDARD):
        from botalert.log import zstandard

        with zstandard.opened(path, raw) as stream:
            yield stream
    elif start.startswith((_GZIP, _XZ, _BZIP2)):
        from botalert.log import archives

        with archives.opened(path, raw, start) as stream:
            yield stream
    else:
        yield raw


def identity_of(about: os.stat_result) -> Identity:
    """Give what tells a file from any other that is there at the same time."""
    return about.st_dev, about.st_ino


def file_size(path: str) -> int | None:
    """Give the size of the file at *path*; 0 if there is none, None for a pipe and the like."""
    try:
        about = os.stat(path)
    except OSError:
        return 0
    return None if stat.S_ISFIFO(about.st_mode) or stat.S_ISCHR(about.st_mode) else about.st_size


def is_packed(path: str) -> bool:
    """Tell whether the file at *path* is an archive that can be unpacked."""
    try:
        with open(path, "rb") as raw:
            return raw.read(len(_XZ)).startswith((_GZIP, _XZ, _BZIP2, _ZSTANDARD))
    except OSError:
        return False


def is_plain(stream: LogStream) -> bool:
    """Tell whether *stream*, from :func:`opened`, is an unpacked file, which may still grow."""
    return type(stream) is io.BufferedReader


def packed_position(stream: object) -> int | None:
    """Tell how far an archive was read, in its packed bytes; None if *stream* is none."""
    if not isinstance(stream, io.BufferedIOBase) or isinstance(stream, io.BufferedReader):
        return None
    descriptor = stream.fileno()
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    return os.lseek(descriptor, 0, os.SEEK_CUR)
