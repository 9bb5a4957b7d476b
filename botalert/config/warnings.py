"""
What `botalert check` warns of: no faults, but probably not what was meant.

Pure: what the machine is like is passed in.
"""

from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address, ip_network
from math import prod
from typing import NamedTuple

from botalert.config.building import Config
from botalert.config.conditions import (
    ADDRESSES,
    HIGHEST_PORT,
    INTERFACES,
    KNOWN_PROTOCOLS,
    NUMBERS,
    PORTS,
)
from botalert.config.coverage import is_covered, number_left, versions_left
from botalert.config.mailserver import SMTP
from botalert.config.options import suggestion
from botalert.grammar.verdicts import UNKNOWN, VERDICTS, read_verdict
from botalert.match import (
    HOST_SRC,
    REFUSED,
    SENDER,
    SRC,
    SRC_64,
    Condition,
    Network,
    Pattern,
    Range,
    Signal,
    Test,
    Text,
)
from botalert.threshold import DAYS, FLOWS, PACKETS, Measure, Threshold

# IFNAMSIZ of linux/if.h, less the terminating NUL.
_LONGEST_INTERFACE = 15
_EMPTY = Text("")
# Names, and the number of one that has no name here.
_WITH_PORTS = ("TCP", "UDP", "UDPLITE", "SCTP", "DCCP", "33")
_ICMP = ("ICMP", "ICMPv6")
# As nf_log_syslog.c has it. SPI may stand with any: IPv6 has AH before the protocol.
_PROTOCOLS_OF = {
    **dict.fromkeys(PORTS, _WITH_PORTS),
    **dict.fromkeys(("TYPE", "CODE", "MTU", "GATEWAY", "PARAMETER", "POINTER"), _ICMP),
    **dict.fromkeys(("ACK", "WINDOW", "RES", "URGP"), ("TCP",)),
    "SEQ": ("TCP", *_ICMP),
}
# What the kernel logs with a value or not at all.
_NEVER_EMPTY = frozenset({*ADDRESSES, *PORTS, *NUMBERS, "PROTO", "VERDICT"})
_OF_TCP = frozenset({"CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"})
_ANY_ADDRESS: tuple[Test, ...] = (Network(ip_network("0.0.0.0/0")), Network(ip_network("::/0")))
# All values there are of what every packet has, but where a pattern of one's own finds it.
_WHOLE: dict[str, tuple[Test, ...]] = {
    **dict.fromkeys(ADDRESSES, _ANY_ADDRESS),
    "PREFIX": (Pattern("*"),),
    "VERDICT": tuple(map(Text, VERDICTS)),
}
# A packet without a port is none that counts.
_COUNTABLE = {**_WHOLE, **dict.fromkeys(PORTS, (Range(0, HIGHEST_PORT),))}
# Some senders leave out an empty IN or OUT, which is not what anybody asks for.
_ANY_INTERFACE = (Pattern("*", exact_case=True),)
_WIDEST = {
    **dict.fromkeys(ADDRESSES, _ANY_ADDRESS),
    **dict.fromkeys(("IN", "OUT", "lan"), _ANY_INTERFACE),
    "PREFIX": _WHOLE["PREFIX"],
}
_ANY_REMEDY = {
    "IN": 'Write IN: !"" for whatever the firewall did not send itself',
    "OUT": 'Write OUT: !"" for whatever was not meant for the firewall itself',
}
_ONE_BY_ITSELF = {
    SRC: ("SRC",),
    SRC_64: (),
    SENDER: ("MAC", "MACSRC"),
    HOST_SRC: ("SRC", "HOST"),
}
"""What a machine has one of, by what it is known by."""
_OF_A_FLOW = ("PROTO", "DST", "SPT", "DPT")


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
    if _excludes_nothing(lan) and config.pattern is None:
        words = ", ".join(test.words() for test in config.lan)
        yield (
            f"lan: excludes nothing: any packet meets {words!r}, and so IN: @lan. "
            "Write the LAN's own interfaces: lan: eth1"
        )
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
    asked = _Asked.of(signal, free_text=free_text)
    by_field = asked.by_field
    yield from _emptiness_warnings(asked)
    for condition in by_field.values():
        if condition.field in _NEVER_EMPTY and condition.plain == (_EMPTY,) and not free_text:
            yield f"{condition.field}: can never be met: no packet is logged with an empty one"
        if condition.field in INTERFACES:
            yield from _interface_warnings(condition, machine_interfaces, told=lan)
        if _excludes_nothing(condition, told=lan) and not free_text:
            yield (
                f"{condition.field}: excludes nothing: any packet meets {condition.text!r}. "
                f"{_ANY_REMEDY.get(condition.field, 'Leave it empty')}"
            )
    yield from _anything_warnings(signal, asked)
    yield from _protocol_warnings(asked)
    if "PREFIX" in by_field and "VERDICT" in by_field:
        yield from _prefix_warnings(by_field["PREFIX"], by_field["VERDICT"])
    if _are_both_empty(by_field, "IN", "OUT"):
        yield "IN and OUT: can never be met: every packet has one or the other"
    if _are_of_two_families(asked):
        yield "SRC and DST: can never be met: one asks for IPv4 and the other for IPv6"
    for measure in signal.threshold:
        reason = _never_met(measure, signal.source, asked)
        if reason:
            yield f"threshold: {measure.words()} can never be met: {reason}"


