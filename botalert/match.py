"""
The plain meaning of "this drop meets this signal".

Values are validated once, when the configuration is read; what stands here
is pure matching, in the simplest words.  :mod:`botalert.scan` is faster and
must agree with it; a property test holds it to that.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from socket import AF_INET, inet_pton
from typing import ClassVar, Final, NamedTuple

from botalert.grammar.packets import PROTOCOLS, canonical_address
from botalert.grammar.patterns import lazy_pattern
from botalert.grammar.verdicts import DROP, UNKNOWN
from botalert.model import Drop, Mailbox, Packet
from botalert.threshold import FLOWS, ONE_PACKET, SECONDS, Threshold

SRC, SRC_64, SENDER, HOST_SRC = "SRC", "SRC/64", "MAC", "HOST SRC"
IDENTITIES = (SRC, SRC_64, SENDER, HOST_SRC)
"""What a machine may be known by: the values of ``source:``."""

_MAC = lazy_pattern("[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}")
_NUMBERS_OF_PROTOCOLS = {name.casefold(): int(number) for number, name in PROTOCOLS.items()}


class Test(ABC):
    """
    One value of a condition: whole values, without white space around them.

    Each kind is a class with its attributes in ``__match_args__``.  No
    dataclasses: making those takes longer than scanning a thousand lines.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def holds(self, value: str) -> bool:
        """Tell whether *value*, as logged, is what the condition asks for."""

    @abstractmethod
    def words(self) -> str:
        """Say the value for people."""

    def _asked(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __eq__(self, other: object) -> bool:
        """Compare kind and value: the numbers 6 to 6 are not the protocols 6 to 6."""
        return type(other) is type(self) and other._asked() == self._asked()

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((type(self), self._asked()))

    def __repr__(self) -> str:
        """Show kind and value."""
        return f"{type(self).__name__}({', '.join(map(repr, self._asked()))})"


class Text(Test):
    """A whole value; compared with or without regard to case."""

    __slots__ = ("exact_case", "text")
    __match_args__ = ("text", "exact_case")

    def __init__(self, text: str, exact_case: bool = False) -> None:
        self.text: Final = text
        self.exact_case: Final = exact_case

    def holds(self, value: str) -> bool:
        """See :class:`Test`."""
        if self.exact_case:
            return value == self.text
        return value.casefold() == self.text.casefold()

    def words(self) -> str:
        """See :class:`Test`."""
        return self.text or '""'


class Pattern(Test):
    """A whole value in which "*" stands for anything."""

    __slots__ = ("exact_case", "text")
    __match_args__ = ("text", "exact_case")

    def __init__(self, text: str, exact_case: bool = False) -> None:
        self.text: Final = text
        self.exact_case: Final = exact_case

    def holds(self, value: str) -> bool:
        """See :class:`Test`."""
        flags = re.DOTALL if self.exact_case else re.DOTALL | re.IGNORECASE
        parts = (re.escape(part) for part in self.text.split("*"))
        return re.fullmatch(".*".join(parts), value, flags) is not None

    def words(self) -> str:
        """See :class:`Test`."""
        return self.text


class Range(Test):
    """A number from *low* to *high*, both included; decimal, or hexadecimal behind 0x."""

    __slots__ = ("high", "low")
    __match_args__ = ("low", "high")

    def __init__(self, low: int, high: int) -> None:
        self.low: Final = low
        self.high: Final = high

    def holds(self, value: str) -> bool:
        """See :class:`Test`."""
        number = number_of(value)
        return number is not None and self.low <= number <= self.high

    def words(self) -> str:
        """See :class:`Test`."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


class ProtocolRange(Test):
    """Protocol numbers from *low* to *high*; the log has names or numbers."""

    __slots__ = ("high", "low")
    __match_args__ = ("low", "high")

    def __init__(self, low: int, high: int) -> None:
        self.low: Final = low
        self.high: Final = high

    def holds(self, value: str) -> bool:
        """See :class:`Test`."""
        number = _NUMBERS_OF_PROTOCOLS.get(value.casefold(), number_of(value))
        return number is not None and self.low <= number <= self.high

    def words(self) -> str:
        """See :class:`Test`."""
        return Range(self.low, self.high).words()


@lru_cache(maxsize=256)
def _address_number(text: str) -> tuple[int, int]:
    """Read an address: its IP version, 0 if it is none, and its number."""
    try:
        return 4, int.from_bytes(inet_pton(AF_INET, text))
    except (OSError, ValueError):  # Not one of IPv4, or with a NUL in it.
        pass
    try:
        address = ip_address(text)
    except ValueError:
        return 0, 0
    return address.version, int(address)


class Network(Test):
    """An address or a network."""

    __slots__ = ("_first", "_last", "_version", "network")
    __match_args__ = ("network",)

    def __init__(self, network: IPv4Network | IPv6Network) -> None:
        self.network: Final = network
        # Comparing numbers takes a fifth of the time of asking the network.
        self._version = network.version
        self._first, self._last = int(network.network_address), int(network.broadcast_address)

    def holds(self, value: str) -> bool:
        """See :class:`Test`."""
        version, number = _address_number(value)
        return version == self._version and self._first <= number <= self._last

    def words(self) -> str:
        """See :class:`Test`."""
        if self.network.prefixlen == self.network.max_prefixlen:
            return str(self.network.network_address)
        return str(self.network)


class Condition(NamedTuple):
    """
    What a signal asks of one field.

    Holds when one of the plain tests does (or there is none) and none of
    the barred ones.  A field that the line lacks meets no plain test and
    every barred one.

    Attributes:
        field: The log's name, or PREFIX, HOST, VERDICT or FLAGS.
        plain: The values, any of which will do.
        barred: The values with "!" before them, none of which may be there.
        text: The condition as written, for messages.
        ignores: Whether ``ignore:`` asks it, and not a condition of that name.
    """

    field: str
    plain: tuple[Test, ...]
    barred: tuple[Test, ...]
    text: str
    ignores: bool = False

    def __hash__(self) -> int:
        """Agree with equality, without looking at each value."""
        return hash((self.field, self.text))

    def meets(self, drop: Drop) -> bool:
        """Tell whether *drop* is what this condition asks for."""
        return self.holds(field_values(drop, self.field))

    def holds(self, values: Sequence[str]) -> bool:
        """Tell whether a packet that has *values* of the field, or none, will do."""
        if any(test.holds(value) for test in self.barred for value in values):
            return False
        return not self.plain or any(test.holds(value) for test in self.plain for value in values)


class Signal(NamedTuple):
    """
    One configured section: which drops matter, and how many.

    Attributes:
        name: The section's name.
        conditions: All of them must hold.
        template: The name of its mail's template set.
        threshold: How many.
        retain: How long what has met no threshold is remembered, in seconds.
        realert: After how long a silence it alerts anew, in seconds; None for never.
        severity: How bad it is: one of ``SEVERITIES``.
        description: What it means, for people.
        advice: What to do about it, for people.
        false_positives: What meets it and is harmless, for people.
        reference: The URL of a document about it.
        to: Who gets its mails; nobody where [recipients] says it.
        source: What a machine is known by: one of ``IDENTITIES``.
    """

    name: str
    conditions: tuple[Condition, ...]
    template: str = "alert"
    threshold: Threshold = ONE_PACKET
    retain: int = 400 * SECONDS["d"]
    realert: int | None = None
    severity: str = "medium"
    description: str = ""
    advice: str = ""
    false_positives: str = ""
    reference: str = ""
    to: tuple[Mailbox, ...] = ()
    source: str = SRC


SEVERITIES = ("info", "low", "medium", "high", "critical")

REFUSED = Condition("VERDICT", (Text(DROP), Text(UNKNOWN)), (), f"{DROP}, {UNKNOWN}")


def number_of(value: str) -> int | None:
    """Read a number as the kernel logs one: decimal, or hexadecimal behind 0x."""
    try:
        if value[:2] in ("0x", "0X"):
            return int(value[2:], 16)
        return int(value) if value.isascii() and value.isdigit() else None
    except ValueError:
        return None


def field_values(drop: Drop, field: str) -> tuple[str, ...]:
    """
    Give what *drop* has of *field*: none if it lacks it.

    FLAGS has many values, or "" where no flag is set.  MAC is the sender's
    address and the whole of the field, so that a value of either length
    finds what it means.
    """
    if field == "VERDICT":
        return (drop.verdict,)
    if field == "PREFIX":
        return (drop.prefix,)
    if field == "HOST":
        return () if drop.host is None else (drop.host,)
    return packet_values(drop.packet, field)


def packet_values(packet: Packet, field: str) -> tuple[str, ...]:
    """Give what *packet* itself has of *field*; see :func:`field_values`."""
    if field == "FLAGS":
        return packet.flags or ("",)
    value = packet.fields.get(field)
    values = () if value is None else (value,)
    if field == "MAC" and (sender := sender_mac(packet.fields)) is not None:
        return (*values, sender)
    return values


def is_mac(text: str) -> bool:
    """Tell whether *text* is written as a hardware address."""
    return _MAC.fullmatch(text) is not None


def counted_values(drop: Drop, names: Sequence[str]) -> tuple[str | None, ...]:
    """Give what *drop* has of each of *names*, fields or FLOWS, that a threshold counts."""
    return tuple(
        flow_words(*map(drop.packet.fields.get, ("PROTO", "DST", "SPT", "DPT")))
        if name == FLOWS
        else _counted_value(drop, name)
        for name in names
    )


def _counted_value(drop: Drop, field: str) -> str | None:
    values = field_values(drop, field)
    if field == "MAC":
        values = values[-1:]  # The sender's, where it can be told.
    return " ".join(values) if values else None


def flow_words(
    protocol: str | None, destination: str | None, source_port: str | None, port: str | None
) -> str:
    """Give what a flow is known by."""
    return f"{protocol} {destination} {source_port or ''} {port or ''}"


def sender_mac(fields: Mapping[str, str]) -> str | None:
    """
    Give the sender's hardware address, in lower case, from a packet's *fields*.

    The kernel logs the link header: destination, source, protocol.  Bytes 7
    to 12 of its 14 are the sender's; a longer one has packet bytes behind.
    """
    sender = fields.get("MACSRC")
    if not sender:
        octets = fields.get("MAC", "").split(":")
        sender = ":".join(octets[6:12]) if len(octets) >= 14 else None
    return sender.lower() if sender else None


def first_failure(drop: Drop, signal: Signal) -> Condition | None:
    """Give the first of *signal*'s conditions that *drop* does not meet."""
    return next((c for c in signal.conditions if not c.meets(drop)), None)


def matches(drop: Drop, signal: Signal) -> bool:
    """Tell whether *drop* meets all that *signal* asks, and has a source."""
    return bool(drop.packet.fields.get("SRC")) and first_failure(drop, signal) is None


def source_of(drop: Drop, signal: Signal) -> str:
    """Say which machine *drop* comes from, known by what *signal* knows machines by."""
    fields = drop.packet.fields
    return source_named(signal.source, fields["SRC"], sender_mac(fields), drop.host)


def source_named(identity: str, address: str, mac: str | None, host: str | None) -> str:
    """
    Name a machine by *identity*, one of ``IDENTITIES``.

    Args:
        identity: What it is known by.
        address: Its packet's SRC; stands also for what the packet does not tell.
        mac: Its hardware address, if the packet tells it.
        host: The machine that logged the packet, if the line tells it.
    """
    if identity == SENDER:
        return mac or address
    if identity == HOST_SRC:
        return f"{host} {address}" if host else address
    return _network_64(address) if identity == SRC_64 else address


def source_as_known(text: str) -> str:
    """Write a source that somebody names in *text* as it is on record."""
    host, space, address = text.strip().rpartition(" ")
    if space:
        return f"{host.strip()} {canonical_address(address) or address}"
    if is_mac(address):
        return address.lower()
    try:
        return canonical_address(address) or str(ip_network(address, strict=False))
    except ValueError:
        return address


@lru_cache(maxsize=65536)
def _network_64(address: str) -> str:
    """Give the /64 that *address* is in, if it is of IPv6; else the address."""
    if ":" not in address or canonical_address(address) is None:
        return address
    return str(ip_network((address, 64), strict=False))
