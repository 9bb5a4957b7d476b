"""
What `botalert check` warns of: no faults, but probably not what was meant.

Pure: what the machine is like is passed in.
"""

from collections.abc import Collection, Iterator
from ipaddress import ip_address
from itertools import product

from botalert.config.building import Config
from botalert.config.conditions import ADDRESSES, INTERFACES, KNOWN_PROTOCOLS, NUMBERS, PORTS
from botalert.config.mailserver import SMTP
from botalert.config.options import suggestion
from botalert.grammar.packets import PROTOCOLS
from botalert.grammar.verdicts import UNKNOWN, VERDICTS, read_verdict
from botalert.match import (
    REFUSED,
    Condition,
    Network,
    Pattern,
    ProtocolRange,
    Range,
    Signal,
    Test,
    Text,
)

# IFNAMSIZ of linux/if.h, less the terminating NUL.
_LONGEST_INTERFACE = 15
_EMPTY = Text("")
# Names, and the number of one that has no name here.
_WITH_PORTS = ("TCP", "UDP", "UDPLITE", "SCTP", "DCCP", "33")
_ICMP = ("ICMP", "ICMPv6")
_PROTOCOLS_OF = {"SPT": _WITH_PORTS, "DPT": _WITH_PORTS, "TYPE": _ICMP, "CODE": _ICMP}
# What the kernel logs with a value or not at all.
_NEVER_EMPTY = frozenset({*ADDRESSES, *PORTS, *NUMBERS, "PROTO", "VERDICT"})
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
    # Not once in each signal that asks for @lan.
    lan = Condition("lan", config.lan, (), "@lan")
    yield from _interface_warnings(lan, machine_interfaces)
    for signal in config.signals:
        where = f"{config.places[signal.name]} [{signal.name}]"
        for warning in signal_warnings(
            signal, machine_interfaces, free_text=config.pattern is not None, lan=config.lan
        ):
            yield f"{where} {warning}"
    for signal in config.others:
        yield (
            f"{config.places[signal.name]} [{signal.name}] is not looked for: "
            "[signals] log: does not name it"
        )


def _is_loopback(config: Config) -> bool:
    host = config.mailserver.host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def signal_warnings(
    signal: Signal,
    machine_interfaces: Collection[str],
    *,
    free_text: bool = False,
    lan: Collection[Test] = (),
) -> Iterator[str]:
    """
    Tell why *signal* may never fire, or always.

    Args:
        signal: The signal.
        machine_interfaces: The network interfaces that this machine has.
        free_text: A pattern of the administrator's own finds the fields.
        lan: What ``@lan`` stands for, of which is told elsewhere.
    """
    asked = [condition for condition in signal.conditions if not condition.ignores]
    by_field = {condition.field: condition for condition in asked}
    ignored = {each.field: each.barred for each in signal.conditions if each.ignores}
    for condition in asked:
        if _is_barred(condition, ignored.get(condition.field, ())):
            yield f"{condition.field}: can never be met: each of its values is ignored"
        if _is_barred(condition, condition.barred):
            yield f"{condition.field}: can never be met: each of its values is barred, too"
        if condition.field in _NEVER_EMPTY and condition.plain == (_EMPTY,) and not free_text:
            yield f"{condition.field}: can never be met: no packet is logged with an empty one"
        if condition.field in INTERFACES:
            yield from _interface_warnings(condition, machine_interfaces, told=lan)
    if not by_field.keys() - {"VERDICT"}:
        what = "refused packet" if REFUSED in asked else "packet"
        yield f"is met by any {what}: it has no condition"
    protocol = by_field.get("PROTO")
    if protocol is not None:
        yield from _protocol_warnings(protocol, by_field)
    if "PREFIX" in by_field and "VERDICT" in by_field:
        yield from _prefix_warnings(by_field["PREFIX"], by_field["VERDICT"])
    if _are_both_empty(by_field, "IN", "OUT"):
        yield "IN and OUT: can never be met: every packet has one or the other"
    if _are_of_two_families(by_field.get("SRC"), by_field.get("DST")):
        yield "SRC and DST: can never be met: one asks for IPv4 and the other for IPv6"
    for measure in (measure for way in signal.threshold for measure in way):
        highest = _highest_number(by_field.get(measure.what))
        if highest is not None and measure.number > highest:
            yield (
                f"threshold: {measure.words()} can never be met: "
                f"{measure.what} asks for no more than {highest}"
            )


