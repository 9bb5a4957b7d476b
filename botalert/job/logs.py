"""
Which logs there are, and how their lines are read.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from botalert.config import Config, LogSettings
from botalert.log import names
from botalert.match import Signal
from botalert.workers.plan import LogFile, Plan, RowOf


class SelectedLog(NamedTuple):
    """
    A log to be read.

    Attributes:
        files: Its files, oldest first; the last is the one being written.
        settings: How it is read.
    """

    files: tuple[str, ...]
    settings: LogSettings

    @property
    def path(self) -> str:
        """The log's name: the file being written."""
        return self.files[-1]

    @property
    def key(self) -> str:
        """The name under which the log is remembered, however it was spelled."""
        return self.path if names.is_journal(self.path) else os.path.abspath(self.path)


def configured_logs(config: Config) -> list[SelectedLog]:
    """Give the configured logs, each by the file being written."""
    found: dict[str, SelectedLog] = {}
    for settings in config.logs:
        for path in names.live_logs(settings.paths):
            log = SelectedLog((path,), settings)
            found.setdefault(os.path.realpath(log.key), log)  # A link is no other log.
    return list(found.values())


def named_logs(config: Config, paths: Sequence[str]) -> list[SelectedLog]:
    """Give the logs that a person names; one log's rotations, by their names, are one log."""
    configured = {log.path: log.settings for log in configured_logs(config)}
    return [
        SelectedLog(tuple(history), configured.get(history[-1], config.unnamed))
        for history in names.histories(paths)
    ]


def files_of(logs: Sequence[SelectedLog]) -> list[LogFile]:
    """Give the files of *logs*, in reading order."""
    return [
        LogFile(path, log.settings, f"{number:09}")
        for number, log in enumerate(logs)
        for path in log.files
    ]


def plan_of(
    config: Config,
    files: Sequence[LogFile],
    signals: Sequence[Signal],
    now: datetime,
    row_of: RowOf,
) -> Plan:
    """Return the plan of looking for *signals* in *files*."""
    token = os.urandom(8).hex()
    return Plan(token, tuple(files), tuple(signals), config.pattern, now, row_of)
