"""
What lines look like: firewalls' packets of several sorts, and what other programs say.

A sort of lines has pools of parts, and a line is parts drawn from them and
joined, which costs about 2 µs.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import add

LAN, INTERNET = "eth1", "eth0"
# Of mail, telnet, file sharing, remote desktops, databases and the like: what worms ask for.
PORTS = (
    "25 23 445 139 135 22 3389 2323 5555 1433 3306 5900 6667 6697 7547 8080 8443 "
    "37215 52869 60001 81 88 110 143 389 465 587 993 1900 5060"
).split()

TAIL = " WINDOW=64240 RES=0x00 SYN URGP=0 \n"
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_OTHER_PORTS = [str(port) for port in (53, 80, 443, 853, 4433, 9100, 27015, 32400, 49152, 51820)]
_POOL = 1 << 14


@dataclass(frozen=True)
class Sort:
    """
    Lines of one sort, as the pools that their parts are drawn from.

    Args:
        share: How many of a hundred lines are of it.
        ends: How a line begins and how it ends, drawn together.
        near: The few destinations, each up to the space behind it.
        far: First and second halves of the other destinations.
        middles: What stands between a destination and the line's end.
        packets: Whether the lines tell of packets.
        wanted: Whether the lines match, for the port that the end begins with.
    """

    share: int
    ends: list[tuple[str, str]]
    near: list[str]
    far: tuple[list[str], list[str]]
    middles: list[str]
    packets: bool = True
    wanted: bool = False

    def bodies(self, chance: random.Random, drawn: Counter[tuple[str, str]]) -> Iterator[str]:
        """Make a second's lines without their heads, and count the ends drawn."""
        ends = chance.choices(self.ends, k=self.share)
        drawn.update(ends)
        destinations = chance.choices(self.near, k=self.share)
        destinations[1::2] = map(
            add, *(chance.choices(half, k=self.share // 2) for half in self.far)
        )
        middles = chance.choices(self.middles, k=self.share)
        return (
            f"{opening}{destination}{middle}{ending}"
            for (opening, ending), destination, middle in zip(
                ends, destinations, middles, strict=True
            )
        )


@dataclass(frozen=True)
class Kind:
    """What a log is made of: its sorts of lines, and the head of each line."""

    sorts: Callable[[random.Random], list[Sort]]
    head: Callable[[datetime, str, str], str]


# ---- Heads: of the moment, the microseconds as text, and the seconds of uptime as text.


def day(moment: datetime) -> str:
    """Write *moment* as RFC 3164 has it."""
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S}"


def kernel(moment: datetime, micro: str, uptime: str) -> str:
    return f"{day(moment)} fw1 kernel: [{uptime}.{micro}] "


def _kernel_iso(moment: datetime, micro: str, uptime: str) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micro}+00:00 fw1 kernel: [{uptime}.{micro}] "


def _any_program(moment: datetime, micro: str, uptime: str) -> str:
    return f"{day(moment)} fw1 "


# ---- Sorts of lines.  The kernel's order of fields: net/netfilter/nf_log_syslog.c.


def _address(number: int) -> str:
    return f"192.168.{1 + number // 254}.{1 + number % 254}"


def _address6(number: int) -> str:
    return f"fd00:0000:0000:0001:0000:0000:0000:{1 + number:04x}"


def packet_opening(
    number: int, address: str, interface: str = LAN, *, ethertype: str = "08:00"
) -> str:
    """Give a packet's beginning, up to its destination; the source is the *number*th machine."""
    lan = interface == LAN
    mac = f"02:00:c0:a8:{number // 254:02x}:{number % 254:02x}"
    return (
        f"Shorewall:{'loc2net' if lan else 'net2fw'}:DROP:"
        f"IN={f'{LAN} OUT={INTERNET}' if lan else f'{INTERNET} OUT='} "
        f"MAC=ba:51:fc:4a:ba:d1:{mac}:{ethertype} SRC={address} DST="
    )


