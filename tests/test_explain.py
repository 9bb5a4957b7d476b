"""One machine followed through the thresholds: what is told, and that scan agrees."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judge import DAY, logs, thresholds

from botalert.cli import main
from botalert.config.thresholds import read_threshold
from botalert.course import Course, rules_of
from botalert.follow import Follower
from botalert.match import Signal
from botalert.model import Hit
from botalert.windows import STAMP, Rules

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def signal_of(threshold: str, realert: int | None = None) -> Signal:
    return Signal("worm", (), threshold=read_threshold(threshold), realert=realert)


def hit_at(time: datetime | None, *values: str | None, uptime: float | None = None) -> Hit:
    return Hit("worm", "192.168.1.10", time, None, None, None, None, 1, "", uptime, values)


def hits_of(lines) -> list[Hit]:
    return [
        hit_at(
            line.stamp(),
            *line.values,
            uptime=line.seconds if line.clock not in (STAMP, None) else None,
        )._replace(repeat=line.repeat)
        for line in lines
    ]


def followed(signal: Signal, hits: list[Hit]) -> tuple[Follower, list[str]]:
    """Follow *hits*, the lines 1, 2, … of a log; give all that is told."""
    follower = Follower(signal)
    told = [
        f"{number} {words}"
        for number, hit in enumerate(hits, start=1)
        for words in follower.add(hit, f"line {number}")
    ]
    conclusion = follower.conclusion()
    return follower, told + ([conclusion] if conclusion else [])


@given(st.data())
def test_what_fires_is_what_scan_detects(data):
    """Of several logs any may; a time after which it alerts again changes nothing in that."""
    realert = data.draw(st.sampled_from([None, None, 60, DAY // 2, 3 * DAY]))
    retain = data.draw(st.sampled_from([2 * DAY, 400 * DAY]))
    signal = signal_of(data.draw(thresholds()), realert)._replace(retain=retain)
    rules = Rules(signal.threshold, signal.retain, signal.realert)
    course, fired = Course(rules), 0
    for log in "ab"[: data.draw(st.integers(1, 2))]:
        hits = hits_of(data.draw(logs(rules)))
        for hit in hits:
            course.add(hit, log)
        fired += followed(signal, hits)[0].fired
    assert bool(fired) == (course.episode() is not None)


@given(
    thresholds(),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc"), st.sampled_from("abc"))),
)
def test_it_fires_once_in_each_episode(threshold, steps):
    """In one log whose time only goes on, as often as scan finds another episode."""
    signal = signal_of(threshold, 20 * 3600)
    rules = rules_of([signal])["worm"]
    course, hits, time = Course(rules), [], NOON
    for hours, *values in steps:
        time += timedelta(hours=hours)
        hits.append(hit_at(time, *(values * len(rules.values))[: len(rules.values)]))
        course.add(hits[-1], "a")
    episode = course.episode()
    assert followed(signal, hits)[0].fired == (0 if episode is None else episode.number + 1)


def test_the_line_is_told_at_which_the_threshold_was_met():
    """And since when it was counted, behind a silence."""
    signal = signal_of("3 DST in 1h")
    times = [NOON, NOON + 2 * HOUR * 24, *(NOON + 2 * HOUR * 24 + HOUR / 9 * n for n in (1, 2, 3))]
    hits = [hit_at(time, f"198.51.100.{number}") for number, time in enumerate(times)]
    assert followed(signal, hits)[1] == [
        "2 begins anew, after 2 days, 0:00:00 without a packet",
        "4 fires: at least 3 destinations within an hour; counted since line 2",
    ]


def test_how_far_it_got_is_told_for_each_measure():
    """Of alternatives, and of the group that got furthest."""
    signal = signal_of("5 DST in 1h\n2 packets in 1m\n20 DST per DPT in 5m\n3 days")
    spots = [(0, "a", "23"), (2, "a", "25"), (4, "b", "25"), (70, "a", "25")]
    hits = [hit_at(NOON + HOUR / 60 * minute, dst, port) for minute, dst, port in spots]
    assert followed(signal, hits)[1] == [
        "does not fire: 2 of 5 destinations within an hour, at line 3; "
        "or 1 of 2 packets within a minute, at line 1; "
        "or 2 of 20 destinations for one port within 5 minutes (25), at line 3; "
        "or 1 of 3 days, at line 1"
    ]


def test_time_that_steps_back_begins_the_windows_anew():
    """By another clock, too; what has no window goes on."""
    hits = [
        hit_at(NOON, "a"),
        hit_at(NOON - HOUR * 1.5, "b"),
        hit_at(None, "c", uptime=12.5),
    ]
    assert followed(signal_of("3 DST in 1h"), hits)[1] == [
        "2 the windows begin anew: its time is 1:30:00 before the last packet's",
        "3 the windows begin anew: its time is another clock's than the last packet's",
        "does not fire: 1 of 3 destinations within an hour, at line 1",
    ]
    assert followed(signal_of("4 DST"), hits)[1] == [
        "does not fire: 3 of 4 destinations, at line 3"
    ]


def test_a_machine_that_comes_back_must_meet_the_threshold_again():
    """With counts of its own."""
    signal = signal_of("2 DST", realert=30 * DAY)
    hits = [hit_at(NOON + timedelta(days=day), dst) for day, dst in ((0, "a"), (1, "b"), (32, "a"))]
    assert followed(signal, hits)[1] == [
        "2 fires: at least 2 destinations; counted since line 1",
        "3 comes back after 31 days, 0:00:00 without a packet; realert: is 30 days",
        "does not fire again: 1 of 2 destinations, at line 3",
    ]


def test_without_a_threshold_the_first_packet_fires():
    """One without any time as well."""
    assert followed(signal_of("1 packet"), [hit_at(None), hit_at(None)])[1] == [
        "1 fires: at least 1 packet; counted since line 1"
    ]


CONF = """\
[DEFAULT]
timezone: UTC
[signals]
log: worm, telnet, syslog
[worm]
DPT: 445
threshold: 3 DST per DPT in 1h
[telnet]
DPT: 23
[syslog]
DPT: 514
IN: eth1
"""


def line(clock: str, source: str, destination: str, port: int) -> str:
    return (
        f"Nov 20 {clock} fw1 kernel: DROP:IN=eth0 OUT=eth9 SRC={source} "
        f"DST={destination} LEN=60 PROTO=TCP SPT=5 DPT={port} SYN\n"
    )


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Give what explains in a directory with a configuration."""
    (tmp_path / "botalert.conf").write_text(CONF)
    monkeypatch.chdir(tmp_path)

    def _explain(*arguments: str) -> list[str]:
        assert main(["-c", "botalert.conf", *arguments]) == 0
        return capsys.readouterr().out.splitlines()

    return _explain


