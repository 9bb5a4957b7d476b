"""
The logs that are measured: made here, the same ones at each run.

What a log holds follows from its kind and its size alone, for the chances
are drawn from a fixed seed.  While a log is written, its packets are counted;
these counts are the truth that every contestant must come to.

Written second by second, a hundred lines each, so that the cost of a line is
that of joining a few strings: about 2 µs.  A gigabyte is some ten hours of such
a firewall.
"""

import gzip
import json
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import chain
from multiprocessing import get_context
from operator import add
from pathlib import Path

from .lines import KINDS, PORTS, TAIL, Kind, Sort, day, kernel, packet_opening
from .networks import NETWORKS, Network, address_of, machines, write_packet

# Logs of another version are made anew.
VERSION = 2
LINES_A_SECOND = 100
BYTES_OF_MEGABYTE = 1_000_000

# Workers begin with nothing of this process: tests have threads, which fork() does not bear.
_APART = get_context("spawn")
_SEED = 1
_BEGIN = datetime(2026, 11, 18)
_FIRST_NEWCOMER = int(ip_address("10.0.0.1"))


@dataclass(frozen=True)
class Truth:
    """
    What a log holds.

    Args:
        lines: Of any sort.
        packets: Lines that tell of a packet.
        matches: Packets from the LAN, TCP, for one of PORTS.
        ports: The matches for each of PORTS; those without any are absent.
        sources: How many different machines they come from, for each of PORTS.
    """

    lines: int
    packets: int
    matches: int
    ports: dict[str, int]
    sources: dict[str, int]

    @property
    def pairs(self) -> int:
        """How many pairs of machine and port there are; so many detections."""
        return sum(self.sources.values())


@dataclass(frozen=True)
class Log:
    """A log on disk and what it holds."""

    name: str
    path: Path
    size_bytes: int
    truth: Truth


def _write(kind: Kind, path: Path, size_bytes: int) -> Truth:
    """Write whole seconds into *path* until it has *size_bytes* or a little more."""
    chance = random.Random(_SEED)
    sorts = kind.sorts(chance)
    drawn: list[Counter[tuple[str, str]]] = [Counter() for _ in sorts]
    step = 1_000_000 // LINES_A_SECOND
    micros = [f"{number * step + chance.randrange(step):06}" for number in range(LINES_A_SECOND)]
    seconds = written = 0
    with path.open("wb") as file:
        while written < size_bytes:
            moment, uptime = _BEGIN + timedelta(seconds=seconds), f"{seconds:5}"
            # The parts that all lines of a second have in common are made once.
            common = kind.head(moment, "{}", uptime)
            bodies = list(
                chain.from_iterable(
                    sort.bodies(chance, ends) for sort, ends in zip(sorts, drawn, strict=True)
                )
            )
            if len(sorts) > 1:
                chance.shuffle(bodies)
            heads = map(common.replace, ["{}"] * LINES_A_SECOND, micros)
            written += file.write("".join(map(add, heads, bodies)).encode())
            seconds += 1
    return _truth(sorts, drawn, seconds)


def _truth(sorts: list[Sort], drawn: list[Counter[tuple[str, str]]], seconds: int) -> Truth:
    """Add up what was drawn."""
    ports: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for sort, ends in zip(sorts, drawn, strict=True):
        if sort.wanted:
            for (_, ending), count in ends.items():
                port = ending.partition(" ")[0]
                ports[port] += count
                sources[port] += 1
    return Truth(
        lines=seconds * LINES_A_SECOND,
        packets=seconds * sum(sort.share for sort in sorts if sort.packets),
        matches=ports.total(),
        ports=dict(ports),
        sources=dict(sources),
    )


def _make(directory: Path, name: str, megabytes: float) -> Log:
    """Give the log of that kind and size from *directory*, made now if it is not there."""
    path = directory / f"{re.sub('[^A-Za-z]+', '-', name)}-{megabytes:g}.log"
    size_bytes = round(megabytes * BYTES_OF_MEGABYTE)
    return _kept(name, path, lambda partly: _write(KINDS[name], partly, size_bytes))


