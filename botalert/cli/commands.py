"""
What each command does.
"""

import argparse
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botalert import lock, state
from botalert.cli.arguments import SYSTEM_CONFIG
from botalert.cli.machine import machine_warnings
from botalert.cli.output import (
    ALERT_COLUMNS,
    DETECTION_COLUMNS,
    alert_object,
    alert_table,
    csv_text,
    detection_object,
    detection_table,
    drop_object,
    json_text,
    table_width,
)
from botalert.cli.standard_error import complain, remark
from botalert.config import Config, load
from botalert.config.conditions import read_condition
from botalert.detect import Detection
from botalert.errors import DataError, UsageError
from botalert.grammar.packets import canonical_address
from botalert.job import daily, scanning, sending
from botalert.job.faults import Faults
from botalert.job.logs import (
    LogFile,
    SelectedLog,
    configured_logs,
    files_of,
    line_reader,
    named_logs,
    opened_by_hand,
)
from botalert.job.sharing import Search
from botalert.log.blocks import LineBlocks
from botalert.mail import opened_transport
from botalert.match import Signal, field_values, first_failure, matches
from botalert.model import Drop, Outcome
from botalert.printable import printable
from botalert.scan import LineCounts
from botalert.shipped import shipped, template_environment
from botalert.state import Ledger
from botalert.times import Span, read_when
from botalert.words import signal_words

Options = argparse.Namespace


def perform(options: Options) -> int:
    """
    Do what *options* say.

    Returns:
        The exit status.

    Raises:
        BotalertError: It cannot be done.
    """
    return _COMMANDS[options.command](options, datetime.now(UTC))


# The configuration.


def _config(options: Options, *, mails: bool = False, shipped_will_do: bool = False) -> Config:
    path = options.config or SYSTEM_CONFIG
    if options.config is None and shipped_will_do and not os.path.exists(path):
        path = str(shipped("botalert.conf"))
    return load(path, mails=mails)


def _signals(config: Config, name: str | None) -> Sequence[Signal]:
    if name is None:
        return config.signals
    signal = config.signal(name)
    if signal is None:
        known = ", ".join(each.name for each in (*config.signals, *config.others)) or "none"
        raise UsageError(
            f"--signal {name}: no such section in {config.files[0]}. There are: {known}"
        )
    return (signal,)


def _logs(options: Options, config: Config) -> list[SelectedLog]:
    """Give the logs that are named, else the configured ones."""
    return named_logs(config, options.logs) if options.logs else configured_logs(config)


