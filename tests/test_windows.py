"""Thresholds over time, against a judge that looks at every window."""

import json
from itertools import accumulate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from judge import BEGIN, DAY, Line, judged, logs, moments, most, thresholds

from botalert.config.thresholds import read_threshold
from botalert.threshold import DAYS
from botalert.windows import (
    MICROSECONDS,
    MOST_GROUPS,
    STAMP,
    Moment,
    Progress,
    Rules,
    begins_stretch,
    counting,
)


class Walk:
    """A progress that is taken through lines, as a trace does it, but for silences."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.progress = Progress(rules)
        self.last: Moment | None = None
        self.latest: Moment | None = None

    def step(self, line: Line) -> None:
        moment = line.moment()
        if begins_stretch(self.last, moment):
            self.progress.begin_stretch()
            self.latest = None
        if moment is not None:
            self.last, self.latest = moment, counting(moment, self.latest)
        time, today = (0, 0) if self.latest is None else (self.latest.time, self.latest.day)
        own_day = 0 if moment is None else moment.day
        if not self.progress.is_met:
            self.progress.take(
                (time,),
                (today,),
                (own_day,),
                [(value,) for value in line.values],
                (line.repeat,),
                in_windows=moment is not None,
            )

    def store(self) -> None:
        """Go on from what was stored."""
        parts = json.loads(json.dumps(self.progress.parts()))
        self.progress = Progress.of_parts(self.rules, parts)


@given(st.data())
def test_a_threshold_is_met_where_the_judge_finds_it(data):
    """At the same line, also if it was stored and gone on from at any moment."""
    rules = Rules(read_threshold(data.draw(thresholds())), 400 * DAY, None)
    lines = data.draw(logs(rules))
    stored = data.draw(st.sets(st.integers(0, len(lines))))
    walk = Walk(rules)
    for number, line in enumerate(lines):
        if number in stored:
            walk.store()
        walk.step(line)
        assert walk.progress.is_met == judged(rules, lines[: number + 1])


@given(st.data())
def test_lines_that_are_taken_at_once_are_taken_one_by_one(data):
    """Those of one stretch, at the times at which they count."""
    rules = Rules(read_threshold(data.draw(thresholds())), 400 * DAY, None)
    seconds = list(accumulate(data.draw(st.lists(st.sampled_from([0, 1, 7, 400, 3600, DAY])))))
    lines = [
        Line(
            STAMP,
            BEGIN + second,
            tuple(data.draw(st.sampled_from([None, *"abcdef"])) for _ in rules.values),
            data.draw(st.sampled_from([1, 1, 2])),
        )
        for second in seconds
    ]
    walk, progress = Walk(rules), Progress(rules)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    for begin, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        some = lines[begin:end]
        for line in some:
            walk.step(line)
        if not progress.is_met:
            moments_of = [line.moment() for line in some]
            lacks = progress.lacks
            is_met = progress.take(
                [moment.time for moment in moments_of],
                [moment.day for moment in moments_of],
                [moment.day for moment in moments_of],
                [[line.values[n] for line in some] for n in range(len(rules.values))],
                [line.repeat for line in some],
            )
            assert not is_met or sum(line.repeat for line in some) >= lacks
        assert progress.is_met == walk.progress.is_met
        if not progress.is_met:
            assert progress.parts() == walk.progress.parts()


@given(st.data())
def test_how_far_a_measure_got_is_what_the_judge_counts(data):
    """The most that there were of it at any line, until the threshold is met."""
    rules = Rules(read_threshold(data.draw(thresholds())), 400 * DAY, None)
    lines = data.draw(logs(rules))
    walk = Walk(rules)
    got = [0] * len(rules.measures)
    expected = list(got)
    for line, (stretch, every) in zip(lines, moments(lines), strict=True):
        walk.step(line)
        if walk.progress.is_met:
            break
        for number, measure in enumerate(rules.measures):
            latest = walk.latest
            time, day = (0, 0) if latest is None else (latest.time, latest.day)
            got[number] = max(got[number], walk.progress.most(measure, time, day)[1])
            counted = most(rules, measure, stretch, every)
            expected[number] = max(expected[number], min(counted, measure.number))
    assert got == expected


@given(st.data())
def test_what_settling_forgets_never_matters(data):
    """Windows that end later do not reach it."""
    rules = Rules(read_threshold(data.draw(thresholds())), 400 * DAY, None)
    lines = data.draw(logs(rules))
    settled = data.draw(st.sets(st.integers(0, len(lines))))
    walk = Walk(rules)
    for number, line in enumerate(lines):
        # A step back of less than a minute would count at the latest time.
        if number in settled:
            walk.progress.settle(walk.latest and walk.latest.time)
        walk.step(line)
    assert walk.progress.is_met == judged(rules, lines)


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_lines_that_step_back_are_within_short_windows(cut):
    """They count at the time before them, however long ago they seem to be."""
    rules = Rules(read_threshold("2 DST per DPT in 5s"), 400 * DAY, None)
    spots = [(100, "x", "1"), (50, "a", "25"), (60, "a", "80"), (101, "b", "25")]
    lines = [Line(STAMP, BEGIN + second, (dst, port)) for second, dst, port in spots]
    assert judged(rules, lines)
    walk = Walk(rules)
    for number, line in enumerate(lines):
        if number == cut:
            walk.store()
        walk.step(line)
    assert walk.progress.is_met


@given(st.data())
def test_once_no_window_reaches_it_nothing_is_remembered(data):
    """Of measures with windows in time; days are few."""
    asked = read_threshold(data.draw(thresholds()))
    asked = tuple(each for each in asked if each.window is not None and each.what != DAYS)
    assume(asked)
    rules = Rules(asked, 400 * DAY, None)
    walk = Walk(rules)
    for line in data.draw(logs(rules)):
        walk.step(line)
    if walk.latest is not None:
        longest = max(measure.window for measure in asked)
        walk.progress.settle(walk.latest.time + longest * MICROSECONDS + 1)
    assert walk.progress.size() == 0


@pytest.mark.parametrize(
    "threshold",
    ["3 DST per DPT", "3 DST per DPT in 9d", "3 packets per DPT in 9d", "3 days per DPT in 9d"],
)
@pytest.mark.parametrize("others", [MOST_GROUPS - 1, MOST_GROUPS])
def test_the_groups_that_were_active_last_are_remembered(threshold, others):
    """As many as are remembered of one source; of more, the oldest go first."""
    rules = Rules(read_threshold(threshold), 400 * DAY, None)
    walk = Walk(rules)

    def step(day: int, destination: str, port: str) -> None:
        told = {"DST": destination, "DPT": port}
        walk.step(Line(STAMP, BEGIN + day * DAY, tuple(told[name] for name in rules.values)))

    for day, destination in enumerate("abc"):
        step(day, destination, "25")
        for number in range(others if day < 2 else 0):
            step(day, "x", f"{day} {number}")
    assert walk.progress.is_met == (others < MOST_GROUPS)


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_later_day_is_today_whatever_the_offset(cut):
    """An earlier line may name it, of an offset that is ahead."""
    rules = Rules(read_threshold("3 days in 3d"), 400 * DAY, None)
    midnight = BEGIN + DAY
    lines = [
        Line(STAMP, midnight - DAY * 5 // 2, (), hours=-1),
        Line(STAMP, midnight + 3590, (), hours=-1),
        Line(STAMP, midnight + 3580, ()),
    ]
    ordinals = [line.moment().day for line in lines]
    assert [day - ordinals[-1] for day in ordinals] == [-3, -1, 0]
    assert not judged(rules, lines)
    walk = Walk(rules)
    for number, line in enumerate(lines):
        if number == cut:
            walk.store()
        walk.step(line)
    assert not walk.progress.is_met
