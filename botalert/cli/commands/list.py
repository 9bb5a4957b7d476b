"""
`botalert list`: the machines on record.
"""

import os
import sys
from datetime import datetime

from botalert.cli.commands.common import Options, read_config
from botalert.cli.output import (
    ALERT_COLUMNS,
    alert_object,
    alert_table,
    csv_pieces,
    json_pieces,
    table_width,
)
from botalert.state import file as state


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options)
    with state.opened_for_reading(config.statefile) as memory:
        alerts = memory.alerts(config.signal_names) if memory else []
    if options.format == "json":
        sys.stdout.writelines(json_pieces({}, "detections", map(alert_object, alerts)))
    elif options.format == "csv":
        sys.stdout.writelines(csv_pieces(map(alert_object, alerts), ALERT_COLUMNS))
    else:
        shown = alert_table(alerts, config.zone, table_width(sys.stdout))
        print(shown or "nothing on record")
    return os.EX_OK
