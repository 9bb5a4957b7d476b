"""
``[recipients]``: who the alerts come from and who gets them.
"""

import re
from dataclasses import dataclass
from email.utils import formataddr, getaddresses

# An address may lack its domain ("root"): the local MTA adds one.
_ADDRESS = re.compile(r"[!#-'*+/-9=?A-Z^-~.-]+(?:@[A-Za-z0-9.-]+|@\[[0-9A-Za-z:.]+\])?")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name, perhaps empty, and an address."""

    name: str
    address: str

    def __str__(self) -> str:
        """Write it as people do."""
        return formataddr((self.name, self.address)) if self.name else self.address


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who the alerts come from and who gets them."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that gets the mail, each once."""
        return tuple(dict.fromkeys(box.address for box in (*self.to, *self.cc, *self.bcc)))


def read_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """
    Read a list of addresses, with commas between; a trailing one is fine.

    Raises:
        ValueError: One is no address; quotes it.
    """
    wanted = re.sub(r"(?:\s*,)+\s*(?=,|$)", "", text.strip().lstrip(", ")).strip()
    if not wanted:
        return ()
    boxes = []
    for name, address in getaddresses([wanted]):
        if not _ADDRESS.fullmatch(address) or not name.isprintable():
            shown = address or name or wanted
            raise ValueError(f"{shown!r} is not a mail address. Write you@example.org")
        boxes.append(Mailbox(name, address))
    return tuple(boxes)
