"""
`botalert scan`: what the signals find in any log.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
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
    detection_cells,
    detection_json,
    detection_row,
    detection_table,
    json_pieces,
    table_width,
)
from botalert.config import Config
from botalert.detect import Detection, RowsForPeople
from botalert.errors import UsageError
from botalert.job.logs import files_of, plan_of
from botalert.match import Signal
from botalert.scan import LineCounts
from botalert.times import Span, read_when
from botalert.workers.search import Search


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, shipped_will_do=True)
    faults = collected_faults(options)
    signals = chosen_signals(config, options.signal)
    plan = plan_of(
        config,
        files_of(chosen_logs(options, config)),
        [_only(signal, options.source, config) for signal in signals],
        now,
        RowsForPeople([signal.name for signal in signals], _told(options.format, config)),
    )._replace(
        span=Span(_moment(options, "since", config, now), _moment(options, "until", config, now)),
        counts=options.stats,
    )
    with Search(plan, options.jobs or processors()) as search:
        with progress_of(options) as meter:
            search.files(meter)
        for fault in search.faults:
            faults.add(fault)
        rows, counts = search.findings.rows(), search.counts
        if options.format == "json":
            lines = {"lines": _counted(counts)} if counts else {}
            head = {"bytes": search.read_bytes, **lines}
            sys.stdout.writelines(json_pieces(head, "detections", rows))
        elif options.format == "csv":
            sys.stdout.writelines(csv_pieces(rows, DETECTION_COLUMNS))
        else:
            _print_table(rows, counts)
    return faults.status


def _told(form: str, config: Config) -> Callable[[Detection], object]:
    """Return what makes of a detection what is printed of it; workers do it, too."""
    if form == "json":
        return detection_json
    return detection_cells if form == "csv" else partial(detection_row, zone=config.zone)


def _counted(counts: LineCounts) -> dict[str, int]:
    return {"read": counts.read, "packets": counts.packets, "unparsed": counts.unparsed}


def _print_table(rows: Iterable[Sequence[str]], counts: LineCounts | None) -> None:
    shown = detection_table(rows, table_width(sys.stdout))
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
