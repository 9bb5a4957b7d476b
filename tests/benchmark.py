"""
What the tricks of the hot loop gain, as ratios measured in one run.

Prints a line for each; nothing is asserted, because machines differ and
drift.  `make bench` runs it; the figures in comments come from here.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from dateutil import parser

from botalert.config.conditions import read_condition
from botalert.grammar import KernelReader
from botalert.log.blocks import BLOCK_BYTES
from botalert.match import REFUSED, Signal
from botalert.scan import Finder, drops, hits
from botalert.tally import fold
from botalert.times import StampReader

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ROUNDS = 5


def log_bytes(lines: int) -> bytes:
    """Make a log as an office firewall has it: a tenth of it from the LAN, half of that mail."""
    chance = random.Random(1)
    out = []
    for number in range(lines):
        lan = chance.random() < 0.1
        port = 25 if chance.random() < 0.5 else chance.randint(1, 65535)
        out.append(
            f"Nov 20 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} fw1 kernel: "
            f"[{number / 7:12.6f}] Shorewall:{'loc2net' if lan else 'net2fw'}:DROP:"
            f"IN={'eth1 OUT=eth0' if lan else 'eth0 OUT='} "
            "MAC=ba:51:fc:4a:ba:d1:02:00:c0:a8:01:0a:08:00 "
            f"SRC=192.168.1.{chance.randint(2, 60)} DST=198.51.100.{chance.randint(1, 254)} LEN=60 "
            f"TOS=0x00 PREC=0x00 TTL=63 ID={chance.randint(0, 65535)} DF PROTO=TCP "
            f"SPT={chance.randint(1024, 65535)} DPT={port} WINDOW=64240 RES=0x00 SYN URGP=0 \n"
        )
    return "".join(out).encode()


def seconds(work: Callable[[], object]) -> float:
    """Give the median time of a few rounds."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main(lines: int) -> None:
    """Measure and print."""
    content = log_bytes(lines)
    blocks = [content[start : start + BLOCK_BYTES] for start in range(0, len(content), BLOCK_BYTES)]
    conditions = [
        read_condition(*pair) for pair in (("IN", "eth1"), ("PROTO", "TCP"), ("DPT", "25"))
    ]
    signal = Signal("smtp", (*(c for c in conditions if c), REFUSED))

    def scan(finder: Finder) -> object:
        reader = KernelReader(["kernel"], StampReader(NOW, UTC))
        return fold(hits(drops(blocks, finder, reader), [signal]))

    def stamps() -> None:
        reader = StampReader(NOW, UTC)
        for number in range(1000):
            reader.syslog(f"Nov 20 10:{number // 60 % 60:02}:{number % 60:02}")

    megabytes = len(content) / 1e6
    jumping = seconds(lambda: scan(Finder([signal])))
    reading = seconds(lambda: scan(Finder(None)))
    looking = seconds(lambda: [block.count(b"IN=eth1 ") for block in blocks])
    small = seconds(stamps)
    odd = seconds(lambda: [parser.parse("Nov 20 10:00:00") for _ in range(1000)])
    print(f"log: {megabytes:.0f} MB, {lines} lines, a tenth from the LAN")
    print(f"jumping to what a signal needs:  {megabytes / jumping:8.0f} MB/s")
    print(f"reading every line:              {megabytes / reading:8.0f} MB/s")
    print(f"bytes.count of the interface:    {megabytes / looking:8.0f} MB/s")
    print(f"jumping is {reading / jumping:.1f} times as fast as reading every line")
    print(f"the small stamp reader is {odd / small:.0f} times as fast as dateutil")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
