"""
``mailserver:`` and its siblings: how mail goes out.
"""

from typing import NamedTuple

from botalert.grammar.patterns import lazy_pattern

SMTP = "smtp"
STARTTLS = "smtp+starttls"
SMTPS = "smtps"
SENDMAIL = "sendmail"
MAILDIR = "maildir"

_DEFAULT_PORTS = {SMTP: 25, STARTTLS: 587, SMTPS: 465}
DEFAULT_SENDMAIL = "/usr/sbin/sendmail"

# RFC 1035, section 2.3.4: labels of 1 to 63 characters; Python asks no resolver for others.
_LABEL = "[A-Za-z0-9_-]{1,63}"
_HOST_AND_PORT = lazy_pattern(
    rf"(?:\[(?P<literal>[0-9a-fA-F:.]+)\]|(?P<host>{_LABEL}(?:\.{_LABEL})*\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


class MailServer(NamedTuple):
    """
    How mail goes out.

    Attributes:
        scheme: One of ``SMTP``, ``STARTTLS``, ``SMTPS``, ``SENDMAIL``, ``MAILDIR``.
        host: The server, for the first three.
        port: Its port.
        path: The program or directory, for the last two.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Name it shortly, for messages."""
        if self.path:
            return f"{self.scheme}:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def read_mailserver(text: str) -> MailServer:
    """
    Read a ``mailserver:`` value.

    Raises:
        ValueError: It is none; says what can be written.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = SMTP, text
        for kind in (SENDMAIL, MAILDIR):
            if text.startswith(f"{kind}:"):
                return _local(kind, text.removeprefix(f"{kind}:"))
    if scheme in _DEFAULT_PORTS and (found := _HOST_AND_PORT.fullmatch(rest)):
        port = int(found["port"] or _DEFAULT_PORTS[scheme])
        if 0 < port <= 65535:
            return MailServer(scheme, found["host"] or found["literal"], port)
    raise ValueError(
        f"{text!r} is not a mail server. Write host, host:port, smtp://host:port, "
        "smtp+starttls://host:port, smtps://host:port, sendmail:/path or maildir:/path"
    )


def _local(kind: str, path: str) -> MailServer:
    if not path and kind == SENDMAIL:
        path = DEFAULT_SENDMAIL
    if not path:
        raise ValueError(f"'{kind}:' names no directory. Write {kind}:/var/mail/alerts")
    return MailServer(kind, path=path)
