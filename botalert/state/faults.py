"""
SQLite's errors as ours.

No module of this folder imports sqlite3 before it uses it: a scan of a small
log, which never does, starts faster.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botalert.errors import (
    BotalertError,
    CannotCreateError,
    InputOutputError,
    NoPermissionError,
    TryAgainError,
)

if TYPE_CHECKING:
    import sqlite3


def damaged(path: str, what: str) -> BotalertError:
    """Tell that the state file at *path* is damaged: *what*."""
    # SQLite tells it in several lines, and quotes the damage.
    what = " ".join(what.split())
    return InputOutputError(
        f"{path}: the state file is damaged: {what}. Restore it from a backup, or move it "
        "away: the next run begins a new one, and every source alerts again."
    )


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Tell of a tally in the state file at *path* that is none."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise damaged(path, f"a tally cannot be read: {error}") from error


@contextmanager
def told(path: str) -> Iterator[None]:
    """Tell SQLite's errors with the state file at *path* as ours."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        raise _error_of(path, error) from error


def _error_of(path: str, error: "sqlite3.Error") -> BotalertError:
    import sqlite3

    # The primary result code is the low byte of the extended one.
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    # Python's own errors have no code: bytes that are no text.
    if code in (0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    if extended == sqlite3.SQLITE_READONLY_ROLLBACK:
        return TryAgainError(f"{path}: a run was interrupted in a change. The next run mends it.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TryAgainError(f"{path}: another program is using it. Try again later.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return NoPermissionError(f"{path}: may not be written: {error}. Run as its owner.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return CannotCreateError(f"{path}: cannot be opened: {error}. Look at its directory.")
    return InputOutputError(f"{path}: {error}. Free some space or look at the disk.")
