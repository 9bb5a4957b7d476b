"""A scan that is shared out between processes: the same answers, and no process left behind."""

import gzip
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from installation import Installation, packet_line
from plain import fold, told_of

from botalert.config import LogSettings
from botalert.config.conditions import read_condition
from botalert.config.thresholds import read_threshold
from botalert.course import Course, Seen, Tallies, rules_of
from botalert.errors import DataError, TryAgainError
from botalert.grammar import KernelReader
from botalert.log.blocks import LineBlocks, LineRange
from botalert.match import REFUSED, Signal, matches
from botalert.model import Drop, FirstRun
from botalert.scan import rows
from botalert.scan.scanner import hit_of
from botalert.tally import Distinct, Tally
from botalert.times import Span, StampReader
from botalert.workers import search
from botalert.workers.plan import LogFile, Plan
from botalert.workers.pool import processes
from botalert.workers.search import Search, Workers

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
    "3 DPT in 20s",
    "9 packets in 3s\n200 DST",
]
ASKING = [
    each._replace(
        name=f"{each.name} {number}",
        threshold=read_threshold(threshold),
        realert=None if number % 2 else 1200,
        source="MAC" if number == 4 else each.source,
    )
    for number, threshold in enumerate(THRESHOLDS)
    for each in SIGNALS[number % 3 :]
]


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


def told(signal: str, source: str, seen: Seen) -> tuple[tuple[str, str], str]:
    """Make a row of all that was seen."""
    return (signal, source), repr(ordered(told_of(seen)))


def ordered(value: Any) -> Any:
    """Write dictionaries in the order of their keys."""
    if isinstance(value, Tally):
        value = value._seen()
    elif isinstance(value, Distinct):
        value = [dict(value.counts), value.overflowed]
    if isinstance(value, dict):
        return [(key, ordered(value[key])) for key in sorted(value)]
    return list(map(ordered, value)) if isinstance(value, (list, tuple)) else value