def _destinations(chance: random.Random) -> tuple[list[str], tuple[list[str], list[str]]]:
    """Give three hundred addresses, and two halves of any on the internet."""
    near = [f"198.51.100.{chance.randint(1, 254)}" for _ in range(250)]
    near += [f"203.0.113.{chance.randint(1, 50)}" for _ in range(50)]
    first = [f"{chance.randint(1, 223)}.{chance.randint(0, 255)}" for _ in range(_POOL)]
    second = [f".{chance.randint(0, 255)}.{chance.randint(1, 254)}" for _ in range(_POOL)]
    return near, (first, second)


def _destinations6(chance: random.Random) -> tuple[list[str], tuple[list[str], list[str]]]:
    def groups(how_many: int) -> str:
        return "".join(f":{chance.getrandbits(16):04x}" for _ in range(how_many))

    near = [f"2001:0db8:0000:0000:0000:0000:0000:{number:04x}" for number in range(300)]
    return near, ([f"2a00{groups(3)}" for _ in range(_POOL)], [groups(4) for _ in range(_POOL)])


def _middles(chance: random.Random, protocol: str, length: int) -> list[str]:
    return [
        f" LEN={length} TOS=0x00 PREC=0x00 TTL={chance.choice((63, 63, 127))} "
        f"ID={chance.randint(0, 65535)} DF PROTO={protocol} SPT={chance.randint(1024, 65535)} DPT="
        for _ in range(_POOL)
    ]


def _middles6(chance: random.Random, protocol: str, length: int) -> list[str]:
    return [
        f" LEN={length} TC=0 HOPLIMIT=63 FLOWLBL={chance.getrandbits(20)} PROTO={protocol} "
        f"SPT={chance.randint(1024, 65535)} DPT="
        for _ in range(_POOL)
    ]


def _pairs(openings: Iterable[str], begins: Iterable[str], tail: str) -> list[tuple[str, str]]:
    """Give each opening with each ending; the endings begin differently and have one tail."""
    endings = [f"{begin}{tail}" for begin in begins]
    return [(opening, ending) for opening in openings for ending in endings]


def _tcp(
    chance: random.Random, share: int, ends: list[tuple[str, str]], *, wanted: bool = False
) -> Sort:
    return Sort(share, ends, *_destinations(chance), _middles(chance, "TCP", 60), wanted=wanted)


def _after_some_ports(openings: Sequence[str]) -> list[tuple[str, str]]:
    """Give each machine three ports, as a worm is after a few; all of PORTS have some."""
    return [
        (opening, f"{PORTS[(number + step) % len(PORTS)]}{TAIL}")
        for number, opening in enumerate(openings)
        for step in (0, 7, 19)
    ]


def _sparse(chance: random.Random) -> list[Sort]:
    """An office: a tenth from the LAN, half of that for one of PORTS, the rest knocks outside."""
    lan = [packet_opening(number, _address(number)) for number in range(60)]
    infected = _after_some_ports(lan)
    outside = [packet_opening(number, f"192.0.2.{number}", INTERNET) for number in range(1, 255)]
    return [
        _tcp(chance, 5, infected, wanted=True),
        _tcp(chance, 5, _pairs(lan, _OTHER_PORTS, TAIL)),
        _tcp(chance, 90, _pairs(outside, PORTS + _OTHER_PORTS, TAIL)),
    ]


def _dense(chance: random.Random) -> list[Sort]:
    """A house on fire: 254 machines, each line matches."""
    lan = [packet_opening(number, _address(number)) for number in range(254)]
    return [_tcp(chance, 100, _after_some_ports(lan), wanted=True)]


def _everything(chance: random.Random) -> list[Sort]:
    """The same, but each machine is after everything: 7620 detections."""
    lan = [packet_opening(number, _address(number)) for number in range(254)]
    return [_tcp(chance, 100, _pairs(lan, PORTS, TAIL), wanted=True)]


