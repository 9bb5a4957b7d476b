"""What a run or a scan found: in memory or in a temporary file, it is the same."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import fold, told
from real import lack, need_root

from botalert.config.thresholds import read_threshold
from botalert.course import Tallies, unite, weight
from botalert.detect import detections
from botalert.errors import InputOutputError
from botalert.model import Hit
from botalert.scan import Part
from botalert.state.ledger import Ledger
from botalert.tally import TALLY_KB
from botalert.windows import Rules

START = datetime(2026, 11, 20, tzinfo=UTC)
SIGNALS = ("telnet", "smtp")
RULES = {
    "telnet": Rules(read_threshold("3 DST in 20s\n9 packets in 3s"), 86400, None),
    "gone": Rules(read_threshold("all: 4 DST, 9 packets in 30s"), 86400, 40),
}

hits = st.builds(
    Hit,
    signal=st.sampled_from(["smtp", "telnet", "gone", "another"]),
    source=st.sampled_from(
        "192.168.1.9 192.168.1.10 2001:db8::17 fe80::9 fe80::1%b fe80::1%a printer Ärger".split()
    ),
    time=st.none() | st.integers(0, 90).map(lambda n: START + timedelta(seconds=n)),
    destination=st.integers(0, 400).map(lambda n: f"198.51.{n // 250}.{n % 250}"),
    port=st.none() | st.integers(0, 300).map(str),
    interface=st.sampled_from([None, "eth0", "eth1"]),
    mac=st.none(),
    repeat=st.integers(1, 28),
    line=st.text(max_size=20),
    uptime=st.none() | st.integers(0, 90).map(float),
).map(lambda hit: hit._replace(values=(hit.destination,)))


def in_memory(seen: Sequence[Sequence[Hit]]) -> Tallies:
    """Tally *seen* in the plain way."""
    return fold((hit for part in seen for hit in part), RULES)


def contents(ledger: Ledger) -> tuple[dict[tuple[str, str], Any], int]:
    """Give what is in *ledger*, and how many items it gave."""
    items = list(ledger.items())
    return told(dict(items)), len(items)


@settings(max_examples=200, deadline=None)
@given(
    seen=st.lists(st.lists(hits, max_size=12), max_size=8),
    limit=st.sampled_from([1, 2, 7, 10**9]),
)
def test_limit_and_cuts_change_nothing(seen: list[list[Hit]], limit: int) -> None:
    """However tallies are added and wherever they are kept, they come back as if in one dict."""
    expected = in_memory(seen)
    with Ledger(limit, RULES) as ledger:
        for part in seen:
            ledger.add(Part(0, fold(part, RULES)))
        assert contents(ledger) == (told(expected), len(expected))
        in_order = dict(sorted(expected.items(), key=lambda pair: (pair[0][1], pair[0][0])))
        assert [key for key, _ in ledger.items()] == list(in_order)
        assert list(ledger.detections(SIGNALS)) == detections(in_order, SIGNALS)


@settings(max_examples=200, deadline=None)
@given(
    seen=st.lists(st.tuples(st.lists(st.lists(hits, max_size=6), max_size=4), st.booleans())),
    limit=st.sampled_from([1, 2, 7, 10**9]),
)
def test_attempt_that_fails_adds_nothing(
    seen: list[tuple[list[list[Hit]], bool]], limit: int
) -> None:
    """What came before it stays, and what comes after it is added."""
    expected: Tallies = {}
    with Ledger(limit, RULES) as ledger:
        for parts, succeeds in seen:
            try:
                with ledger.attempt():
                    for part in parts:
                        ledger.add(Part(0, fold(part, RULES)))
                    if not succeeds:
                        raise InputOutputError("the end of the file is missing")
            except InputOutputError:
                assert not succeeds
            else:
                unite(expected, in_memory(parts))
        assert contents(ledger) == (told(expected), len(expected))


@settings(max_examples=200, deadline=None)
@given(
    seen=st.lists(st.lists(hits, max_size=12), max_size=8),
    limit=st.sampled_from([1, 2, 7, 10**9]),
    data=st.data(),
)
def test_order_in_which_parts_come_changes_nothing(
    seen: list[list[Hit]], limit: int, data: st.DataObject
) -> None:
    """Worker processes are done when they are done; a part's place says where it belongs."""
    parts = list(enumerate(seen))
    with Ledger(limit, RULES) as ledger, ledger.attempt():
        for place, part in data.draw(st.permutations(parts)):
            ledger.add(Part(place, fold(part, RULES)))
        expected = in_memory(seen)
        assert contents(ledger) == (told(expected), len(expected))