def plainly(
    contents: Sequence[tuple[str, bytes]], signals: Sequence[Signal] = SIGNALS
) -> list[str]:
    """Read each line of logs and ask each signal; give what is seen, in order of rows."""
    rules = rules_of(signals)
    whole: Tallies = {}
    for log, content in contents:
        reader = KernelReader(SETTINGS.programs, StampReader(NOW, SETTINGS.zone))
        hits = (
            hit_of(drop, each, rules.get(each.name))
            for line in content.split(b"\n")
            if isinstance(drop := reader.read(line), Drop)
            for each in signals
            if matches(drop, each)
        )
        for key, seen in fold(hits, rules, log).items():
            known = whole.setdefault(key, seen)
            if known is seen:
                continue
            if isinstance(known, Course) and isinstance(seen, Course):
                known.logs.update(seen.logs)
            elif isinstance(known, Tally) and isinstance(seen, Tally):
                known.merge(seen)
    return [row for _, row in sorted(told(*key, seen) for key, seen in whole.items())]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make what is shared out so small that a small log has many pieces."""

    def set_sizes(size: int) -> None:
        monkeypatch.setattr(search, "SHARED_BYTES", 1)
        monkeypatch.setattr(search, "SMALLEST_PART_BYTES", size)
        monkeypatch.setattr(search, "LARGEST_PART_BYTES", size)
        monkeypatch.setattr(search, "CHUNK_BYTES", size)
        monkeypatch.setattr(rows, "_MOST_ROWS", max(size // 300, 1))

    return set_sizes


def plan_of(files: Sequence[LogFile], signals: Sequence[Signal] = SIGNALS, **more: Any) -> Plan:
    token = os.urandom(8).hex()
    return Plan(token, tuple(files), tuple(signals), None, NOW, told, **more)


def written(
    tmp_path: Path, seeds: Iterable[int], lines: int, packing: str, logs: int = 1
) -> tuple[list[LogFile], list[tuple[str, bytes]]]:
    """Write logs; give their files, and the contents of each log."""
    files, contents = [], {}
    for number, seed in enumerate(seeds):
        content = log_of(seed, lines)
        pack = packing == "all" or (packing == "first" and number == 0)
        path = tmp_path / f"log{number}{'.gz' if pack else ''}"
        path.write_bytes(gzip.compress(content) if pack else content)
        files.append(LogFile(str(path), SETTINGS, f"{number % logs}"))
        log = f"{number % logs}"
        contents[log] = contents.get(log, b"") + content
    return files, list(contents.items())


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("size", [300, 5000, 1 << 20])
@pytest.mark.parametrize("packing", ["", "first", "all"])
@pytest.mark.parametrize("held_kb", [1, 1 << 20])
def test_jobs_and_pieces_change_nothing(small_pieces, tmp_path, jobs, size, packing, held_kb):
    """Plain files in ranges, archives by a worker each, or one archive in chunks."""
    files, contents = written(tmp_path, range(3), 120, packing)
    small_pieces(size)
    plan = plan_of(files, counts=size == 300, held_kb=held_kb)
    with Search(plan, jobs) as searched:
        searched.files()
        assert list(searched.findings.rows()) == plainly(contents)
        assert searched.faults == []
    whole = b"".join(content for _, content in contents)
    assert searched.read_bytes == len(whole)
    if size == 300:
        assert searched.counts.read == whole.count(b"\n")
        assert searched.counts.packets == whole.count(b" kernel: ")


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("size", [300, 5000])
@pytest.mark.parametrize("packing", ["", "first", "all"])
@pytest.mark.parametrize("logs", [1, 3])
@pytest.mark.parametrize("held_kb", [1, 1 << 20])
def test_jobs_and_pieces_change_no_threshold(
    small_pieces, tmp_path, jobs, size, packing, logs, held_kb
):
    """Be the files the history of one log or logs of their own."""
    files, contents = written(tmp_path, range(7, 10), 120, packing, logs)
    small_pieces(size)
    with Search(plan_of(files, ASKING, held_kb=held_kb), jobs) as searched:
        searched.files()
        found = list(searched.findings.rows())
    assert found == plainly(contents, ASKING)
    assert {"Episode" in row or "('packets'" in row for row in found} == {True}
    assert {row.startswith("[0, []") for row in found} == {False, True}


class AtOnce(Executor):
    """Does what it is given when it is given, and knows nothing but values."""

    def submit(self, function: Callable[..., Any], /, *values: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        function, values = pickle.loads(pickle.dumps((function, values)))
        try:
            future.set_result(pickle.loads(pickle.dumps(function(*values, **more))))
        except BaseException as error:
            future.set_exception(error)
        return future


@contextmanager
def at_once(_: int) -> Iterator[Executor]:
    yield AtOnce()


def spawned(number: int) -> Executor:
    return ProcessPoolExecutor(number, get_context("spawn"))


@pytest.mark.parametrize("workers", [processes, ThreadPoolExecutor, spawned, at_once])
@pytest.mark.parametrize("packing", ["", "first"])
def test_any_executor_will_do(small_pieces, tmp_path, workers: Workers, packing):
    """The same scan runs over threads, processes that know nothing, and one of our own."""
    files, contents = written(tmp_path, range(2), 150, packing)
    small_pieces(9000)
    with Search(plan_of(files, [*SIGNALS, *ASKING]), 2, workers) as searched:
        searched.files()
        assert list(searched.findings.rows()) == plainly(contents, [*SIGNALS, *ASKING])


@pytest.mark.parametrize("jobs", [1, 2])
def test_streams_are_shared_out_too(small_pieces, jobs):
    """What only one can read, such as what is new in a log."""
    content = log_of(4, 400)
    small_pieces(3000)
    blocks = [line + b"\n" for line in content.split(b"\n")[:-1]]
    with Search(plan_of([LogFile("x", SETTINGS, "x")], ASKING), jobs) as searched:
        searched.stream(blocks)
        assert list(searched.findings.rows()) == plainly([("x", content)], ASKING)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_machine_that_is_most_of_a_log_is_shared_out(small_pieces, tmp_path, jobs):
    """By signals: nobody else can fold its packets."""
    content = "".join(
        packet_line("192.168.1.7", second=n, port=(25, 445, 8080)[n % 3]).replace(
            "198.51.100.52", f"198.51.100.{n % 250}"
        )
        for n in range(900)
    ).encode()
    path = tmp_path / "log"
    path.write_bytes(content)
    small_pieces(20_000)
    signals = [*SIGNALS, *ASKING]
    with Search(plan_of([LogFile(str(path), SETTINGS, "0")], signals), jobs) as searched:
        searched.files()
        assert list(searched.findings.rows()) == plainly([("0", content)], signals)


def test_plans_can_be_sent(tmp_path):
    """Whatever signals ask, in whatever zone."""
    conditions = {
        "IN": "eth+, !eth0", "SRC": "10.0.0.0/8, !::1", "DPT": "1-9", "PROTO": "TCP, 6",
        "PREFIX": "*x*", "MAC": "02:00:00:00:00:01", "FLAGS": "SYN, !ACK", "HOST": "fw1",
    }  # fmt: skip
    plan = plan_of(
        [LogFile("x", SETTINGS)],
        [signal_of("all", **conditions), *ASKING],
        span=Span(NOW, None),
    )._replace(pattern=re.compile("(?P<SRC>x)"))
    assert pickle.loads(pickle.dumps(plan)) == plan


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
    packed_log = gzip.compress(content)
    (tmp_path / "a.gz").write_bytes(packed_log[: len(packed_log) // 2])
    (tmp_path / "b").write_bytes(log_of(2, 100))
    files = [LogFile(str(tmp_path / name), SETTINGS) for name in ("a.gz", "b", "missing")]
    small_pieces(20_000)
    results = []
    for jobs in (1, 2):
        with Search(plan_of(files), jobs) as searched:
            searched.files()
            results.append((list(searched.findings.rows()), searched.read_bytes))
        assert [type(error).__name__ for error in searched.faults] == ["DataError", "NoInputError"]
    assert results[0] == results[1]
    counted = re.findall(r"\('packets', (\d+)\)", str(results[0][0]))
    assert sum(map(int, counted)) > 500


# The processes themselves.


def refuse() -> None:
    raise DataError("no")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("work", "error", "words"), [(refuse, DataError, "no"), (die, TryAgainError, "--jobs 1")]
)
def test_worker_that_fails_is_an_error_with_its_cause(work, error, words):
    """It is raised here, and the others end."""
    before = children()
    with pytest.raises(error, match=words), processes(2) as executor:
        for future in [executor.submit(work) for _ in range(9)]:
            future.result()
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
        b"botalert: a worker process ended early. "
        b"If the machine is short of memory, use --jobs 1.\n"
    )
    assert gone(workers)


def test_little_is_not_shared_out(tmp_path):
    """Starting workers takes longer than scanning a small log."""

    def nobody(number: int) -> Executor:
        raise AssertionError("workers were started")

    path = tmp_path / "log"
    content = log_of(1, 100)
    path.write_bytes(content)
    for is_stream in (False, True):
        with Search(plan_of([LogFile(str(path), SETTINGS, "0")]), 4, nobody) as searched:
            if is_stream:
                with path.open("rb") as stream:
                    searched.stream(LineBlocks(stream))
            else:
                searched.files()
            assert list(searched.findings.rows()) == plainly([("0", content)])


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


def test_rotation_in_the_middle_of_a_scan_changes_nothing(small_pieces, tmp_path):
    """The file that was there is read to its end, whatever its name is by then."""
    path = tmp_path / "log"
    content = log_of(5, 400)
    path.write_bytes(content)
    small_pieces(5000)

    @contextmanager
    def rotated(number: int) -> Iterator[Executor]:
        path.rename(tmp_path / "log.1")
        path.write_bytes(log_of(6, 9))
        with processes(number) as executor:
            yield executor

    with Search(plan_of([LogFile(str(path), SETTINGS, "0")]), 2, rotated) as searched:
        searched.files()
        assert list(searched.findings.rows()) == plainly([("0", content)])
    assert searched.read_bytes == len(content)
