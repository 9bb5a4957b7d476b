"""
The three streams that a program is started with, whatever has become of them.

cron, systemd and shells start programs with streams closed, with a pipe
that nobody reads, on a full disk, or with an encoding that lacks half of
what is printed.  Only output that was asked for may fail because of that.
"""

import io
import os
import sys
from typing import TextIO

USUAL_COLUMNS = 80


def mend_streams() -> None:
    """
    Give a stream that is closed the null device, and each any character.

    A log opened later would else get the number 1 or 2, and be written to.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # Those below are open, so this is the lowest free number.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def discard(stream: TextIO) -> None:
    """Write what *stream* still holds, and all that follows, to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def columns_of(stream: TextIO | None) -> int | None:
    """Tell how wide COLUMNS or else the terminal that *stream* is makes it; None for neither."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream else None
    except (OSError, ValueError):
        return None  # It is none, or closed.
