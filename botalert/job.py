"""
The order of the stages; alone knows it.

log ──► blocks ──► scan ──► tallies ──► detect ──► state ──► render ──► deliver
"""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from itertools import count

import jinja2

from botalert import lock, state
from botalert.config import Config, LogSettings
from botalert.detect import Alert
from botalert.errors import BotalertError, UnavailableError, worst_status
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
from botalert.log import journal, names, unpack
from botalert.log.blocks import LineBlocks, LogStream
from botalert.log.history import Log, Reading
from botalert.mail import DeliveryError, ServerDownError, Transport, opened_transport
from botalert.match import Signal
from botalert.render import Letterhead, TemplateError, render_alert
from botalert.sample import sample_alert
from botalert.scan import LineCounts, Part, Scanner, united
from botalert.tally import Tallies, unite
from botalert.times import ALWAYS, Span, StampReader

# More go to the ledger, which may write them down: 16 MB at 2 KB each.
TALLIES_AT_ONCE = 8192

Teller = Callable[[str], None]
"""Takes one line for the administrator."""


@dataclass(slots=True)
class Faults:
    """
    Collects what goes wrong while all that can be done is done.

    Attributes:
        tell: Where each line goes.
    """

    tell: Teller
    _statuses: list[int] = field(default_factory=list)

    def add(self, error: BotalertError) -> None:
        """Tell of *error* and remember its status."""
        self.tell(str(error))
        self._statuses.append(error.status)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Go on behind this block if it fails."""
        try:
            yield
        except BotalertError as error:
            self.add(error)

    @property
    def status(self) -> int:
        """The exit status so far."""
        return worst_status(self._statuses)


def line_reader(config: Config, settings: LogSettings, now: datetime) -> LineReader:
    """Give the reader that *settings* ask for; it remembers, so each file has its own."""
    stamps = StampReader(now, settings.zone)
    if config.pattern is not None:
        return PatternReader(config.pattern, stamps)
    kernel = KernelReader(settings.programs, stamps)
    journals = JournalReader(settings.programs, stamps)
    ulogds = UlogdReader(stamps)
    readers: dict[str, LineReader] = {TEXT: kernel, JOURNAL: journals, ULOGD: ulogds}
    return readers.get(settings.form) or AutoReader(kernel, journals, ulogds)


@dataclass(frozen=True, slots=True)
class SelectedLog:
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
        return self.path if journal.is_journal(self.path) else os.path.abspath(self.path)


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


@dataclass(frozen=True, slots=True)
class Search:
    """
    What a scan looks for.

    Attributes:
        signals: The signals.
        span: Which packets count.
        counts: Where to count lines, if wanted.
    """

    signals: Sequence[Signal]
    span: Span = ALWAYS
    counts: LineCounts | None = None


@contextmanager
def opened_by_hand(path: str, settings: LogSettings, span: Span = ALWAYS) -> Iterator[LogStream]:
    """Open a file or the journal for reading it once, whole; of the journal, *span* will do."""
    if journal.is_journal(path):
        any_program = ANY_PROGRAM in settings.programs
        with journal.opened(path, *span, every_transport=any_program) as stream:
            yield stream
    else:
        with unpack.opened(path) as stream:
            yield stream


def scan_logs(
    config: Config, logs: Sequence[SelectedLog], search: Search, now: datetime, faults: Faults
) -> tuple[Tallies, int]:
    """
    Tally what *search* finds in *logs*; touches nothing.

    Args:
        config: How lines are read.
        logs: The logs to read.
        search: What is looked for.
        now: When this run began.
        faults: Gets the logs that cannot be read; the others go on.

    Returns:
        The tallies, and how many bytes were read, after unpacking.
    """
    tallies: Tallies = {}
    read_bytes = 0
    for log in logs:
        for path in log.files:
            with (
                faults.collected(),
                opened_by_hand(path, log.settings, search.span) as stream,
            ):
                blocks = LineBlocks(stream)
                reader = line_reader(config, log.settings, now)
                scanner = Scanner(search.signals, reader, search.span, search.counts)
                try:
                    for block in blocks:
                        scanner.scan(block)
                finally:
                    unite(tallies, united(scanner.take()))
                    read_bytes += blocks.offset
    return tallies, read_bytes


@dataclass(frozen=True, slots=True)
class Outlook:
    """
    Where and when a run runs.

    Attributes:
        now: When it began; aware.
        machine: The name of this machine.
        note: Told what was done, for those who want to know.
        baseline: Record everything as known, and mail nothing.
    """

    now: datetime
    machine: str
    note: Teller
    baseline: bool = False


def run(
    config: Config,
    logs: Sequence[SelectedLog],
    templates: jinja2.Environment,
    outlook: Outlook,
    faults: Faults,
) -> None:
    """
    Do the daily job: read what is new, remember it, send what is pending.

    Args:
        config: The configuration; names recipients.
        logs: The logs to read.
        templates: The mail templates.
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
        pending = memory.pending(config.signal_names)
        if pending and not outlook.baseline:
            head = letterhead(config, outlook.machine, outlook.now)
            _send(config, pending, memory, templates, head, faults, outlook.note)


def letterhead(config: Config, machine: str, now: datetime) -> Letterhead:
    """Give what every mail of this run has in common; *config* names recipients."""
    assert config.recipients is not None
    return Letterhead(config.recipients, now, machine, config.zone)


