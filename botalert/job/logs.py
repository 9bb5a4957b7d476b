"""
Which logs there are, and how their lines are read.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from botalert.config import Config, LogSettings
from botalert.grammar import (
    ANY_PROGRAM,
    JOURNAL,
    TEXT,
    ULOGD,
    AutoReader,
    KernelReader,
    LineReader,
    PatternReader,
)
from botalert.grammar.journal import JournalReader
from botalert.grammar.ulogd import UlogdReader
from botalert.log import names, unpack
from botalert.log.blocks import LogStream
from botalert.times import ALWAYS, Span, StampReader


def line_reader(config: Config, settings: LogSettings, now: datetime) -> LineReader:
    """Give the reader that *settings* ask for; it remembers, so each process has its own."""
    stamps = StampReader(now, settings.zone)
    if config.pattern is not None:
        return PatternReader(config.pattern, stamps)
    kernel = KernelReader(settings.programs, stamps)
    journals = JournalReader(settings.programs, stamps)
    ulogds = UlogdReader(stamps)
    readers: dict[str, LineReader] = {TEXT: kernel, JOURNAL: journals, ULOGD: ulogds}
    return readers.get(settings.form) or AutoReader(kernel, journals, ulogds)


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


class LogFile(NamedTuple):
    """
    One file of a log, or the journal, or "-".

    Attributes:
        path: Its name.
        settings: How its lines are read.
        log: The log's name, or its number in reading order; so they sort.
        descriptor: Where it is open, if it is.
    """

    path: str
    settings: LogSettings
    log: str = ""
    descriptor: int | None = None


def files_of(logs: Sequence[SelectedLog]) -> list[LogFile]:
    """Give the files of *logs*, in reading order."""
    return [
        LogFile(path, log.settings, f"{number:09}")
        for number, log in enumerate(logs)
        for path in log.files
    ]


@contextmanager
def opened_by_hand(file: LogFile, span: Span = ALWAYS) -> Iterator[LogStream]:
    """Open *file* for reading it once, whole; of the journal, *span* will do."""
    if names.is_journal(file.path):
        from botalert.log import journal

        any_program = ANY_PROGRAM in file.settings.programs
        with journal.opened(file.path, *span, every_transport=any_program) as stream:
            yield stream
    else:
        with unpack.opened(file.path, descriptor=file.descriptor) as stream:
            yield stream
