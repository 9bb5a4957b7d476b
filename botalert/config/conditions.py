"""
The values of a signal's conditions: text into tests that need no checking.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network

from botalert.config.options import suggestion
from botalert.grammar.packets import FLAGS, PROTOCOLS, canonical_address
from botalert.grammar.patterns import lazy_pattern
from botalert.grammar.verdicts import VERDICTS
from botalert.match import (
    HOST_SRC,
    SENDER,
    SRC_64,
    Condition,
    Network,
    Pattern,
    ProtocolRange,
    Range,
    Test,
    Text,
    is_mac,
    number_of,
    source_named,
)

INTERFACES = ("IN", "OUT", "PHYSIN", "PHYSOUT")
PATTERNS = ("PREFIX", "HOST")
ADDRESSES = ("SRC", "DST")
PORTS = ("SPT", "DPT")
NUMBERS = tuple(
    "LEN TOS PREC TC HOPLIMIT FLOWLBL TTL ID FRAG SEQ ACK WINDOW RES URGP TYPE CODE MTU "
    "PARAMETER POINTER SPI UID GID MARK VID INCOMPLETE".split()
)
HARDWARE = ("MAC", "MACSRC", "MACDST")
# What has values of its own, none of which an @name can stand for.
_NAMELESS = frozenset({*PORTS, *NUMBERS, "PROTO", "FLAGS", "VERDICT"})
_IGNORE = "ignore"
HIGHEST_PORT = 65535
HIGHEST_PROTOCOL = 255

_RANGE = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)(?:\s*-\s*(0[xX][0-9a-fA-F]+|[0-9]+))?")
_MAC = lazy_pattern(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})*")
_ADDRESS_BYTES = 6
_HEADER_BYTES = 14


Names = Callable[[str], Sequence[Test]]
"""Gives what an @name stands for; raises ValueError where it is not defined."""


def _no_names(name: str) -> Sequence[Test]:
    raise ValueError(f"'@{name}' is not defined. Write the value that is meant")


def read_condition(
    field: str, text: str, *, free_text: bool = False, names: Names = _no_names
) -> Condition | None:
    """
    Read the condition *field*: *text*.

    Args:
        field: The condition's key.
        text: Its value: a list, with commas between.
        free_text: Take what the field's kind doesn't allow as plain text: a
            pattern of the administrator's own may find anything.
        names: What each @name stands for.

    Returns:
        None where *text* is empty and so asks nothing.

    Raises:
        ValueError: A value is none; says which, why, and what to write.
    """
    plain: list[Test] = []
    barred: list[Test] = []
    for item in split_list(text):
        value = item[1:].strip() if item.startswith("!") else item
        if not value:
            raise ValueError("'!' bars nothing. Write the value behind it: !192.168.1.5")
        tests = barred if item.startswith("!") else plain
        if value.startswith("@"):
            tests.extend(_named(field, value[1:], names))
        else:
            tests.append(_read_value(field, value, free_text))
    if not plain and not barred:
        return None
    return Condition(field, tuple(plain), tuple(barred), " ".join(text.split()))


def read_ignored(text: str, *, names: Names = _no_names) -> tuple[Condition, ...]:
    """
    Read ``ignore:``, a list of machines, as the conditions that bar them.

    Args:
        text: Addresses, networks, hardware addresses and names of such.
        names: What each @name stands for.

    Raises:
        ValueError: A value is none; says why, and what to write.
    """
    tests: list[Test] = []
    for item in split_list(text):
        if item.startswith("@"):
            tests.extend(_named(_IGNORE, item[1:], names))
        else:
            tests.append(_address_or_mac(item))
    written = f"none of {_IGNORE}: {' '.join(text.split())}"
    barred = {
        field: tuple(test for test in tests if _fits(field, test)) for field in ("SRC", "MAC")
    }
    return tuple(
        Condition(field, (), values, written, ignores=True)
        for field, values in barred.items()
        if values
    )


def read_addresses(text: str) -> tuple[Test, ...]:
    """
    Read addresses, networks and hardware addresses, with commas between.

    Raises:
        ValueError: One is none; says why, and what to write.
    """
    return tuple(_address_or_mac(item) for item in split_list(text))


def read_networks(text: str) -> tuple[Test, ...]:
    """
    Read addresses and networks, with commas between.

    Raises:
        ValueError: One is none; says why, and what to write.
    """
    return tuple(_network("SRC", item) for item in split_list(text))


def read_interfaces(text: str) -> tuple[Test, ...]:
    """
    Read names of interfaces, with commas between.

    Raises:
        ValueError: One is none; says what to write.
    """
    return tuple(_strict_interface(item) for item in split_list(text))


def split_list(text: str) -> tuple[str, ...]:
    """Split a list at its commas; a trailing one is fine."""
    return tuple(item for item in (part.strip() for part in text.split(",")) if item)


def _named(field: str, name: str, names: Names) -> list[Test]:
    """Give those of what ``@name`` stands for that *field* can be compared with."""
    if not name:
        raise ValueError(f"'@' has no name behind it. {_name_remedy(field)}")
    tests = names(name)
    fitting = [test for test in tests if _fits(field, test)]
    if tests and not fitting:
        words = ", ".join(test.words() for test in tests)
        raise ValueError(f"'@{name}' stands for {words}. {_name_remedy(field)}")
    return fitting


def _fits(field: str, test: Test) -> bool:
    # Of what names stand for, interfaces alone compare exactly.
    is_interface = isinstance(test, (Text, Pattern)) and test.exact_case
    if field in INTERFACES:
        return is_interface
    if field in ADDRESSES:
        return isinstance(test, Network)
    if field in HARDWARE:
        return isinstance(test, Text) and not is_interface
    return field not in _NAMELESS and not is_interface


def _name_remedy(field: str) -> str:
    if field in INTERFACES:
        return f"Write interfaces: {field}: @lan"
    if field in ADDRESSES:
        return f"Write addresses or networks: {field}: @lan_networks"
    if field == _IGNORE:
        return f"Write addresses, networks or hardware addresses: {field}: 192.168.1.5"
    if field in HARDWARE:
        return f"Write a hardware address: {field}: 00:16:3e:12:34:56"
    return f"Write what {field} is in the log"


def source_conditions(text: str, identity: str, *, free_text: bool = False) -> list[Condition]:
    """
    Read what a packet must have to come from the source *text*.

    It is told by its form: a MAC, a host and an address, or else an address
    or a network, which may be any that contains the packet's SRC.  Of a signal
    that knows machines by their networks an address stands for its own.

    Args:
        text: The source, as somebody writes it.
        identity: What the signal knows machines by; a pattern of the
            administrator's own may find a SRC of any form.
        free_text: See :func:`read_condition`.

    Raises:
        ValueError: It names nobody, or see :func:`read_condition`.
    """
    if not split_list(text):
        raise ValueError("names nobody. Write an address: 192.168.1.5")
    host, space, address = text.strip().rpartition(" ")
    asked = {"SRC": text}
    if identity == SRC_64 and (known := canonical_address(address)):
        asked = {"SRC": source_named(identity, known, None, None)}
    if is_mac(text.strip()) and (identity == SENDER or not free_text):
        asked = {"MAC": text}
    elif space and "," not in text and (identity == HOST_SRC or not free_text):
        asked = {"HOST": host.strip(), "SRC": address}
    read = (read_condition(field, value, free_text=free_text) for field, value in asked.items())
    return [condition for condition in read if condition is not None]


def _read_value(field: str, value: str, free_text: bool) -> Test:
    if value == '""':
        return Text("")
    try:
        return _READERS.get(field, _text)(field, value)
    except ValueError:
        if free_text and not _RANGE.fullmatch(value) and "/" not in value:
            return Text(value)
        raise


def _text(field: str, value: str) -> Test:
    return Text(value)


def _interface(field: str, value: str) -> Test:
    # In netfilter, and so in people's fingers, a trailing + is any ending.
    text = value[:-1] + "*" if value.endswith("+") else value
    return Pattern(text, exact_case=True) if "*" in text else Text(text, exact_case=True)


def _pattern(field: str, value: str) -> Test:
    return Pattern(value) if "*" in value else Text(value)


def _network(field: str, value: str) -> Test:
    # Python takes a scope, which the log has apart: as IN.
    try:
        if "%" not in value:
            return Network(ip_network(value))
    except ValueError:
        pass
    try:
        unscoped = re.sub("%[^/]*", "", value)
        remedy = f"Write the network: {ip_network(unscoped, strict=False)}"
    except ValueError:
        remedy = "Write one as 192.168.1.10, 192.168.0.0/16 or 2001:db8::/32"
    raise ValueError(f"{value!r} is not an address or network. {remedy}")


def _address_or_mac(value: str) -> Test:
    try:
        return _mac("MAC", value)
    except ValueError:
        pass
    try:
        return _network("SRC", value)
    except ValueError:
        if "/" in value:
            raise
        raise ValueError(
            f"{value!r} is not an address, a network or a hardware address. "
            "Write one as 192.168.1.5, 2001:db8::5 or 00:16:3e:12:34:56"
        ) from None


def _strict_interface(value: str) -> Test:
    # As the kernel's dev_valid_name() has it; "!" and "@" would be meant otherwise.
    if re.search(r"[\s/:]|^[!@\"]", value):
        raise ValueError(f"{value!r} is not an interface's name. Write lan: eth1")
    return _interface("IN", value)


def _bounds(value: str, highest: int | None) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(value)
    if found is None:
        return None
    low = number_of(found[1])
    high = number_of(found[2]) if found[2] else low
    if low is None or high is None:  # Of more digits than Python reads.
        return None
    if low > high or (highest is not None and high > highest):
        return None
    return low, high


def _port(field: str, value: str) -> Test:
    bounds = _bounds(value, HIGHEST_PORT)
    if bounds is None:
        raise ValueError(
            f"{value!r} is not a port from 0 to {HIGHEST_PORT} or a range of them. "
            f"{_port_remedy(field, value)}"
        )
    return Range(*bounds)


def _port_remedy(field: str, value: str) -> str:
    import socket

    try:
        return f"Write the number: {field}: {socket.getservbyname(value.lower())}"
    except OSError:
        return f"Write the number: {field}: 25, or {field}: 6660-6669"


def _number(field: str, value: str) -> Test:
    bounds = _bounds(value, None)
    if bounds is None:
        if re.fullmatch(r"[0-9a-fA-F]+", value):
            return Text(value)  # Some senders log TOS, MARK or an IPv6 ID without 0x.
        raise ValueError(
            f"{value!r} is not a number or a range. Write {field}: 64, {field}: 1-64 or 0x1f"
        )
    return Range(*bounds)


def _protocol(field: str, value: str) -> Test:
    bounds = _bounds(value, HIGHEST_PROTOCOL)
    if bounds is not None:
        return ProtocolRange(*bounds)
    if _RANGE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a protocol from 0 to {HIGHEST_PROTOCOL}. Write PROTO: TCP or 6"
        )
    return Text(value)


def _one_of(field: str, value: str, known: tuple[str, ...], example: str) -> Test:
    if value.casefold() in (name.casefold() for name in known):
        return Text(value)
    hint = suggestion(value, known) or f"Write {field}: {example}"
    raise ValueError(f"{value!r} is none of {', '.join(known)}. {hint}")


def _flag(field: str, value: str) -> Test:
    return _one_of(field, value, tuple(sorted(FLAGS)), "SYN, !ACK")


def _verdict(field: str, value: str) -> Test:
    return _one_of(field, value, VERDICTS, "drop, unknown")


def _mac(field: str, value: str) -> Test:
    # Where the log has sender and receiver apart, neither is a whole header.
    has_header = field == "MAC"
    octets = len(value.split(":")) if _MAC.fullmatch(value) else 0
    if octets == _ADDRESS_BYTES or (has_header and octets == _HEADER_BYTES):
        return Text(value)
    header = f" nor a header of {_HEADER_BYTES}" if has_header else ""
    raise ValueError(
        f"{value!r} is not a hardware address of {_ADDRESS_BYTES} bytes{header}. "
        f"Write {field}: 00:16:3e:12:34:56"
    )


_READERS: dict[str, Callable[[str, str], Test]] = {
    **dict.fromkeys(INTERFACES, _interface),
    **dict.fromkeys(PATTERNS, _pattern),
    **dict.fromkeys(ADDRESSES, _network),
    **dict.fromkeys(PORTS, _port),
    **dict.fromkeys(NUMBERS, _number),
    **dict.fromkeys(HARDWARE, _mac),
    "PROTO": _protocol,
    "FLAGS": _flag,
    "VERDICT": _verdict,
}

KNOWN_PROTOCOLS = tuple(PROTOCOLS.values())
