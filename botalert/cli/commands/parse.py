"""
`botalert parse`: every packet line as JSON.
"""

import sys
from datetime import datetime

from botalert.cli.commands.common import Options, chosen_logs, collected_faults, read_config
from botalert.cli.commands.lines import outcomes
from botalert.cli.output import drop_object, json_text
from botalert.job.logs import files_of
from botalert.model import Drop, Outcome
from botalert.printable import printable


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, shipped_will_do=True)
    faults = collected_faults(options)
    for file in files_of(chosen_logs(options, config)):
        with faults.collected():
            for number, line, outcome in outcomes(config, file, now):
                if options.unparsed:
                    if outcome is Outcome.UNPARSED:
                        _print_line(line)
                elif isinstance(outcome, Drop):
                    print(json_text(drop_object(outcome, file.path, number)))
    return faults.status


def _print_line(line: bytes) -> None:
    """Print a line as it stands; escaped on a terminal."""
    if sys.stdout.isatty():
        print(printable(line.decode("utf-8", "replace")))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(line + b"\n")
