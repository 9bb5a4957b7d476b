"""
EDGE: mails to where they go.

Each transport takes a mail or raises one of two errors: this mail was not
taken, or none will be.
"""

from botalert.mail.transport import (
    DeliveryError,
    ServerDownError,
    Transport,
    opened_transport,
)

__all__ = ["DeliveryError", "ServerDownError", "Transport", "opened_transport"]
