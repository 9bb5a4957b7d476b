"""
`botalert forget`: a machine alerts again.
"""

import os
from datetime import datetime

from botalert import lock
from botalert.cli.commands.common import Options, read_config
from botalert.cli.standard_error import remark
from botalert.errors import DataError
from botalert.match import source_as_known
from botalert.printable import printable
from botalert.state import file as state


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options)
    source = options.source
    forgotten = 0
    if state.exists(config.statefile):
        with lock.locked(f"{config.statefile}.lock"), state.opened(config.statefile) as memory:
            # What a custom regex: finds is on record as it stands in the log.
            forgotten = memory.forget(source, options.signal) or memory.forget(
                source_as_known(source), options.signal
            )
            if not forgotten:
                # The mail and list show it, but not as what a terminal obeys.
                known = {alert.detection.source for alert in memory.alerts(())}
                shown_so = [each for each in known if printable(each) == source]
                forgotten = sum(memory.forget(each, options.signal) for each in shown_so)
    if not forgotten:
        by = f" by [{options.signal}]" if options.signal else ""
        raise DataError(f"{source}{by}: is not on record. See: botalert list")
    what = "1 detection" if forgotten == 1 else f"{forgotten} detections"
    remark(f"{source}: {what} forgotten", verbose=options.verbose)
    return os.EX_OK
