"""
What is compared with what: each part is measured in one go and printed as a table.

Nothing here depends on how long anything took, for machines differ.
"""

import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dateutil import parser

from botalert.times import StampReader

from . import contestants, logs, measure, table
from .contestants import CORES
from .lines import PORTS
from .logs import Log
from .measure import Contestant, Result
from .networks import NETWORKS

JOBS = sorted({1, 2, CORES})

# A second of a log is a hundred lines, and no log is shorter.
_HUNDRED_LINES = 0.0001
_GROWTH = (0.1, 1, 4)
# In a shorter log not every machine meets it, and counts would differ.
_THRESHOLD = "5 DST in 1h"
_ENOUGH_MEGABYTES = 100
_TIMES = ("", "least", "median", "MB/s", "million lines/s")
_MEMORY = ("PSS", "RSS", "largest process")

_MOST = "highest memory of any scan, PSS in MB"
_UNIT = "dense log, 30 signals, 1 job"
# More of a network tells no more.
_NETWORK_MEGABYTES = 100
_LINES_OF_MEGABYTE = 3650
_MACHINES = (1000, 10_000, 100_000, 1_000_000)

LIMITS = {
    "three ports, 30 signals, to dense": "≤ 4",
    "three ports, @default, to dense": "≤ 6",
    "dense, @default, to dense": "≤ 2.5",
    "wide, @default, to dense": "≤ 3.5",
    "newcomers, @default, to dense": "≤ 14",
    "a million machines to 100,000, a line": "≤ 1.3",
    "two jobs to one, the most of these": "≤ 0.65",
    "sparse log, all jobs, to `rg -c`": "≤ 3.7",
    "dense log, all jobs, to `rg -c`": "≤ 3.3",
    "sparse log, 30 signals to 1": "≤ 1.1",
    "sparse log, four times as large": "≤ 4.2",
    "dense log, four times as large": "≤ 4.2",
    "dense log in `.gz`, to `zcat`": "≤ 2",
    _MOST: "≤ 150",
    "100 lines, to `python -c pass`": "≤ 6",
}
"""The figures that are looked at first, with the limit of each."""


@dataclass
class Bench:
    """
    What the parts have in common, and what they found out.

    Args:
        directory: Where the logs are kept.
        work: Where configurations and states are, for this time only.
        megabytes: The size of the logs.
        rounds: How often each contestant is timed.
        newcomers: How many new machines a run finds.
        known: How many known machines a run updates; 0 if that is not to be measured.
        machines: Of how many machines the largest log is.
        kinds: The logs on which programs are compared.
        figures: Those of LIMITS that were measured.
    """

    directory: Path
    work: Path
    megabytes: float
    rounds: int
    newcomers: int
    known: int
    machines: int
    kinds: Sequence[str]
    figures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = contestants.write_config(self.work / "thirty.conf")

    def logs(self, wanted: Sequence[tuple[str, float]]) -> list[Log]:
        """Give logs by their kinds and sizes in MB."""
        return logs.make_logs(self.directory, wanted)

    def measure(self, group: Sequence[Contestant | None]) -> dict[str, Result]:
        """Time those of the group that are there, in turns; give the results by name."""
        there = [contestant for contestant in group if contestant]
        return {result.contestant.name: result for result in measure.alternate(there, self.rounds)}

    def weigh(self, results: dict[str, Result]) -> None:
        """Find out how much memory each had, and keep the most that botalert had."""
        for name, result in results.items():
            result.memory = measure.weigh(result.contestant)
            if name.startswith("botalert, "):
                megabytes = result.memory.proportional / logs.BYTES_OF_MEGABYTE
                self.figures[_MOST] = max(self.figures.get(_MOST, 0), megabytes)

    def keep_most(self, ratio: float) -> None:
        """Keep the ratio of two jobs to one, if it is the most so far."""
        figure = "two jobs to one, the most of these"
        self.figures[figure] = max(self.figures.get(figure, 0), ratio)

    def keep(self, figure: str, results: dict[str, Result], above: str, below: str) -> None:
        """Keep a ratio of two medians, if both were measured."""
        if above in results and below in results:
            self.figures[figure] = results[above].median / results[below].median


