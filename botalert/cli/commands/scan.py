"""
`botalert scan`: what the signals find in any log.
"""

import sys
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from botalert.cli.commands.common import (
    Options,
    chosen_logs,
    chosen_signals,
    collected_faults,
    processors,
    progress_of,
    read_config,
    source_asked,
)
from botalert.cli.output import (
    DETECTION_COLUMNS,
    csv_pieces,
    detection_object,
    detection_table,
    json_pieces,
    table_width,
)
from botalert.config import Config
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
    jobs = options.jobs or processors()
    with Ledger(rules=search.rules) as ledger:
        with progress_of(options) as meter:
            read_bytes, counts = scan_logs(
                chosen_logs(options, config), search, ledger, faults, jobs=jobs, meter=meter
            )
        found = ledger.detections([signal.name for signal in signals])
        if options.format == "json":
            head = {"bytes": read_bytes, **({"lines": _counted(counts)} if counts else {})}
            pieces = json_pieces(head, "detections", map(detection_object, found))
            sys.stdout.writelines(pieces)
        elif options.format == "csv":
            sys.stdout.writelines(csv_pieces(map(detection_object, found), DETECTION_COLUMNS))
        else:
            _print_table(config, found, counts)
    return faults.status


def _counted(counts: LineCounts) -> dict[str, int]:
    return {"read": counts.read, "packets": counts.packets, "unparsed": counts.unparsed}


def _print_table(config: Config, found: Iterable[Detection], counts: LineCounts | None) -> None:
    shown = detection_table(found, config.zone, table_width(sys.stdout))
    print(shown or "nothing detected")
    if counts is not None:
        print(f"\n{counts.read} lines read, {counts.packets} packets, {counts.unparsed} unparsed")


def _only(signal: Signal, source: str | None, config: Config) -> Signal:
    """Narrow *signal* to one machine."""
    asked = source_asked(signal, source, config)
    return signal._replace(conditions=(*signal.conditions, *asked))


def _moment(options: Options, name: str, config: Config, now: datetime) -> datetime | None:
    text = getattr(options, name)
    try:
        return read_when(text, now, config.zone) if text is not None else None
    except ValueError as error:
        raise UsageError(f"--{name}: {error}") from error