def _kept(name: str, path: Path, write: Callable[[Path], Truth]) -> Log:
    """Give the log at *path*; write it, and notes of what it holds, unless it is there whole."""
    notes = path.with_suffix(".json")
    if path.exists() and notes.exists():
        noted = json.loads(notes.read_text())
        if (noted["version"], noted["size_bytes"]) == (VERSION, path.stat().st_size):
            return Log(name, path, noted["size_bytes"], Truth(**noted["truth"]))
    notes.unlink(missing_ok=True)
    partly = path.with_suffix(".new")
    truth = write(partly)
    partly.rename(path)
    log = Log(name, path, path.stat().st_size, truth)
    noted = {"version": VERSION, "size_bytes": log.size_bytes, "truth": asdict(truth)}
    partly.write_text(json.dumps(noted))
    partly.rename(notes)
    return log


def make_logs(directory: Path, wanted: Sequence[tuple[str, float]]) -> list[Log]:
    """
    Give the logs of these kinds and sizes (in MB), several made at a time.

    Made in processes of their own: what they need must not be counted as the
    memory of a contestant, who begins as a copy of this process.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), _APART) as workers:
        return list(workers.map(_make, [directory] * len(wanted), *zip(*wanted, strict=True)))


def newcomers(directory: Path, sources: int, times: int = 1) -> Log:
    """
    Give a log with a packet for port 25 from each of so many machines, and that *times* over.

    It begins with what it holds with fewer times, as if a firewall had appended.
    """

    def write(partly: Path) -> Truth:
        with partly.open("w") as file:
            for number in range(sources * times):
                moment = _BEGIN + timedelta(seconds=number // LINES_A_SECOND)
                source = ip_address(_FIRST_NEWCOMER + number % sources)
                file.write(
                    f"{kernel(moment, '000000', '12345')}{packet_opening(0, str(source))}"
                    f"198.51.100.9 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40000 "
                    f"DPT=25{TAIL}"
                )
        lines = sources * times
        return Truth(lines, lines, lines, {"25": lines}, {"25": sources})

    return _kept("newcomers", directory / f"newcomers-{sources}-{times}.log", write)


def write_network(directory: Path, name: str, network: Network, lines: int) -> Log:
    """Give the log of so many lines of *network*, made now if it is not there."""

    def write(partly: Path) -> Truth:
        chance = random.Random(_SEED)
        packets = matches = 0
        ports: Counter[str] = Counter()
        pairs: set[tuple[str, str, int]] = set()
        with partly.open("w") as file:
            for number, packet in enumerate(network.packets(chance, lines)):
                moment = _BEGIN + timedelta(seconds=packet.second)
                file.write(write_packet(packet, network.prefix, day(moment), number))
                packets += not packet.said
                if packet.is_inside and packet.port in PORTS:
                    matches += 1
                    ports[packet.port] += 1
                    host = packet.host if network.source == "HOST SRC" else 0
                    pairs.add((packet.port, address_of(packet), host))
        sources = Counter(port for port, _, _ in pairs)
        return Truth(lines, packets, matches, dict(ports), dict(sources))

    return _kept(name, directory / f"{name.replace(' ', '-')}-{lines}.log", write)


def make_networks(directory: Path, wanted: Sequence[tuple[str, int]]) -> list[Log]:
    """Give the logs of these networks, of so many lines, several made at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), _APART) as workers:
        return list(workers.map(_network, [directory] * len(wanted), *zip(*wanted, strict=True)))


def _network(directory: Path, name: str, lines: int) -> Log:
    return write_network(directory, name, NETWORKS[name], lines)


def make_machines(directory: Path, number: int) -> Log:
    """Give the log of so many machines, of each of which a line and a half are logged."""
    lines = number * 3 // 2
    return write_network(directory, f"{number} machines", machines(number), lines)


def _pack(log: Log, path: Path) -> None:
    partly = path.with_suffix(".new")
    with log.path.open("rb") as plain, gzip.open(partly, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    os.utime(partly, ns=(log.path.stat().st_mtime_ns,) * 2)
    partly.rename(path)


def packed(log: Log) -> Log:
    """Give the log packed as logrotate packs it, by gzip's usual level."""
    # Not NAME.log.gz: the daily job would take that for a rotation of NAME.log.
    path = log.path.with_suffix(".packed.gz")
    if not path.exists() or path.stat().st_mtime_ns != log.path.stat().st_mtime_ns:
        with ProcessPoolExecutor(1, _APART) as worker:
            worker.submit(_pack, log, path).result()
    return Log(f"{log.name}.gz", path, log.size_bytes, log.truth)
