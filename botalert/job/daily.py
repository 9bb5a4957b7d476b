"""
The daily job: read what is new, remember it, send what is pending.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import NamedTuple

from botalert import lock
from botalert.config import Config
from botalert.course import rules_of
from botalert.grammar import ANY_PROGRAM
from botalert.job.faults import Faults, Teller, counted
from botalert.job.identities import message_ids
from botalert.job.logs import LogFile, SelectedLog, configured_logs, line_reader
from botalert.job.sharing import Meter, Search, Sharing
from botalert.log import names
from botalert.log.history import Log, NewBlocks, Reading
from botalert.log.journal import JournalReading
from botalert.state import file as state
from botalert.state.ledger import Ledger


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
    file = LogFile(log.path, log.settings, log.key)
    search = Search(config.signals, partial(line_reader, config, now=outlook.now))

    def consume(blocks: Iterable[bytes]) -> None:
        # Only what was read to its end counts: a file that fails is read
        # again by the next run.
        with ledger.attempt(), Sharing([file], search, outlook.jobs) as sharing:
            for answer in chain(
                sharing.scan_stream(0, _metered(blocks, outlook.meter)), sharing.finish()
            ):
                for part in answer.parts:
                    ledger.add(part)

    with Ledger(rules=search.rules) as ledger:
        reading = _reading(log, memory.cursor(log.key), outlook.now, others)
        reading.read(consume)
        new = memory.record(
            log.key,
            ledger.items(),
            reading.cursor(),
            message_ids(config, outlook.machine).__next__,
            alerted=outlook.now if outlook.baseline else None,
        )
    for error in reading.faults:
        faults.add(error)
    if reading.missing is not None:
        faults.tell(f"{log.path}: {reading.missing}")
    for remark in reading.remarks():
        outlook.note(f"{log.path}: {remark}")
    outlook.note(f"{log.path}: read {reading.read_bytes} bytes; {counted(new, 'new detection')}")


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
