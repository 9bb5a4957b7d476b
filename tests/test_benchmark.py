"""The benchmark: what it measures counts what is in the logs, and it tells of what does not."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark import contestants, logs, measure
from benchmark.lines import KINDS, PORTS
from benchmark.networks import NETWORKS
from checkout import ROOT
from real import need, need_root

MEGABYTES = 0.02


def run_benchmark(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it over tiny logs, with one round."""
    options = ["--directory", str(directory), "--rounds", "1", "--new", "50", "--known", "50"]
    options += ["--machines", "1000"]
    return subprocess.run(
        [sys.executable, "-m", "benchmark", str(MEGABYTES), *options, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def dense(tmp_path: Path) -> logs.Log:
    """Give a tiny log whose lines all match."""
    (log,) = logs.make_logs(tmp_path, [("dense", MEGABYTES)])
    return log


@pytest.mark.parametrize("part", ["tools", "runs", "networks", "machines"])
def test_a_part_is_measured_and_all_counts_agree(part: str, tmp_path: Path) -> None:
    """It prints tables, complains of nothing and leaves each log under its own name."""
    finished = run_benchmark(tmp_path, "--part", part)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "| highest memory" in finished.stdout or part == "runs"
    assert "All programs counted what is in the logs." in finished.stdout
    assert list(tmp_path.glob("*.new")) == []


def test_logs_are_the_same_each_time(dense: logs.Log, tmp_path: Path) -> None:
    """The size says which log it is; another directory holds the same one."""
    (again,) = logs.make_logs(tmp_path / "again", [("dense", MEGABYTES)])
    assert again.path.read_bytes() == dense.path.read_bytes()
    assert again.truth == dense.truth


def test_a_whole_log_is_not_made_again(dense: logs.Log) -> None:
    """One of the right size stays; one that was cut is replaced."""
    content, made = dense.path.read_bytes(), dense.path.stat().st_ino
    directory = dense.path.parent
    assert logs.make_logs(directory, [("dense", MEGABYTES)]) == [dense]
    assert dense.path.stat().st_ino == made

    dense.path.write_bytes(content[:1000])
    assert logs.make_logs(directory, [("dense", MEGABYTES)]) == [dense]
    assert dense.path.read_bytes() == content


@pytest.mark.parametrize("name", NETWORKS)
def test_truth_of_a_network_is_what_its_lines_hold(name: str, tmp_path: Path) -> None:
    """Counted once more, plainly; and the same log each time."""
    (log,) = logs.make_networks(tmp_path, [(name, 300)])
    lines = log.path.read_text().splitlines()
    found = [
        (port, source, host if NETWORKS[name].source == "HOST SRC" else "")
        for line in lines
        if "IN=eth1 " in line
        for port in [line.partition(" DPT=")[2].partition(" ")[0]]
        for source in [line.partition(" SRC=")[2].partition(" ")[0]]
        for host in [line.split()[3]]
        if port in PORTS
    ]
    assert log.truth.lines == len(lines) == 300
    assert log.truth.packets == sum("IN=" in line for line in lines)
    assert log.truth.matches == len(found)
    assert log.truth.ports == Counter(port for port, _, _ in found)
    assert log.truth.sources == Counter(port for port, _, _ in set(found))
    (again,) = logs.make_networks(tmp_path / "again", [(name, 300)])
    assert again.path.read_bytes() == log.path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_what_the_lines_hold(kind: str, tmp_path: Path) -> None:
    """Counted once more, plainly."""
    (log,) = logs.make_logs(tmp_path, [(kind, MEGABYTES)])
    lines = log.path.read_text().splitlines()
    own = [line.partition(" [SRC=")[0] for line in lines]
    asked = [line for line in own if "IN=eth1 " in line and " PROTO=TCP " in line]
    ports = [line.partition(" DPT=")[2].partition(" ")[0] for line in asked]
    wanted = [port for port in ports if port in PORTS]
    assert log.truth.lines == len(lines)
    assert log.truth.packets == sum("IN=" in line for line in lines)
    assert log.truth.matches == len(wanted)
    assert log.truth.ports == {port: wanted.count(port) for port in set(wanted)}


def test_a_wrong_count_is_told(dense: logs.Log, tmp_path: Path) -> None:
    """The message names the contestant, what is expected and what it got."""
    config = contestants.write_config(tmp_path / "botalert.conf")
    contestant = contestants.scan(dense, config, 1)
    measure.timed(contestant)
    matches = dense.truth.matches
    false = replace(contestant, expected={**contestant.expected, "matches": matches + 1})
    with pytest.raises(measure.CountError) as told:
        measure.timed(false)
    assert str(told.value) == (
        f"botalert, 1 job, {dense.path.name}: matches: expected {matches + 1}, got {matches}"
    )


def test_a_wrong_count_fails_the_benchmark(dense: logs.Log) -> None:
    """The exit status says so, for whoever looks at nothing else."""
    content = dense.path.read_bytes()
    dense.path.write_bytes(content.replace(b"IN=eth1", b"IN=eth2", 1))
    finished = run_benchmark(dense.path.parent, "--part", "runs")
    assert finished.returncode == 1
    assert f"botalert list, {dense.path.name}: matches: expected" in finished.stderr


def test_a_failing_program_is_told(tmp_path: Path) -> None:
    """Its own words are told, too."""
    program = ["sh", "-c", "echo no such thing >&2; exit 3"]
    with pytest.raises(measure.CountError, match="sh: expected exit status 0, got 3: no such"):
        measure.timed(measure.Contestant("sh", program))


def test_memory_is_that_of_all_processes() -> None:
    """A child's memory counts in the sums."""
    hold = "import time; held = b'x' * 40_000_000; time.sleep(1.5)"
    both = (
        "import subprocess, sys; held = b'x' * 40_000_000; "
        f"subprocess.run([sys.executable, '-c', {hold!r}])"
    )
    memory = measure.weigh(measure.Contestant("two", [sys.executable, "-c", both]))
    assert 80_000_000 < memory.proportional <= memory.resident
    assert memory.largest > 40_000_000


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("fwlogwatch", "fwlogwatch"),
        ("logwatch", "logwatch"),
        ("psad", "psad"),
        ("fail2ban", "fail2ban-regex"),
        ("SEC", "sec"),
    ],
)
def test_a_reader_counts_what_is_there(
    name: str, program: str, dense: logs.Log, tmp_path: Path
) -> None:
    """Each program that makes reports is asked so that it tells a count that can be checked."""
    need(program)
    if program == "psad":
        need_root()
    make, _ = contestants.READERS[name]
    contestant = make(dense, tmp_path)
    assert contestant is not None
    measure.timed(contestant)
