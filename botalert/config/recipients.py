"""
``[recipients]``: who the alerts come from and who gets them.
"""

import re
from dataclasses import dataclass
from email.utils import formataddr, unquote

# An address may lack its domain ("root"): the local MTA adds one.
_ADDRESS = re.compile(r"[!#-'*+/-9=?A-Z^-~.-]+(?:@[A-Za-z0-9.-]+|@\[[0-9A-Za-z:.]+\])?")
# What stands between two commas, but for those of a quoted name.
_SEPARATED = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",]|")+')
_NAMED = re.compile(r"(.*)<\s*([^<>\s]*)\s*>")


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
    boxes = []
    for item in (part.strip() for part in _SEPARATED.findall(text)):
        if not item:
            continue
        found = _NAMED.fullmatch(item)
        name, address = (unquote(found[1].strip()), found[2]) if found else ("", item)
        if not _ADDRESS.fullmatch(address) or not name.isprintable():
            raise ValueError(f"{item!r} is not a mail address. Write you@example.org")
        boxes.append(Mailbox(name, address))
    return tuple(boxes)
