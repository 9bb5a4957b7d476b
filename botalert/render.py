"""
A detection into a mail.

Pure: it is handed its templates, the time and the names it cannot know.
Whatever comes from the log passes through :func:`harmless` on its way into
a template, and is escaped in HTML besides.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime, tzinfo
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from typing import Any

import jinja2

from botalert import __version__
from botalert.config.recipients import Mailbox, Recipients
from botalert.config.words import signal_words
from botalert.detect import Alert
from botalert.errors import TryAgainError
from botalert.match import Signal
from botalert.printable import printable

SUBJECT, TEXT, HTML = "subject", "txt", "html"
SHIPPED_SET = "alert"
# What a mail lists of many; botalert list has the rest.
LISTED = 10
LONGEST_LINE = 998


@dataclass(frozen=True, slots=True)
class Letterhead:
    """
    What every mail of a run has in common.

    Attributes:
        recipients: Who it comes from and who gets it.
        moment: When it is written; aware.
        machine: The machine that botalert runs on.
        zone: The zone in which times are shown.
    """

    recipients: Recipients
    moment: datetime
    machine: str
    zone: tzinfo


class TemplateError(TryAgainError):
    """A template that cannot be rendered; the alert stays pending until it is mended."""


def harmless(value: Any) -> Any:
    """Make every text in *value*, a template's variable, fit for people's eyes."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, (list, tuple)):
        return type(value)(harmless(item) for item in value)
    return value


def environment(loader: jinja2.BaseLoader) -> jinja2.Environment:
    """Give a jinja2 environment in which log text is harmless and a typo is an error."""
    templates = jinja2.Environment(
        loader=loader,
        autoescape=lambda name: bool(name) and str(name).endswith(f".{HTML}"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # For commands that a mail proposes: a custom regex: may find any text.
    templates.filters["shell"] = shlex.quote
    return templates


def render_alert(
    templates: jinja2.Environment, alert: Alert, signal: Signal, head: Letterhead
) -> EmailMessage:
    """
    Write the mail about *alert*.

    Args:
        templates: From :func:`environment`.
        alert: What it is about; the mail gets its Message-ID.
        signal: The signal that found it; names the template set.
        head: What all mails of this run share.

    Returns:
        The mail, without a trace of its Bcc.

    Raises:
        TemplateError: A template is missing or has an error; names it.
    """
    variables = alert_variables(alert, signal, head)
    parts = {
        kind: _rendered(templates, signal.template, kind, variables)
        for kind in (SUBJECT, TEXT, HTML)
    }
    # Not every server on the way takes 8 bits (RFC 6152).
    message = EmailMessage(policy=default.clone(cte_type="7bit"))
    message["Subject"] = printable(" ".join(parts[SUBJECT].split()))
    message["From"] = _address(head.recipients.sender)
    for name, boxes in (("To", head.recipients.to), ("Cc", head.recipients.cc)):
        if boxes:
            message[name] = tuple(_address(box) for box in boxes)
    message["Date"] = format_datetime(head.moment.astimezone(head.zone))
    message["Message-ID"] = alert.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: answer with no auto-reply.
    message.set_content(parts[TEXT], cte=_encoding(parts[TEXT]))
    message.add_alternative(parts[HTML], subtype="html", cte=_encoding(parts[HTML]))
    return message


def alert_variables(alert: Alert, signal: Signal, head: Letterhead) -> dict[str, Any]:
    """Give the variables of a template; botalert.conf(5) documents each."""
    tally = alert.detection.tally
    destinations = tally.destinations.ranked()
    ports = tally.ports.ranked()
    variables = {
        "signal": alert.detection.signal,
        "asks": signal_words(signal),
        "source": alert.detection.source,
        "packets": tally.packets,
        "first_seen": _local(tally.first_seen, head.zone),
        "last_seen": _local(tally.last_seen, head.zone),
        "destinations": list(destinations.items())[:LISTED],
        "destination_count": tally.destinations.distinct(),
        "destinations_estimated": tally.destinations.overflowed,
        "ports": list(ports.items())[:LISTED],
        "port_count": tally.ports.distinct(),
        "ports_estimated": tally.ports.overflowed,
        "interfaces": list(tally.interfaces),
        "macs": list(tally.macs),
        "evidence": list(tally.evidence),
        "machine": head.machine,
        "now": head.moment.astimezone(head.zone),
        "version": __version__,
    }
    return {name: harmless(value) for name, value in variables.items()}


def _local(moment: datetime | None, zone: tzinfo) -> datetime | None:
    return moment.astimezone(zone) if moment else None


def _rendered(
    templates: jinja2.Environment, name: str, kind: str, variables: dict[str, Any]
) -> str:
    try:
        template = templates.select_template([f"{name}.{kind}", f"{SHIPPED_SET}.{kind}"])
        return template.render(variables)
    # A template is a program of the administrator's: it can raise anything,
    # and the other alerts must go on.
    except Exception as error:
        where = getattr(error, "filename", None) or getattr(error, "name", None) or f"{name}.{kind}"
        line = getattr(error, "lineno", None) or _line_in_template(error)
        place = f"{where}:{line}" if line else str(where)
        raise TemplateError(
            f"{place}: the template has an error: {type(error).__name__}: {error}. "
            "Mend it, or remove it to use the shipped one."
        ) from error


def _line_in_template(error: BaseException) -> int | None:
    """Find the innermost line of a template in the traceback, which jinja2 maps to it."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith((f".{SUBJECT}", f".{TEXT}", f".{HTML}")):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _encoding(text: str) -> str | None:
    """
    Leave plain text as it is, so that a mail can be searched and read as stored.

    RFC 5322, section 2.1.1, allows lines of 998 characters; a log line is
    longer than the 78 it recommends.  None lets the library choose.
    """
    longest = max(map(len, text.splitlines()), default=0)
    return "7bit" if text.isascii() and longest <= LONGEST_LINE else None


def _address(box: Mailbox) -> Address:
    user, _, domain = box.address.rpartition("@")
    return Address(box.name, user or domain, domain if user else "")
