"""
`botalert run`: the daily job.
"""

import socket
from datetime import datetime

from botalert.cli.commands.common import (
    Options,
    chosen_logs,
    collected_faults,
    processors,
    read_config,
)
from botalert.cli.standard_error import remark
from botalert.job.daily import Outlook, run


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, mails=True)
    faults = collected_faults(options)
    outlook = Outlook(
        now,
        socket.gethostname(),
        lambda line: remark(line, verbose=options.verbose),
        baseline=options.baseline,
        jobs=options.jobs or processors(),
    )
    run(config, chosen_logs(options, config), outlook, faults)
    return faults.status
