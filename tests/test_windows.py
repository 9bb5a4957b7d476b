"""Thresholds over time, against a judge that looks at every window."""

from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from botalert.config.thresholds import read_threshold
from botalert.threshold import DAYS, PACKETS, Measure
from botalert.windows import MICROSECONDS, STAMP, UPTIME, Moment, Rules, Stage

DAY = 86400
BEGIN = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())


class Line:
    """One line: when it was logged, what it has, how many packets it is."""

    def __init__(self, clock, seconds, values, repeat=1):
        self.clock, self.seconds, self.values, self.repeat = clock, seconds, values, repeat

    def moment(self):
        if self.clock is None:
            return None
        day = datetime.fromtimestamp(self.seconds, UTC).toordinal() if self.clock == STAMP else 0
        return Moment(self.clock, int(self.seconds * MICROSECONDS), day)

    def __repr__(self):
        return f"Line({self.clock}, {self.seconds}, {self.values}, {self.repeat})"


Stretch = list[tuple[int, float, Line]]
"""Lines that no step back divides, with the day and the time at which they count."""


def moments(lines: list[Line]) -> Iterator[tuple[Stretch, list[Line]]]:
    """Give at every line its stretch so far, and all lines so far."""
    stretch: Stretch = []
    before = None
    for number, line in enumerate(lines, start=1):
        if line.clock is not None:
            if before is not None and (
                before.clock != line.clock or line.seconds < before.seconds - 60
            ):
                stretch = []
            before = line
            time = max([line.seconds, *(each[1] for each in stretch)])
            stretch.append((line.moment().day, time, line))
        yield stretch, lines[:number]


def judged(rules: Rules, lines: list[Line]) -> bool:
    """Look at every line, and at all that stand before it in its stretch."""
    return any(
        all(holds(rules, rules.measures[n], stretch, every) for n in way)
        for stretch, every in moments(lines)
        for way in rules.ways
    )


def holds(rules: Rules, measure: Measure, stretch, every) -> bool:
    """Tell whether enough lies within the window that ends now."""
    return most(rules, measure, stretch, every) >= measure.number


def most(rules: Rules, measure: Measure, stretch, every) -> int:
    """Count what any group has within the window that ends now."""
    if measure.window is None:
        inside = [(line.moment().day if line.clock == STAMP else 0, line) for line in every]
    elif not stretch:
        return 0
    elif measure.what == DAYS:
        today = max(day for day, _, _ in stretch)
        inside = [(d, line) for d, _, line in stretch if d > today - measure.window]
    else:
        inside = [(d, line) for d, t, line in stretch if t >= stretch[-1][1] - measure.window]
    groups: dict[object, list] = {}
    for day, line in inside:
        by = dict(zip(rules.values, line.values, strict=True))
        group = "" if measure.per is None else by[measure.per]
        if group is None:
            continue
        if measure.what == PACKETS:
            groups.setdefault(group, []).append(line.repeat)
        elif measure.what == DAYS:
            if day:
                groups.setdefault(group, []).append(day)
        elif by[measure.what] is not None:
            groups.setdefault(group, []).append(by[measure.what])
    if measure.what == PACKETS:
        return max(map(sum, groups.values()), default=0)
    return max((len(set(values)) for values in groups.values()), default=0)


@st.composite
def measures(draw) -> str:
    number = draw(st.integers(1, 5))
    what = draw(st.sampled_from(["DST", "DPT", "packets", "flows", "days"]))
    window = draw(st.sampled_from([None, 0, 1, 2, 5]))
    if what == "days":
        return f"{number} days" + (f" in {max(number, window)}d" if window else "")
    per = draw(st.sampled_from(["", "", " per DPT", " per DST"]))
    if per.endswith(what):
        per = ""
    unit = draw(st.sampled_from([20, 60, 3600, 40000]))
    return f"{number} {what}{per}" + (f" in {window * unit}s" if window else "")


@st.composite
def thresholds(draw) -> str:
    ways = []
    for _ in range(draw(st.integers(1, 2))):
        parts = draw(st.lists(measures(), min_size=1, max_size=3))
        ways.append(parts[0] if len(parts) == 1 else "all: " + ", ".join(parts))
    return "\n".join(ways)


@st.composite
def logs(draw, rules: Rules) -> list[Line]:
    """Random lines: steps of some seconds to some days, at times back, at times none."""
    clock, now = STAMP, float(BEGIN + draw(st.integers(0, DAY)))
    few = draw(st.integers(1, 6))
    lines = []
    scale = draw(st.sampled_from([10, 30, 3000, 30000, 300_000]))
    for _ in range(draw(st.integers(0, 25))):
        kind = draw(st.integers(0, 19))
        if kind == 0:
            now -= draw(st.integers(0, 200))
        elif kind <= 3:
            now -= draw(st.integers(0, 61))
        elif kind == 4:
            clock, now = (UPTIME, 1000.0) if clock == STAMP else (STAMP, float(BEGIN))
        else:
            now += draw(st.integers(0, scale))
        values = tuple(draw(st.sampled_from([None, *"abcdef"[:few]])) for _ in rules.values)
        told = None if kind == 5 else clock
        lines.append(Line(told, now, values, draw(st.sampled_from([1, 1, 1, 2]))))
    return lines


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