def _read_on(
    config: Config,
    log: SelectedLog,
    others: frozenset[str],
    memory: state.State,
    outlook: Outlook,
    faults: Faults,
) -> None:
    """Read what is new in *log*, none of *others*, and remember it with how far that was."""

    def add(parts: Iterable[Part]) -> None:
        for part in parts:
            ledger.add(part)

    def consume(blocks: Iterable[bytes]) -> None:
        scanner = Scanner(config.signals, line_reader(config, log.settings, outlook.now))
        # Only what was read to its end counts: a file that fails is read
        # again by the next run.
        with ledger.attempt():
            for block in blocks:
                scanner.scan(block)
                if scanner.size > TALLIES_AT_ONCE:
                    add(scanner.take())
            add(scanner.take())

    with state.Ledger() as ledger:
        reading = _reading(log, memory.cursor(log.key), outlook.now, others)
        reading.read(consume)
        new = memory.record(
            log.key,
            ledger.items(),
            reading.cursor(),
            _message_ids(config, outlook.machine).__next__,
            alerted=outlook.now if outlook.baseline else None,
        )
    for error in reading.faults:
        faults.add(error)
    if reading.missing is not None:
        faults.tell(f"{log.path}: {reading.missing}")
    for remark in reading.remarks():
        outlook.note(f"{log.path}: {remark}")
    outlook.note(f"{log.path}: read {reading.read_bytes} bytes; {_counted(new, 'new detection')}")


def _reading(
    log: SelectedLog, known: str | None, now: datetime, others: frozenset[str]
) -> Reading | journal.JournalReading:
    first = log.settings.first_run
    if journal.is_journal(log.path):
        any_program = ANY_PROGRAM in log.settings.programs
        return journal.JournalReading(log.path, known, first, now, every_transport=any_program)
    return Reading(Log(log.path, log.settings.history, others), known, first)


def _message_ids(config: Config, machine: str) -> Iterator[str]:
    """Give Message-IDs without end, none of which is given anywhere else."""
    assert config.recipients is not None
    domain = config.recipients.sender.address.rpartition("@")[2]
    host = domain if "@" in config.recipients.sender.address else machine
    end = f"botalert@{host.strip('[]')}"
    # One random beginning for all, and a number: a random one for each would
    # take a third as long as storing it does.
    beginning = str(uuid.uuid4())[:-12]
    return (f"<{beginning}{number:012x}.{end}>" for number in count(1))


def _send(
    config: Config,
    pending: Sequence[Alert],
    memory: state.State,
    templates: jinja2.Environment,
    head: Letterhead,
    faults: Faults,
    note: Teller,
) -> None:
    """Send what is pending; each alert is marked as soon as it was taken."""
    failures = _Failures(config.statefile, faults)
    with opened_transport(config.mailserver, config.mailuser, config.mailpasswordfile) as transport:
        for number, alert in enumerate(pending):
            try:
                refused = deliver(config, alert, transport, templates, head)
            except (ServerDownError, UnavailableError) as error:
                failures.add(error, alerts=len(pending) - number)
                break
            except (DeliveryError, TemplateError) as error:
                failures.add(error, alerts=1)
                continue
            memory.mark_sent(alert, head.moment)
            note(f"alert sent: {alert.detection.signal}: {alert.detection.source}")
            for address, reason in refused.items():
                failures.partial(address, reason)
    failures.tell()


def deliver(
    config: Config,
    alert: Alert,
    transport: Transport,
    templates: jinja2.Environment,
    head: Letterhead,
) -> dict[str, str]:
    """
    Write the mail about *alert* and hand it over.

    Returns:
        The recipients that were refused, with the reasons.

    Raises:
        BotalertError: It was not written or not taken.
    """
    # A signal may have left the configuration since it found something.
    signal = config.signal(alert.detection.signal) or Signal(alert.detection.signal, ())
    message = render_alert(templates, alert, signal, head)
    sender = head.recipients.sender.address
    return transport.send(message, sender, head.recipients.addresses)


class _Failures:
    """Alerts that were not sent, told in one line for each reason."""

    def __init__(self, statefile: str, faults: Faults) -> None:
        self._statefile = statefile
        self._faults = faults
        self._alerts: dict[str, tuple[BotalertError, int]] = {}
        self._refused: dict[tuple[str, str], int] = {}

    def add(self, error: BotalertError, *, alerts: int) -> None:
        """Note that *alerts* alerts were not sent because of *error*."""
        first, number = self._alerts.get(str(error), (error, 0))
        self._alerts[str(error)] = (first, number + alerts)

    def partial(self, address: str, reason: str) -> None:
        """Note that an alert was sent, but not to *address*."""
        self._refused[address, reason] = self._refused.get((address, reason), 0) + 1

    def tell(self) -> None:
        """Tell everything noted."""
        for error, number in self._alerts.values():
            kept = (
                f"{_counted(number, 'alert')} kept in {self._statefile}; the next run tries again."
            )
            self._faults.add(type(error)(f"{str(error).rstrip('.')}. {kept}"))
        for (address, reason), number in self._refused.items():
            remedy = "It may be taken later" if reason.startswith("4") else "Correct [recipients]"
            self._faults.tell(
                f"{address}: was refused ({reason}) for {_counted(number, 'alert')} "
                f"that the others got. {remedy}."
            )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def rendered_sample(
    config: Config, signal: Signal, templates: jinja2.Environment, machine: str, now: datetime
) -> EmailMessage:
    """
    Write the mail about a made-up alert of *signal*, which says that it is one.

    Raises:
        TemplateError: A template has an error.
    """
    alert = sample_alert(signal, next(_message_ids(config, machine)), now)
    head = letterhead(config, machine, now)
    return render_alert(templates, alert, signal, head, mark="[sample] ")
