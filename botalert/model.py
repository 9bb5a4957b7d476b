"""
The vocabulary: what the stages hand to each other.

Plain frozen values; this module imports nothing of ours.  The words are
those of the documentation: a *drop* is a packet line of the log, a *hit* is
what a scan keeps of a drop that meets a signal, a *detection* is a fact in
the state file, an *alert* is the mail about it.
"""

import ipaddress
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import NamedTuple


class Packet(NamedTuple):
    """
    One packet as the kernel writes it.

    Attributes:
        fields: The log's names to the values as logged; SRC and DST in
            canonical short form, a numeric PROTO by its usual name.
        flags: Bare words such as DF and SYN, in the line's order.
        embedded: The packet that an ICMP error quotes in brackets.
    """

    fields: Mapping[str, str]
    flags: tuple[str, ...] = ()
    embedded: "Packet | None" = None


class Drop(NamedTuple):
    """
    One packet line of the log, parsed.

    Attributes:
        packet: What the line says of the packet.
        prefix: What stands between the line's head and the packet.
        verdict: "drop", "accept" or "unknown", read from the prefix.
        time: The line's stamp, aware; None where it has none.
        uptime: Seconds since boot, where the kernel wrote them.
        host: The machine that logged it, where the line says so.
        repeat: How many packets this line stands for.
        line: The line as read, without its end.
    """

    packet: Packet
    prefix: str
    verdict: str
    time: datetime | None
    uptime: float | None
    host: str | None
    repeat: int
    line: str


class Outcome(Enum):
    """What a line is that carries no drop."""

    NOT_A_PACKET = "not a packet line"
    UNPARSED = "looks like a packet line, but cannot be read"


class FirstRun(Enum):
    """What the first run reads of a log."""

    LIVE = "live"
    ALL = "all"
    NEW = "new"


class Hit(NamedTuple):
    """
    What a scan keeps of a drop that meets a signal's conditions.

    Attributes:
        uptime: Seconds since boot, where the line says so.
        values: What its signal's threshold counts.
    """

    signal: str
    source: str
    time: datetime | None
    destination: str | None
    port: str | None
    interface: str | None
    mac: str | None
    repeat: int
    line: str
    uptime: float | None = None
    values: tuple[str | None, ...] = ()


class Identity(NamedTuple):
    """
    What is known of a machine beside its address.

    Attributes:
        name: What it is called; "" if nobody knows.
        vendor: Who made its network card, or that its hardware address is
            its own choice; "" if nobody knows.
    """

    name: str = ""
    vendor: str = ""


NAMELESS = Identity()


class Mailbox(NamedTuple):
    """A name, perhaps empty, and an address."""

    name: str
    address: str

    def __str__(self) -> str:
        """Write it as people do."""
        if not self.name:
            return self.address
        from email.utils import formataddr

        return formataddr((self.name, self.address))


class Recipients(NamedTuple):
    """Who the alerts come from and who gets them."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that gets the mail, each once."""
        return tuple(dict.fromkeys(box.address for box in (*self.to, *self.cc, *self.bcc)))


SourceRank = tuple[int, int, str]


def source_rank(source: str) -> SourceRank:
    """Order sources: IPv4 before IPv6, networks too, as numbers; other text after them."""
    try:
        if "/" in source:
            address = ipaddress.ip_network(source).network_address
        else:
            address = ipaddress.ip_address(source)
    except ValueError:
        return (9, 0, source)
    return (address.version, int(address), source)
