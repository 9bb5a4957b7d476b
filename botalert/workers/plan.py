"""
All that a scan needs to know, as a value that can be sent elsewhere.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from botalert.config import LogSettings
from botalert.course import Seen, rules_of
from botalert.fold import Known, nothing_known
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
from botalert.match import Signal
from botalert.times import ALWAYS, Span, StampReader
from botalert.windows import Rules

# So much is held of what was found, in all processes together, before it is
# divided.  What leads to it takes as much again.
HELD_KB = 24000


Row = tuple[Any, Any]
"""A rank by which rows sort, and what is wanted, both as :mod:`marshal` can write them."""

RowOf = Callable[[str, str, Seen], Row | None]
"""Makes a row of what a signal saw of a source, or none; can be pickled."""


class LogFile(NamedTuple):
    """
    One file of a log, or the journal, or "-".

    Attributes:
        path: Its name.
        settings: How its lines are read.
        log: The log's name, or its number in reading order; so they sort.
        held: Where it is open already, whatever became of its name; "" if it is not.
    """

    path: str
    settings: LogSettings
    log: str = ""
    held: str = ""


class Plan(NamedTuple):
    """
    What is looked for in which files, and how.

    Attributes:
        token: Tells it from other plans.
        files: In the order of reading.
        signals: What is looked for.
        pattern: How lines are read by an administrator's own pattern.
        now: When this began; aware.
        row_of: Makes a row of what was seen.
        span: Which packets count.
        counts: Whether to count lines.
        known: Tells what earlier runs left of a source.
        directory: Where what has to be put aside is, unless TMPDIR says otherwise.
        held_kb: How much one process may hold.
    """

    token: str
    files: tuple[LogFile, ...]
    signals: tuple[Signal, ...]
    pattern: "re.Pattern[str] | None"
    now: datetime
    row_of: RowOf
    span: Span = ALWAYS
    counts: bool = False
    known: Known = nothing_known
    directory: str = "/var/tmp"
    held_kb: int = HELD_KB

    @property
    def rules(self) -> Mapping[str, Rules]:
        """Those of signals that have thresholds."""
        return rules_of(self.signals)

    def reader(self, settings: LogSettings) -> LineReader:
        """Return a reader of lines that *settings* ask for."""
        return line_reader(self.pattern, settings, self.now)


def line_reader(
    pattern: "re.Pattern[str] | None", settings: LogSettings, now: datetime
) -> LineReader:
    """Return the reader that *settings* ask for; it remembers, so each process has its own."""
    stamps = StampReader(now, settings.zone)
    if pattern is not None:
        return PatternReader(pattern, stamps)
    kernel = KernelReader(settings.programs, stamps)
    journals = JournalReader(settings.programs, stamps)
    ulogds = UlogdReader(stamps)
    readers: dict[str, LineReader] = {TEXT: kernel, JOURNAL: journals, ULOGD: ulogds}
    return readers.get(settings.form) or AutoReader(kernel, journals, ulogds)


@contextmanager
def opened_by_hand(file: LogFile, span: Span = ALWAYS) -> Iterator[LogStream]:
    """Open *file* for reading it once, whole; of the journal, *span* will do."""
    if names.is_journal(file.path):
        from botalert.log import journal

        any_program = ANY_PROGRAM in file.settings.programs
        with journal.opened(file.path, *span, every_transport=any_program) as stream:
            yield stream
    else:
        with unpack.opened(file.path, held=file.held) as stream:
            yield stream


def path_of(descriptor: int) -> str:
    """Return the path by which processes of this user reach what is open here; see proc(5)."""
    return f"/proc/{os.getpid()}/fd/{descriptor}"