def _times(result: Result) -> list[str]:
    log = result.contestant.log
    return [
        result.contestant.name,
        table.seconds(result.minimum),
        table.seconds(result.median),
        table.rate(log.size_bytes if log else 0, result.median),
        table.rate(log.truth.lines if log else 0, result.median),
    ]


def _memory(result: Result) -> list[str]:
    assert result.memory is not None
    return [
        table.megabytes(size)
        for size in (result.memory.proportional, result.memory.resident, result.memory.largest)
    ]


def tools(bench: Bench) -> None:
    """Compare with programs that search for the equivalent pattern, on each kind of log."""
    made = bench.logs([(name, bench.megabytes) for name in bench.kinds])
    _print_logs(made)
    for log in made:
        group = [contestants.scan(log, bench.config, jobs) for jobs in JOBS]
        all_jobs = contestants.scan(log, bench.config, CORES).name
        if log.name == "sparse":
            one = contestants.write_config(bench.work / "one.conf", as_one=True)
            group.append(contestants.scan_as_one(log, one, CORES))
        if log.name in ("sparse", "dense") and bench.megabytes >= _ENOUGH_MEGABYTES:
            windows = contestants.write_config(bench.work / "windows.conf", threshold=_THRESHOLD)
            group.append(contestants.scan(log, windows, CORES, also=", thresholds"))
        searchers = contestants.searchers(log)
        if log.name == "dense":
            packed = logs.packed(log)
            group.append(contestants.scan(packed, bench.config, CORES, also=", .gz"))
            searchers.append(contestants.unpacker(packed))
        results = bench.measure([*group, *searchers])
        bench.weigh(results)
        ours = results[all_jobs].median
        table.print_table(
            f"The {log.name} log, {table.megabytes(log.size_bytes)}",
            (*_TIMES, f"{all_jobs} to it", *_MEMORY),
            [
                [*_times(result), table.ratio(ours / result.median), *_memory(result)]
                for result in results.values()
            ],
        )
        if log.name in ("sparse", "dense"):
            bench.keep(f"{log.name} log, all jobs, to `rg -c`", results, all_jobs, "rg -c")
        if log.name == "dense":
            one_job, two_jobs = (contestants.scan(log, bench.config, jobs).name for jobs in (1, 2))
            bench.keep_most(results[two_jobs].median / results[one_job].median)
        bench.keep("sparse log, 30 signals to 1", results, all_jobs, f"{all_jobs}, 1 signal")
        bench.keep("dense log in `.gz`, to `zcat`", results, f"{all_jobs}, .gz", "zcat, .gz")


def _print_logs(made: list[Log]) -> None:
    table.print_table(
        "The logs",
        ("", "size", "lines", "bytes a line", "packets", "that match", "detections"),
        [
            [
                log.name,
                table.megabytes(log.size_bytes),
                f"{log.truth.lines:,}",
                f"{log.size_bytes / log.truth.lines:.0f}",
                f"{log.truth.packets:,}",
                f"{log.truth.matches:,}",
                f"{log.truth.pairs:,}",
            ]
            for log in made
        ],
    )


def growth(bench: Bench) -> None:
    """Scan a tenth of the size, the size and four times the size."""
    rows = []
    for kind in ("sparse", "dense"):
        sizes = [bench.megabytes * times for times in _GROWTH]
        made = bench.logs([(kind, size) for size in sizes])
        results = bench.measure(
            [
                contestants.scan(log, bench.config, CORES, also=f", {kind}, {size:g} MB")
                for log, size in zip(made, sizes, strict=True)
            ]
        )
        bench.weigh(results)
        _, normal, large = results
        bench.keep(f"{kind} log, four times as large", results, large, normal)
        rows += [
            [*_times(result), table.ratio(result.median / results[normal].median), *_memory(result)]
            for result in results.values()
        ]
    table.print_table("Growth", (*_TIMES, "to the middle size", *_MEMORY), rows)


