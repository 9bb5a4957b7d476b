"""Thresholds over time, judged by looking at every window; for tests to compare with."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import strategies as st

from botalert.model import Hit
from botalert.threshold import DAYS, PACKETS, Measure
from botalert.windows import MICROSECONDS, STAMP, UPTIME, Moment, Rules

DAY = 86400
BEGIN = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())


class Line:
    """One line: when it was logged, what it has, how many packets it is; its stamp's offset."""

    def __init__(self, clock, seconds, values, repeat=1, hours=0):
        self.clock, self.seconds, self.values, self.repeat = clock, seconds, values, repeat
        self.hours = hours

    def stamp(self):
        if self.clock != STAMP:
            return None
        zone = timezone(timedelta(hours=self.hours)) if self.hours else UTC
        return datetime.fromtimestamp(self.seconds, zone)

    def moment(self):
        if self.clock is None:
            return None
        stamp = self.stamp()
        day = 0 if stamp is None else stamp.toordinal()
        return Moment(self.clock, int(self.seconds * MICROSECONDS), day)

    def __repr__(self):
        return f"Line({self.clock}, {self.seconds}, {self.values}, {self.repeat}, {self.hours})"


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
        holds(rules, measure, stretch, every)
        for stretch, every in moments(lines)
        for measure in rules.measures
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
    per = draw(st.sampled_from(["", "", " per DPT", " per DST"]))
    if what == "days":
        return f"{number} days{per}" + (f" in {max(number, window)}d" if window else "")
    if per.endswith(what):
        per = ""
    unit = draw(st.sampled_from([20, 60, 3600, 40000]))
    return f"{number} {what}{per}" + (f" in {window * unit}s" if window else "")


@st.composite
def thresholds(draw) -> str:
    return "\n".join(draw(st.lists(measures(), min_size=1, max_size=3)))


@st.composite
def offsets(draw, before: int) -> int:
    """Give the hours by which stamps are ahead of UTC from now on, most often those *before*."""
    return draw(st.sampled_from([before] * 12 + [-9, 0, 5]))


@st.composite
def logs(draw, rules: Rules) -> list[Line]:
    """Random lines: steps of some seconds to some days, at times back, at times none."""
    clock, now = STAMP, float(BEGIN + draw(st.integers(0, DAY)))
    latest, hours = now, 0
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
            latest = now
        else:
            now += draw(st.integers(0, scale))
        if now >= latest:  # What is earlier is of no later day.
            latest, hours = now, draw(offsets(hours))
        values = tuple(draw(st.sampled_from([None, *"abcdef"[:few]])) for _ in rules.values)
        told = None if kind == 5 else clock
        lines.append(Line(told, now, values, draw(st.sampled_from([1, 1, 1, 2])), hours))
    return lines


def hit_of(line: Line, text: str) -> Hit:
    """Make what a scan keeps of *line*; its first value is also its DST."""
    return Hit(
        signal="x",
        source="192.168.1.10",
        time=line.stamp(),
        destination=line.values[0] if line.values else None,
        port=None,
        interface="eth1",
        mac=None,
        repeat=line.repeat,
        line=text,
        uptime=line.seconds if line.clock == UPTIME else None,
        values=line.values,
    )


def silence_of(rules: Rules, retain: int) -> int:
    """Give after how many seconds a tally that is no detection begins anew."""
    units = ((measure.window, DAY if measure.what == DAYS else 1) for measure in rules.measures)
    return max(DAY, *(retain if window is None else window * unit for window, unit in units))


def followed(rules: Rules, retain: int, lines: Sequence[Line]) -> tuple[list[Line], bool]:
    """Give those of one log's *lines* that count in the end, and whether they are a detection."""
    tally: list[Line] = []
    before = latest = None
    for line in lines:
        if line.clock is not None:
            if before is not None and (
                before.clock != line.clock or line.seconds < before.seconds - 60
            ):
                latest = None
            if (
                latest is not None
                and line.seconds - latest > silence_of(rules, retain)
                and not judged(rules, tally)
            ):
                tally = []
            latest = line.seconds if latest is None else max(latest, line.seconds)
            before = line
        tally.append(line)
    return tally, judged(rules, tally)


Logs = dict[str, list[Line]]


def eras_of(lines: Sequence[Line], returns: Sequence[float]) -> list[int]:
    """Give for each line of a log how many *returns* there were by then."""
    stamps = [line.seconds for line in lines if line.clock == STAMP]
    at = stamps[0] if stamps else 0.0
    eras = []
    for line in lines:
        at = line.seconds if line.clock == STAMP else at
        eras.append(bisect_right(returns, at) if stamps else 0)
    return eras


def judged_episodes(rules: Rules, retain: int, realert: int | None, logs: Logs) -> dict[int, Logs]:
    """Give the numbers of the episodes that are detections, and the lines that count in each."""
    stamps = sorted(line.seconds for log in logs.values() for line in log if line.clock == STAMP)
    returns = [b for a, b in pairwise(stamps) if realert is not None and b - a > realert]
    present: Logs = {log: [] for log in logs}
    number = 0
    found: dict[int, Logs] = {}
    for era in range(len(returns) + 1):
        if number in found:
            number += 1
            present = {log: [] for log in logs}
        for log, lines in logs.items():
            eras = eras_of(lines, returns)
            present[log] += [line for line, own in zip(lines, eras, strict=True) if own == era]
        tallies = {log: followed(rules, retain, lines) for log, lines in present.items()}
        if any(is_met for _, is_met in tallies.values()):
            found[number] = {log: lines for log, (lines, _) in tallies.items()}
    return found