def _highest_number(condition: Condition | None) -> int | None:
    """Tell how many values a packet's field can have that meets *condition*; None for any."""
    # FLAGS and MAC have several values in one packet.
    if condition is None or condition.field not in (*ADDRESSES, *PORTS, *INTERFACES):
        return None
    numbers = [_values_of(test) for test in condition.plain]
    return None if not numbers or None in numbers else sum(filter(None, numbers))


def _values_of(test: Test) -> int | None:
    if isinstance(test, Network):
        return test.network.num_addresses
    if isinstance(test, Range):
        return test.high - test.low + 1
    return 1 if isinstance(test, Text) else None


def _is_barred(condition: Condition, values: Collection[Test]) -> bool:
    """Tell whether all that *condition* asks for is among the barred *values*."""
    asked = condition.plain
    if not asked and condition.field == "VERDICT":
        asked = tuple(map(Text, VERDICTS))  # There are no others.
    return bool(asked) and all(any(_covers(barred, plain) for barred in values) for plain in asked)


def _covers(barred: Test, plain: Test) -> bool:
    """Tell whether all that *plain* holds for, *barred* holds for, too."""
    if isinstance(plain, Network) and isinstance(barred, Network):
        # An address of one version is in no network of the other.
        return (
            plain.network.network_address in barred.network
            and plain.network.prefixlen >= barred.network.prefixlen
        )
    if isinstance(plain, Range) and isinstance(barred, Range):
        return barred.low <= plain.low and plain.high <= barred.high
    if isinstance(plain, ProtocolRange):
        numbers = map(str, range(plain.low, plain.high + 1))
        return all(barred.holds(PROTOCOLS.get(number, number)) for number in numbers)
    # A pattern's own "*" is in no value, so only a "*" of the other takes it.
    return isinstance(plain, (Text, Pattern)) and barred.holds(plain.text)


def _prefix_warnings(prefix: Condition, verdict: Condition) -> Iterator[str]:
    for test in prefix.plain:
        told = read_verdict(test.words())
        # Beside a "*" may stand anything, a word that tells it among it.
        if told == UNKNOWN and isinstance(test, Pattern):
            continue
        if not _allows(verdict, told):
            yield (
                f"PREFIX: {test.words()!r} tells the verdict {told}, which is not counted. "
                f"To count it, write VERDICT: {told}"
            )


def _allows(condition: Condition, value: str) -> bool:
    """Tell whether *condition* is met by *value*."""
    if any(test.holds(value) for test in condition.barred):
        return False
    return not condition.plain or any(test.holds(value) for test in condition.plain)


def _interface_warnings(
    condition: Condition, machine: Collection[str], *, told: Collection[Test] = ()
) -> Iterator[str]:
    for test in (test for test in condition.plain if test not in told):
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
    for field, protocols in _PROTOCOLS_OF.items():
        asked = field in by_field and by_field[field].plain
        if asked and not any(test.holds(each) for test in protocol.plain for each in protocols):
            yield f"PROTO: can never be met together with {field}: {protocol.text} has none"
    flags = by_field.get("FLAGS")
    asks_tcp = flags is not None and any(test.words().upper() in _OF_TCP for test in flags.plain)
    if asks_tcp and not any(test.holds("TCP") for test in protocol.plain):
        yield f"FLAGS: can never be met: {protocol.text} is not TCP"


def _is_known_protocol(test: Text) -> bool:
    return any(test.holds(name) for name in KNOWN_PROTOCOLS)


def _are_both_empty(by_field: dict[str, Condition], *fields: str) -> bool:
    return all(
        field in by_field
        and by_field[field].plain
        and all(t == _EMPTY for t in by_field[field].plain)
        for field in fields
    )


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
