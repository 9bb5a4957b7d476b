"""
`botalert run`: the daily job.
"""

import socket
from contextlib import nullcontext
from datetime import datetime

from botalert.cli.commands.common import (
    Options,
    chosen_logs,
    collected_faults,
    processors,
    progress_of,
    read_config,
)
from botalert.cli.standard_error import remark
from botalert.job.daily import Outlook, run


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, mails=True)
    faults = collected_faults(options)
    logs = chosen_logs(options, config)
    with progress_of(options) if options.verbose else nullcontext() as progress:

        def note(line: str) -> None:
            if progress is not None:
                progress.hide()
            remark(line, verbose=options.verbose)

        outlook = Outlook(
            now,
            socket.gethostname(),
            note,
            baseline=options.baseline,
            jobs=options.jobs or processors(),
            meter=progress,
        )
        run(config, logs, outlook, faults)
    return faults.status