def test_adding_goes_on_after_reading() -> None:
    """Both before and after something was written to the file."""
    hit = Hit("smtp", "192.168.1.10", None, "198.51.100.52", "25", "eth1", None, 1, "line")
    for limit in (1, 10**9):
        with Ledger(limit) as ledger:
            for number in range(1, 4):
                ledger.add(Part(0, fold([hit])))
                ((_, tally),) = ledger.items()
                (detection,) = ledger.detections(SIGNALS)
                assert tally.packets == detection.tally.packets == number


def machines(number: int, destinations: int = 1) -> Iterator[Tallies]:
    """Make tallies of as many sources, one after the other."""
    for n in range(number):
        source = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        yield fold(
            Hit("smtp", source, START, f"198.51.{k >> 8}.{k & 255}", "25", "eth1", None, 1, source)
            for k in range(destinations)
        )


@pytest.mark.parametrize("destinations", [1, 200])
def test_memory_is_bounded(destinations: int) -> None:
    """It follows the limit, be the sources many or their destinations."""
    limit = 500 * TALLY_KB
    (one,) = machines(1, destinations)
    fitting = limit // weight(one)

    def peak(times: int) -> int:
        with Ledger(limit) as ledger:
            tracemalloc.reset_peak()
            for tallies in machines(times * fitting, destinations):
                ledger.add(Part(0, tallies))
            for _ in ledger.items():
                pass
            for _ in ledger.detections(SIGNALS):
                pass
            return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        assert peak(6) < 1.3 * peak(2)
    finally:
        tracemalloc.stop()


def in_a_process(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        text=True,
    )


def test_little_is_found_without_sqlite() -> None:
    """A scan of a small log does not wait for a library that it doesn't use."""
    done = in_a_process(
        """
import sys
import botalert.cli
from botalert.scan import Part
from botalert.state.ledger import Ledger
from botalert.tally import Tally
with Ledger() as ledger:
    ledger.add(Part(0, {("smtp", "192.168.1.10"): Tally(packets=1)}))
    assert len(list(ledger.items())) == len(list(ledger.detections(["smtp"]))) == 1
print("sqlite3" in sys.modules)
"""
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


SPILLING = """
import os, sys
from botalert.errors import BotalertError
from botalert.scan import Part
from botalert.state.ledger import Ledger
from botalert.tally import Tally
try:
    with Ledger(100) as ledger:
        for n in range(5000):
            tally = Tally(packets=1, evidence=("x" * 2000,) * 5)
            ledger.add(Part(0, {("smtp", f"10.0.{n >> 8}.{n & 255}"): tally}))
        print("names", os.listdir(os.environ["SQLITE_TMPDIR"]))
        print("found", sum(1 for _ in ledger.detections(["smtp"])))
except BotalertError as error:
    print(error.status, error)
"""


def test_temporary_file_has_no_name(tmp_path: Path) -> None:
    """So a process that is killed leaves nothing behind, and nobody else can open it."""
    done = in_a_process(SPILLING, SQLITE_TMPDIR=str(tmp_path))
    assert (done.stdout, done.stderr) == ("names []\nfound 5000\n", "")


def test_full_temporary_directory_is_told(tmp_path: Path) -> None:
    """With the place and the remedy."""
    need_root()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path],
        capture_output=True,
        check=False,
        text=True,
    )
    if mounted.returncode:
        lack(f"the right to mount a tmpfs ({mounted.stderr.strip()})")
    try:
        done = in_a_process(SPILLING, SQLITE_TMPDIR=str(tmp_path))
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert (done.stdout, done.stderr) == (
        f"74 {tmp_path}: no room for what was found: database or disk is full. Free some space "
        "there, or name another directory in the variable SQLITE_TMPDIR.\n",
        "",
    )
