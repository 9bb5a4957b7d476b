"""
The daily job: read what is new, remember it, send what is pending.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, nullcontext
from datetime import datetime
from typing import NamedTuple, Self

from botalert import lock
from botalert.config import Config
from botalert.course import rules_of
from botalert.grammar import ANY_PROGRAM
from botalert.job.faults import Faults, Teller, counted
from botalert.job.identities import message_ids
from botalert.job.logs import SelectedLog, configured_logs, plan_of
from botalert.log import names
from botalert.log.history import Log, NewBlocks, Reading
from botalert.log.journal import JournalReading
from botalert.state import file as state
from botalert.workers.plan import LogFile
from botalert.workers.search import Meter, Search


class Outlook(NamedTuple):
    """
    Where and when a run runs.

    Attributes:
        now: When it began; aware.
        machine: The name of this machine.
        note: Told what was done, for those who want to know.
        baseline: Record everything as known, and mail nothing.
        jobs: How many processes may scan at once.
        meter: Told what was read, if wanted.
    """

    now: datetime
    machine: str
    note: Teller
    baseline: bool = False
    jobs: int = 1
    meter: Meter | None = None


def run(
    config: Config,
    logs: Sequence[SelectedLog],
    outlook: Outlook,
    faults: Faults,
) -> None:
    """
    Do the daily job: read what is new, remember it, send what is pending.

    Args:
        config: The configuration; names recipients.
        logs: The logs to read.
        outlook: Where and when this runs.
        faults: Gets what goes wrong; the rest goes on.

    Raises:
        BotalertError: Nothing can be done: another run is on, or the state
            file cannot be used.
    """
    state.make_directory(config.statefile)
    with lock.locked(f"{config.statefile}.lock"), state.opened(config.statefile) as memory:
        configured = frozenset(log.key for log in configured_logs(config))
        # What several logs tell of one source is united in the order of names.
        for log in sorted(logs, key=lambda log: log.key):
            with faults.collected():
                _read_on(config, log, configured - {log.key}, memory, outlook, faults)
        returned = memory.settle(
            rules_of(config.signals),
            message_ids(config, outlook.machine).__next__,
            alerted=outlook.now if outlook.baseline else None,
        )
        if returned:
            outlook.note(f"{counted(returned, 'detection')} by silence or return")
        pending = memory.pending(config.signal_names)
        if pending and not outlook.baseline:
            from botalert.job.sending import send  # On most days nobody needs it.

            send(config, pending, memory, outlook, faults)


def _read_on(
    config: Config,
    log: SelectedLog,
    others: frozenset[str],
    memory: state.State,
    outlook: Outlook,
    faults: Faults,
) -> None:
    """Read what is new in *log*, none of *others*, and remember it with how far that was."""
    reading = _reading(log, memory.cursor(log.key), outlook.now, others)
    with _Stretches(config, log, memory, outlook, reading.cursor) as stretches:
        reading.read(stretches.consume)
        stretches.record()
    for error in reading.faults:
        faults.add(error)
    if reading.missing is not None:
        faults.tell(f"{log.path}: {reading.missing}")
    for remark in reading.remarks():
        outlook.note(f"{log.path}: {remark}")
    new = counted(stretches.new, "new detection")
    outlook.note(f"{log.path}: read {reading.read_bytes} bytes; {new}")


class _Stretches:
    """
    What a reading gives, stretch by stretch, each remembered with the position behind it.

    Only what was read to its end counts: a file that fails is read again by
    the next run.

    Args:
        config: The configuration.
        log: What is read.
        memory: What gets it.
        outlook: Where and when this runs.
        cursor: Tells how far the log was read.

    Attributes:
        new: How many detections are new.
    """

    def __init__(
        self,
        config: Config,
        log: SelectedLog,
        memory: state.State,
        outlook: Outlook,
        cursor: Callable[[], str],
    ) -> None:
        self.new = 0
        file = LogFile(log.path, log.settings, log.key)
        plan = plan_of(config, [file], config.signals, outlook.now, state.row_of)
        self._plan = plan._replace(
            known=state.Courses(config.statefile, log.key, plan.rules),
            directory=os.path.dirname(os.path.abspath(config.statefile)),
        )
        self._log = log
        self._memory = memory
        self._outlook = outlook
        self._cursor = cursor
        self._new_message_id = message_ids(config, outlook.machine).__next__
        self._searched: Search | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what was not remembered."""
        if self._searched is not None:
            self._searched.__exit__()

    def consume(self, blocks: Iterable[bytes]) -> None:
        """Search *blocks*; what was consumed before has ended well."""
        self.record()
        with ExitStack() as held:
            search = held.enter_context(Search(self._plan, self._outlook.jobs))
            search.stream(_metered(blocks, self._outlook.meter))
            held.pop_all()
        self._searched = search

    def record(self) -> None:
        """Remember what was searched, and how far the log was read."""
        with self._searched or nullcontext() as search:
            self.new += self._memory.record(
                self._log.key,
                search.findings.rows() if search else (),
                self._cursor(),
                self._new_message_id,
                alerted=self._outlook.now if self._outlook.baseline else None,
            )
        self._searched = None


def _metered(blocks: Iterable[bytes], meter: Meter | None) -> Iterable[bytes]:
    """Pass *blocks* on and tell *meter* of them, if wanted."""
    if meter is None:
        yield from blocks
        return
    meter.expect(blocks.expected_bytes if isinstance(blocks, NewBlocks) else None)
    for block in blocks:
        meter.read(len(block))
        yield block


def _reading(
    log: SelectedLog, known: str | None, now: datetime, others: frozenset[str]
) -> Reading | JournalReading:
    first = log.settings.first_run
    if names.is_journal(log.path):
        any_program = ANY_PROGRAM in log.settings.programs
        return JournalReading(log.path, known, first, now, every_transport=any_program)
    return Reading(Log(log.path, log.settings.history, others), known, first)
