"""
The mail of the daily job: written, handed over, marked.
"""

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage

import jinja2

from botalert.config import Config
from botalert.detect import Alert, is_ignored
from botalert.errors import BotalertError, UnavailableError
from botalert.job.daily import Outlook
from botalert.job.faults import Faults, counted
from botalert.job.identities import message_ids
from botalert.loader import template_environment
from botalert.machines import Directory
from botalert.mail import DeliveryError, ServerDownError, Transport, opened_transport
from botalert.match import Signal
from botalert.render import Letterhead, TemplateError, render_alert
from botalert.sample import IDENTITY, sample_alert
from botalert.state.file import State

CORRECT = "Correct [recipients], or to: of the signal"


def letterhead(config: Config, signal: Signal, machine: str, now: datetime) -> Letterhead:
    """Give what the mails of *signal* have in common; *config* names recipients."""
    return Letterhead(config.recipients_of(signal), now, machine, config.zone)


def send(
    config: Config,
    pending: Sequence[Alert],
    memory: State,
    outlook: Outlook,
    faults: Faults,
) -> None:
    """
    Send what is pending; each alert is marked as soon as it was taken.

    One about a machine that is ignored by now is only marked as such.

    Args:
        config: The configuration; names recipients.
        pending: The alerts.
        memory: Where they are marked.
        outlook: Where and when this runs.
        faults: Gets what goes wrong; the rest goes on.
    """
    templates = template_environment(config.templates)
    directory = Directory(config.leases, resolve=config.resolve)
    failures = _Failures(config.statefile, faults)
    pending = _wanted(config, pending, memory, outlook)
    with opened_transport(config.mailserver, config.mailuser, config.mailpasswordfile) as transport:
        for number, alert in enumerate(pending):
            signal = config.signal_once_named(alert.detection.signal)
            head = letterhead(config, signal, outlook.machine, outlook.now)
            try:
                refused = deliver(alert, signal, transport, templates, head, directory)
            except (ServerDownError, UnavailableError) as error:
                failures.add(error, alerts=len(pending) - number)
                break
            except (DeliveryError, TemplateError) as error:
                failures.add(error, alerts=1)
                continue
            memory.mark_sent(alert, outlook.now)
            outlook.note(f"alert sent: {alert.detection.signal}: {alert.detection.source}")
            for address, reason in refused.items():
                failures.partial(address, reason)
    failures.tell()


def _wanted(
    config: Config, pending: Sequence[Alert], memory: State, outlook: Outlook
) -> list[Alert]:
    """Mark what is ignored by now; give the rest of *pending*."""
    wanted = []
    for alert in pending:
        signal = config.signal_once_named(alert.detection.signal)
        if is_ignored(alert.detection, signal.conditions):
            memory.mark_ignored(alert, outlook.now)
            outlook.note(f"alert ignored: {alert.detection.signal}: {alert.detection.source}")
        else:
            wanted.append(alert)
    return wanted


def deliver(
    alert: Alert,
    signal: Signal,
    transport: Transport,
    templates: jinja2.Environment,
    head: Letterhead,
    directory: Directory,
) -> dict[str, str]:
    """
    Write the mail about *alert*, whose machine *directory* may know, and hand it over.

    Returns:
        The recipients that were refused, with the reasons.

    Raises:
        BotalertError: It was not written or not taken.
    """
    identity = directory.identity(alert.detection, head.moment)
    message = render_alert(templates, alert, signal, head, identity=identity)
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
                f"{counted(number, 'alert')} kept in {self._statefile}; the next run tries again."
            )
            self._faults.add(type(error)(f"{str(error).rstrip('.')}. {kept}"))
        for (address, reason), number in self._refused.items():
            remedy = "It may be taken later" if reason.startswith("4") else CORRECT
            self._faults.tell(
                f"{address}: was refused ({reason}) for {counted(number, 'alert')} "
                f"that the others got. {remedy}."
            )


def rendered_sample(
    config: Config, signal: Signal, templates: jinja2.Environment, machine: str, now: datetime
) -> EmailMessage:
    """
    Write the mail about a made-up alert of *signal*, which says that it is one.

    Raises:
        TemplateError: A template has an error.
    """
    alert = sample_alert(signal, next(message_ids(config, machine)), now)
    head = letterhead(config, signal, machine, now)
    return render_alert(templates, alert, signal, head, identity=IDENTITY, mark="[sample] ")
