"""
A detection into a mail.

Pure: it is handed its templates, the time and the names it cannot know.
Whatever comes from the log passes through :func:`harmless` on its way into
a template, and is escaped in HTML besides.
"""

import re
import shlex
import traceback
from dataclasses import dataclass
from datetime import datetime, tzinfo
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, formataddr
from typing import Any

import jinja2

from botalert import __version__
from botalert.detect import Alert
from botalert.errors import TryAgainError
from botalert.match import Signal
from botalert.model import NAMELESS, Identity, Mailbox, Recipients
from botalert.printable import printable
from botalert.threshold import duration_words
from botalert.words import signal_words

SUBJECT, TEXT, HTML = "subject", "txt", "html"
SHIPPED_SET = "alert"
# What a mail lists of many; botalert list has the rest.
LISTED = 10
LONGEST_LINE = 998
# RFC 5322, section 2.1.1, recommends lines of 78 characters with their ends.
HEADER_LINE = 76
# What a mail program could take for an encoded word (RFC 2047), or cannot fold.
_TO_ENCODE = re.compile(rf"=\?|[^ -~]|[^ ]{{{HEADER_LINE}}}")
_TEMPLATE = re.compile(rf"\.(?:{SUBJECT}|{TEXT}|{HTML})$")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """
    What the mails of a run about one signal have in common.

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


class _AsWritten(EmailPolicy):
    """
    A policy that keeps the headers as they are written here.

    The library's own reads every value first and folds it anew.  Thereby an
    encoded line break in a log's text became a header of its own, and a
    recipient with a non-ASCII name and a comma in it swallowed the next one
    (both seen with Python 3.11.7).
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return name, value


# Not every server on the way takes 8 bits (RFC 6152).
_POLICY = _AsWritten(cte_type="7bit", refold_source="none")


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
    templates: jinja2.Environment,
    alert: Alert,
    signal: Signal,
    head: Letterhead,
    *,
    identity: Identity = NAMELESS,
    mark: str = "",
) -> EmailMessage:
    """
    Write the mail about *alert*.

    Args:
        templates: From :func:`environment`.
        alert: What it is about; the mail gets its Message-ID.
        signal: The signal that found it; names the template set.
        head: What all mails about the signal share.
        identity: What is known of the machine.
        mark: Goes before the subject.

    Returns:
        The mail, without a trace of its Bcc.

    Raises:
        TemplateError: A template is missing or has an error; names it.
    """
    variables = alert_variables(alert, signal, head, identity)
    parts = {
        kind: _rendered(templates, signal.template, kind, variables)
        for kind in (SUBJECT, TEXT, HTML)
    }
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = _header("Subject", mark + printable(" ".join(parts[SUBJECT].split())))
    message["From"] = _mailbox(head.recipients.sender)
    for name, boxes in (("To", head.recipients.to), ("Cc", head.recipients.cc)):
        if boxes:
            message[name] = ",\n ".join(map(_mailbox, boxes))
    message["Date"] = format_datetime(head.moment.astimezone(head.zone))
    message["Message-ID"] = alert.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: answer with no auto-reply.
    message.set_content(parts[TEXT], cte=_encoding(parts[TEXT]))
    message.add_alternative(parts[HTML], subtype="html", cte=_encoding(parts[HTML]))
    return message


def alert_variables(
    alert: Alert, signal: Signal, head: Letterhead, identity: Identity = NAMELESS
) -> dict[str, Any]:
    """Give the variables of a template; botalert.conf(5) documents each."""
    tally = alert.detection.tally
    destinations = tally.destinations.ranked()
    ports = tally.ports.ranked()
    variables = {
        "signal": alert.detection.signal,
        "asks": signal_words(signal),
        "severity": signal.severity,
        "description": signal.description,
        "advice": signal.advice,
        "realert": "" if signal.realert is None else duration_words(signal.realert),
        "source": alert.detection.source,
        "name": identity.name,
        "vendor": identity.vendor,
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
    place = f"{name}.{kind}"
    try:
        template = templates.select_template([place, f"{SHIPPED_SET}.{kind}"])
        place = template.filename or place
        text = template.render(variables)
        text.encode("utf-8")  # Half of a surrogate pair is no text for a mail.
        return text
    # A template is a program of the administrator's: it can raise anything,
    # and the other alerts must go on.
    except Exception as error:
        place = _place_in_template(error) or place
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        raise TemplateError(
            f"{place}: the template has an error: {reason}. "
            "Mend it, or remove it to use the shipped one."
        ) from error


def _place_in_template(error: Exception) -> str | None:
    """Find the file and line in a template where *error* arose."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    # jinja2 maps its frames to the lines of the templates; the innermost counts.
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _TEMPLATE.search(frame.filename):
            return f"{frame.filename}:{frame.lineno}"
    return None


def _encoding(text: str) -> str | None:
    """
    Leave plain text as it is, so that a mail can be searched and read as stored.

    RFC 5322, section 2.1.1, allows lines of 998 characters; a log line is
    longer than the 78 it recommends.  None lets the library choose.
    """
    longest = max(map(len, text.splitlines()), default=0)
    return "7bit" if text.isascii() and longest <= LONGEST_LINE else None


def _header(name: str, text: str) -> str:
    """Write *text*, one line, as the value of the header *name*: folded, in ASCII."""
    charset = "utf-8" if _TO_ENCODE.search(text) else "us-ascii"
    return Header(text, charset, HEADER_LINE, name).encode()


def _mailbox(box: Mailbox) -> str:
    """Write *box* as a header has it, on a line of its own where the name is encoded."""
    if not box.name or box.name.isascii():
        return formataddr((box.name, box.address))
    return f"{Header(box.name, 'utf-8', HEADER_LINE).encode()}\n <{box.address}>"
