"""
What commands share: the configuration, the signals, the logs, and faults.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botalert.cli.arguments import SYSTEM_CONFIG
from botalert.cli.standard_error import complain
from botalert.config import Config, load
from botalert.config.conditions import source_conditions
from botalert.config.library import library
from botalert.config.options import suggestion
from botalert.errors import UsageError
from botalert.job.faults import Faults
from botalert.job.logs import SelectedLog, configured_logs, named_logs
from botalert.match import Condition, Signal
from botalert.shipped import shipped

if TYPE_CHECKING:
    from botalert.cli.progress import Progress

Options = argparse.Namespace


def read_config(options: Options, *, mails: bool = False, shipped_will_do: bool = False) -> Config:
    """
    Read the configuration that *options* name, else the system's.

    Args:
        options: Those of the command.
        mails: Whether mail is to be sent.
        shipped_will_do: Take the shipped one where the system has none.
    """
    path = options.config or SYSTEM_CONFIG
    if options.config is None and shipped_will_do and not os.path.exists(path):
        path = shipped("botalert.conf")
    return load(path, mails=mails, asked_for=getattr(options, "signal", None))


def chosen_signals(config: Config, name: str | None) -> Sequence[Signal]:
    """Give the signal *name*, be it in ``log:`` or not; for None those of ``log:``."""
    if name is None:
        return config.signals
    signal = config.signal(name)
    if signal is None:
        known = [each.name for each in (*config.signals, *config.others)]
        near = suggestion(name, (*known, *library().names))
        there = f"There are: {', '.join(known) or 'none'}"
        raise UsageError(
            f"--signal {name}: no such section in {config.files[0]}, nor such a shipped signal. "
            f"{near or there}"
        )
    return (signal,)


def source_asked(signal: Signal, source: str | None, config: Config) -> list[Condition]:
    """Give what a packet must have to come from the machine *source*; nothing for None."""
    if source is None:
        return []
    try:
        return source_conditions(source, signal.source, free_text=config.pattern is not None)
    except ValueError as error:
        raise UsageError(f"--source: {error}") from error


def chosen_logs(options: Options, config: Config) -> list[SelectedLog]:
    """Give the logs that are named, else the configured ones."""
    return named_logs(config, options.logs) if options.logs else configured_logs(config)


def collected_faults(options: Options) -> Faults:
    """Give what collects faults, and tells them unless *options* want quiet."""
    return Faults(lambda line: complain(line, quiet=options.quiet))


@contextmanager
def progress_of(options: Options) -> "Iterator[Progress | None]":
    """Show how far a scan is while this block goes on, if somebody looks on; else give None."""
    if options.quiet or not sys.stderr.isatty():
        yield None
        return
    from botalert.cli.progress import Progress

    with Progress(sys.stderr) as progress:
        yield progress


def processors() -> int:
    """Tell how many processors this process may use."""
    return len(os.sched_getaffinity(0))
