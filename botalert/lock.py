"""EDGE: one run at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from botalert.errors import TryAgainError, writing_error


@contextmanager
def locked(path: str) -> Iterator[None]:
    """
    Hold the lock at *path*, made if it isn't there.

    flock(2) belongs to the open file: the kernel lets go of it when the
    process ends, however it ends, so a lock is never stale.

    Raises:
        TryAgainError: Another run holds it.
        BotalertError: The file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise writing_error(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TryAgainError(
                f"{path}: another run of botalert holds the lock. Wait until it has ended."
            ) from error
        except OSError as error:
            raise writing_error(path, error) from error
        yield
    finally:
        os.close(descriptor)