def _processors() -> int:
    """Tell how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _faults(options: Options) -> Faults:
    return Faults(lambda line: complain(line, quiet=options.quiet))


# The commands.


def _run(options: Options, now: datetime) -> int:
    config = _config(options, mails=True)
    faults = _faults(options)
    outlook = daily.Outlook(
        now,
        socket.gethostname(),
        lambda line: remark(line, verbose=options.verbose),
        baseline=options.baseline,
        jobs=options.jobs or _processors(),
    )
    daily.run(config, _logs(options, config), outlook, faults)
    return faults.status


def _scan(options: Options, now: datetime) -> int:
    config = _config(options, shipped_will_do=True)
    faults = _faults(options)
    signals = _signals(config, options.signal)
    search = Search(
        signals=[_only(signal, options.source, config) for signal in signals],
        reader_of=partial(line_reader, config, now=now),
        span=Span(_moment(options, "since", config, now), _moment(options, "until", config, now)),
        counts=options.stats,
    )
    with Ledger() as ledger:
        sums = scanning.scan_logs(
            _logs(options, config), search, ledger, faults, jobs=options.jobs or _processors()
        )
        found = list(ledger.detections([signal.name for signal in signals]))
    read_bytes, counts = sums
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
        _print_scan_table(config, found, counts)
    return faults.status


def _print_scan_table(
    config: Config, found: Sequence[Detection], counts: LineCounts | None
) -> None:
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


def _parse(options: Options, now: datetime) -> int:
    config = _config(options, shipped_will_do=True)
    faults = _faults(options)
    for file in files_of(_logs(options, config)):
        with faults.collected():
            for number, line, outcome in _outcomes(config, file, now):
                if options.unparsed:
                    if outcome is Outcome.UNPARSED:
                        _print_line(line)
                elif isinstance(outcome, Drop):
                    print(json_text(drop_object(outcome, file.path, number)))
    return faults.status


def _outcomes(
    config: Config, file: LogFile, now: datetime
) -> Iterator[tuple[int, bytes, Drop | Outcome]]:
    """Read every line of *file*; give its number, itself, and what it is."""
    number = 0
    with opened_by_hand(file) as stream:
        reader = line_reader(config, file.settings, now)
        for block in LineBlocks(stream):
            for line in block.removesuffix(b"\n").split(b"\n"):
                number += 1
                yield number, line, reader.read(line)


def _print_line(line: bytes) -> None:
    """Print a line as it stands; escaped on a terminal."""
    if sys.stdout.isatty():
        print(printable(line.decode("utf-8", "replace")))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(line + b"\n")


def _explain(options: Options, now: datetime) -> int:
    config = _config(options, shipped_will_do=True)
    faults = _faults(options)
    signals = _signals(config, options.signal)
    for file in files_of(_logs(options, config)):
        with faults.collected():
            for number, _, outcome in _outcomes(config, file, now):
                if isinstance(outcome, Drop):
                    for signal in signals:
                        print(f"{printable(file.path)}:{number} {_explained(outcome, signal)}")
    return faults.status


def _explained(drop: Drop, signal: Signal) -> str:
    source = printable(drop.packet.fields.get("SRC", "no source"))
    failed = first_failure(drop, signal)
    if failed is None and not matches(drop, signal):
        return f"[{signal.name}] {source}: SRC is empty, and a packet of nobody is not counted"
    if failed is None:
        return f"[{signal.name}] {source}: matched"
    has = field_values(drop, failed.field)
    shown = printable(" ".join(has)) or '""' if has else "not there"
    return f"[{signal.name}] {source}: {failed.field} is {shown}, asked is {failed.text}"


def _check(options: Options, now: datetime) -> int:
    config = _config(options, mails=True, shipped_will_do=True)
    print(f"{', '.join(config.files)}: no faults\n")
    for signal in config.signals:
        print(f"[{signal.name}] {signal_words(signal)}")
    if config.recipients is not None:
        print(f"\nalerts go to {', '.join(config.recipients.addresses)} by {config.mailserver}")
    warnings = [*machine_warnings(config, now)]
    if warnings:
        print()
    for warning in warnings:
        print(f"warning: {printable(warning)}")
    return os.EX_OK


def _list(options: Options, now: datetime) -> int:
    config = _config(options)
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


def _forget(options: Options, now: datetime) -> int:
    config = _config(options)
    source = options.source
    forgotten = 0
    if state.exists(config.statefile):
        with lock.locked(f"{config.statefile}.lock"), state.opened(config.statefile) as memory:
            # What a custom regex: finds is on record as it stands in the log.
            forgotten = memory.forget(source, options.signal) or memory.forget(
                canonical_address(source) or source, options.signal
            )
    if not forgotten:
        by = f" by [{options.signal}]" if options.signal else ""
        raise DataError(f"{source}{by}: is not on record. See: botalert list")
    what = "1 detection" if forgotten == 1 else f"{forgotten} detections"
    remark(f"{source}: {what} forgotten", verbose=options.verbose)
    return os.EX_OK


def _test_mail(options: Options, now: datetime) -> int:
    config = _config(options, mails=True)
    assert config.recipients is not None
    signal = config.signals[0] if config.signals else Signal("sample", ())
    message = sending.rendered_sample(
        config, signal, template_environment(config.templates), socket.gethostname(), now
    )
    with opened_transport(config.mailserver, config.mailuser, config.mailpasswordfile) as transport:
        sender = config.recipients.sender.address
        refused = transport.send(message, sender, config.recipients.addresses)
    for address, reason in refused.items():
        complain(f"{address}: was refused: {reason}. Correct [recipients].", quiet=options.quiet)
    taken = [each for each in config.recipients.addresses if each not in refused]
    print(f"a sample alert went to {', '.join(taken)} by {config.mailserver}")
    return os.EX_OK


_COMMANDS = {
    "run": _run,
    "scan": _scan,
    "parse": _parse,
    "explain": _explain,
    "check": _check,
    "list": _list,
    "forget": _forget,
    "test-mail": _test_mail,
}