def test_a_machine_is_followed_through_rotations_to_the_line_that_fires(explain):
    """By the line in its file; of a signal that nothing matches it is told what fails."""
    # Of another year each time the year turns, but so are the lines.
    year = max(y for y in range(2000, 2100) if datetime(y, 11, 20, tzinfo=UTC) <= datetime.now(UTC))
    Path("m.1").write_text(
        line("10:00:00", "192.168.1.10", "198.51.100.1", 445)
        + line("10:00:01", "192.168.1.11", "198.51.100.1", 445)
    )
    Path("m").write_text(
        line("10:10:00", "192.168.1.10", "198.51.100.2", 445)
        + line("10:11:00", "192.168.1.11", "198.51.100.2", 445)
        + line("10:20:00", "192.168.1.10", "198.51.100.3", 445)
    )
    assert explain("explain", "--source", "192.168.1.10", "m", "m.1") == [
        f"m:3 ({year}-11-20 10:20:00+00:00) [worm] 192.168.1.10: fires: at least 3 destinations "
        f"for one port within an hour; counted since m.1:1 ({year}-11-20 10:00:00+00:00)",
        "m [telnet] 192.168.1.10: none of 3 packet lines matches; fails: DPT: 23 (3 of them)",
        "m [syslog] 192.168.1.10: none of 3 packet lines matches; fails: DPT: 514 (3 of them)",
    ]
    assert explain("explain", "--signal", "worm", "--source", "192.168.1.0/24", "m")[-2:] == [
        "m [worm] 192.168.1.10: does not fire: 2 of 3 destinations for one port within an hour "
        f"(445), at m:3 ({year}-11-20 10:20:00+00:00)",
        "m [worm] 192.168.1.11: does not fire: 1 of 3 destinations for one port within an hour "
        f"(445), at m:2 ({year}-11-20 10:11:00+00:00)",
    ]
    assert explain("explain", "--source", "192.0.2.1", "m.1") == ["m.1 no packet of 192.0.2.1"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 59),
            st.sampled_from(["192.168.1.10", "192.168.1.11"]),
            st.sampled_from(["198.51.100.1", "198.51.100.2", "198.51.100.3"]),
            st.sampled_from([23, 445, 514]),
        ),
        max_size=12,
    ),
    st.integers(0, 12),
    st.booleans(),
)
def test_explain_fires_for_what_scan_prints(explain, lines, cut, rotated):
    """In one log or two, and whatever the time does."""
    texts = [line(f"10:{minute:02}:00", *rest) for minute, *rest in lines]
    names = ["m.1", "m"] if rotated else ["a", "b"]
    for name, part in zip(names, (texts[:cut], texts[cut:]), strict=True):
        Path(name).write_text("".join(part))
    scanned = json.loads("\n".join(explain("scan", "--format", "json", "--jobs", "1", *names)))
    told = explain("explain", "--source", "0.0.0.0/0", *names)
    fired = {tuple(re.findall(r"\[(\w+)\] (\S+): fires: ", each)) for each in told} - {()}
    assert {pair for (pair,) in fired} == {
        (each["signal"], each["source"]) for each in scanned["detections"]
    }


