"""
`botalert list`: the machines on record.
"""

import os
import sys
from datetime import datetime

from botalert import state
from botalert.cli.commands.common import Options, read_config
from botalert.cli.output import (
    ALERT_COLUMNS,
    alert_object,
    alert_table,
    csv_text,
    json_text,
    table_width,
)


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options)
    with state.opened_for_reading(config.statefile) as memory:
        alerts = memory.alerts(config.signal_names) if memory else []
    if options.format == "json":
        print(json_text({"detections": [alert_object(alert) for alert in alerts]}))
    elif options.format == "csv":
        print(csv_text([alert_object(alert) for alert in alerts], ALERT_COLUMNS), end="")
    elif alerts:
        print(alert_table(alerts, config.zone, table_width(sys.stdout)))
    else:
        print("nothing on record")
    return os.EX_OK
