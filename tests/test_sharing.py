"""A scan that is shared out between processes: the same answers, and no process left behind."""

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from installation import Installation, packet_line
from plain import fold, told

from botalert.config import LogSettings
from botalert.config.conditions import read_condition
from botalert.config.thresholds import read_threshold
from botalert.course import Tallies, rules_of, unite
from botalert.crew import Crew
from botalert.errors import DataError, TryAgainError
from botalert.grammar import KernelReader
from botalert.job import sharing
from botalert.job.logs import LogFile
from botalert.job.sharing import Search, Sharing
from botalert.log.blocks import LineBlocks, LineRange
from botalert.match import REFUSED, Signal, matches
from botalert.model import Drop, FirstRun
from botalert.scan import LineCounts, Part, scanner, united
from botalert.scan.scanner import hit_of
from botalert.times import StampReader

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SETTINGS = LogSettings((), (), FirstRun.ALL, "text", ("kernel",), UTC)


def signal_of(name: str, **conditions: str) -> Signal:
    read = (read_condition(field, value) for field, value in conditions.items())
    return Signal(name, (*(each for each in read if each), REFUSED))


SIGNALS = [
    signal_of("smtp", IN="eth1", DPT="25"),
    signal_of("low", DPT="1-1023"),
    signal_of("elsewhere", IN="eth1", DST="!198.51.100.0/24"),
]
THRESHOLDS = [
    "5 DST in 10s",
    "20 DST per DPT in 5m",
    "60 DST per DPT",
    "all: 30 DST in 2m, 3 DPT in 20s",
    "all: 200 DST, 3 DPT in 9s\n9 packets in 3s",
]
ASKING = [
    each._replace(name=f"{each.name} {number}", threshold=read_threshold(threshold))
    for number, threshold in enumerate(THRESHOLDS)
    for each in SIGNALS[number % 3 :]
]


def reader_of(settings: LogSettings) -> KernelReader:
    return KernelReader(settings.programs, StampReader(NOW, settings.zone))


