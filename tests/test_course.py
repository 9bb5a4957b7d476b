"""What becomes of a source over time and in several logs, against a judge that tries everything."""

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import dropwhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import BEGIN, DAY, Line, Logs, hit_of, judged_episodes, silence_of, thresholds
from plain import told_of

from botalert.config.thresholds import read_threshold
from botalert.course import Course, Trace
from botalert.fold import Fold
from botalert.hits import Batch, Clock, Kind, Strip
from botalert.model import Hit
from botalert.packing import packed_course, tallies_in, unpacked_course
from botalert.tally import Tally, merged
from botalert.times import Period
from botalert.windows import MOST_GROUPS, STAMP, UPTIME, Rules

RETAIN = 3 * DAY
REALERTS = [3600, DAY, 2 * DAY, 5 * DAY]
Expected = dict[int, Tally]
"""What is seen in each episode that is a detection, by number."""


def tally_of(lines: Sequence[Line]) -> Tally:
    tally = Tally()
    for line in lines:
        tally.add(hit_of(line, repr(line)))
    return tally


def expected(rules: Rules, realert: int | None, logs: Logs) -> Expected:
    """Give what the judge says."""
    return {
        number: merged(tally_of(counting[log]) for log in sorted(counting))
        for number, counting in judged_episodes(rules, RETAIN, realert, logs).items()
    }


def told(course: Course) -> Expected:
    """Give what *course* says of itself."""
    found = {episode.number: episode.tally for episode in course.episodes()}
    last = course.episode()
    assert last == (max(found.items()) if found else None)
    return found


def cut(draw, lines: list[Line], most: int) -> list[list[Line]]:
    cuts = sorted(draw(st.lists(st.integers(0, len(lines)), max_size=most)))
    return [lines[a:b] for a, b in zip([0, *cuts], [*cuts, len(lines)], strict=True)]


def repacked(draw, course: Course) -> Course:
    """Write it as text and read it again, at times."""
    if draw(st.integers(0, 2)):
        return course
    return unpacked_course(packed_course(course), course.rules)


def take(draw, course: Course, logs: Logs) -> Course:
    """Let *course* go on through *logs*, one after the other, stored at times."""
    for log, lines in logs.items():
        for piece in cut(draw, lines, 3):
            for line in piece:
                course.add(hit_of(line, repr(line)), log)
            course = repacked(draw, course)
    return course


def run(draw, course: Course, logs: Logs) -> tuple[Course, Expected]:
    """Take in what is new in *logs*, as the daily job does; tell of what it alerts."""
    course = take(draw, repacked(draw, course), logs)
    found = told(course)
    course.settle()
    return course, found


