"""
Programs run from start to end: how long they took, what they counted, how much memory they had.

Times and memory come from different runs, for looking at memory disturbs.
"""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from .logs import Log

SAMPLE_SECONDS = 0.02

# One is for the benchmark itself; the other would cut tables.
_NOT_INHERITED = ("PYTHONPATH", "COLUMNS")
_KIBIBYTE = 1024
_TOLD_CHARACTERS = 500


class CountError(Exception):
    """A program failed, or counted something else than is in the log."""


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Contestant:
    """
    A program and what it is expected to count.

    Args:
        name: As printed.
        command: The program and its arguments.
        log: What it reads, if it reads one.
        expected: What it must count.
        read: Finds in its output what it counted; each of these must be in *expected*.
            Without it the program must only succeed.
        standard_input: The file that it reads from there.
        statuses: The exit statuses of success.
        prepare: Called before each run; takes no part in its time.
        shown: Whether its output is kept; what a packer unpacks is not.
    """

    name: str
    command: list[str]
    log: Log | None = None
    expected: Mapping[str, object] = field(default_factory=dict)
    read: Callable[[TextIO], Mapping[str, object]] | None = None
    standard_input: str = os.devnull
    statuses: tuple[int, ...] = (0,)
    prepare: Callable[[], object] = nothing
    shown: bool = True


@dataclass(frozen=True)
class Memory:
    """
    The highest memory of a program with all its children, in bytes.

    Args:
        proportional: Sum of PSS, where what processes share is counted once.
        resident: Sum of RSS, where it is counted for each.
        largest: ru_maxrss, which the kernel keeps, of the largest single process.  It is
            never less than that of the process which measures.
    """

    proportional: int
    resident: int
    largest: int


@dataclass
class Result:
    """What was measured of a contestant: the seconds of each round, and the memory."""

    contestant: Contestant
    seconds: list[float]
    memory: Memory | None = None

    @property
    def median(self) -> float:
        """Seconds; what ratios are made of."""
        return statistics.median(self.seconds)

    @property
    def minimum(self) -> float:
        """Seconds of the quickest round."""
        return min(self.seconds)


def _spawn(contestant: Contestant, output: Path) -> int:
    """Start it; give its process id."""
    # grep stops at the first match if it sees that its output is thrown away: keep it.
    target = str(output) if contestant.shown else os.devnull
    inherited = {name: text for name, text in os.environ.items() if name not in _NOT_INHERITED}
    create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawnp(
        contestant.command[0],
        contestant.command,
        {**inherited, "LC_ALL": "C"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, contestant.standard_input, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, target, create, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, f"{output}.errors", create, 0o600),
        ],
    )


def _check(contestant: Contestant, wait_status: int, output: Path) -> None:
    """Raise CountError unless the program succeeded and counted what is there."""
    log = contestant.log
    who = f"{contestant.name}, {log.path.name}" if log else contestant.name
    status = os.waitstatus_to_exitcode(wait_status)
    if status not in contestant.statuses:
        told = _end(Path(f"{output}.errors"))
        raise CountError(
            f"{who}: expected exit status {contestant.statuses[0]}, got {status}: {told}"
        )
    if contestant.read is None:
        return
    try:
        with output.open(errors="replace") as file:
            found = contestant.read(file)
    except ValueError as error:
        raise CountError(f"{who}: its output tells no count: {_end(output)!r}") from error
    for what, count in found.items():
        if count != contestant.expected[what]:
            raise CountError(f"{who}: {what}: expected {contestant.expected[what]}, got {count}")


def _end(path: Path) -> str:
    """Give the last of what a program said."""
    return path.read_text(errors="replace").strip()[-_TOLD_CHARACTERS:]


def timed(contestant: Contestant) -> float:
    """Run it once, check what it counted, and give the seconds from start to end."""
    with TemporaryDirectory(prefix="benchmark-") as directory:
        output = Path(directory, "output")
        contestant.prepare()
        start = time.perf_counter()
        process = _spawn(contestant, output)
        _, wait_status = os.waitpid(process, 0)
        seconds = time.perf_counter() - start
        _check(contestant, wait_status, output)
    return seconds


def alternate(contestants: list[Contestant], rounds: int) -> list[Result]:
    """
    Run all once to check them and to warm the page cache, then in turns: A B C A B C.

    A machine gets slower and faster as others use it; in turns, all feel that.
    """
    for contestant in contestants:
        timed(contestant)
    results = [Result(contestant, []) for contestant in contestants]
    for _ in range(rounds):
        for result in results:
            result.seconds.append(timed(result.contestant))
    return results


def weigh(contestant: Contestant) -> Memory:
    """Run it once more and look at the memory of all its processes, 50 times a second."""
    proportional = resident = 0
    with TemporaryDirectory(prefix="benchmark-") as directory:
        output = Path(directory, "output")
        contestant.prepare()
        process = _spawn(contestant, output)
        try:
            ended = 0
            while not ended:
                sums = [_sizes(member) for member in (process, *_descendants(process))]
                proportional = max(proportional, sum(pss for pss, _ in sums))
                resident = max(resident, sum(rss for _, rss in sums))
                time.sleep(SAMPLE_SECONDS)
                ended, wait_status, usage = os.wait4(process, os.WNOHANG)
        except BaseException:
            os.kill(process, signal.SIGTERM)
            raise
        _check(contestant, wait_status, output)
    return Memory(proportional, resident, usage.ru_maxrss * _KIBIBYTE)


def _descendants(process: int) -> Iterator[int]:
    """Find the children of *process*, their children, and so on (proc(5), /proc/pid/stat)."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_bytes()
            except OSError:
                continue  # It has ended since.
            # "PID (name, which may hold anything) state parent …"
            parent = int(stat.rpartition(b") ")[2].split()[1])
            children.setdefault(parent, []).append(int(entry))
    waiting = children.get(process, [])
    while waiting:
        member = waiting.pop()
        yield member
        waiting.extend(children.get(member, []))


def _sizes(process: int) -> tuple[int, int]:
    """Give PSS and RSS in bytes (proc(5), /proc/pid/smaps_rollup); 0 of what has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = dict(line.split(":", 1) for line in lines[1:])
    return tuple(int(sizes[name].split()[0]) * _KIBIBYTE for name in ("Pss", "Rss"))