class _Asked(NamedTuple):
    """
    What a signal asks, field by field.

    Attributes:
        by_field: Its conditions.
        ignored: What ``ignore:`` bars.
        free_text: A pattern of the administrator's own finds the fields.
    """

    by_field: Mapping[str, Condition]
    ignored: Mapping[str, tuple[Test, ...]]
    free_text: bool

    @classmethod
    def of(cls, signal: Signal, *, free_text: bool) -> "_Asked":
        """Take apart the conditions of *signal*."""
        return cls(
            {each.field: each for each in signal.conditions if not each.ignores},
            {each.field: each.barred for each in signal.conditions if each.ignores},
            free_text,
        )

    def plain(self, field: str, whole: Mapping[str, tuple[Test, ...]]) -> tuple[Test, ...]:
        """Give what *field* may be; where no value is asked for, what *whole* has of it."""
        condition = self.by_field.get(field)
        if condition is not None and condition.plain:
            return condition.plain
        return () if self.free_text else whole.get(field, ())

    def barred(self, field: str) -> tuple[Test, ...]:
        """Give what *field* must not be, be it by a condition or by ``ignore:``."""
        condition = self.by_field.get(field)
        return (*(condition.barred if condition else ()), *self.ignored.get(field, ()))

    def lacks(self, field: str) -> bool:
        """Tell whether no packet of the protocols that are asked for has *field*."""
        protocol = self.by_field.get("PROTO")
        if protocol is None or not protocol.plain or self.free_text:
            return False
        having = _PROTOCOLS_OF.get(field, ())
        return bool(having) and not any(protocol.holds((each,)) for each in having)

    def number(self, field: str) -> int | None:
        """Tell how many values a packet's *field* can have; None for any."""
        plain = self.plain(field, _COUNTABLE)
        # What a pattern of one's own finds may be one value in many ways of writing.
        is_odd = self.free_text and field not in (*ADDRESSES, *PORTS, *INTERFACES)
        return None if is_odd or not plain else number_left(field, plain, self.barred(field))

    def number_of_flows(self, per: str | None) -> int | None:
        """Tell how many flows there can be that have one value of *per*; None for any."""
        numbers = [1 if field == per else self._number_in_flows(field) for field in _OF_A_FLOW]
        return None if self.free_text else _product(numbers)

    def _number_in_flows(self, field: str) -> int | None:
        if self.lacks(field):
            return 1
        number = self.number(field)
        condition = self.by_field.get(field)
        is_sure = condition is not None and condition.plain
        # Without a port, a packet is a flow, too.
        return number if number is None or is_sure else number + 1


