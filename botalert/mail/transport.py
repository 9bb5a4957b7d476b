"""
What a transport is, and how it fails.
"""

from collections.abc import Sequence
from email.message import EmailMessage
from typing import Protocol

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
