"""
What `botalert check` warns of: no faults, but probably not what was meant.

Pure: what the machine is like is passed in.
"""

from collections.abc import Collection, Iterator
from ipaddress import ip_address
from itertools import product

from botalert.config.building import Config
from botalert.config.conditions import INTERFACES, KNOWN_PROTOCOLS
from botalert.config.mailserver import SMTP
from botalert.config.options import suggestion
from botalert.match import Condition, Network, ProtocolRange, Signal, Test, Text

# IFNAMSIZ of linux/if.h, less the terminating NUL.
_LONGEST_INTERFACE = 15
_WITH_PORTS = frozenset({"TCP", "UDP", "UDPLITE", "SCTP", "DCCP"})
_NUMBERS_WITH_PORTS = (6, 17, 33, 132, 136)
_OF_TCP = frozenset({"CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"})


def config_warnings(config: Config, machine_interfaces: Collection[str]) -> Iterator[str]:
    """
    Tell what may not be meant in *config*.

    Args:
        config: The configuration.
        machine_interfaces: The network interfaces that this machine has.
    """
    if config.pattern is not None:
        yield "regex: is searched in every line, which is slower than the built-in grammar"
    if not config.signals:
        yield "[signals] log: names no signal, so nothing is looked for"
    if config.mailuser and config.mailserver.scheme == SMTP and not _is_loopback(config):
        yield (
            "mailuser: the password would go over the network in clear; "
            f"use mailserver: smtp+starttls://{config.mailserver.host}"
        )
    for signal in config.signals:
        where = f"{config.places[signal.name]} [{signal.name}]"
        for warning in signal_warnings(signal, machine_interfaces):
            yield f"{where} {warning}"


def _is_loopback(config: Config) -> bool:
    host = config.mailserver.host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def signal_warnings(signal: Signal, machine_interfaces: Collection[str]) -> Iterator[str]:
    """Tell why *signal* may never fire."""
    by_field = {condition.field: condition for condition in signal.conditions}
    for condition in signal.conditions:
        if condition.plain and all(test in condition.barred for test in condition.plain):
            yield f"{condition.field}: can never be met: each of its values is barred, too"
        if condition.field in INTERFACES:
            yield from _interface_warnings(condition, machine_interfaces)
    protocol = by_field.get("PROTO")
    if protocol is not None:
        yield from _protocol_warnings(protocol, by_field)
    if _are_both_empty(by_field, "IN", "OUT"):
        yield "IN and OUT: can never be met: every packet has one or the other"
    if _are_of_two_families(by_field.get("SRC"), by_field.get("DST")):
        yield "SRC and DST: can never be met: one asks for IPv4 and the other for IPv6"


def _interface_warnings(condition: Condition, machine: Collection[str]) -> Iterator[str]:
    for test in condition.plain:
        name = test.words()
        if isinstance(test, Text) and len(test.text) > _LONGEST_INTERFACE:
            yield (
                f"{condition.field}: {name!r} can never be met: "
                f"an interface's name has at most {_LONGEST_INTERFACE} characters"
            )
        elif name != '""' and not any(test.holds(each) for each in machine):
            hint = suggestion(name, machine)
            yield f"{condition.field}: this machine has no interface {name!r}{hint and f'. {hint}'}"


def _protocol_warnings(protocol: Condition, by_field: dict[str, Condition]) -> Iterator[str]:
    for test in protocol.plain:
        if isinstance(test, Text) and not _is_known_protocol(test):
            hint = suggestion(test.text, KNOWN_PROTOCOLS)
            yield f"PROTO: {test.text!r} is no protocol that the kernel logs. {hint}".rstrip()
    if not protocol.plain:
        return
    asks_ports = any(by_field[key].plain for key in ("SPT", "DPT") if key in by_field)
    if asks_ports and not any(_has_ports(test) for test in protocol.plain):
        yield f"PROTO: can never be met together with a port: {protocol.text} has none"
    flags = by_field.get("FLAGS")
    asks_tcp = flags is not None and any(test.words().upper() in _OF_TCP for test in flags.plain)
    if asks_tcp and not any(test.holds("TCP") for test in protocol.plain):
        yield f"FLAGS: can never be met: {protocol.text} is not TCP"


def _is_known_protocol(test: Text) -> bool:
    return any(test.holds(name) for name in KNOWN_PROTOCOLS)


def _has_ports(test: Test) -> bool:
    if isinstance(test, ProtocolRange):
        return any(test.low <= number <= test.high for number in _NUMBERS_WITH_PORTS)
    return any(test.holds(name) for name in _WITH_PORTS)


def _are_both_empty(by_field: dict[str, Condition], *fields: str) -> bool:
    return all(
        field in by_field
        and by_field[field].plain
        and all(t == _EMPTY for t in by_field[field].plain)
        for field in fields
    )


_EMPTY = Text("")


def _are_of_two_families(source: Condition | None, destination: Condition | None) -> bool:
    if source is None or destination is None or not (source.plain and destination.plain):
        return False
    pairs = product(source.plain, destination.plain)
    return all(
        isinstance(one, Network)
        and isinstance(other, Network)
        and one.network.version != other.network.version
        for one, other in pairs
    )
