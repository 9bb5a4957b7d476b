"""
What a transport is, and which one ``mailserver:`` means.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from email.message import EmailMessage
from typing import Protocol

from botalert.config.mailserver import MAILDIR, SENDMAIL, MailServer
from botalert.errors import TryAgainError


class DeliveryError(TryAgainError):
    """This mail was not taken; others may be."""


class ServerDownError(TryAgainError):
    """No mail will be taken now."""


class Transport(Protocol):
    """A way for mails to go out."""

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> dict[str, str]:
        """
        Hand over *message*.

        Args:
            message: The mail; its headers name no Bcc.
            sender: The envelope's sender.
            recipients: The envelope's recipients, those of Bcc among them.

        Returns:
            The recipients that were refused, with the reasons; the others
            were taken.

        Raises:
            DeliveryError: It was not taken.
            ServerDownError: None will be.
            UnavailableError: The program that should take it is missing.
        """
        ...

    def close(self) -> None:
        """Take leave of the server."""
        ...


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
