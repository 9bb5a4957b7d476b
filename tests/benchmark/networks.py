"""
What real networks have: many machines, many firewalls, other forms, clocks that disagree.

Each is a stream of packets, one at a time, as what matters here is not one
sort of line over and over.  A line costs some 3 µs to make.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .lines import INTERNET, LAN, PORTS, TAIL

_DAY = 86400
_WEEKS = 28 * _DAY
_SAID = (
    "sshd[2211]: Failed password for invalid user admin from 192.0.2.7 port 50022 ssh2",
    "dnsmasq[812]: query[A] host17.example.org from 192.168.1.9",
    "CRON[991]: (root) CMD (  test -x /usr/sbin/probe && probe)",
)


class Packet(NamedTuple):
    """
    What differs from packet to packet.

    Attributes:
        second: When it was logged, in seconds after the log's beginning.
        source: The machine's number.
        destination: An address, as a number.
        port: DPT.
        host: The number of the firewall that logged it.
        mac: The sender's hardware address, as a number; the machine's number if None.
        is_inside: Whether it came from the LAN.
        said: What another program said instead.
    """

    second: float
    source: int
    destination: int
    port: str
    host: int = 1
    mac: int | None = None
    is_inside: bool = True
    said: str = ""


Packets = Callable[[random.Random, int], Iterator[Packet]]
"""Gives so many packets."""


@dataclass(frozen=True)
class Network:
    """
    A network and its log.

    Args:
        packets: What is refused there.
        prefix: How the firewall begins a packet.
        source: What machines are known by there, as ``source:`` has it.
    """

    packets: Packets
    prefix: str = "Shorewall:loc2net:DROP:"
    source: str = "SRC"


def write_packet(packet: Packet, prefix: str, stamp: str, number: int) -> str:
    """Write the line of *packet*, the one of that number, logged at *stamp*."""
    if packet.said:
        return f"{stamp} fw{packet.host} {packet.said}\n"
    mac = packet.source if packet.mac is None else packet.mac
    way = f"IN={LAN} OUT={INTERNET}" if packet.is_inside else f"IN={INTERNET} OUT="
    return (
        f"{stamp} fw{packet.host} kernel: [{packet.second:12.6f}] {prefix}{way} "
        f"MAC=ba:51:fc:4a:ba:d1:02:00:{_octets(mac, ':', '02x')}:08:00 "
        f"SRC={address_of(packet)} DST={_octets(packet.destination)} LEN=60 TOS=0x00 PREC=0x00 "
        f"TTL=63 ID={number & 65535} DF PROTO=TCP SPT={1024 + number % 60000} "
        f"DPT={packet.port}{TAIL}"
    )


def address_of(packet: Packet) -> str:
    """Return the address of the machine that sends *packet*."""
    return _octets((10 << 24 if packet.is_inside else 192 << 24 | 2 << 8) + packet.source)


def _octets(number: int, separator: str = ".", form: str = "d") -> str:
    return separator.join(format(octet, form) for octet in number.to_bytes(4, "big"))


def _anywhere(chance: random.Random) -> int:
    return chance.getrandbits(24) << 8 | 1 << 24 | chance.randrange(1, 255)


def _near(chance: random.Random) -> int:
    return (198 << 24) + (51 << 16) + (100 << 8) + chance.randrange(1, 255)


def _somewhere(chance: random.Random) -> int:
    return _anywhere(chance) if chance.random() < 0.5 else _near(chance)


def _three_ports(chance: random.Random, lines: int) -> Iterator[Packet]:
    """Four thousand machines, each after three ports: twelve thousand pairs."""
    for number in range(lines):
        source = chance.randrange(4092)
        port = PORTS[(source + chance.choice((0, 7, 19))) % len(PORTS)]
        yield Packet(number / 100, source, _somewhere(chance), port)


def _log_host(chance: random.Random, lines: int) -> Iterator[Packet]:
    """A thousand firewalls, whose LANs have the same ten addresses."""
    for number in range(lines):
        source = chance.randrange(10)
        port = PORTS[(source + chance.choice((0, 7, 19))) % len(PORTS)]
        host = chance.randrange(1000)
        yield Packet(number / 100, source, _somewhere(chance), port, host)


def _newcomers(chance: random.Random, lines: int) -> Iterator[Packet]:
    """Every other packet is the first of a machine; few return."""
    for number in range(lines):
        source = number * 2 // 3 if number % 3 else chance.randrange(number * 2 // 3 + 1)
        destination = (source * 7 + chance.randrange(4)) * 2654435761 % (1 << 31) | 1 << 24
        yield Packet(number / 100, source, destination, PORTS[source % 12])


def _wide(chance: random.Random, lines: int) -> Iterator[Packet]:
    """One machine, and ever new destinations."""
    for number in range(lines):
        yield Packet(number / 100, 9, _anywhere(chance), PORTS[number % 12])


def _spoofed(chance: random.Random, lines: int) -> Iterator[Packet]:
    """Fifty machines, with another hardware address in each packet."""
    for number in range(lines):
        source = chance.randrange(50)
        mac = chance.getrandbits(32)
        yield Packet(number / 100, source, _near(chance), PORTS[source % 12], mac=mac)


def _office(chance: random.Random, lines: int) -> Iterator[Packet]:
    """A fifth is of other programs, a tenth from the LAN; all from outside has one MAC."""
    for number in range(lines):
        kind = chance.random()
        source = chance.randrange(60)
        port = chance.choice(PORTS)
        if kind < 0.2:
            yield Packet(number / 100, 0, 0, "", said=chance.choice(_SAID))
        elif kind < 0.3:
            wanted = port if kind < 0.25 else "9100"
            yield Packet(number / 100, source, _somewhere(chance), wanted)
        else:
            outside = chance.getrandbits(8)
            yield Packet(number / 100, outside, _near(chance), port, mac=1, is_inside=False)


def _dense(chance: random.Random, lines: int) -> Iterator[Packet]:
    """A house on fire: 254 machines, each after three ports."""
    for number in range(lines):
        source = chance.randrange(254)
        port = PORTS[(source + chance.choice((0, 7, 19))) % len(PORTS)]
        yield Packet(number / 100, source, _somewhere(chance), port)


def _disagreeing(chance: random.Random, lines: int) -> Iterator[Packet]:
    """The same, by two firewalls whose clocks differ by ten seconds, and lines that step back."""
    for packet in _dense(chance, lines):
        late = chance.randrange(3) if chance.random() < 0.1 else 0
        host = chance.randrange(2)
        yield packet._replace(second=packet.second + 20 + 10 * host - late, host=host)


def _slow(chance: random.Random, lines: int) -> Iterator[Packet]:
    """Four weeks in which each machine tries another destination at times: below thresholds."""
    for number in range(lines):
        source = number * 7919 % 2000
        yield Packet(number * _WEEKS / lines, source, _anywhere(chance), PORTS[source % 12])


NETWORKS = {
    "three ports": Network(_three_ports),
    "log host": Network(_log_host, source="HOST SRC"),
    "newcomers": Network(_newcomers),
    "wide": Network(_wide),
    "spoofed MACs": Network(_spoofed),
    "office": Network(_office),
    "UFW": Network(_dense, prefix="[UFW BLOCK] "),
    "out of order": Network(_disagreeing),
    "slow scans": Network(_slow),
}
"""By name."""


def machines(number: int) -> Network:
    """Return a network of so many machines, of each of which one line and a half are logged."""

    def packets(chance: random.Random, lines: int) -> Iterator[Packet]:
        for line in range(lines):
            source = chance.randrange(number)
            destination = (source * 7 + chance.randrange(4)) * 2654435761 % (1 << 31) | 1 << 24
            yield Packet(line * (_DAY - 1) / lines, source, destination, PORTS[source % 12])

    return Network(packets)
