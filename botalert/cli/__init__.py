"""
What people type: arguments in, lines and an exit status out.

``arguments`` knows the command line, ``commands`` does what it says,
``output`` writes tables, JSON and CSV, ``standard_error`` the complaints;
``streams`` knows what may be wrong with the streams.
Here errors become lines on standard error and an exit status; nowhere else
are they caught.
"""

import os
import sys
from collections.abc import Sequence

from botalert.cli.arguments import read_arguments
from botalert.cli.commands import perform
from botalert.cli.standard_error import complain
from botalert.cli.streams import discard, mend_streams
from botalert.errors import BotalertError, ConfigurationError, InputOutputError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what *arguments* (or the process's own) say; give the exit status."""
    mend_streams()
    status, quiet = os.EX_OK, False
    try:
        try:
            options = read_arguments(sys.argv[1:] if arguments is None else arguments)
            quiet = options.quiet
            status = perform(options)
        except SystemExit:
            pass  # argparse has printed --help or --version.
        except ConfigurationError as error:
            status = error.status
            for fault in error.faults:
                complain(fault, quiet=quiet)
        except BotalertError as error:
            status = error.status
            complain(str(error), quiet=quiet)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _unwritten(error, status, quiet=quiet)
    return status


def _unwritten(error: OSError, status: int, *, quiet: bool) -> int:
    """Tell why output cannot be written; give the exit status."""
    # Every edge tells its own errors, a broken pipe to a program or a server
    # among them, and complaints pass over theirs: what is left is stdout's.
    discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has had enough of it, as `head` does.
        return status
    told = InputOutputError(
        f"{error.filename or 'standard output'}: {error.strerror or error}. "
        "Free some space or look at the disk."
    )
    complain(str(told), quiet=quiet)
    return told.status
