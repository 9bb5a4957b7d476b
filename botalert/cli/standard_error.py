"""
Lines on standard error: the only place that writes there.
"""

import sys

from botalert.printable import printable


def complain(line: str, *, quiet: bool = False) -> None:
    """Tell of a fault in one line."""
    if not quiet:
        print(f"botalert: {printable(line)}", file=sys.stderr)


def remark(line: str, *, verbose: bool) -> None:
    """Tell what was done, to those who asked for it."""
    if verbose:
        print(f"botalert: {printable(line)}", file=sys.stderr)
