"""What becomes of a source over time and in several logs, against a judge that tries everything."""

import gc
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import dropwhile
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import (
    BEGIN,
    DAY,
    Line,
    Logs,
    hit_of,
    judged_episodes,
    offsets,
    silence_of,
    thresholds,
)
from plain import fold, told_of

from botalert.config.thresholds import read_threshold
from botalert.course import Course, Tallies, Trace
from botalert.fold import Fold
from botalert.hits import Batch, Clock, Kind, Strip
from botalert.match import flow_words
from botalert.model import Hit
from botalert.packing import (
    OPEN,
    packed,
    packed_course,
    tallies_in,
    unpacked,
    unpacked_course,
)
from botalert.tally import KEPT_LINES, Tally, merged
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
    """Write it as text and read it again, at times; as the state file does."""
    if draw(st.integers(0, 2)):
        return course
    text = packed_course(course, is_open=course.is_changed)
    assert text.startswith(OPEN) == course.is_changed
    read = unpacked_course(text, course.rules)
    assert read.is_changed == course.is_changed
    return read


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
    known = list(told(course))
    course = take(draw, repacked(draw, course), logs)
    # What has not changed is not looked at.
    assert course.is_changed or list(told(course)) == known
    found = told(course)
    course.settle()
    assert not course.is_changed
    return course, found


