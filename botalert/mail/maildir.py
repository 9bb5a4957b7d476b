"""
A Maildir: each mail a file that appears whole.

Format: maildir(5); Python's mailbox writes it under tmp, brings it to the
disk and links it into new.
"""

import mailbox
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage

from botalert.directories import make_directories
from botalert.errors import writing_error
from botalert.mail.transport import ServerDownError

DIRECTORY_MODE = 0o700
PARENT_MODE = 0o750
_PARTS = ("", "tmp", "new", "cur")
_PRIVATE_UMASK = 0o077


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
            # Not left to the library, which takes a directory for a whole
            # Maildir: a run that was killed may have left half of one.
            parent = os.path.dirname(self._path.rstrip("/"))
            if parent:
                make_directories(parent, PARENT_MODE)
            for part in _PARTS:
                make_directories(os.path.join(self._path, part), DIRECTORY_MODE)
            with _private_files():
                mailbox.Maildir(self._path, factory=None, create=False).add(message)
            _bring_to_disk(os.path.join(self._path, "new"))
        except OSError as error:
            raise ServerDownError(f"maildir:{writing_error(self._path, error)}") from error
        except mailbox.Error as error:
            raise ServerDownError(f"maildir:{self._path}: {error}. Look at its tmp.") from error
        return {}

    def close(self) -> None:
        """Nothing is open between two mails."""


@contextmanager
def _private_files() -> Iterator[None]:
    """Let the library make files for their owner only; it leaves that to the umask."""
    before = os.umask(_PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def _bring_to_disk(directory: str) -> None:
    """Make a new name in *directory* outlast a power failure; the library syncs the file."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