def _churn(chance: random.Random) -> list[Sort]:
    """Ten thousand machines, each after a port of its own; each line matches."""
    ends = [
        (packet_opening(number, _address(number)), f"{PORTS[number % len(PORTS)]}{TAIL}")
        for number in range(10_000)
    ]
    return [_tcp(chance, 100, ends, wanted=True)]


def _mixed(chance: random.Random) -> list[Sort]:
    """All from the LAN, of both families and several protocols; those of TCP match."""
    machines = range(254)
    lan = [packet_opening(number, _address(number)) for number in machines]
    lan6 = [packet_opening(number, _address6(number), ethertype="86:dd") for number in machines]
    near, near6 = _destinations(chance), _destinations6(chance)
    echo = [f"ID={chance.randint(0, 65535)} SEQ={number} \n" for number in range(64)]
    quoted = [
        f"[SRC=192.168.1.{number} DST=192.168.1.9 LEN=60 TOS=0x00 PREC=0x00 TTL=62 ID={number} DF "
        f"PROTO=TCP SPT=40000 DPT={port} WINDOW=64240 RES=0x00 SYN URGP=0 ] \n"
        for number, port in enumerate(PORTS, start=10)
    ]
    tcp6 = " WINDOW=64800 RES=0x00 SYN URGP=0 \n"
    head4 = " LEN=84 TOS=0x00 PREC=0x00 TTL=63 ID=4711 DF PROTO=ICMP TYPE="
    head6 = " LEN=104 TC=0 HOPLIMIT=63 FLOWLBL=97315 PROTO=ICMPv6 TYPE="
    return [
        Sort(46, _pairs(lan, PORTS, TAIL), *near, _middles(chance, "TCP", 60), wanted=True),
        Sort(20, _pairs(lan6, PORTS, tcp6), *near6, _middles6(chance, "TCP", 80), wanted=True),
        Sort(16, _pairs(lan, PORTS, " LEN=40 \n"), *near, _middles(chance, "UDP", 60)),
        Sort(6, _pairs(lan6, PORTS, " LEN=40 \n"), *near6, _middles6(chance, "UDP", 80)),
        Sort(6, _pairs(lan, echo, ""), *near, [f"{head4}8 CODE=0 "]),
        Sort(2, _pairs(lan, quoted, ""), *near, [f"{head4}3 CODE=1 "]),
        Sort(4, _pairs(lan6, echo, ""), *near6, [f"{head6}128 CODE=0 "]),
    ]


def _syslog(chance: random.Random) -> list[Sort]:
    """What a server's programs say all day; not one packet."""
    said = [
        ("sshd[{n}]: Failed password for invalid user admin from ", " port {n} ssh2\n"),
        ("sshd[{n}]: Received disconnect from ", " port {n}:11: Bye Bye [preauth]\n"),
        ("dnsmasq[812]: query[A] host{n}.example.org from ", "\n"),
        ("postfix/smtpd[{n}]: connect from unknown[", "]\n"),
        ("named[702]: client @0x7f{n} ", "#{n} (example.org): query: example.org IN AAAA +E(0)K\n"),
        ("CRON[{n}]: (root) CMD (  test -x /usr/sbin/probe && probe --from ", ")\n"),
        ("kernel: [{n}.000001] nfs: server ", " not responding, still trying\n"),
        ("systemd[1]: session-{n}.scope: Consumed 1.234s CPU time, leader at ", ".\n"),
    ]
    ends = [
        (opening.format(n=number), ending.format(n=number))
        for opening, ending in said
        for number in range(1000, 2000)
    ]
    return [Sort(100, ends, *_destinations(chance), [""], packets=False)]


KINDS = {
    "sparse": Kind(_sparse, kernel),
    "dense": Kind(_dense, kernel),
    "dense, ISO stamps": Kind(_dense, _kernel_iso),
    "dense, mixed": Kind(_mixed, kernel),
    "dense, all ports": Kind(_everything, kernel),
    "churn": Kind(_churn, kernel),
    "syslog": Kind(_syslog, _any_program),
}
