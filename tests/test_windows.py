"""Thresholds over time, against a judge that looks at every window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge import BEGIN, DAY, Line, judged, logs, moments, most, thresholds

from botalert.config.thresholds import read_threshold
from botalert.windows import STAMP, Rules, Stage


def stage_of(rules: Rules, lines: list[Line]) -> Stage:
    stage = Stage(rules)
    for line in lines:
        stage.add(line.moment(), line.values, line.repeat)
    return stage


def grouped(draw, parts: list[Stage]) -> Stage:
    """Merge neighbours in any order."""
    while len(parts) > 1:
        at = draw(st.integers(0, len(parts) - 2))
        parts[at : at + 2] = [parts[at].merged(parts[at + 1])]
    return parts[0]


@given(st.data())
def test_a_threshold_is_met_where_the_judge_finds_it(data):
    """Whatever the cut, and in whatever order the parts merge."""
    rules = Rules(read_threshold(data.draw(thresholds())), 400 * DAY, None)
    lines = data.draw(logs(rules))
    expected = judged(rules, lines)
    assert stage_of(rules, lines).is_met == expected
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    parts = [
        stage_of(rules, lines[begin:end])
        for begin, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)
    ]
    assert grouped(data.draw, parts).is_met == expected


@given(st.data())
def test_how_far_a_measure_got_is_what_the_judge_counts(data):
    """The most that there were of it at any line, until the threshold is met."""
    rules = Rules(read_threshold(data.draw(thresholds())), 400 * DAY, None)
    lines = data.draw(logs(rules))
    stage = Stage(rules)
    got = [0] * len(rules.measures)
    expected = list(got)
    for line, (stretch, every) in zip(lines, moments(lines), strict=True):
        stage.add(line.moment(), line.values, line.repeat)
        if stage.is_met:
            break
        for number, measure in enumerate(rules.measures):
            got[number] = max(got[number], stage.most(number)[1])
            counted = most(rules, measure, stretch, every)
            expected[number] = max(expected[number], min(counted, measure.number))
    assert got == expected


@pytest.mark.parametrize("left", [False, True], ids=["later first", "earlier first"])
def test_lines_that_step_back_are_within_short_windows(left):
    """They count at the time before them, however long ago they seem to be."""
    rules = Rules(read_threshold("2 DST per DPT in 5s"), 400 * DAY, None)
    before = [Line(STAMP, BEGIN + 100, ("x", "1"))]
    back = [Line(STAMP, BEGIN + 50, ("a", "25")), Line(STAMP, BEGIN + 60, ("a", "80"))]
    after = [Line(STAMP, BEGIN + 101, ("b", "25"))]
    assert judged(rules, [*before, *back, *after])
    one, two, three = (stage_of(rules, lines) for lines in (before, back, after))
    whole = one.merged(two).merged(three) if left else one.merged(two.merged(three))
    assert whole.is_met
