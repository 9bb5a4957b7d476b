"""
EDGE: mails to where they go.

Each transport takes a mail or raises one of two errors: this mail was not
taken, or none will be.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from botalert.config.mailserver import MAILDIR, SENDMAIL, MailServer
from botalert.mail.transport import DeliveryError, ServerDownError, Transport

__all__ = ["DeliveryError", "ServerDownError", "Transport", "opened_transport"]


@contextmanager
def opened_transport(server: MailServer, user: str, password_file: str) -> Iterator[Transport]:
    """Give the transport that *server* means; connects when the first mail is sent."""
    # Each brings modules of its own (ssl, mailbox): import only what is used.
    transport: Transport
    if server.scheme == MAILDIR:
        from botalert.mail.maildir import MaildirTransport

        transport = MaildirTransport(server.path)
    elif server.scheme == SENDMAIL:
        from botalert.mail.sendmail import SendmailTransport

        transport = SendmailTransport(server.path)
    else:
        from botalert.mail.smtp import SmtpTransport

        transport = SmtpTransport(server, user, password_file)
    with closing(transport):
        yield transport
