"""What is folded in as much memory as there is: put aside or held, it is the same."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from installation import Installation, packet_line
from plain import fold, told
from real import lack, need_root

from botalert.config.thresholds import read_threshold
from botalert.course import Seen, Tallies
from botalert.detect import Detection, RowsForPeople, detection_rank, signal_order
from botalert.errors import InputOutputError
from botalert.fold import Fold
from botalert.hits import Batch
from botalert.model import Hit
from botalert.tally import Tally
from botalert.windows import Rules
from botalert.workers import partition
from botalert.workers.findings import Findings
from botalert.workers.lanes import LANES, LaneWriter, batches_in, lane_of
from botalert.workers.partition import Folder
from botalert.workers.spool import Spool

START = datetime(2026, 11, 20, tzinfo=UTC)
SIGNALS = ("telnet", "smtp")
RULES = {
    "telnet": Rules(read_threshold("3 DST in 20s\n9 packets in 3s"), 86400, None),
    "gone": Rules(read_threshold("4 DST\n9 packets in 30s"), 86400, 40),
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


def batches(seen: Sequence[Sequence[Hit]]) -> Iterator[Batch]:
    for part in seen:
        yield Batch("", (), list(enumerate(part)), {}, is_steady=False)


@contextmanager
def weighed_at_each_batch() -> Iterator[None]:
    """Look at the weight whenever something is added, and divide however few there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botalert.fold._MOST_UNWEIGHED", 1)
        patch.setattr(partition, "_FEW_SEEN", 0)
        yield


@settings(max_examples=200, deadline=None)
@given(
    seen=st.lists(st.lists(hits, max_size=12), max_size=8),
    held_kb=st.sampled_from([0, 3, 10, 10**9]),
)
def test_what_may_be_held_changes_nothing(seen: list[list[Hit]], held_kb: int) -> None:
    """Each signal and source comes once, with all that was seen, however often it is divided."""
    with weighed_at_each_batch(), Spool("/tmp") as spool:
        found = list(Folder(RULES, spool, held_kb).seen(batches(seen)))
    whole = {key: own for some in found for key, own in some.items()}
    assert sum(map(len, found)) == len(whole)
    assert told(whole) == told(fold((hit for part in seen for hit in part), RULES))


@given(st.lists(st.lists(hits, max_size=9), max_size=6), st.integers(0, 3))
def test_lanes_divide_hits_by_source(seen: list[list[Hit]], depth: int) -> None:
    """Each is in the lane of its source, to the letter, in the order of reading."""
    with Spool("/tmp") as spool:
        writer = LaneWriter(spool, depth)
        for batch in batches(seen):
            writer.add(batch)
        lanes = [list(batches_in(spool, [extents])) for extents in writer.written()]
    found = [[hit for batch in lane for _, hit in batch.hits] for lane in lanes]
    whole = [hit for part in seen for hit in part]
    assert found == [
        [hit for hit in whole if lane_of(hit.source, depth) == lane] for lane in range(LANES)
    ]


def test_sources_of_one_lane_are_divided_otherwise_the_next_time() -> None:
    """Or dividing them once more would not help."""
    sources = [f"10.0.{n >> 8}.{n & 255}" for n in range(60_000)]
    own = [source for source in sources if lane_of(source, 0) == 7]
    assert 500 < len(own) < 2000
    sizes = [sum(lane_of(source, 1) == lane for source in own) for lane in range(LANES)]
    assert max(sizes) < 4 * len(own) / LANES + 10


