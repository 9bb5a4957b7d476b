"""
Opening a log: plain, or packed with gzip, xz or bzip2, told by its first bytes.

Names lie (logrotate's ``compressext``, a log sent by mail); the magic
numbers of RFC 1952, the xz format's section 2.1.1.1 and bzip2 don't.
"""

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from botalert.errors import BotalertError, DataError, UnavailableError, reading_error

STANDARD_INPUT = "-"

_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7zXZ\x00"
_BZIP2 = b"BZh"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """
    Open the log at *path* ("-" is standard input), unpacked, for reading.

    Errors that arise while the block is read from are told as ours, too.

    Raises:
        BotalertError: It is not there, may not be read, is a directory, or
            is an archive that is damaged or cut short.
    """
    try:
        with _raw(path) as raw:
            yield _unpacked(path, raw)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise _corrupt(path, error) from error
    except OSError as error:
        # gzip and bz2 raise an OSError without a number for bad data.
        raise (
            _corrupt(path, error) if error.errno is None else reading_error(path, error)
        ) from error


@contextmanager
def _raw(path: str) -> Iterator[io.BufferedReader]:
    if path == STANDARD_INPUT:
        yield cast(io.BufferedReader, sys.stdin.buffer)
    else:
        with open(path, "rb") as raw:
            yield raw


def _unpacked(path: str, raw: io.BufferedReader) -> BinaryIO:
    start = raw.peek(len(_XZ))[: len(_XZ)]
    if start.startswith(_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if start.startswith(_XZ):
        return cast(BinaryIO, lzma.LZMAFile(raw))
    if start.startswith(_BZIP2):
        return cast(BinaryIO, bz2.BZ2File(raw))
    if start.startswith(_ZSTANDARD):
        raise UnavailableError(
            f"{path}: is packed with zstd, which is not read yet. "
            "Unpack it: zstdcat FILE | botalert scan -"
        )
    return raw


def _corrupt(path: str, error: Exception) -> BotalertError:
    return DataError(
        f"{path}: the archive is damaged or cut short: {error}. "
        "What comes before the damage was read; unpack it by hand for more."
    )


def is_plain(path: str) -> bool:
    """Tell whether *path* is an unpacked file, to which lines may still be added."""
    with open(path, "rb") as raw:
        start = raw.read(len(_XZ))
    return not start.startswith((_GZIP, _XZ, _BZIP2, _ZSTANDARD))


def is_regular(path: str) -> bool:
    """Tell whether *path* is a regular file, of which a position can be kept."""
    return path != STANDARD_INPUT and os.path.isfile(path)
