"""
Unpacking what gzip, xz and bzip2 packed.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from botalert.errors import BotalertError, DataError
from botalert.log.blocks import LogStream


@contextmanager
def opened(path: str, raw: io.BufferedReader, start: bytes) -> Iterator[LogStream]:
    """
    Unpack *raw*, the file at *path*, which begins with *start*.

    Raises:
        DataError: It is damaged or cut short.
    """
    try:
        if start.startswith(b"\x1f\x8b"):
            yield cast(LogStream, gzip.GzipFile(fileobj=raw))
        elif start.startswith(b"BZh"):
            yield bz2.BZ2File(raw)
        else:
            # It ends with raw, which the caller closes.
            yield lzma.LZMAFile(raw)  # noqa: SIM115
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise _corrupt(path, error) from error
    except OSError as error:
        # gzip and bz2 raise one without a number for bad data.
        if error.errno is None:
            raise _corrupt(path, error) from error
        raise


def _corrupt(path: str, error: Exception) -> BotalertError:
    return DataError(
        f"{path}: the archive is damaged or cut short: {error}. "
        "Restore it, or unpack it by hand to see how far it goes."
    )