@st.composite
def one_log(draw, rules: Rules, *, is_steady: bool) -> list[Line]:
    """Random lines, with steps about those that matter; *is_steady* if time only goes on."""
    silence = silence_of(rules, RETAIN)
    edges = [60, 61, silence, silence + 1, silence - 1]
    if rules.realert is not None:
        edges += [rules.realert // 10**6 + more for more in (0, 1)]
    clock, now = STAMP, BEGIN + draw(st.integers(0, 5)) * DAY // 2
    scale = draw(st.sampled_from([10, 3000, 30000, 2 * DAY]))
    lines: list[Line] = []
    for _ in range(draw(st.integers(0, 14))):
        kind = draw(st.integers(0, 15))
        told = clock
        if kind <= 3:
            now += draw(st.sampled_from(edges))
        elif kind == 4:
            told = None
        elif kind <= 6 and not is_steady:
            now -= draw(st.sampled_from([1, 59, 60, 61, 5000, 4 * DAY]))
        elif kind == 7 and not is_steady:
            clock, now = (UPTIME, 1000) if clock == STAMP else (STAMP, BEGIN)
            told = clock
        else:
            now += draw(st.integers(0, scale))
        values = tuple(draw(st.sampled_from([None, *"abcd"])) for _ in rules.values)
        lines.append(Line(told, now, values, draw(st.sampled_from([1, 1, 2]))))
    return lines


def rules_for(draw, realerts: Sequence[int | None]) -> tuple[Rules, int | None]:
    realert = draw(st.sampled_from(realerts))
    return Rules(read_threshold(draw(thresholds())), RETAIN, realert), realert


def judge_some_logs(draw, realerts: Sequence[int | None], *, is_steady: bool) -> None:
    """Insist that one to three logs, in parts, are found to be what the judge finds them."""
    rules, realert = rules_for(draw, realerts)
    names = "abc"[: draw(st.integers(1, 3))]
    logs = {name: draw(one_log(rules, is_steady=is_steady)) for name in names}
    assert told(take(draw, Course(rules), logs)) == expected(rules, realert, logs)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_logs_are_judged_rightly_whatever_the_cut(data: st.DataObject) -> None:
    """Silences begin tallies anew, and several logs unite, in whatever parts they are read."""
    judge_some_logs(data.draw, [None], is_steady=False)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_runs_change_nothing(data: st.DataObject) -> None:
    """Each log is read on from where it was, and what will never matter is forgotten."""
    rules, _ = rules_for(data.draw, [None])
    logs = {log: data.draw(one_log(rules, is_steady=False)) for log in "ab"}
    pieces = {log: cut(data.draw, lines, 3) for log, lines in logs.items()}
    whole = Course(rules)
    for number in range(4):
        new = {log: cuts[number] for log, cuts in pieces.items() if number < len(cuts)}
        whole, _ = run(data.draw, whole, new)
    assert told(whole) == expected(rules, None, logs)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_who_returns_is_another_episode(data: st.DataObject) -> None:
    """Whatever the cut; if it is met again, with counts of its own."""
    judge_some_logs(data.draw, REALERTS, is_steady=True)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_runs_change_no_episode(data: st.DataObject) -> None:
    """The moments of runs don't matter, nor what is forgotten once it was told."""
    rules, realert = rules_for(data.draw, REALERTS)
    # Of lines without a time that a log begins with, only what follows can tell when they were.
    logs = {
        log: list(dropwhile(lambda line: line.clock is None, lines))
        for log in "ab"
        for lines in [data.draw(one_log(rules, is_steady=True))]
    }
    moments = sorted(data.draw(st.lists(st.integers(0, 20), max_size=4)))
    ends = [BEGIN + moment * DAY // 2 for moment in moments]
    whole = Course(rules)
    found: Expected = {}
    for begin, end in zip([0, *ends], [*ends, 10**10], strict=True):
        new = {
            log: [line for line in lines if begin <= line.seconds < end]
            for log, lines in logs.items()
        }
        whole, told_now = run(data.draw, whole, new)
        found.update(told_now)
    assert found == expected(rules, realert, logs)
    assert told(whole) == dict([max(found.items())] if found else [])
    for number, tally in told(whole).items():
        text = packed_course(whole)
        assert sum(each.packets for each in tallies_in(text, number)) == tally.packets


# In bulk.


def clock_of(line: Line) -> Clock:
    day = datetime.fromtimestamp(line.seconds, UTC).replace(hour=0, minute=0, second=0)
    return Clock(Period(day, day + timedelta(days=1)))


def batches(draw, rules: Rules, lines: list[Line]) -> Iterator[tuple[list[Line], Batch]]:
    """
    Cut *lines* into batches of a log: most as strips of a few kinds, others one by one.

    What a kind has alike are its port and, of its own choice, nothing else;
    destinations are the first of a line's values, as in :func:`hit_of`.
    """
    before: tuple[int, float] | None = None
    clocks: dict[datetime, Clock] = {}
    for some in cut(draw, lines, 5):
        strips: dict[tuple[datetime, str], list[int]] = {}
        hits: list[tuple[int, Hit]] = []
        stamped: list[Line] = []
        for place, line in enumerate(some):
            is_plain = line.clock == STAMP and line.repeat == 1 and line.values[:1] != (None,)
            if is_plain and rules.values in (("DST",), ("DST", "DPT")) and draw(st.integers(0, 6)):
                clock = clock_of(line)
                clocks.setdefault(clock.period.start, clock)
                port = line.values[1] if len(line.values) > 1 else None
                strips.setdefault((clock.period.start, port or ""), []).append(place)
                stamped.append(line)
            else:
                hits.append((place, hit_of(line, repr(line))))
        seen = [*([] if before is None else [before]), *((1, each.seconds) for each in stamped)]
        days = {datetime.fromtimestamp(seconds, UTC).toordinal() for _, seconds in seen}
        is_steady = seen == sorted(seen) and len(days) < 2
        before = (1, stamped[-1].seconds) if stamped else before
        yield (
            some,
            Batch(
                "log",
                [
                    strip_of(clocks[day], port, places, some)
                    for (day, port), places in strips.items()
                ],
                hits,
                {place: repr(line) for place, line in enumerate(some)},
                is_steady=is_steady and draw(st.booleans()),
            ),
        )


def strip_of(clock: Clock, port: str, places: list[int], lines: Sequence[Line]) -> Strip:
    own = [lines[place] for place in places]
    stamps = [datetime.fromtimestamp(line.seconds, UTC) for line in own]
    return Strip(
        Kind((("x", "192.168.1.10"),), clock, "192.168.1.10", "eth1", None, "TCP", port),
        places,
        [f"{stamp:%H:%M:%S}" for stamp in stamps],
        [line.values[0] or "" for line in own],
        ["" for _ in own],
    )


def as_told(seen: Any) -> Any:
    """Say what a run would make of it; where hits carry their port, leave ports out."""
    for trace in seen.logs.values():
        for piece in trace.pieces:
            piece.tally.ports = Tally().ports
    return told_of(seen)


IN_BULK = ["2 DST in 1m", "3 DST per DPT in 2h", "3 DST", "2 DPT per DST in 1d\n4 DST in 9d"]
IN_BULK += ["2 days in 3d\n5 DST", "3 packets in 90s", "2 packets per DPT in 5m"]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_hits_in_bulk_are_hits_one_by_one(data: st.DataObject) -> None:
    """However they are cut into batches, and divided into kinds and single ones."""
    draw = data.draw
    realert = draw(st.sampled_from([None, *REALERTS]))
    rules = Rules(read_threshold(draw(st.sampled_from(IN_BULK))), RETAIN, realert)
    lines = draw(one_log(rules, is_steady=draw(st.booleans())))
    plain, fold = Course(rules), Fold({"x": rules})
    for some, batch in batches(draw, rules, lines):
        fold.add(batch)
        for line in some:
            plain.add(hit_of(line, repr(line)), "log")
    if lines:
        (seen,) = fold.seen.values()
        assert as_told(seen) == as_told(plain)


# Memory.

SCANS = [
    "20 DST per DPT in 5m\n15 DPT per DST in 5m",
    "15 DPT per DST\n20 DST per DPT",
]


def scan(rules: Rules, numbers: range) -> Course:
    """Make the course of a source that sends each packet elsewhere, to another port."""
    course = Course(rules)
    for number in numbers:
        # Neither of two neighbours nor of many do as many as are asked for have one in common.
        told = {"DST": str(number), "DPT": str(number // 7)}
        values = tuple(told[name] for name in rules.values)
        course.add(hit_of(Line(STAMP, BEGIN + number // 100, values), "x"), "log")
    return course


def weight_of(course: Course) -> int:
    fold = Fold({})
    fold.seen["x", "y"] = course
    return fold.weight()


@pytest.mark.parametrize("threshold", SCANS)
def test_what_is_remembered_of_a_source_is_bounded(threshold: str) -> None:
    """However many destinations and ports it has."""
    rules = Rules(read_threshold(threshold), RETAIN, None)
    weights, sizes, settled = [], [], []
    for most in (30_000, 60_000):
        course = scan(rules, range(most))
        assert course.episode() is None
        weights.append(weight_of(course))
        sizes.append(len(packed_course(course)))
        ((progress,),) = [[each.progress for each in course.trace("log").tries]]
        assert max(len(groups) for groups in progress.parts()[1]) == MOST_GROUPS
        course.settle()
        settled.append(len(packed_course(course)))
    assert weights[1] < 1.1 * weights[0] < 10_000
    assert sizes[1] < 1.1 * sizes[0] < 2_000_000
    assert settled[1] < 1.1 * settled[0] < 2_000_000


def test_what_no_window_reaches_is_forgotten_between_runs() -> None:
    """So the state file does not keep what a source did all day."""
    rules = Rules(read_threshold("20 DST per DPT in 1s\n50 packets in 1s"), RETAIN, None)
    course = scan(rules, range(0, 30_000, 10))
    course.settle()
    assert len(packed_course(course)) < 5000


def groups(number: int) -> list[Course]:
    return [scan(Rules(read_threshold(SCANS[0]), RETAIN, None), range(number))]


def newcomers(number: int) -> list[Course]:
    rules = Rules(read_threshold("9 DST in 1h"), RETAIN, None)
    return [scan(rules, range(n, n + 3)) for n in range(number)]


@pytest.mark.parametrize("make", [groups, newcomers])
def test_weight_tells_how_much_memory_is_taken(make: Callable[[int], list[Course]]) -> None:
    """A fold that holds too much is divided by it."""
    tracemalloc.start()
    try:
        courses = make(10_000)
        held = tracemalloc.get_traced_memory()[0] / 1024
    finally:
        tracemalloc.stop()
    assert 0.4 * held < sum(map(weight_of, courses)) < 2.5 * held


def test_a_log_is_taken_in_linear_time() -> None:
    """What is known of a source does not make its next packet slower."""
    rules = Rules(read_threshold("20 DST per DPT in 5m\n900 packets in 1s"), RETAIN, 3600)

    def seconds(number: int) -> float:
        begin = time.process_time()
        trace = Trace(rules)
        for n in range(number):
            trace.add(hit_of(Line(STAMP, BEGIN + 4000 * n, (str(n), str(n // 7))), "x"))
        assert not trace.is_met
        return time.process_time() - begin

    assert seconds(8000) < 8 * seconds(2000) + 0.1


def test_evidence_and_names_are_the_first_as_read() -> None:
    """Of several kinds in one batch, whichever comes first."""
    clock = Clock(Period(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)))
    target = (("x", "192.168.1.10"),)
    strips = [
        Strip(
            Kind(target, clock, "192.168.1.10", interface, mac, "TCP", port),
            places,
            ["10:00:00" for _ in places],
            ["198.51.100.1" for _ in places],
        )
        for interface, mac, port, places in [
            ("eth2", "02:00:00:00:00:02", "25", [1, 4, 8, 9, 10, 11]),
            ("eth1", "02:00:00:00:00:01", "80", [0, 2, 3, 5]),
        ]
    ]
    hit = Hit("x", "192.168.1.10", None, None, None, "eth3", None, 1, "line 6")
    lines = {place: f"line {place}" for place in (0, 1, 2, 3, 4, 5, 8, 9, 10)}
    for rules in ({}, {"x": Rules(read_threshold("99 packets"), RETAIN, None)}):
        fold = Fold(rules)
        fold.add(Batch("log", strips, [(6, hit)], lines, is_steady=True))
        (seen,) = fold.seen.values()
        tally = seen if isinstance(seen, Tally) else seen.trace("log").pieces[0].tally
        assert tally.packets == 11
        assert tally.evidence == tuple(f"line {place}" for place in range(5))
        assert tally.interfaces == ("eth1", "eth2", "eth3")
        assert tally.macs == ("02:00:00:00:00:01", "02:00:00:00:00:02")