def networks(bench: Bench) -> None:
    """Scan what real networks have, by the thirty signals and by the shipped ones."""
    megabytes = min(bench.megabytes, _NETWORK_MEGABYTES)
    (dense,) = bench.logs([("dense", megabytes)])
    lines = round(megabytes * _LINES_OF_MEGABYTE)
    made = logs.make_networks(bench.directory, [(name, lines) for name in NETWORKS])
    default = contestants.write_default(bench.work / "default.conf")
    for log in (dense, *made):
        source = NETWORKS[log.name].source if log.name in NETWORKS else "SRC"
        thirty = contestants.write_config(bench.work / f"{source}.conf", source=source)
        unit = replace(contestants.scan(dense, bench.config, 1), name=_UNIT)
        known: dict[str, object] = {}
        both = [
            [contestants.scan(log, thirty, jobs) for jobs in (1, 2)],
            [contestants.scan_default(log, default, jobs, known) for jobs in (1, 2)],
        ]
        results = bench.measure([unit, *both[0], *both[1]])
        bench.weigh(results)
        for what, pair in zip(("30 signals", "@default"), both, strict=True):
            one, two = (results[contestant.name].median for contestant in pair)
            bench.figures[f"{log.name}, {what}, to dense"] = one / results[_UNIT].median
            bench.keep_most(two / one)
        table.print_table(
            f"{log.name[:1].upper()}{log.name[1:]}: {log.truth.lines:,} lines, "
            f"{table.megabytes(log.size_bytes)}, {log.truth.pairs:,} pairs that match",
            (*_TIMES, "to the dense log", *_MEMORY),
            [
                [
                    *_times(result),
                    table.ratio(result.median / results[_UNIT].median),
                    *_memory(result),
                ]
                for result in results.values()
            ],
        )


def machines(bench: Bench) -> None:
    """Scan logs of ever more machines, of each of which a line and a half are logged."""
    rows = []
    default = contestants.write_default(bench.work / "default.conf")
    taken: dict[int, float] = {}
    for number in (each for each in _MACHINES if each <= bench.machines):
        log = logs.make_machines(bench.directory, number)
        known: dict[str, object] = {}
        group = [
            replace(scan, name=f"{scan.name}, {number:,} machines")
            for scan in (contestants.scan_default(log, default, jobs, known) for jobs in (1, 2))
        ]
        results = bench.measure(group)
        bench.weigh(results)
        taken[number] = results[group[0].name].median / log.truth.lines
        for result in results.values():
            microseconds = result.median / log.truth.lines * 1e6
            rows.append([*_times(result), f"{microseconds:.1f}", *_memory(result)])
    table.print_table("Machines", (*_TIMES, "µs a line", *_MEMORY), rows)
    if _MACHINES[-1] in taken:
        figure = "a million machines to 100,000, a line"
        bench.figures[figure] = taken[_MACHINES[-1]] / taken[_MACHINES[-2]]


def start(bench: Bench) -> None:
    """Compare what takes next to no work with an interpreter that does nothing."""
    (log,) = bench.logs([("dense", _HUNDRED_LINES)])
    interpreter = contestants.interpreter()
    hundred = contestants.scan(log, bench.config, CORES, also=", 100 lines")
    results = bench.measure(
        [interpreter, hundred, contestants.command("botalert check", bench.config, "check")]
    )
    bench.keep("100 lines, to `python -c pass`", results, hundred.name, interpreter.name)
    _print_ratios("Start", results, interpreter.name)


def _print_ratios(title: str, results: dict[str, Result], unit: str) -> None:
    table.print_table(
        title,
        ("", "least", "median", f"to {unit}"),
        [
            [
                result.contestant.name,
                table.seconds(result.minimum),
                table.seconds(result.median),
                table.ratio(result.median / results[unit].median),
            ]
            for result in results.values()
        ],
    )


def readers(bench: Bench) -> None:
    """Compare with programs that make reports of logs, each on a dense log that it bears."""
    rows = []
    for make, bearable in contestants.READERS.values():
        (log,) = bench.logs([("dense", min(bearable, bench.megabytes))])
        reader = make(log, bench.work)
        if reader is None:
            continue
        ours = contestants.scan(log, bench.config, CORES)
        results = bench.measure([reader, ours])
        bench.weigh(results)
        theirs = results[reader.name]
        rows.append(
            [
                *_times(theirs),
                f"{log.truth.lines:,}",
                table.ratio(theirs.median / results[ours.name].median),
                *_memory(theirs),
            ]
        )
    if rows:
        table.print_table(
            "Programs that make reports", (*_TIMES, "lines", "it to botalert", *_MEMORY), rows
        )


