"""Thresholds over time, against a judge that looks at every window."""

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


def judged(rules: Rules, lines: list[Line]) -> bool:
    """Look at every line, and at all that stand before it in its stretch."""
    stretch: list[tuple[int, float, Line]] = []  # Day, time that counts.
    every: list[Line] = []
    before = None
    for line in lines:
        every.append(line)
        if line.clock is not None:
            if before is not None and (
                before.clock != line.clock or line.seconds < before.seconds - 60
            ):
                stretch = []
            before = line
            time = max([line.seconds, *(each[1] for each in stretch)])
            stretch.append((line.moment().day, time, line))
        if any(
            all(holds(rules, rules.measures[n], stretch, every) for n in way) for way in rules.ways
        ):
            return True
    return False


def holds(rules: Rules, measure: Measure, stretch, every) -> bool:
    """Tell whether enough lies within the window that ends now."""
    if measure.window is None:
        inside = [(line.moment().day if line.clock == STAMP else 0, line) for line in every]
    elif not stretch:
        return False
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
        return any(sum(counts) >= measure.number for counts in groups.values())
    return any(len(set(values)) >= measure.number for values in groups.values())


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
    scale = draw(st.sampled_from([10, 30, 3000, 30000]))
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
