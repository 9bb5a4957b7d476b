"""
What can go wrong, each kind with its exit status.

The statuses are those of sysexits.h, as Python's :mod:`os` has them.  A
message names the place, the fault, the value and the remedy, in one line;
only the command line prints it.
"""

import os
from collections.abc import Iterable, Sequence


class BotalertError(Exception):
    """Something the administrator has to know; its text is one line."""

    status: int = os.EX_SOFTWARE


class UsageError(BotalertError):
    """The command line cannot be understood."""

    status = os.EX_USAGE


class DataError(BotalertError):
    """The input is there but cannot be used, such as a corrupt archive."""

    status = os.EX_DATAERR


class NoInputError(BotalertError):
    """There is no such log."""

    status = os.EX_NOINPUT


class UnavailableError(BotalertError):
    """A program or service that the work needs is missing."""

    status = os.EX_UNAVAILABLE


class CannotCreateError(BotalertError):
    """A file or directory cannot be made."""

    status = os.EX_CANTCREAT


class InputOutputError(BotalertError):
    """The operating system failed to read or write."""

    status = os.EX_IOERR


class TryAgainError(BotalertError):
    """It did not work now and may work later."""

    status = os.EX_TEMPFAIL


class NoPermissionError(BotalertError):
    """This user may not do that."""

    status = os.EX_NOPERM


class ConfigurationError(BotalertError):
    """
    The configuration cannot be used.

    Attributes:
        faults: Every fault that was found, one line each, in file order.
    """

    status = os.EX_CONFIG

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


# The order in which statuses win when several things went wrong in one run.
_PRECEDENCE = (
    os.EX_CONFIG,
    os.EX_CANTCREAT,
    os.EX_IOERR,
    os.EX_NOPERM,
    os.EX_DATAERR,
    os.EX_UNAVAILABLE,
    os.EX_NOINPUT,
    os.EX_TEMPFAIL,
)


def worst_status(statuses: Iterable[int]) -> int:
    """Give the one exit status that stands for all of *statuses*."""
    seen = set(statuses)
    for status in _PRECEDENCE:
        if status in seen:
            return status
    return max(seen, default=os.EX_OK)


def reading_error(path: str, error: OSError) -> BotalertError:
    """Say why *path* cannot be read, as the fitting kind of error."""
    if isinstance(error, FileNotFoundError):
        return NoInputError(f"{path}: no such file. Name the log that your syslog daemon writes.")
    if isinstance(error, PermissionError):
        return NoPermissionError(
            f"{path}: permission denied. Run as root, or give this user read access."
        )
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path}: is a directory. Name a file in it.")
    return InputOutputError(
        f"{path}: cannot be read: {error.strerror or error}. Look at the disk and at dmesg."
    )


def writing_error(path: str, error: OSError) -> BotalertError:
    """Say why *path* cannot be made or written, as the fitting kind of error."""
    if isinstance(error, PermissionError):
        return NoPermissionError(
            f"{path}: permission denied. Run as root, or give this user write access."
        )
    if isinstance(error, (FileNotFoundError, FileExistsError, NotADirectoryError)):
        return CannotCreateError(
            f"{path}: cannot be made: {error.strerror}. Look at the directory it stands in."
        )
    return InputOutputError(
        f"{path}: cannot be written: {error.strerror or error}. Free some space, look at the disk."
    )