def _product(numbers: Collection[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return prod(known) if len(known) == len(numbers) else None


def _emptiness_warnings(asked: _Asked) -> Iterator[str]:
    """Tell which conditions leave nothing of what they ask for."""
    for field in dict.fromkeys((*asked.by_field, *asked.ignored)):
        plain, ignored = asked.plain(field, _WHOLE), asked.ignored.get(field, ())
        barred = asked.by_field[field].barred if field in asked.by_field else ()
        reasons = [
            reason
            for reason, values in (("ignored", ignored), ("barred, too", barred))
            if is_covered(field, plain, values)
        ]
        if not reasons and is_covered(field, plain, (*ignored, *barred)):
            reasons = ["barred or ignored"]
        for reason in reasons:
            yield f"{field}: can never be met: each of its values is {reason}"


def _excludes_nothing(condition: Condition, *, told: Collection[Test] = ()) -> bool:
    """Tell whether any packet meets *condition*, even without what is *told* elsewhere."""
    plain = [test for test in condition.plain if test not in told]
    widest = _WIDEST.get(condition.field, ())
    return not condition.barred and is_covered(condition.field, widest, plain)


def _anything_warnings(signal: Signal, asked: _Asked) -> Iterator[str]:
    """Tell whether one packet meets *signal*, whatever it is."""
    conditions = [each for field, each in asked.by_field.items() if field != "VERDICT"]
    # A pattern of one's own may find none of what every packet has.
    is_any = not conditions if asked.free_text else all(map(_excludes_nothing, conditions))
    if is_any and _is_met_by_one(signal.threshold):
        what = "refused packet" if REFUSED in signal.conditions else "packet"
        why = "its conditions exclude nothing" if conditions else "it has no condition"
        yield f"is met by any {what}: {why}"


def _is_met_by_one(threshold: Threshold) -> bool:
    """Tell whether one packet is enough, of whatever kind."""
    return any(
        measure.number == 1
        and measure.what in (PACKETS, FLOWS, DAYS, *ADDRESSES)
        and measure.per in (None, *ADDRESSES)
        for measure in threshold
    )


def _never_met(measure: Measure, source: str, asked: _Asked) -> str:
    """Say why there are never as many as *measure* counts; "" if there may be."""
    what, number = measure.what, measure.number
    if number > 1 and what in _ONE_BY_ITSELF[source] and not (asked.free_text and what != SRC):
        other = SENDER if what == SRC and source != SENDER else SRC
        return f"with source: {source}, a machine has one {what}. Write source: {other}"
    for field in (what, measure.per):
        if field is not None and asked.lacks(field):
            return f"{asked.by_field['PROTO'].text} has no {field}"
    if what == FLOWS:
        most, who = asked.number_of_flows(measure.per), "the conditions leave"
    elif what in asked.by_field:
        most, who = asked.number(what), f"{what} asks for"
    else:
        most, who = asked.number(what), "there are"
    if most is None or number <= most:
        return ""
    return f"{who} {f'no more than {most}' if most else 'none'}"


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


def _protocol_warnings(asked: _Asked) -> Iterator[str]:
    protocol = asked.by_field.get("PROTO")
    if protocol is None or not protocol.plain:
        return
    for test in protocol.plain:
        if isinstance(test, Text) and not _is_known_protocol(test):
            hint = suggestion(test.text, KNOWN_PROTOCOLS)
            yield f"PROTO: {test.text!r} is no protocol that the kernel logs. {hint}".rstrip()
    for field in _PROTOCOLS_OF:
        if asked.plain(field, {}) and asked.lacks(field):
            yield f"PROTO: can never be met together with {field}: {protocol.text} has none"
    flags = asked.by_field.get("FLAGS")
    asks_tcp = flags is not None and any(test.words().upper() in _OF_TCP for test in flags.plain)
    if asks_tcp and not any(test.holds("TCP") for test in protocol.plain):
        yield f"FLAGS: can never be met: {protocol.text} is not TCP"


def _is_known_protocol(test: Text) -> bool:
    return any(test.holds(name) for name in KNOWN_PROTOCOLS)


def _are_both_empty(by_field: Mapping[str, Condition], *fields: str) -> bool:
    return all(
        field in by_field
        and by_field[field].plain
        and all(t == _EMPTY for t in by_field[field].plain)
        for field in fields
    )


def _are_of_two_families(asked: _Asked) -> bool:
    source, destination = (_versions(asked, field) for field in ADDRESSES)
    # Where one has nothing left, that is what is told.
    return bool(source and destination) and source.isdisjoint(destination)


def _versions(asked: _Asked, field: str) -> set[int]:
    """Tell of which IP versions the addresses in *field* may be."""
    plain = asked.plain(field, _WHOLE)
    if not plain or not all(isinstance(test, Network) for test in plain):
        return {4, 6}
    return versions_left(field, plain, asked.barred(field))
