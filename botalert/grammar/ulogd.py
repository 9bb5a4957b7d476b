"""
One line of ulogd2's JSON output into a drop.

output/ulogd_output_JSON.c writes every key of the packet under its CIM name
where it has one (src_ip), else under its own (ip.saddr.str).  The packet is
written here as output/ulogd_output_LOGEMU.c would have (util/printpkt.c),
which writes it as the kernel does, and read as any other: so there is one
meaning of a packet, and the evidence is a line that people know.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from botalert.grammar.journal import Entry, json_object, well_formed
from botalert.grammar.lines import drop_of_packet
from botalert.grammar.packets import PROTOCOLS, read_packet
from botalert.grammar.patterns import lazy_pattern
from botalert.grammar.verdicts import ACCEPT, DROP, UNKNOWN
from botalert.model import Drop, Outcome
from botalert.times import StampReader

_ISO = lazy_pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)

_PACKET_KEYS = ("src_ip", "ip.saddr.str", "dest_ip", "ip.daddr.str", "ip.protocol")
_SOURCE_PORTS = ("src_port", "tcp.sport", "udp.sport", "sctp.sport")
_DESTINATION_PORTS = ("dest_port", "tcp.dport", "udp.dport", "sctp.dport")

# RFC 791, section 3.1, and RFC 1349: the parts of an IPv4 header's octets.
_TOS_BITS, _PRECEDENCE_BITS = 0x1E, 0xE0
_FRAGMENT_FLAGS = {"CE": 0x8000, "DF": 0x4000, "MF": 0x2000}
_OFFSET_BITS = 0x1FFF
_IPV6_HEADER_BYTES = 40

# In the kernel's order.  The two bits of RFC 3168 come as glibc's tcphdr.res2.
_TCP_FLAGS = {
    "CWR": ("tcp.res2", 2),
    "ECE": ("tcp.res2", 1),
    "URG": ("tcp.urg", 1),
    "ACK": ("tcp.ack", 1),
    "PSH": ("tcp.psh", 1),
    "RST": ("tcp.rst", 1),
    "SYN": ("tcp.syn", 1),
    "FIN": ("tcp.fin", 1),
}

# With the plugin's option boolean_label; without it, a label of 0 says nothing.
_VERDICT_OF_ACTION = {"blocked": DROP, "allowed": ACCEPT}

# No field of a packet is larger.
_LARGEST = 1 << 32


class UlogdReader:
    """
    Reads what ulogd2's JSON plugin writes.

    "dvc" is a configured name, "Netfilter" by default, and no host's.

    Args:
        stamps: Reads the times, and knows the zone of those that carry none.
    """

    def __init__(self, stamps: StampReader) -> None:
        self._stamps = stamps

    def read(self, line: bytes) -> Drop | Outcome:
        """See :class:`~botalert.grammar.lines.LineReader`."""
        entry = json_object(line)
        if not any(key in entry for key in _PACKET_KEYS):
            return Outcome.NOT_A_PACKET
        text = " ".join(_tokens(entry))
        packet = read_packet(text)
        if packet is None:
            return Outcome.UNPARSED
        prefix = _prefix(entry)
        time = self._time(entry)
        head = [time.isoformat()] if time else []
        drop = drop_of_packet(
            packet,
            prefix,
            time=time,
            uptime=None,
            host=None,
            repeat=1,
            line=" ".join([*head, *([prefix] if prefix else []), text]),
        )
        action = entry.get("action")
        if drop.verdict == UNKNOWN and isinstance(action, str):
            return drop._replace(verdict=_VERDICT_OF_ACTION.get(action, UNKNOWN))
        return drop

    def _time(self, entry: Entry) -> datetime | None:
        for name in ("timestamp", "@timestamp"):  # The latter with the option eventv1.
            stamp = entry.get(name)
            if isinstance(stamp, str) and _ISO.fullmatch(stamp):
                return self._stamps.iso(stamp)
        seconds = _number(entry, "oob.time.sec")
        if seconds is None:
            return None
        fraction = _number(entry, "oob.time.usec") or 0
        return self._stamps.epoch(f"{seconds}.{fraction % 1_000_000:06}")


def _prefix(entry: Entry) -> str:
    prefix = entry.get("oob.prefix")
    return " ".join(well_formed(prefix).split("\n")).strip() if isinstance(prefix, str) else ""


def _tokens(entry: Entry) -> Iterator[str]:
    """Write the packet as LOGEMU does, token by token; a key that is missing is left out."""
    yield from _pair("IN", _first(entry, "oob.in"))
    yield from _pair("OUT", _first(entry, "oob.out"))
    yield from _pair("MAC", _mac(entry))
    yield from _pair("SRC", _first(entry, "src_ip", "ip.saddr.str"))
    yield from _pair("DST", _first(entry, "dest_ip", "ip.daddr.str"))
    yield from _ipv6(entry) if _is_ipv6(entry) else _ipv4(entry)
    protocol = _first(entry, *(("ip6.nexthdr",) if _is_ipv6(entry) else ()), "ip.protocol")
    yield from _pair("PROTO", PROTOCOLS.get(protocol, protocol) if protocol else None)
    # What ulogd reads as ports in a later fragment is any data.
    if not _offset(entry):
        yield from _transport(entry)
    yield from _pair("UID", _first(entry, "oob.uid"))
    yield from _pair("GID", _first(entry, "oob.gid"))
    yield from _pair("MARK", _formatted(entry, "oob.mark", "0x{:x}"))


def _is_ipv6(entry: Entry) -> bool:
    return "ip6.payloadlen" in entry or "ip6.nexthdr" in entry


def _ipv4(entry: Entry) -> Iterator[str]:
    yield from _pair("LEN", _first(entry, "ip.totlen"))
    tos = _number(entry, "ip.tos")
    if tos is not None:
        yield f"TOS={tos & _TOS_BITS:02X}"
        yield f"PREC=0x{tos & _PRECEDENCE_BITS:02X}"
    yield from _pair("TTL", _first(entry, "ip.ttl"))
    yield from _pair("ID", _first(entry, "ip.id"))
    fragment = _number(entry, "ip.fragoff") or 0
    for flag, bit in _FRAGMENT_FLAGS.items():
        if fragment & bit:
            yield flag
    if fragment & _OFFSET_BITS:
        yield f"FRAG:{fragment & _OFFSET_BITS}"


def _ipv6(entry: Entry) -> Iterator[str]:
    payload_bytes = _number(entry, "ip6.payloadlen")
    if payload_bytes is not None:
        yield f"LEN={payload_bytes + _IPV6_HEADER_BYTES}"
    yield from _pair("TC", _first(entry, "ip6.priority"))
    yield from _pair("HOPLIMIT", _first(entry, "ip6.hoplimit"))
    yield from _pair("FLOWLBL", _first(entry, "ip6.flowlabel"))
    fragment, identifier = _number(entry, "ip6.fragoff"), _number(entry, "ip6.fragid")
    if fragment is not None and identifier is not None:
        yield f"FRAG:{fragment}"
        yield f"ID:{identifier:08x}"


def _offset(entry: Entry) -> int:
    """Give where in its packet a fragment stands; 0 if it has the beginning."""
    if _is_ipv6(entry):
        return _number(entry, "ip6.fragoff") or 0
    return (_number(entry, "ip.fragoff") or 0) & _OFFSET_BITS


def _transport(entry: Entry) -> Iterator[str]:
    yield from _pair("SPT", _first(entry, *_SOURCE_PORTS))
    yield from _pair("DPT", _first(entry, *_DESTINATION_PORTS))
    if "tcp.seq" in entry:
        yield from _tcp(entry)
    elif "udp.len" in entry and ("ip.totlen" in entry or "ip6.payloadlen" in entry):
        yield from _pair("LEN", _first(entry, "udp.len"))  # The second LEN, as in the kernel's.
    yield from _pair("TYPE", _first(entry, "icmp.type", "icmpv6.type"))
    yield from _pair("CODE", _first(entry, "icmp.code", "icmpv6.code"))
    yield from _pair("ID", _first(entry, "icmp.echoid", "icmpv6.echoid"))
    yield from _pair("SEQ", _first(entry, "icmp.echoseq", "icmpv6.echoseq"))
    yield from _pair("MTU", _first(entry, "icmp.fragmtu"))
    yield from _pair("SPI", _formatted(entry, "ahesp.spi", "0x{:x}"))


def _tcp(entry: Entry) -> Iterator[str]:
    yield from _pair("SEQ", _first(entry, "tcp.seq"))
    yield from _pair("ACK", _first(entry, "tcp.ackseq"))
    yield from _pair("WINDOW", _first(entry, "tcp.window"))
    for flag, (key, bit) in _TCP_FLAGS.items():
        if (_number(entry, key) or 0) & bit:
            yield flag
    yield f"URGP={_first(entry, 'tcp.urgp') or 0}"


def _mac(entry: Entry) -> str | None:
    """Give the Ethernet header as the kernel's MAC= has it: receiver, sender, type."""
    whole = _first(entry, "mac.str")
    sender, receiver = _first(entry, "mac.saddr.str"), _first(entry, "mac.daddr.str")
    protocol = _formatted(entry, "oob.protocol", "{:04x}")
    if whole is not None or not (sender and receiver and protocol):
        return whole
    return f"{receiver}:{sender}:{protocol[:2]}:{protocol[2:]}"


def _pair(name: str, value: str | None) -> Iterator[str]:
    if value is not None:
        yield f"{name}={value}"


def _first(entry: Entry, *keys: str) -> str | None:
    """
    Give the value of the first of *keys* that is there, as one token.

    What can be none is damage, and becomes "?": a SRC, DST, LEN or port that
    is damaged makes the line unparsed, and no value forges a neighbour.
    """
    for key in keys:
        if key in entry:
            value = entry[key]
            if isinstance(value, str):
                token = well_formed(value)
                return "?" if re.search(r"[\s\[\]]", token) else token
            return str(value) if _number(entry, key) is not None else "?"
    return None


def _number(entry: Mapping[str, object], key: str) -> int | None:
    value = entry.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST:
        return value
    return None


def _formatted(entry: Entry, key: str, form: str) -> str | None:
    number = _number(entry, key)
    return None if number is None else form.format(number)
