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
    csv_cells,
    csv_pieces,
    json_pieces,
    json_text,
    table_width,
)
from botalert.state import file as state


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options)
    with state.opened_for_reading(config.statefile) as memory:
        alerts = memory.alerts(config.signal_names) if memory else []
    if options.format == "json":
        told = (json_text(alert_object(alert)) for alert in alerts)
        sys.stdout.writelines(json_pieces({}, "detections", told))
    elif options.format == "csv":
        cells = (csv_cells(alert_object(alert), ALERT_COLUMNS) for alert in alerts)
        sys.stdout.writelines(csv_pieces(cells, ALERT_COLUMNS))
    else:
        shown = alert_table(alerts, config.zone, table_width(sys.stdout))
        print(shown or "nothing on record")
    return os.EX_OK
