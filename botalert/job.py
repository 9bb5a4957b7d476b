"""
The order of the stages; alone knows it.

log ──► blocks ──► scan ──► tallies ──► detect ──► state ──► render ──► deliver
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage

import jinja2

from botalert import lock, state
from botalert.config import Config
from botalert.detect import Alert
from botalert.errors import BotalertError, UnavailableError, worst_status
from botalert.grammar import KernelReader, LineReader, PatternReader
from botalert.log import cursor, unpack
from botalert.log.blocks import LineBlocks
from botalert.mail import DeliveryError, ServerDownError, Transport, opened_transport
from botalert.match import Signal
from botalert.render import Letterhead, TemplateError, render_alert
from botalert.sample import sample_alert
from botalert.scan import Finder, LineCounts, drops, hits, within
from botalert.tally import Tallies, fold
from botalert.times import StampReader

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


def line_reader(config: Config, now: datetime) -> LineReader:
    """Give the reader that *config* asks for; it remembers, so each log has its own."""
    stamps = StampReader(now, config.zone)
    if config.pattern is not None:
        return PatternReader(config.pattern, stamps)
    return KernelReader(config.programs, stamps)


def finder(config: Config, signals: Sequence[Signal]) -> Finder:
    """Give the finder that jumps to what *signals* want, where the grammar allows it."""
    return Finder(signals if config.pattern is None else None)


@dataclass(frozen=True, slots=True)
class Search:
    """
    What a scan looks for.

    Attributes:
        signals: The signals.
        since: Packets before this don't count; None for no limit.
        until: Nor do packets from this on.
        counts: Where to count lines, if wanted.
    """

    signals: Sequence[Signal]
    since: datetime | None = None
    until: datetime | None = None
    counts: LineCounts | None = None


def scan_logs(
    config: Config, logs: Sequence[Sequence[str]], search: Search, now: datetime, faults: Faults
) -> tuple[Tallies, int]:
    """
    Tally what *search* finds in *logs*; touches nothing.

    Args:
        config: How lines are read.
        logs: Each log's files, oldest first.
        search: What is looked for.
        now: When this run began.
        faults: Gets the logs that cannot be read; the others go on.

    Returns:
        The tallies, and how many bytes were read, after unpacking.
    """
    tallies: Tallies = {}
    read_bytes = 0
    find = finder(config, search.signals) if search.counts is None else Finder(None)
    for history in logs:
        reader = line_reader(config, now)
        for path in history:
            with faults.collected(), unpack.opened(path) as stream:
                blocks = LineBlocks(stream)
                try:
                    found = drops(blocks, find, reader, search.counts)
                    found = within(found, search.since, search.until)
                    fold(hits(found, search.signals), tallies)
                finally:
                    read_bytes += blocks.offset
    return tallies, read_bytes


def run(
    config: Config,
    logs: Sequence[str],
    templates: jinja2.Environment,
    machine: str,
    now: datetime,
    faults: Faults,
    note: Teller,
) -> None:
    """
    Do the daily job: read what is new, remember it, send what is pending.

    Args:
        config: The configuration; names recipients.
        logs: The logs to read.
        templates: The mail templates.
        machine: The name of this machine.
        now: When this run began; aware.
        faults: Gets what goes wrong; the rest goes on.
        note: Told what was done, for those who want to know.

    Raises:
        BotalertError: Nothing can be done: another run is on, or the state
            file cannot be used.
    """
    state.make_directory(config.statefile)
    with lock.locked(f"{config.statefile}.lock"), state.opened(config.statefile) as memory:
        for log in logs:
            with faults.collected():
                _read_on(config, log, memory, machine, now, note)
        pending = memory.pending(config.signal_names)
        if pending:
            head = letterhead(config, machine, now)
            _send(config, pending, memory, templates, head, faults, note)


def letterhead(config: Config, machine: str, now: datetime) -> Letterhead:
    """Give what every mail of this run has in common; *config* names recipients."""
    assert config.recipients is not None
    return Letterhead(config.recipients, now, machine, config.zone)


def _read_on(
    config: Config, log: str, memory: state.State, machine: str, now: datetime, note: Teller
) -> None:
    """Read what is new in *log* and remember it together with how far that was."""
    with cursor.continued(log, memory.cursor(log)) as reading:
        if reading.rewound:
            note(f"{log}: is another file than last time, or was cut: read from its beginning")
        found = drops(reading.blocks, finder(config, config.signals), line_reader(config, now))
        tallies = fold(hits(found, config.signals))
        reached = reading.cursor()
    new = memory.record(log, tallies, reached, lambda: _message_id(config, machine))
    note(f"{log}: read {reached.offset - reading.started} bytes; {new} new detections")


def _message_id(config: Config, machine: str) -> str:
    assert config.recipients is not None
    domain = config.recipients.sender.address.rpartition("@")[2]
    host = domain if "@" in config.recipients.sender.address else machine
    return f"<{uuid.uuid4()}.botalert@{host.strip('[]')}>"


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
            kept = f"{_counted(number)} kept in {self._statefile}; the next run tries again."
            self._faults.add(type(error)(f"{str(error).rstrip('.')}. {kept}"))
        for (address, reason), number in self._refused.items():
            self._faults.tell(
                f"{address}: was refused ({reason}) for {_counted(number)} that the others got. "
                "Correct [recipients]."
            )


def _counted(alerts: int) -> str:
    return f"{alerts} alert{'' if alerts == 1 else 's'}"


def rendered_sample(
    config: Config, signal: Signal, templates: jinja2.Environment, machine: str, now: datetime
) -> EmailMessage:
    """
    Write the mail about a made-up alert of *signal*, which says that it is one.

    Raises:
        TemplateError: A template has an error.
    """
    alert = sample_alert(signal, _message_id(config, machine), now)
    head = letterhead(config, machine, now)
    return render_alert(templates, alert, signal, head, mark="[sample] ")
