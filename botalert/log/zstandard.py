"""
Unpacking what zstd packed: by the standard library where it can (Python
3.14), else by the zstd program.
"""

import importlib
import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from botalert.errors import DataError, UnavailableError
from botalert.log.blocks import LogStream

PROGRAM = "zstd"


@contextmanager
def opened(path: str, raw: io.BufferedReader) -> Iterator[LogStream]:
    """
    Unpack *raw*, the file at *path*.

    Raises:
        UnavailableError: There is neither the module nor the program.
        DataError: It is damaged or cut short.
    """
    try:
        module = importlib.import_module("compression.zstd")
    except ModuleNotFoundError:
        with _by_program(path, raw) as stream:
            yield stream
        return
    try:
        yield cast(LogStream, module.ZstdFile(raw))
    except module.ZstdError as error:
        raise _damaged(path, str(error)) from error


@contextmanager
def _by_program(path: str, raw: io.BufferedReader) -> Iterator[LogStream]:
    """
    Unpack into a temporary file: readers seek, and a pipe can't.

    It is on the disk, not in memory, and gone when it is closed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise UnavailableError(
            f"{path}: is packed with zstd, and there is no program zstd. Install the package zstd."
        )
    with tempfile.TemporaryFile() as unpacked, tempfile.TemporaryFile() as packed:
        shutil.copyfileobj(raw, packed)
        packed.seek(0)
        done = subprocess.run(
            [program, "-dcq"], stdin=packed, stdout=unpacked, stderr=subprocess.PIPE, check=False
        )
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise _damaged(path, said[-1] if said else f"status {done.returncode}")
        unpacked.seek(0)
        yield _Archive(unpacked.fileno(), closefd=False)


class _Archive(io.BufferedReader):
    """What was unpacked: a file, but none to which lines may still be added."""

    def __init__(self, descriptor: int, *, closefd: bool) -> None:
        super().__init__(io.FileIO(descriptor, closefd=closefd))


def _damaged(path: str, why: str) -> DataError:
    return DataError(
        f"{path}: the archive is damaged or cut short: {why}. Unpack it by hand for more."
    )
