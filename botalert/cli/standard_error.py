"""
Lines on standard error: the only place that writes there.
"""

import sys

from botalert.cli.streams import discard
from botalert.printable import printable


def complain(line: str, *, quiet: bool = False) -> None:
    """Tell of a fault in one line."""
    if not quiet:
        _tell(line)


def remark(line: str, *, verbose: bool) -> None:
    """Tell what was done, to those who asked for it."""
    if verbose:
        _tell(line)


def _tell(line: str) -> None:
    try:
        print(f"botalert: {printable(line)}", file=sys.stderr, flush=True)
    except OSError:
        # The work goes on though nobody can be told; the exit status does.
        discard(sys.stderr)
