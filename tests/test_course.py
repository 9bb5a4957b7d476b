"""What becomes of a source over time and in several logs, against a judge that tries everything."""

import time
import tracemalloc
from collections.abc import Sequence
from itertools import dropwhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import BEGIN, DAY, Line, Logs, hit_of, judged_episodes, silence_of, thresholds

from botalert.config.thresholds import read_threshold
from botalert.course import Course, weight
from botalert.packing import packed_course, tallies_in, unpacked_course
from botalert.tally import Tally, merged
from botalert.windows import STAMP, UPTIME, Rules, heads, tracks

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


def course_of(rules: Rules, log: str, lines: Sequence[Line]) -> Course:
    course = Course(rules)
    for line in lines:
        course.add(hit_of(line, repr(line)), log)
    return course


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


def scanned(draw, rules: Rules, logs: Logs) -> Course:
    """Cut each log into parts and merge neighbours in any order."""
    parts = [
        repacked(draw, course_of(rules, log, piece))
        for log, lines in logs.items()
        for piece in cut(draw, lines, 3)
    ]
    parts = parts or [Course(rules)]
    while len(parts) > 1:
        at = draw(st.integers(0, len(parts) - 2))
        later = parts.pop(at + 1)
        parts[at].merge(later)
        parts[at] = repacked(draw, parts[at])
    return parts[0]


def run(draw, rules: Rules, known: Course, logs: Logs) -> tuple[Course, Expected]:
    """Take in what is new in *logs*, as the state file does; tell of what it alerts."""
    whole = repacked(draw, known)
    whole.merge(scanned(draw, rules, logs))
    found = told(whole)
    whole.settle()
    return whole, found


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
    assert told(scanned(draw, rules, logs)) == expected(rules, realert, logs)


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
        whole, _ = run(data.draw, rules, whole, new)
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
        whole, told_now = run(data.draw, rules, whole, new)
        found.update(told_now)
    assert found == expected(rules, realert, logs)
    assert told(whole) == dict([max(found.items())] if found else [])
    for number, tally in told(whole).items():
        text = packed_course(whole)
        assert sum(each.packets for each in tallies_in(text, number)) == tally.packets


# Memory.

SCANS = [
    "20 DST per DPT in 5m\n15 DPT per DST in 5m",
    "15 DPT per DST\n20 DST per DPT",
    "all: 20 DST per DPT in 5m, 15 DPT per DST in 5m, 3 days in 9d",
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


@pytest.mark.parametrize("threshold", SCANS)
def test_what_is_remembered_of_a_source_is_bounded(threshold: str) -> None:
    """However many destinations and ports it has."""
    rules = Rules(read_threshold(threshold), RETAIN, None)
    weights, sizes, settled = [], [], []
    for most in (30_000, 60_000):
        course = scan(rules, range(most))
        assert course.episode() is None
        weights.append(weight({("x", "y"): course}))
        sizes.append(len(packed_course(course)))
        (piece,) = course.logs["log"]
        assert max(map(len, piece.stage._tracks.groups)) == tracks.MOST_GROUPS
        course.settle()
        settled.append(len(packed_course(course)))
    assert weights[1] < 1.1 * weights[0] < 40_000
    assert sizes[1] < 1.1 * sizes[0] < 4_000_000
    assert settled[1] < 1.1 * settled[0] < 2_000_000


def test_what_no_window_reaches_is_forgotten_between_runs() -> None:
    """So the state file does not keep what a source did all day."""
    rules = Rules(read_threshold("20 DST per DPT in 1s\n50 packets in 1s"), RETAIN, None)
    course = scan(rules, range(0, 30_000, 10))
    course.settle()
    assert len(packed_course(course)) < 5000


def test_weight_tells_how_much_memory_is_taken() -> None:
    """A ledger goes by it."""
    rules = Rules(read_threshold(SCANS[0]), RETAIN, None)
    tracemalloc.start()
    try:
        course = scan(rules, range(20_000))
        held = tracemalloc.get_traced_memory()[0] / 1024
    finally:
        tracemalloc.stop()
    assert 0.5 * held < weight({("x", "y"): course}) < 2 * held


def merging_seconds(parts: Sequence[Course]) -> float:
    """Merge *parts*, one after the other; tell how long that took."""
    begin = time.process_time()
    for part in parts[1:]:
        parts[0].merge(part)
    assert parts[0].episode() is None
    return time.process_time() - begin


def test_many_parts_merge_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of those before does not grow for ever."""
    for module in (heads, tracks):
        monkeypatch.setattr(module, "MOST_GROUPS", 64)
    rules = Rules(read_threshold(SCANS[0]), RETAIN, None)

    def seconds(parts: int) -> float:
        return merging_seconds([scan(rules, range(n, n + 99)) for n in range(0, 99 * parts, 99)])

    assert seconds(400) < 8 * seconds(100) + 0.1


def test_parts_that_often_came_near_merge_in_linear_time() -> None:
    """Each time that one of two measures held is looked at once."""
    rules = Rules(read_threshold("all: 3 DST in 1m, 5 packets in 1m"), RETAIN, None)

    def seconds(bursts: int) -> float:
        lines = [Line(STAMP, BEGIN + 200 * n, (dst,)) for n in range(bursts) for dst in "abc"]
        return merging_seconds([scan(rules, range(1)), course_of(rules, "log", lines)])

    assert seconds(8000) < 8 * seconds(2000) + 0.1