def test_what_a_log_says_is_shown_escaped(explain):
    """A source that a pattern of the administrator's own finds, and what counts for it."""
    Path("botalert.conf").write_text(
        "[DEFAULT]\nregex: from (?P<SRC>\\S+) to (?P<DST>\\S+)\n[signals]\nlog: any\n"
        "[any]\nthreshold: 9 packets per DST\n"
    )
    Path("m").write_text("from \x1b[31mred to \u202ehost\n")
    told = "\n".join(explain("explain", "--source", "\x1b[31mred", "m") + explain("explain", "m"))
    assert told.count("\\x1b[31mred") == 3
    assert "(\\u202ehost)" in told
    assert not re.search("[\x1b\u202e]", told)


def test_a_source_that_is_none_is_a_usage_error(explain, capsys):
    """As with scan."""
    assert main(["-c", "botalert.conf", "explain", "--source", "192.168.1.300", "m"]) == 64
    assert "--source: '192.168.1.300' is not an address" in capsys.readouterr().err


def test_of_a_log_that_cannot_be_read_nothing_is_told(explain, capsys):
    """But for the fault; of another it is."""
    Path("m").write_text(line("10:00:00", "192.168.1.10", "198.51.100.1", 80))
    assert main(["-c", "botalert.conf", "explain", "--source", "192.0.2.1", "none", "m"]) == 66
    told = capsys.readouterr()
    assert told.out == "m no packet of 192.0.2.1\n"
    assert told.err.startswith("botalert: none: no such file.")


def test_a_signal_that_knows_machines_otherwise_has_no_packet(explain):
    """A pattern's SRC may look like a hardware address, which another signal knows machines by."""
    mac = "02:00:c0:a8:02:14"
    Path("botalert.conf").write_text(
        "[DEFAULT]\nregex: from (?P<SRC>\\S+)\n[signals]\nlog: any, by-mac\n"
        "[any]\n[by-mac]\nsource: MAC\n"
    )
    Path("m").write_text(f"from {mac}\n")
    assert explain("explain", "--source", mac, "m") == [
        f"m:1 (no time) [any] {mac}: fires: at least 1 packet; counted since m:1 (no time)",
        f"m [by-mac] no packet of {mac}",
    ]