def log_of(seed: int, lines: int) -> bytes:
    """Make a log: of few machines and many, in order and not, and of others' lines."""
    chance = random.Random(seed)
    out = []
    for number in range(lines):
        second = (number // 7 + (chance.random() < 0.1) * chance.randint(-90, 90)) % 3600
        packet = packet_line(
            f"192.168.{chance.randint(0, chance.choice((0, 0, 9)))}.{chance.randint(1, 9)}",
            second=max(second, 0),
            port=chance.choice((25, 25, 445, 8080)),
            prefix=chance.choice(("DROP:", "ACCEPT:", "x ")),
        ).replace("198.51.100.52", f"198.51.{chance.randint(100, 103)}.{chance.randint(1, 99)}")
        packet = packet.replace("IN=eth1", chance.choice(("IN=eth1", "IN=eth1", "IN=eth2")))
        out.append(packet)
        if chance.random() < 0.1:
            out.append(
                chance.choice(("Nov 20 23:00:00 fw1 sshd[1]: IN=eth1 DPT=25\n", "\n", "x\n"))
            )
    return "".join(out).encode()


def plainly(content: bytes, signals: Sequence[Signal] = SIGNALS, log: str = "") -> Tallies:
    """Read each line and ask each signal."""
    reader = reader_of(SETTINGS)
    rules = rules_of(signals)
    hits = (
        hit_of(drop, each, rules.get(each.name))
        for line in content.split(b"\n")
        if isinstance(drop := reader.read(line), Drop)
        for each in signals
        if matches(drop, each)
    )
    return fold(hits, rules, log)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Make what is shared out so small that a small log has many pieces."""

    def set_sizes(size: int) -> None:
        monkeypatch.setattr(scanner, "_FEW_LINES", 0)
        monkeypatch.setattr(sharing, "SHARED_BYTES", 1)
        monkeypatch.setattr(sharing, "RANGE_BYTES", size)
        monkeypatch.setattr(sharing, "CHUNK_BYTES", size)
        monkeypatch.setattr(sharing, "MOST_HELD_KB", max(size // 30, 1))

    yield set_sizes


def scanned(
    paths: Sequence[Path], jobs: int, *, counts: bool = False
) -> tuple[Tallies, int, LineCounts]:
    files = [LogFile(str(path), SETTINGS) for path in paths]
    parts: list[Part] = []
    read_bytes, lines = 0, LineCounts()
    with Sharing(files, Search(SIGNALS, reader_of, counts=counts), jobs) as shared:
        for answer in shared.scan_files():
            assert answer.fault is None
            parts.extend(answer.parts)
            read_bytes += answer.read_bytes
            if answer.counts is not None:
                lines.add(answer.counts)
    return united(parts), read_bytes, lines


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("size", [300, 5000, 1 << 20])
@pytest.mark.parametrize("packed", ["", "first", "all"])
def test_jobs_and_pieces_change_nothing(small_pieces, tmp_path, jobs, size, packed):
    """Plain files in ranges, archives in a worker each, or one archive in chunks."""
    contents = [log_of(seed, 120) for seed in range(3)]
    small_pieces(size)
    paths = []
    for number, content in enumerate(contents):
        pack = packed == "all" or (packed == "first" and number == 0)
        paths.append(tmp_path / f"log{number}{'.gz' if pack else ''}")
        paths[-1].write_bytes(gzip.compress(content) if pack else content)
    tallies, read_bytes, lines = scanned(paths, jobs, counts=size == 300)
    assert tallies == plainly(b"".join(contents))
    assert read_bytes == sum(map(len, contents))
    if size == 300:
        assert lines.read == b"".join(contents).count(b"\n")


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("size", [300, 5000])
@pytest.mark.parametrize("packed", ["", "first", "all"])
@pytest.mark.parametrize("logs", [1, 3])
def test_jobs_and_pieces_change_no_threshold(small_pieces, tmp_path, jobs, size, packed, logs):
    """Be the files the history of one log or logs of their own."""
    contents = [log_of(seed, 120) for seed in range(7, 10)]
    small_pieces(size)
    files = []
    for number, content in enumerate(contents):
        pack = packed == "all" or (packed == "first" and number == 0)
        path = tmp_path / f"log{number}{'.gz' if pack else ''}"
        path.write_bytes(gzip.compress(content) if pack else content)
        files.append(LogFile(str(path), SETTINGS, f"{number % logs}"))
    with Sharing(files, Search(ASKING, reader_of), jobs) as shared:
        parts = [part for answer in shared.scan_files() for part in answer.parts]
        assert (shared._crew is not None) == (jobs > 1)
    if logs == 1:
        expected = plainly(b"".join(contents), ASKING, "0")
    else:
        expected = {}
        for number, content in enumerate(contents):
            unite(expected, plainly(content, ASKING, f"{number}"))
    found = told(united(parts))
    assert found == told(expected)
    is_met = {episode is not None for _, episode, _ in found.values()}
    assert is_met == {False, True}


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_given_away_within_a_range_changes_no_threshold(small_pieces, tmp_path, jobs):
    """Each worker reads one range of a file, however large; it need not hold all of it."""
    content = log_of(3, 3000)
    path = tmp_path / "log"
    path.write_bytes(content)
    small_pieces(3000)
    with Sharing([LogFile(str(path), SETTINGS)], Search(ASKING, reader_of), jobs) as shared:
        answers = list(shared.scan_files())
    parts = [part for answer in answers for part in answer.parts]
    assert len({part.place for part in parts}) == jobs
    assert len(parts) > 2 * jobs
    assert told(united(parts)) == told(plainly(content, ASKING))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    st.booleans(),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_ranges_have_each_line_once(tmp_path_factory, lines, ended, cuts):
    """A line belongs to the range that it begins in, wherever the ranges are cut."""
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    path = tmp_path_factory.getbasetemp() / "ranges"
    path.write_bytes(content)
    bounds = sorted({0, *(cut for cut in cuts if cut < len(content))})
    found = b""
    for start, end in zip(bounds, [*bounds[1:], None], strict=True):
        with path.open("rb") as stream:
            found += b"".join(LineBlocks(LineRange(stream, start, end), block_bytes=7))
    assert found == content


def test_damaged_archive_is_told_and_the_rest_goes_on(small_pieces, tmp_path):
    """What it holds before the damage counts, whoever unpacks it."""
    content = log_of(1, 2000)
    packed = gzip.compress(content)
    (tmp_path / "a.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b").write_bytes(log_of(2, 100))
    files = [LogFile(str(tmp_path / name), SETTINGS) for name in ("a.gz", "b", "missing")]
    small_pieces(20_000)
    results = []
    for jobs in (1, 2):
        with Sharing(files, Search(SIGNALS, reader_of), jobs) as shared:
            answers = list(shared.scan_files())
        faults = sorted((answer.fault for answer in answers if answer.fault), key=lambda f: f[0])
        assert [type(error).__name__ for _, error in faults] == ["DataError", "NoInputError"]
        parts = [part for answer in answers for part in answer.parts]
        results.append((united(parts), sum(answer.read_bytes for answer in answers)))
    assert results[0] == results[1]
    assert sum(tally.packets for tally in results[0][0].values()) > 500


# The processes themselves.


def refuse(task: int | None) -> Iterator[int]:
    yield 1
    raise DataError("no")


def die(task: int | None) -> Iterator[int]:
    yield 1
    os.kill(os.getpid(), signal.SIGKILL)


def count_to(task: int | None) -> Iterator[int]:
    yield from range(task) if task is not None else "end"


def test_answers_come_from_all_workers():
    """Each task has as many as its worker gives, also none; and each worker has last ones."""
    with Crew([count_to] * 3, 2) as crew:
        assert sorted(crew.do(range(50))) == sorted(n for task in range(50) for n in range(task))
        assert list(crew.do([])) == []
        assert list(crew.finish()) == list("end" * 3)


@pytest.mark.parametrize(
    ("worker", "error", "words"),
    [(refuse, DataError, "no"), (die, TryAgainError, "SIGKILL.*--jobs 1")],
)
def test_worker_that_fails_is_an_error_with_its_cause(worker, error, words):
    """It is raised here, and the others end."""
    before = children()
    with pytest.raises(error, match=words), Crew([count_to, worker], 2) as crew:
        list(crew.do(range(9)))
    assert children() == before


def children(parent: int | None = None) -> list[int]:
    task = f"/proc/{parent or os.getpid()}/task"
    return [
        int(child)
        for thread in Path(task).iterdir()
        for child in (thread / "children").read_text().split()
    ]


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[tuple[Installation, "subprocess.Popen[bytes]"]]:
    """Start a scan of standard input that goes on as long as somebody writes to it."""
    installation = Installation(tmp_path)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "botalert",
            "-c",
            str(installation.config),
            "scan",
            "--jobs",
            "2",
            "-",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    yield installation, process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        with suppress(BrokenPipeError):
            stream.close()


def feed(process: "subprocess.Popen[bytes]", lines: bytes) -> list[int]:
    """Write *lines* until there are workers; give their process IDs."""
    assert process.stdin is not None
    for _ in range(1000):
        process.stdin.write(lines)
        process.stdin.flush()
        if len(found := children(process.pid)) == 2:
            return found
    raise AssertionError("no workers were started")


def gone(pids: Sequence[int]) -> bool:
    """Wait until none of *pids* runs any more."""
    for _ in range(100):
        if not any(is_running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


LINES = b"".join(packet_line("192.168.1.10", second=n).encode() for n in range(600))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind_when_the_scan_is_ended(endless, how):
    """By Ctrl-C, by an administrator, by the kernel when memory is short."""
    _, process = endless
    workers = feed(process, LINES)
    process.send_signal(how)
    assert process.wait(10) == (130 if how is signal.SIGINT else -how)
    assert gone(workers)
    assert process.stderr.read() == b""


def test_worker_that_is_killed_ends_the_scan(endless):
    """With one line that says what happened, and a status; it does not hang."""
    _, process = endless
    workers = feed(process, LINES)
    os.kill(workers[0], signal.SIGKILL)
    with suppress(BrokenPipeError):
        for _ in range(10_000):
            process.stdin.write(LINES)
    assert process.wait(10) == 75
    errors = process.stderr.read()
    assert errors == (
        b"botalert: a worker process ended early (SIGKILL). "
        b"If the machine is short of memory, use --jobs 1.\n"
    )
    assert gone(workers)


def test_little_is_not_shared_out(tmp_path):
    """Starting workers takes longer than scanning a small log."""
    path = tmp_path / "log"
    path.write_bytes(log_of(1, 100))
    with Sharing([LogFile(str(path), SETTINGS)], Search(SIGNALS, reader_of), 4) as shared:
        parts = [part for answer in shared.scan_files() for part in answer.parts]
        with path.open("rb") as stream:
            streamed = [*shared.scan_stream(0, LineBlocks(stream)), *shared.finish()]
        assert shared._crew is None
    assert united(parts) == united(part for answer in streamed for part in answer.parts) != {}


def test_run_is_shared_out_too(tmp_path):
    """A large log's first run finds with several processes what it finds with one."""
    content = log_of(3, 40_000)
    found = []
    for jobs in ("1", "2"):
        home = tmp_path / jobs
        home.mkdir()
        installation = Installation(home)
        installation.log.write_bytes(content)
        done = installation.botalert("run", "--baseline", "--jobs", jobs)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        found.append(installation.detections())
        for detection in found[-1]:
            del detection["alerted"]
    assert found[0] == found[1]
    assert len(found[0]) > 50


def test_rotation_in_the_middle_of_a_scan_changes_nothing(small_pieces, tmp_path, monkeypatch):
    """The file that was there is read to its end, whatever its name is by then."""
    path = tmp_path / "log"
    content = log_of(5, 400)
    path.write_bytes(content)
    small_pieces(5000)
    started = Sharing._started

    def rotated(shared: Sharing) -> object:
        if path.exists():
            path.rename(tmp_path / "log.1")
        return started(shared)

    monkeypatch.setattr(Sharing, "_started", rotated)
    assert scanned([path], 2)[:2] == (plainly(content), len(content))


@pytest.mark.parametrize("packed", [False, True])
def test_one_process_gives_away_what_it_holds_within_a_file(small_pieces, tmp_path, packed):
    """Memory follows what is found, not how large the files are."""
    content = log_of(6, 3000)
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(content) if packed else content)
    small_pieces(300)
    with Sharing([LogFile(str(path), SETTINGS)], Search(SIGNALS, reader_of), 1) as shared:
        answers = list(shared.scan_files())
    assert sum(bool(answer.parts) for answer in answers) > 5
    assert united(part for answer in answers for part in answer.parts) == plainly(content)
