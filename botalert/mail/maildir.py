"""
A Maildir: each mail a file that appears whole.

Format: maildir(5); Python's mailbox writes it under tmp, brings it to the
disk and links it into new.
"""

import mailbox
import os
from collections.abc import Sequence
from email.message import EmailMessage

from botalert.errors import writing_error
from botalert.mail.transport import ServerDownError


class MaildirTransport:
    """
    Puts mails into a Maildir.

    Args:
        path: The Maildir; made on first use if it isn't there.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> dict[str, str]:
        """See :class:`~botalert.mail.transport.Transport`."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self._path)), exist_ok=True)
            mailbox.Maildir(self._path, factory=None, create=True).add(message)
        except OSError as error:
            raise ServerDownError(f"maildir:{writing_error(self._path, error)}") from error
        return {}

    def close(self) -> None:
        """Nothing is open between two mails."""