@st.composite
def one_log(draw, rules: Rules, *, is_steady: bool) -> list[Line]:
    """Random lines, with steps about those that matter; *is_steady* if time only goes on."""
    silence = silence_of(rules, RETAIN)
    edges = [60, 61, silence, silence + 1, silence - 1]
    if rules.realert is not None:
        edges += [rules.realert // 10**6 + more for more in (0, 1)]
    clock, now = STAMP, BEGIN + draw(st.integers(0, 5)) * DAY // 2
    latest, hours = now, 0
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
            told, latest = clock, now
        else:
            now += draw(st.integers(0, scale))
        if now >= latest:
            latest, hours = now, draw(offsets(hours))
        values = tuple(draw(st.sampled_from([None, *"abcd"])) for _ in rules.values)
        lines.append(Line(told, now, values, draw(st.sampled_from([1, 1, 2])), hours))
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
    names = data.draw(st.sampled_from(["ab", "abc"]))
    logs = {log: data.draw(one_log(rules, is_steady=False)) for log in names}
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
        for log in data.draw(st.sampled_from(["ab", "abc"]))
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

PER_BULK = ["", "", " per DPT", " per DST", " per SPT", " per IN", " per SRC"]


@st.composite
def bulk_thresholds(draw) -> str:
    """Measures of what strips tell, some of which many lines do not meet."""
    texts = []
    for _ in range(draw(st.integers(1, 2))):
        number = draw(st.sampled_from([1, 2, 3, 4, 6, 9, 70]))
        counted = ["DST", "DST", "DPT", "SPT", "flows", "packets", "SRC", "PROTO", "IN"]
        what = draw(st.sampled_from(counted))
        per = draw(st.sampled_from(PER_BULK))
        window = draw(st.sampled_from(["", " in 1s", " in 9s", " in 2m", " in 2h", " in 1d"]))
        if draw(st.integers(0, 7)) == 0:
            number, what = min(number, 9), "days"
            window = draw(st.sampled_from(["", f" in {number}d", f" in {number + 2}d"]))
        texts.append(f"{number} {what}{'' if per.endswith(what) else per}{window}")
    return "\n".join(texts)


class Packet(NamedTuple):
    """A line about a packet: when it was logged, and what it tells."""

    line: Line
    source: str
    fields: Mapping[str, str | None]
    mac: str | None
    is_alone: bool
    """Whether it is read by itself, though others may be like it."""

    def value(self, name: str) -> str | None:
        if name == "flows":
            told = (self.fields[each] or "" for each in ("PROTO", "DST", "SPT", "DPT"))
            return " ".join(told)
        return self.fields[name]

    def hit(self, signal: str, values: Sequence[str], text: str) -> Hit:
        fields = self.fields
        return hit_of(self.line, text)._replace(
            signal=signal,
            source=self.source,
            destination=fields["DST"],
            port=fields["DPT"],
            interface=fields["IN"],
            mac=self.mac,
            values=tuple(map(self.value, values)),
        )


def test_flows_are_told_as_they_are_matched() -> None:
    """Or hits that come one by one were other flows than those in bulk."""
    fields = {"PROTO": "TCP", "DST": "198.51.100.1", "SPT": None, "DPT": "25"}
    packet = Packet(Line(STAMP, BEGIN, ()), "192.168.1.10", fields, None, is_alone=True)
    assert packet.value("flows") == flow_words("TCP", "198.51.100.1", None, "25")


@st.composite
def packets(draw, edges: Sequence[int]) -> list[Packet]:
    """
    Draw a few packets, some times over: as of scans, each time of other machines or ports.

    Most come soon; some at one of *edges* after those before, some earlier,
    some without a stamp.
    """
    block = draw(st.lists(spots(edges), min_size=1, max_size=7))
    renewed = draw(st.sampled_from(["", "DST", "DPT", "SPT"]))
    clock, now, hours = STAMP, BEGIN + draw(st.sampled_from([0, DAY // 2, DAY - 99])), 0
    latest = now
    found = []
    for turn in range(draw(st.sampled_from([1, 1, 2, 4, 9, 20]))):
        for step, clocks, repeat, is_alone, fields, (interface, mac), source in block:
            if clocks == "another" and not turn:
                clock, now = (UPTIME, 1000) if clock == STAMP else (STAMP, BEGIN)
                latest = now
            now += step if step < DAY or not turn else 1
            if now >= latest:
                latest, hours = now, hours if turn else draw(offsets(hours))
            told = None if clocks == "none" else clock
            own = dict(fields, IN=interface)
            if renewed and own[renewed]:
                own[renewed] = f"{own[renewed]}{turn}"
            # Strips are of packets that have a stamp, a destination and no like in their line.
            is_odd = is_alone or told != STAMP or repeat > 1 or own["DST"] is None
            line = Line(told, now, (), repeat, hours)
            found.append(Packet(line, f"192.168.1.{source}", own, mac, is_odd))
    return found


@st.composite
def spots(draw, edges: Sequence[int]) -> tuple:
    """Draw how a packet follows the one before, and what it tells."""
    rare = draw(st.integers(0, 24))
    step = draw(st.sampled_from([0, 0, 0.25, 1, 1, 2, 7, 59, 600]))
    if rare == 1:
        step = draw(st.sampled_from(edges))
    if rare in (2, 3):
        step = -draw(st.sampled_from([0.5, 1, 59, 60, 61, 5000]))
    odd = draw(st.integers(0, 99))
    fields = {
        "DST": None if odd == 99 else draw(st.sampled_from("abcd")),
        "DPT": draw(st.sampled_from([None, "1", "2", "3"])),
        "SPT": draw(st.sampled_from([None, "1", "2", "3"])),
        "PROTO": draw(st.sampled_from(["TCP", "UDP"])),
        # A signal may blame another machine.
        "SRC": draw(st.sampled_from(["10.0.0.1", "10.0.0.1", "10.0.0.2"])),
    }
    return (
        step,
        {98: "none", 97: "another"}.get(odd, "the same"),
        2 if odd == 96 else 1,
        odd in (94, 95),
        fields,
        draw(st.sampled_from([("eth0", None), ("eth1", "02:00:00:00:00:01")])),
        draw(st.sampled_from([10, 10, 10, 11])),
    )


class Reader:
    """Makes batches of a log's packets, as a scanner does."""

    def __init__(self, rules: Mapping[str, Rules], *targets: str) -> None:
        self._targets = targets
        self._values = {name: rules[name].values if name in rules else () for name in targets}
        asked = {value for values in self._values.values() for value in values}
        self._is_port_asked = bool(asked & {"SPT", "flows"})
        silences = [each.least_silence for each in rules.values()]
        self._every_line = min(silences, default=10**18) < DAY * 10**6
        self._clocks: dict[datetime, Clock] = {}
        self._kinds: dict[tuple, Kind] = {}
        self._lines_left: Counter[Kind] = Counter()
        self._before: tuple[Clock, float] | None = None

    def renew(self) -> None:
        """Let lines of all kinds become evidence once more: another log begins."""
        self._lines_left.clear()

    def hits(self, packets: Sequence[Packet]) -> list[Hit]:
        """Give what is found of *packets* one by one."""
        return [hit for packet in packets for hit in self._hits(packet)]

    def _hits(self, packet: Packet) -> list[Hit]:
        return [
            packet.hit(signal, self._values[signal], repr(packet.line)) for signal in self._targets
        ]

    def batch(self, log: str, packets: Sequence[Packet], *, is_told: bool, few: bool) -> Batch:
        """
        Give the same in bulk.

        Args:
            log: Its name.
            packets: Those of the log that follow next.
            is_told: Whether it may be told that time only goes on.
            few: Whether it gives no more lines than a batch must.
        """
        strips: dict[Kind, list[int]] = {}
        times = [] if self._before is None else [self._before]
        for place, packet in enumerate(packets):
            if not packet.is_alone:
                kind = self._kind(packet)
                strips.setdefault(kind, []).append(place)
                times.append((kind.clock, packet.line.seconds))
        clocks = {clock for clock, _ in times}
        seconds = [second for _, second in times]
        is_steady = len(clocks) < 2 and seconds == sorted(seconds)
        self._before = times[-1] if times else None
        return Batch(
            log,
            [self._strip(kind, places, packets) for kind, places in strips.items()],
            [
                (place, hit)
                for place, packet in enumerate(packets)
                if packet.is_alone
                for hit in self._hits(packet)
            ],
            self._lines(strips, packets, is_steady=is_steady, few=few),
            is_steady=is_steady and is_told,
        )

    def _kind(self, packet: Packet) -> Kind:
        stamp = packet.line.stamp()
        day = stamp.replace(hour=0, minute=0, second=0, microsecond=0)
        clock = self._clocks.setdefault(day, Clock(Period(day, day + timedelta(days=1))))
        fields = packet.fields
        alike = (
            tuple((signal, packet.source) for signal in self._targets),
            clock,
            fields["SRC"],
            fields["IN"],
            packet.mac,
            fields["PROTO"],
            fields["DPT"] or "",
        )
        return self._kinds.setdefault(alike, Kind(*alike))

    def _strip(self, kind: Kind, places: list[int], packets: Sequence[Packet]) -> Strip:
        own = [packets[place] for place in places]
        stamps = [packet.line.stamp() for packet in own]
        return Strip(
            kind,
            places,
            [f"{stamp:%H:%M:%S}" + f".{stamp:%f}".rstrip(".0") for stamp in stamps],
            [packet.fields["DST"] for packet in own],
            [packet.fields["SPT"] or "" for packet in own] if self._is_port_asked else (),
        )

    def _lines(
        self,
        strips: Mapping[Kind, list[int]],
        packets: Sequence[Packet],
        *,
        is_steady: bool,
        few: bool,
    ) -> dict[int, str]:
        """Give those of each kind that may become evidence; *few* if no more than that."""
        if not is_steady:
            self.renew()
        found = {}
        for kind, places in strips.items():
            given = self._lines_left[kind]
            self._lines_left[kind] += len(places)
            is_all = self._every_line or not few or len({each.clock for each in strips}) > 1
            for place in places if is_all else places[: max(KEPT_LINES - given, 0)]:
                found[place] = repr(packets[place].line)
        return found


def insist_on_the_same(seen: Tallies, plain: Tallies) -> None:
    """Insist that a run would alert of the same now; without looking into what waits."""
    assert seen.keys() == plain.keys()
    for key, course in seen.items():
        expected = plain[key]
        if isinstance(course, Course):
            assert isinstance(expected, Course)
            assert course.is_changed == expected.is_changed
            assert (course.episode() is None) == (expected.episode() is None)


def stored(seen: Tallies) -> Tallies:
    """Give what the next run would go on from, once it is settled."""
    found: Tallies = {}
    for key, own in seen.items():
        if isinstance(own, Course):
            found[key] = unpacked_course(packed_course(own), own.rules)
            found[key].settle()
        else:
            found[key] = unpacked(packed(own))
    return found


def silences_of(rules: Rules) -> list[int]:
    """Give how far apart packets are where it matters."""
    asked = [each for each in (rules.silence, rules.realert, 60 * 10**6) if each is not None]
    return [time // 10**6 + more for time in asked for more in (0, 1)]


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_hits_in_bulk_are_hits_one_by_one(data: st.DataObject) -> None:
    """However logs are cut into batches and runs, and these into kinds and single hits."""
    draw = data.draw
    realert = draw(st.sampled_from([None, None, 300, *REALERTS]))
    rules = {
        "x": Rules(read_threshold(draw(bulk_thresholds())), RETAIN, realert),
        "y": Rules(read_threshold(draw(bulk_thresholds())), RETAIN, None),
    }
    expected: Tallies = {}
    known: Tallies = {}
    bulk = Fold(rules)
    for log in "ab"[: draw(st.integers(1, 2))]:
        reader = Reader(rules, "x", "y", "plain")
        for some in cut(draw, draw(packets(silences_of(rules["x"]))), 5):
            bulk.add(reader.batch(log, some, is_told=draw(st.booleans()), few=False))
            fold(reader.hits(some), rules, log, expected)
            insist_on_the_same({**known, **bulk.seen}, expected)
            if draw(st.integers(0, 5)) == 0:  # Another run goes on.
                expected, known = stored(expected), stored({**known, **bulk.seen})
                plain = {key: own for key, own in known.items() if isinstance(own, Tally)}
                bulk = Fold(rules, lambda *key, known=known: known.get(key), plain)
    seen = {**known, **bulk.seen}
    assert {key: told_of(own) for key, own in seen.items()} == {
        key: told_of(own) for key, own in expected.items()
    }


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_evidence_and_names_are_the_first_whatever_the_batches(data: st.DataObject) -> None:
    """Of many kinds, of which no more lines are given than a batch must."""
    draw = data.draw
    rules = {"x": Rules(read_threshold(draw(bulk_thresholds())), RETAIN, None)}
    reader, bulk = Reader(rules, "x", "plain"), Fold(rules)
    names, step = draw(st.sampled_from([1, 2, 5, 17, 25])), draw(st.sampled_from([1, 3, 7]))
    some = [
        packet._replace(
            source="192.168.1.10",
            fields={**packet.fields, "IN": f"eth{step * place % names}"},
            mac=f"02:00:00:00:00:{place % names:02}",
        )
        for place, packet in enumerate(draw(packets(silences_of(rules["x"]))))
        if not packet.is_alone
    ]
    expected: Tallies = {}
    for part in cut(draw, some, 5):
        bulk.add(reader.batch("a", part, is_told=draw(st.booleans()), few=True))
        fold(reader.hits(part), rules, "a", expected)
    assert {key: told_of(own) for key, own in bulk.seen.items()} == {
        key: told_of(own) for key, own in expected.items()
    }
    if some:
        tally = bulk.seen["plain", "192.168.1.10"]
        assert isinstance(tally, Tally)
        assert tally.evidence == tuple(repr(packet.line) for packet in some[:5])
        assert tally.interfaces == first_of(packet.fields["IN"] for packet in some)
        assert tally.macs == first_of(packet.mac for packet in some)


def first_of(names: Iterable[str | None]) -> tuple[str | None, ...]:
    return tuple(dict.fromkeys(names))[:16]


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


DAY_CLOCK = Clock(Period(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)))


def bulk_of(
    threshold: str | None, sources: int, turns: int, hits: int, apart: int, realert: int | None
) -> Fold:
    """Fold *turns* batches, *apart* seconds, in each of which *sources* have so many *hits*."""
    rules = {}
    if threshold is not None:
        rules["x"] = Rules(read_threshold(threshold), RETAIN, realert)
    fold = Fold(rules)
    addresses = [f"10.0.{n >> 8}.{n & 255}" for n in range(sources)]
    kinds = [
        Kind((("x", each),), DAY_CLOCK, each, "eth1", "02:00:00:00:00:01", "TCP", "25")
        for each in addresses
    ]
    for turn in range(turns):
        minutes, second = divmod(turn * apart, 60)
        clock = f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"
        strips = [
            Strip(
                kind,
                [number * hits + n for n in range(hits)],
                [clock for _ in range(hits)],
                [f"198.51.{turn}.{n}" for n in range(hits)],
            )
            for number, kind in enumerate(kinds)
        ]
        lines = {
            place: f"{clock} {place} {'x' * 200}"
            for strip in strips
            for place in strip.places[: 0 if turn > 4 else KEPT_LINES]
        }
        fold.add(Batch("log", strips, [], lines, is_steady=True))
    return fold


def plain_tallies() -> Fold:
    return bulk_of(None, 2000, 1, 1, 1, None)


def plain_tallies_of_many_destinations() -> Fold:
    return bulk_of(None, 100, 40, 5, 900, None)


def newcomers() -> Fold:
    return bulk_of("3 DST in 1h", 2000, 1, 1, 1, None)


def courses_with_some_destinations() -> Fold:
    return bulk_of("90 DST in 1h", 300, 1, 70, 1, None)


def courses_that_were_met() -> Fold:
    return bulk_of("3 DST in 1h", 300, 40, 2, 900, None)


def courses_with_many_groups() -> Fold:
    rules = {"x": Rules(read_threshold(SCANS[0]), RETAIN, None)}
    fold = Fold(rules)
    for number in range(3):
        fold.seen["x", str(number)] = scan(rules["x"], range(10_000))
    return fold


def courses_of_who_returns() -> Fold:
    return bulk_of("3 DST in 1h", 300, 20, 2, 2000, 1800)


def courses_whose_hits_wait() -> Fold:
    return bulk_of("90 DST in 1h", 300, 40, 1, 60, None)


@pytest.mark.parametrize(
    "make",
    [
        plain_tallies,
        plain_tallies_of_many_destinations,
        newcomers,
        courses_with_some_destinations,
        courses_that_were_met,
        courses_with_many_groups,
        courses_of_who_returns,
        courses_whose_hits_wait,
    ],
)
def test_weight_tells_how_much_memory_is_taken(make: Callable[[], Fold]) -> None:
    """A fold that holds too much is divided by it."""
    gc.collect()
    tracemalloc.start()
    try:
        fold = make()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] / 1024
    finally:
        tracemalloc.stop()
    assert held / 2 < fold.weight() < 2 * held


def test_a_fold_is_weighed_before_it_is_much_too_heavy() -> None:
    """Not at each hit: that would take longer than to count it."""
    fold, number = Fold({}), 0
    while not fold.is_heavier_than(5000):
        hits = [
            (place, Hit("x", f"{number} {place}", None, None, None, None, None, 1, "line"))
            for place in range(100)
        ]
        fold.add(Batch("log", [], hits, {}, is_steady=False))
        number += 1
    assert 5000 < fold.weight() < 10_000


def taken_one_by_one(rules: Rules, number: int) -> Trace:
    trace = Trace(rules)
    for n in range(number):
        trace.add(hit_of(Line(STAMP, BEGIN + 4000 * n, (str(n), str(n // 7))), "x"))
    return trace


def taken_in_bulk(rules: Rules, number: int) -> Trace:
    fold = Fold({"x": rules})
    targets = (("x", "192.168.1.10"),)
    for n in range(number):
        day = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(days=n // 8)
        clock = Clock(Period(day, day + timedelta(days=1)))
        kind = Kind(targets, clock, "192.168.1.10", "eth1", None, "TCP", str(n // 7))
        strip = Strip(kind, [0, 1], [f"{3 * (n % 8):02}:00:00"] * 2, [str(n), str(n + 1)])
        fold.add(Batch("log", [strip], [], {0: "x", 1: "x"}, is_steady=False))
    (seen,) = fold.seen.values()
    return seen.trace("log")


@pytest.mark.parametrize("taken", [taken_one_by_one, taken_in_bulk])
def test_a_log_is_taken_in_linear_time(taken: Callable[[Rules, int], Trace]) -> None:
    """What is known of a source does not make its next packet slower."""
    rules = Rules(read_threshold("20 DST per DPT in 5m\n900 packets in 1s"), RETAIN, 3600)

    def seconds(number: int) -> float:
        begin = time.process_time()
        trace = taken(rules, number)
        assert len(trace.pieces) == number
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
