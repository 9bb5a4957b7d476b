"""
What people type: arguments in, lines and an exit status out.

``arguments`` knows the command line, ``commands`` does what it says,
``output`` writes tables, JSON and CSV, ``standard_error`` the complaints.
Here errors become lines on standard error and an exit status; nowhere else
are they caught.
"""

import os
import sys
from collections.abc import Sequence

from botalert.cli.arguments import read_arguments
from botalert.cli.commands import perform
from botalert.cli.standard_error import complain
from botalert.errors import BotalertError, ConfigurationError, InputOutputError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what *arguments* (or the process's own) say; give the exit status."""
    quiet = False
    try:
        options = read_arguments(sys.argv[1:] if arguments is None else arguments)
        quiet = options.quiet
        status = perform(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has had enough of it, as `head` does.
        _drop_output()
        return os.EX_OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConfigurationError as error:
        for fault in error.faults:
            complain(fault, quiet=quiet)
        return error.status
    except BotalertError as error:
        complain(str(error), quiet=quiet)
        return error.status
    except OSError as error:
        _drop_output()
        where = error.filename or "standard output"
        told = InputOutputError(
            f"{where}: {error.strerror or error}. Free some space or look at the disk."
        )
        complain(str(told), quiet=quiet)
        return told.status
    return status


def _drop_output() -> None:
    """Keep Python from complaining at exit about output that cannot be written."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