@given(
    st.lists(st.lists(hits, max_size=12), max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_findings_come_in_the_order_that_people_see(
    seen: list[list[Hit]], are_put_aside: list[bool]
) -> None:
    """In whatever parts they come, held or not; what is no detection does not come."""

    def told_of(detection: Detection) -> tuple[str, str, int]:
        return detection.signal, detection.source, detection.tally.packets

    whole = fold(hit for part in seen for hit in part)
    order = signal_order(SIGNALS)
    expected = sorted(
        (Detection(*key, tally) for key, tally in whole.items() if isinstance(tally, Tally)),
        key=lambda detection: detection_rank(detection, order),
    )
    row_of: RowsForPeople[Any] = RowsForPeople(SIGNALS, told_of)
    with Spool("/tmp") as spool:
        findings = Findings(row_of, spool)
        keys = sorted(whole)
        for number, is_put_aside in enumerate(are_put_aside):
            some: Tallies = {key: whole[key] for key in keys[number::6]}
            if is_put_aside:
                findings.add_runs([Findings(row_of, spool).written(some)])
            else:
                findings.add(some)
        assert list(findings.rows()) == list(map(told_of, expected))


def machines(number: int, destinations: int) -> Iterator[Batch]:
    """Give hits of so many sources, each with so many destinations, far from each other."""
    for k in range(destinations):
        for begin in range(0, number, 500):
            found = [
                Hit(
                    "smtp",
                    f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",
                    START,
                    f"198.51.{k >> 8}.{k & 255}",
                    "25",
                    "eth1",
                    None,
                    1,
                    f"a line of {n}",
                )
                for n in range(begin, begin + 500)
            ]
            yield Batch("", (), list(enumerate(found)), {}, is_steady=False)


def row_of(signal: str, source: str, seen: Seen) -> tuple[str, int]:
    assert isinstance(seen, Tally)
    return source, seen.packets


@pytest.mark.parametrize("destinations", [1, 20])
def test_memory_is_bounded(destinations: int, tmp_path: Path) -> None:
    """It follows what may be held, be the sources many or their destinations."""

    def peak(number: int) -> int:
        tracemalloc.reset_peak()
        with Spool(str(tmp_path)) as spool:
            findings = Findings(row_of, spool)
            for seen in Folder({}, spool, 800).seen(machines(number, destinations)):
                findings.add(seen)
            assert sum(findings.rows()) == number * destinations
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        assert peak(6000) < 1.5 * peak(3000)
    finally:
        tracemalloc.stop()


# The file in which things are put aside.


def in_a_process(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: text for name, text in os.environ.items() if name != "TMPDIR"}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        check=False,
        text=True,
    )


SPOOLING = """
import os, stat, sys
from botalert.errors import BotalertError
from botalert.workers.spool import Spool
directory = sys.stdin.read() if "TMPDIR" not in os.environ else "/nowhere"
try:
    with Spool(directory) as spool:
        first = spool.append(b"x" * 3000)
        with Spool.at(spool.address()) as other:
            second = other.append(b"y" * 2_000_000)
            assert other.read(first) == b"x" * 3000
        assert spool.read(second) == b"y" * 2_000_000
        about = os.stat(spool.address().path)
        print(oct(stat.S_IMODE(about.st_mode)), os.listdir(os.environ["TMPDIR"]))
except BotalertError as error:
    print(error.status, error)
"""


def test_file_has_no_name_and_is_for_its_owner(tmp_path: Path) -> None:
    """So a process that is killed leaves nothing behind, and nobody else can open it."""
    done = in_a_process(SPOOLING, TMPDIR=str(tmp_path))
    assert (done.stdout, done.stderr) == ("0o600 []\n", "")


def test_missing_directory_is_told() -> None:
    """With the place and the remedy."""
    with Spool("/nowhere/at/all") as spool, pytest.raises(InputOutputError) as caught:
        spool.append(b"x")
    assert str(caught.value) == (
        "/nowhere/at/all: no room for what was found: No such file or directory. Free some space "
        "there, or name another directory in the variable TMPDIR."
    )


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    """A small scan needs no directory at all."""
    with Spool("/nowhere/at/all") as spool:
        findings = Findings(row_of, spool)
        for seen in Folder({}, spool, 10**6).seen(machines(500, 1)):
            findings.add(seen)
        assert sum(findings.rows()) == 500


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[None]:
    need_root()
    directory.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory]
    mounted = subprocess.run(command, capture_output=True, check=False, text=True)
    if mounted.returncode:
        lack(f"the right to mount a tmpfs ({mounted.stderr.strip()})")
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def test_full_directory_is_told(tmp_path: Path) -> None:
    """With the place and the remedy."""
    with small_disk(tmp_path / "disk", "1m"):
        done = in_a_process(SPOOLING, TMPDIR=str(tmp_path / "disk"))
    assert (done.stdout, done.stderr) == (
        f"74 {tmp_path / 'disk'}: no room for what was found: No space left on device. Free some "
        "space there, or name another directory in the variable TMPDIR.\n",
        "",
    )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_run_without_room_loses_nothing(tmp_path: Path, jobs: str) -> None:
    """It says so, remembers nothing, and the next run finds all."""
    site = Installation(tmp_path)
    site.configure(signals={"smtp": "IN: eth1\nPROTO: TCP\nthreshold: 2 DST in 1h"})
    lines = [
        packet_line(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", second=n // 100)
        for n in range(60_000)
    ]
    more = [packet_line("10.0.0.1", second=700).replace(".51.100.52", ".51.100.53")]
    site.log.write_text("".join(lines + more))
    with small_disk(tmp_path / "disk", "64k"):
        environment = {"TMPDIR": str(tmp_path / "disk")}
        done = site.botalert("run", "--jobs", jobs, **environment)
        assert done.returncode == 74
        assert done.stderr.startswith(f"botalert: {tmp_path / 'disk'}: no room for what was found")
        assert site.mails() == []
    assert site.run() == (0, [])
    assert [each["source"] for each in site.detections()] == ["10.0.0.1"]
    assert len(site.mails()) == 1


def test_what_is_held_is_weighed() -> None:
    """More of it weighs more, and what is divided is held no more."""
    folding = Fold({})
    weights = [folding.weight()]
    for batch in machines(1500, 1):
        folding.add(batch)
        weights.append(folding.weight())
    assert weights == sorted(set(weights))
    lanes = folding.divided(lambda source: lane_of(source, 0))
    assert (folding.weight(), sum(map(len, lanes.values()))) == (0, 1500)
