"""
`botalert scan`: what the signals find in any log.
"""

import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from botalert.cli.commands.common import (
    Options,
    chosen_logs,
    chosen_signals,
    collected_faults,
    processors,
    read_config,
)
from botalert.cli.output import (
    DETECTION_COLUMNS,
    csv_text,
    detection_object,
    detection_table,
    json_text,
    table_width,
)
from botalert.config import Config
from botalert.config.conditions import read_condition
from botalert.detect import Detection
from botalert.errors import UsageError
from botalert.job.logs import line_reader
from botalert.job.scanning import scan_logs
from botalert.job.sharing import Search
from botalert.match import Signal
from botalert.scan import LineCounts
from botalert.state.ledger import Ledger
from botalert.times import Span, read_when


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, shipped_will_do=True)
    faults = collected_faults(options)
    signals = chosen_signals(config, options.signal)
    search = Search(
        signals=[_only(signal, options.source, config) for signal in signals],
        reader_of=partial(line_reader, config, now=now),
        span=Span(_moment(options, "since", config, now), _moment(options, "until", config, now)),
        counts=options.stats,
    )
    with Ledger() as ledger:
        read_bytes, counts = scan_logs(
            chosen_logs(options, config), search, ledger, faults, jobs=options.jobs or processors()
        )
        found = list(ledger.detections([signal.name for signal in signals]))
    if options.format == "json":
        body: dict[str, Any] = {"bytes": read_bytes}
        if counts is not None:
            body["lines"] = {
                "read": counts.read,
                "packets": counts.packets,
                "unparsed": counts.unparsed,
            }
        body["detections"] = [detection_object(each) for each in found]
        print(json_text(body))
    elif options.format == "csv":
        print(csv_text([detection_object(each) for each in found], DETECTION_COLUMNS), end="")
    else:
        _print_table(config, found, counts)
    return faults.status


def _print_table(config: Config, found: Sequence[Detection], counts: LineCounts | None) -> None:
    if found:
        print(detection_table(found, config.zone, table_width(sys.stdout)))
    else:
        print("nothing detected")
    if counts is not None:
        print(f"\n{counts.read} lines read, {counts.packets} packets, {counts.unparsed} unparsed")


def _only(signal: Signal, source: str | None, config: Config) -> Signal:
    """Narrow *signal* to one machine."""
    if source is None:
        return signal
    try:
        condition = read_condition("SRC", source, free_text=config.pattern is not None)
    except ValueError as error:
        raise UsageError(f"--source: {error}") from error
    conditions = (*signal.conditions, *([condition] if condition else []))
    return Signal(signal.name, conditions, signal.template)


def _moment(options: Options, name: str, config: Config, now: datetime) -> datetime | None:
    text = getattr(options, name)
    try:
        return read_when(text, now, config.zone) if text is not None else None
    except ValueError as error:
        raise UsageError(f"--{name}: {error}") from error