def runs(bench: Bench) -> None:
    """Measure the daily job: with nothing to do, and with many machines to record."""
    (log,) = bench.logs([("dense", bench.megabytes)])
    nothing_new = _Job(bench, "unchanged", log.path, PORTS)
    measure.timed(nothing_new.baseline())
    measure.timed(contestants.listing(log, nothing_new.config))
    empty = bench.work / "empty.log"
    empty.touch()

    arrived = logs.newcomers(bench.directory, bench.newcomers)
    new = _Job(bench, "new", arrived.path, PORTS[:1])
    results = bench.measure(
        [
            contestants.interpreter(),
            contestants.command("botalert check", nothing_new.config, "check"),
            _Job(bench, "empty", empty, PORTS).baseline("run, empty log"),
            contestants.command("run, unchanged log", nothing_new.config, "run"),
            new.baseline(f"run --baseline, {bench.newcomers:,} new machines", prepare=new.forget),
            *([_update(bench)] if bench.known else []),
        ]
    )
    measure.timed(contestants.listing(arrived, new.config))
    bench.weigh(results)
    table.print_table(
        "The daily job",
        ("", "least", "median", *_MEMORY),
        [[*_times(result)[:3], *_memory(result)] for result in results.values()],
    )


@dataclass(frozen=True)
class _Job:
    """A configured job with a state of its own."""

    bench: Bench
    name: str
    logfile: Path
    ports: Sequence[str]

    @property
    def state(self) -> Path:
        """The directory of its state."""
        return self.bench.work / f"{self.name}.state"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return contestants.write_config(
            self.bench.work / f"{self.name}.conf",
            self.ports,
            logfile=self.logfile,
            statefile=self.state / "state.db",
        )

    def forget(self) -> None:
        """Go back to before the first run."""
        shutil.rmtree(self.state, ignore_errors=True)

    def go_back(self, kept: Path) -> None:
        """Go back to the state that was kept there."""
        self.forget()
        shutil.copytree(kept, self.state)

    def baseline(self, name: str = "run --baseline", **more: object) -> Contestant:
        """Run it without mails."""
        return contestants.command(name, self.config, "run", "--baseline", **more)


def _update(bench: Bench) -> Contestant:
    """Record so many machines, let each send once more, and give the run that reads that."""
    first = logs.newcomers(bench.directory, bench.known)
    both = logs.newcomers(bench.directory, bench.known, times=2)
    live = bench.work / "known.log"
    shutil.copyfile(first.path, live)
    job = _Job(bench, "known", live, PORTS[:1])
    measure.timed(job.baseline())
    kept = bench.work / "known.kept"
    shutil.copytree(job.state, kept)
    with both.path.open("rb") as more, live.open("ab") as file:
        more.seek(first.size_bytes)
        shutil.copyfileobj(more, file)
    measure.timed(job.baseline())
    measure.timed(contestants.listing(both, job.config))
    return job.baseline(
        f"run --baseline, {bench.known:,} known machines", prepare=partial(job.go_back, kept)
    )


def stamps(bench: Bench) -> None:
    """Compare our reader of stamps, which remembers the last minute, with dateutil's."""
    texts = [f"Nov 20 10:{number // 60 % 60:02}:{number % 60:02}" for number in range(1000)]
    reader = StampReader(datetime(2026, 11, 21, tzinfo=UTC), UTC)
    taken: dict[str, list[float]] = {"botalert's": [], "dateutil's": []}
    for _ in range(bench.rounds):
        for readings, read in zip(taken.values(), (reader.syslog, parser.parse), strict=True):
            begin = time.perf_counter()
            for text in texts:
                read(text)
            readings.append(time.perf_counter() - begin)
    ours, theirs = map(statistics.median, taken.values())
    table.print_table(
        "Reading a thousand stamps of RFC 3164",
        ("", "least", "median", "to botalert's"),
        [
            [name, table.seconds(min(readings)), table.seconds(median), table.ratio(median / ours)]
            for (name, readings), median in zip(taken.items(), (ours, theirs), strict=True)
        ],
    )


PARTS = {
    part.__name__: part
    for part in (tools, networks, machines, growth, start, runs, readers, stamps)
}


def print_limits(bench: Bench) -> None:
    """Print those of LIMITS that were measured."""
    rows = [
        [name, table.ratio(bench.figures[name]), limit]
        for name, limit in LIMITS.items()
        if name in bench.figures
    ]
    if rows:
        table.print_table("The figures in short", ("", "measured", "limit"), rows)
