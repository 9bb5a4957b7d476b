"""
`botalert scan`: what the signals find in any log.
"""

import sys
from collections.abc import Iterable
from datetime import datetime

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
    )._replace(
        span=Span(_moment(options, "since", config, now), _moment(options, "until", config, now)),
        counts=options.stats,
    )
    with Search(plan, options.jobs or processors()) as search:
        with progress_of(options) as meter:
            search.files(meter)
        for fault in search.faults:
            faults.add(fault)
        found = search.findings.detections()
        counts = search.counts
        if options.format == "json":
            lines = {"lines": _counted(counts)} if counts else {}
            head = {"bytes": search.read_bytes, **lines}
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
