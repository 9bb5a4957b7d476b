"""Thresholds through the real daily job: over runs, rotations, logs, and other configurations."""

import contextlib
import gzip
import io
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installation import Installation

from botalert.cli import main
from botalert.config.thresholds import read_threshold
from botalert.course import Course
from botalert.model import Hit
from botalert.packing import packed
from botalert.state import file as state
from botalert.state.schema import APPLICATION_ID, MIGRATIONS
from botalert.tally import Tally
from botalert.windows import Rules

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
MACHINE = "192.168.1.10"
NO_SERVER = "127.0.0.1:1"


def packet(
    days: float = 0, *, seconds: float = 0, dst: int = 1, source: str = MACHINE, port: int = 25
) -> str:
    """Write the line of a packet some time after the beginning."""
    moment = BEGIN + timedelta(days=days, seconds=seconds)
    return (
        f"{moment.isoformat()} fw1 kernel: DROP:IN=eth1 OUT=eth0 "
        f"MAC=ba:51:fc:4a:ba:d1:02:00:c0:a8:01:0a:08:00 SRC={source} DST=198.51.100.{dst} LEN=60 "
        "TOS=0x00 PREC=0x00 TTL=63 ID=24048 DF PROTO=TCP SPT=35808 "
        f"DPT={port} WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )


def asking(*lines: str) -> dict[str, str]:
    """Configure one signal."""
    return {"smtp": "\n".join(["IN: eth1", "PROTO: TCP", *lines])}


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def job(site: Installation, *arguments: str) -> None:
    """Do the daily job, which has nothing to say."""
    with contextlib.redirect_stderr(io.StringIO()) as told:
        assert main(["-c", str(site.config), "run", *arguments]) == 0, told.getvalue()
    assert told.getvalue() == ""


def job_without_mail(site: Installation) -> None:
    """Do the daily job while the mail server, as configured, is down."""
    with contextlib.redirect_stderr(io.StringIO()) as told:
        assert main(["-c", str(site.config), "run"]) in (0, 75)
    assert all("kept in" in line for line in told.getvalue().splitlines())


def listed(site: Installation, *command: str) -> list[dict[str, Any]]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        words = command or ("list",)
        assert main(["-c", str(site.config), *words, "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(printed.getvalue())["detections"]
    return found


def counts(site: Installation) -> dict[str, tuple[int, str]]:
    """Give the packets and the alert of each source on record."""
    return {each["source"]: (each["packets"], each["alert"]) for each in listed(site)}


def mailed(site: Installation) -> list[str]:
    """Give what the subjects of the mails say was seen."""
    return sorted(mail["Subject"].split(": ")[1] for mail in site.mails())


# How one is written.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 DST per flows", "'flows' is no field, as must stand behind per. Write one as 5 DST"),
        ("5 DST per Day in 1h", "'Day' is no field, as must stand behind per. Write one as 5 DST"),
        ("5 DST per DTP", "'DTP' is no field, as must stand behind per. Did you mean DPT or DST?"),
        ("5 DST per day-time", "'day-time' is no field, as must stand behind per. Write one as"),
        ("5 pakets", "and not packets, flows or days. Did you mean packets?"),
    ],
)
def test_only_what_may_stand_there_is_hinted_at(text: str, expected: str) -> None:
    """Behind per a field, and no flows, packets or days."""
    with pytest.raises(ValueError, match=re.escape(f"{text!r}: ")) as caught:
        read_threshold(text)
    assert expected in str(caught.value)


def test_a_field_may_stand_behind_per_in_any_case() -> None:
    """As in front of it."""
    assert read_threshold("5 dst per dpt") == read_threshold("5 DST per DPT")
    assert read_threshold("5 User per zone", groups=("User", "zone"))[0].per == "zone"


# Over runs and rotation.


def test_threshold_is_met_over_runs_and_rotations(site: Installation) -> None:
    """One mail when the last packet is there, which counts what earlier runs read."""
    site.configure(signals=asking("threshold: 4 DST in 1h"))
    for number in range(4):
        site.append(packet(seconds=600 * number, dst=number))
        assert listed(site) == [] == site.mails()
        if number % 2:
            site.log.rename(site.home / "messages.1")
            if number == 3:
                whole = (site.home / "messages.1").read_bytes()
                (site.home / "messages.1.gz").write_bytes(gzip.compress(whole))
                (site.home / "messages.1").unlink()
            site.log.touch()
        job(site)
    assert counts(site) == {MACHINE: (4, "sent")}
    (found,) = listed(site)
    assert found["first_seen"] == BEGIN.isoformat()
    site.append(packet(300))
    job(site)
    assert counts(site) == {MACHINE: (5, "sent")}
    assert mailed(site) == ["4 packets to 4 addresses"]


def test_too_few_or_too_slow_is_no_detection(site: Installation) -> None:
    """It is neither listed nor mailed about, by run or scan; but it is remembered."""
    site.configure(signals=asking("threshold: 3 DST in 1h"))
    slow = [packet(seconds=1801 * number, dst=number) for number in range(9)]
    for line in slow:
        site.append(line)
        job(site)
    assert listed(site) == listed(site, "scan") == [] == site.mails()
    site.append(packet(seconds=1801 * 8 + 1, dst=9))
    job(site)
    assert counts(site) == {MACHINE: (10, "sent")}
    assert [each["packets"] for each in listed(site, "scan")] == [10]


def test_silence_begins_a_tally_anew(site: Installation) -> None:
    """What was seen more than a day before does not count, unless it is a detection."""
    site.configure(signals=asking("threshold: 2 DST in 1h"))
    for day, dst in ((0, 1), (1, 1), (2.1, 2), (2.1, 3), (9, 4)):
        site.append(packet(day, dst=dst))
        job(site)
    (found,) = listed(site)
    assert (found["packets"], found["destination_count"]) == (3, 3)
    assert mailed(site) == ["2 packets to 2 addresses"]


def test_logs_unite_but_meet_thresholds_alone(site: Installation) -> None:
    """Two logs that see one half each find nothing; when one does, both count."""
    other = site.home / "other"
    site.configure(logfile=f"{site.log}, {other}", signals=asking("threshold: 3 DST in 1h"))
    site.append(packet(dst=1) + packet(dst=2))
    other.write_text(packet(dst=3) + packet(dst=4))
    job(site)
    assert listed(site) == []
    site.append(packet(dst=5))
    job(site)
    assert counts(site) == {MACHINE: (5, "sent")}
    assert mailed(site) == ["5 packets to 5 addresses"]


KINDS = ["3 packets", "2 DST in 1h", "2 DPT in 1d\n 3 flows per DST", "2 days in 3d", "1 packet"]
REALERTS = ["never", "12h", "5d"]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_when_runs_happen_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Two logs read day by day, rotated at times, give what they give at once, and to a scan."""
    signals = {
        f"s{number}": f"IN: eth1\nthreshold: {kind}\nrealert: {realert}"
        for number, (kind, realert) in enumerate(
            data.draw(
                st.lists(
                    st.tuples(st.sampled_from(KINDS), st.sampled_from(REALERTS)),
                    min_size=1,
                    max_size=3,
                )
            )
        )
    }
    moments = sorted(
        data.draw(
            st.lists(
                st.tuples(
                    st.sampled_from([0, 0.01, 0.5, 0.9, 1, 2, 2.1, 4, 7, 7.5, 9, 12.1]),
                    st.integers(0, 3600),
                    st.integers(1, 3),
                    st.sampled_from([25, 80]),
                    st.sampled_from([MACHINE, "192.168.1.11"]),
                    st.integers(0, 1),
                ),
                min_size=1,
                max_size=16,
            ),
        ),
        key=lambda each: each[0] * 86400 + each[1],
    )
    ends = sorted(data.draw(st.lists(st.sampled_from([1, 2, 2.05, 5, 8]), max_size=3)))
    sites = [Installation(tmp_path_factory.mktemp("home")) for _ in range(3)]
    for home, cuts, work, mailserver in (
        (sites[0], [], job, ""),
        (sites[1], ends, job, ""),
        (sites[2], ends, job_without_mail, NO_SERVER),
    ):
        logs = (home.log, home.home / "other")
        logs[1].touch()
        home.configure(mailserver, logfile=f"{logs[0]}, {logs[1]}", signals=signals)
        for begin, end in zip([-1, *cuts], [*cuts, 99], strict=True):
            for day, second, dst, port, source, log in moments:
                if begin <= day + second / 86400 < end:
                    with logs[log].open("a") as file:
                        file.write(packet(day, seconds=second, dst=dst, source=source, port=port))
            work(home)
            if data.draw(st.booleans()) and end < 99:
                logs[0].rename(home.home / f"messages.{9 - len(list(home.home.glob('mess*')))}")
                logs[0].touch()
    at_once, by_runs, unsent = ([facts(each) for each in listed(home)] for home in sites)
    assert by_runs == unsent == at_once
    assert [facts(each) for each in listed(sites[0], "scan")] == at_once
    # Each episode is mailed about once; with the same counts, if by all runs' end.
    assert whom(sites[0]) == whom(sites[1])
    sites[2].configure(logfile=f"{sites[2].log}, {sites[2].home / 'other'}", signals=signals)
    job(sites[2])
    assert texts(sites[0]) == texts(sites[2])
    assert whom(sites[0]).total() >= len(at_once)
    if "realert: 12h" not in str(signals) and "realert: 5d" not in str(signals):
        assert whom(sites[0]).total() == len(at_once)


def whom(site: Installation) -> Counter[str]:
    """Tell how often which source was mailed about for which signal."""
    return Counter(mail["Subject"].split(": ")[0] for mail in site.mails())


def texts(site: Installation) -> list[str]:
    """Give what the mails say, which all have Message-IDs of their own."""
    mails = site.mails()
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)
    parts = [mail.get_body(("plain",)) for mail in mails]
    return sorted(part.get_content() for part in parts if part is not None)


def facts(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out when somebody was told."""
    return {name: value for name, value in found.items() if name not in ("alert", "alerted")}


# A configuration that changes.


def test_threshold_that_is_added_keeps_what_was_found(site: Installation) -> None:
    """Its counts go on, and it is not mailed about again; others must meet it."""
    site.configure(signals=asking())
    site.append(packet())
    job(site)
    site.configure(signals=asking("threshold: 3 packets in 1h"))
    site.append(packet(30) + packet(30, source="192.168.1.11"))
    job(site)
    assert counts(site) == {MACHINE: (2, "sent")}
    assert len(site.mails()) == 1


def test_threshold_that_is_removed_finds_what_is_seen_next(site: Installation) -> None:
    """What was remembered counts, too, and what had been found is not mailed about again."""
    site.configure(signals=asking("threshold: 2 packets in 1h"))
    site.append(packet() * 2 + packet(source="192.168.1.11"))
    job(site)
    assert counts(site) == {MACHINE: (2, "sent")}
    site.configure(signals=asking())
    site.append(packet(0.1) + packet(0.1, source="192.168.1.11"))
    job(site)
    assert counts(site) == {MACHINE: (3, "sent"), "192.168.1.11": (2, "sent")}
    assert len(site.mails()) == 2


def test_threshold_that_is_changed_is_met_anew(site: Installation) -> None:
    """What was found stays found; of others, counts go on and windows begin anew."""
    site.configure(signals=asking("threshold: 2 DST in 1h"))
    site.append(packet(dst=1) + packet(dst=2) + packet(source="192.168.1.11"))
    job(site)
    site.configure(signals=asking("threshold: 3 DST in 1h"))
    site.append(packet(source="192.168.1.11", dst=2) + packet(source="192.168.1.11", dst=3))
    job(site)
    assert counts(site) == {MACHINE: (2, "sent")}
    site.append(packet(source="192.168.1.11", dst=4))
    job(site)
    assert counts(site) == {MACHINE: (2, "sent"), "192.168.1.11": (4, "sent")}


# Episodes.


@pytest.mark.parametrize("late", [False, True], ids=["a run a day", "one late run"])
def test_who_returns_is_mailed_about_again(site: Installation, late: bool) -> None:
    """With counts of its own, when the threshold is met again."""
    site.configure(signals=asking("threshold: 2 DST in 1h", "realert: 30d"))
    site.append(packet(dst=1) + packet(dst=2) + packet(30, dst=1))
    job(site)
    assert counts(site) == {MACHINE: (3, "sent")}
    site.append(packet(60.1, dst=1))
    if not late:
        job(site)
        assert counts(site) == {MACHINE: (3, "sent")}
    site.append(packet(60.1, dst=3) + packet(60.1, dst=4))
    job(site)
    job(site)
    assert counts(site) == {MACHINE: (3, "sent")}
    assert listed(site)[0]["destinations"] == {f"198.51.100.{n}": 1 for n in (1, 3, 4)}
    assert mailed(site) == ["3 packets to 2 addresses", "3 packets to 3 addresses"]
    assert len({mail["Message-ID"] for mail in site.mails()}) == 2


def test_silence_and_return_within_one_run_are_two_mails(site: Installation) -> None:
    """As if a run had been between them; on record is the last episode, as a scan finds it."""
    site.configure(signals=asking("threshold: 2 DST in 1h", "realert: 30d"))
    site.append(packet(dst=1) + packet(dst=2) + packet(31, dst=3) + packet(31, dst=4) * 2)
    done = site.botalert("-v", "run")
    assert "botalert: 2 detections by silence or return" in done.stderr.splitlines()
    assert mailed(site) == ["2 packets to 2 addresses", "3 packets to 2 addresses"]
    assert counts(site) == {MACHINE: (3, "sent")}
    assert facts(listed(site)[0]) == facts(listed(site, "scan")[0])
    job(site)
    assert len(site.mails()) == 2


def test_return_without_a_threshold_is_mailed_about(site: Installation) -> None:
    """One packet is enough, as ever."""
    site.configure(signals=asking("realert: 7d"))
    for day in (0, 7, 14.1, 14.2, 30):
        site.append(packet(day))
        job(site)
    assert mailed(site) == ["1 packet to 1 address"] * 3
    assert counts(site) == {MACHINE: (1, "sent")}


def test_another_log_bridges_a_quiet_time(site: Installation) -> None:
    """Also if what it told does not count any more."""
    other = site.home / "other"
    site.configure(
        logfile=f"{site.log}, {other}", signals=asking("threshold: 2 DST in 1h", "realert: 5d")
    )
    site.append(packet(dst=1) + packet(dst=2))
    other.touch()
    job(site)
    for day in (2, 4, 6, 8):
        with other.open("a") as file:
            file.write(packet(day))
        job(site)
    site.append(packet(9, dst=1) + packet(9, dst=2))
    with other.open("a") as file:
        file.write(packet(9, dst=2) + packet(9, dst=3))
    job(site)
    assert len(site.mails()) == 1
    # What the other log told before does not count: it was too little, and long ago.
    assert counts(site) == {MACHINE: (4 + 3, "sent")}


def test_forgotten_source_meets_its_threshold_again(site: Installation) -> None:
    """Of all episodes and logs nothing is left."""
    site.configure(signals=asking("threshold: 2 DST in 1h", "realert: 5d"))
    for day in (0, 6, 12):
        site.append(packet(day, dst=1) + packet(day, dst=2))
        job(site)
    assert len(site.mails()) == 3
    assert main(["-c", str(site.config), "forget", MACHINE]) == 0
    site.append(packet(12, dst=1))
    job(site)
    assert listed(site) == []
    site.append(packet(12, dst=3))
    job(site)
    assert counts(site) == {MACHINE: (2, "sent")}
    assert len(site.mails()) == 4


def test_baseline_knows_episodes_and_remembers_the_rest(site: Installation) -> None:
    """What returns is mailed about, and so is what meets its threshold only then."""
    site.configure(signals=asking("threshold: 2 DST in 1h", "realert: 5d"))
    site.append(packet(dst=1) + packet(dst=2) + packet(dst=1, source="192.168.1.11"))
    job(site, "--baseline")
    assert counts(site) == {MACHINE: (2, "known")}
    site.append(packet(6, dst=1) + packet(6, dst=2))
    job(site, "--baseline")
    assert counts(site) == {MACHINE: (2, "known")}
    assert site.mails() == []
    site.append(packet(6, dst=1))
    site.append(packet(dst=2, source="192.168.1.11"))  # Later in the log, but not in time.
    job(site)
    assert counts(site) == {MACHINE: (3, "known"), "192.168.1.11": (2, "sent")}
    site.append(packet(13, dst=1) + packet(13, dst=2))
    job(site)
    assert counts(site) == {MACHINE: (2, "sent"), "192.168.1.11": (2, "sent")}
    assert len(site.mails()) == 2


def pending(site: Installation) -> list[tuple[str, int]]:
    """Give Message-ID and packets of the alerts that are to be sent."""
    with state.opened(str(site.statefile)) as memory:
        return [
            (alert.message_id, alert.detection.tally.packets) for alert in memory.pending(["smtp"])
        ]


def test_episode_that_was_not_mailed_does_not_give_way_to_the_next(site: Installation) -> None:
    """What the mail server did not take is sent later, the earliest first, as it was then."""
    site.configure(NO_SERVER, signals=asking("realert: 5d"))
    expected = []
    for day, packets in ((0, 2), (7, 1), (14, 4)):
        site.append(packet(day) + packet(day + 1) * (packets - 1))
        status, (line,) = site.run()
        assert status == 75
        message_id, packets_now = pending(site)[-1]
        assert packets_now == packets
        expected.append((message_id, packets))
        assert pending(site) == expected
        assert f"{len(expected)} alert{'s' * (len(expected) > 1)} kept in" in line
        assert counts(site) == {MACHINE: (packets, "pending")}
    site.configure(signals=asking("realert: 5d"))
    job(site)
    ids = {mail["Message-ID"]: mail["Subject"].split(": ")[1] for mail in site.mails()}
    assert ids == dict(
        zip(
            [each for each, _ in expected],
            [f"{packets} to 1 address" for packets in ("2 packets", "1 packet", "4 packets")],
            strict=True,
        )
    )
    assert pending(site) == []
    assert counts(site) == {MACHINE: (4, "sent")}
    job(site)
    assert len(site.mails()) == 3


def test_baseline_keeps_what_was_pending_before(site: Installation) -> None:
    """It knows all that it finds itself, but for what was found before nobody was told yet."""
    site.configure(NO_SERVER, signals=asking("realert: 5d"))
    site.append(packet() * 3)
    assert site.run()[0] == 75
    site.append(packet(6) + packet(12) * 2)
    job(site, "--baseline")
    assert counts(site) == {MACHINE: (2, "known")}
    site.configure(signals=asking("realert: 5d"))
    job(site)
    assert mailed(site) == ["3 packets to 1 address"]
    assert counts(site) == {MACHINE: (2, "known")}


def test_earlier_episode_of_an_ignored_machine_is_not_sent(site: Installation) -> None:
    """Neither then nor when it is ignored no more."""
    asked = asking("realert: 5d")
    site.configure(NO_SERVER, signals=asked)
    site.append(packet() + packet(6))
    assert site.run()[0] == 75
    site.configure(NO_SERVER, signals=asked, ignore=MACHINE)
    job(site)
    site.configure(signals=asked)
    job(site)
    assert site.mails() == []
    assert counts(site) == {MACHINE: (1, "ignored")}


@pytest.mark.parametrize("words", [[], ["--signal", "smtp"]], ids=["source", "signal"])
def test_earlier_episodes_are_forgotten_with_the_source(
    site: Installation, words: list[str]
) -> None:
    """What was pending is not sent, and the next find begins with the first episode."""
    asked = asking("realert: 5d")
    site.configure(NO_SERVER, signals=asked)
    site.append(packet() + packet(6) + packet(source="192.168.1.11"))
    assert site.run()[0] == 75
    assert len(pending(site)) == 3
    assert main(["-c", str(site.config), "forget", MACHINE, *words]) == 0
    assert len(pending(site)) == 1
    site.append(packet(12) * 2 + packet(18) * 3)
    assert site.run()[0] == 75
    assert sorted(packets for _, packets in pending(site)) == [1, 2, 3]


def test_crash_before_an_earlier_episode_was_marked_sends_the_same_mail(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its Message-ID, so that a reader shows it once."""
    site.configure(signals=asking("realert: 5d"))
    site.append(packet() + packet(6) * 2)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state.State, "mark_sent", crash)
        with contextlib.suppress(KeyboardInterrupt), contextlib.redirect_stderr(io.StringIO()):
            main(["-c", str(site.config), "run"])
    (first,) = site.mails()
    job(site)
    copies = Counter(mail["Message-ID"] for mail in site.mails())
    assert sorted(copies.values()) == [1, 2]
    assert copies[first["Message-ID"]] == 2
    assert mailed(site) == ["1 packet to 1 address"] * 2 + ["2 packets to 1 address"]


def test_realert_that_is_taken_back_and_given_again(site: Installation) -> None:
    """Whatever the episodes were counted up to, the next return is mailed about."""
    with_realert = asking("realert: 5d")
    site.configure(signals=with_realert)
    for day in (0, 6, 12, 18):
        site.append(packet(day))
        job(site)
    assert len(site.mails()) == 4
    site.configure(signals=asking())
    site.append(packet(24))
    job(site)
    assert len(site.mails()) == 4
    assert counts(site) == {MACHINE: (2, "sent")}
    site.configure(signals=with_realert)
    site.append(packet(30))
    job(site)
    assert len(site.mails()) == 5
    assert counts(site) == {MACHINE: (1, "sent")}


# What a crash or an older botalert left.


def hits(*days: float) -> Iterable[Hit]:
    for day in days:
        moment = BEGIN + timedelta(days=day)
        yield Hit("smtp", MACHINE, moment, "198.51.100.1", "25", "eth1", None, 1, str(day))


@pytest.mark.parametrize("realert", [5, None], ids=["configured", "configured no more"])
def test_crash_before_episodes_were_settled_loses_no_alert(
    tmp_path: Path, realert: int | None
) -> None:
    """The next run does it; till then what is on record can be listed."""
    path = str(tmp_path / "state.db")

    def asked(days: int | None) -> Rules:
        return Rules(read_threshold("2 packets"), 400 * 86400, days and days * 86400)

    def record(*days: float) -> None:
        """Go on from what is known of the log."""
        known = state.Courses(path, "/log", {"smtp": asked(5)})
        course = known("smtp", MACHINE) or Course(asked(5))
        for hit in hits(*days):
            course.add(hit, "/log")
        found = [state.row_of("smtp", MACHINE, course)[1]]
        memory.record("/log", found, str(days), lambda: "<x>")

    with state.opened(path) as memory:
        record(0, 0)
        assert memory.settle({"smtp": asked(5)}, lambda: "<1@x>") == 1
        record(6, 6, 6)
        assert memory.settle({"smtp": asked(5)}, lambda: "<2@x>") == 1
        record(6, 6, 12)  # And here it crashed.
        (alert,) = memory.alerts(["smtp"])
        assert (alert.message_id, alert.detection.tally.packets) == ("<2@x>", 5)
        record(12)
    with state.opened(path) as memory:
        assert memory.settle({"smtp": asked(realert)}, lambda: "<3@x>") == (realert is not None)
        alerts = [(each.message_id, each.detection.tally.packets) for each in memory.pending([])]
        last = [("<2@x>", 5), ("<3@x>", 2)] if realert else [("<2@x>", 7)]
        assert alerts == [("<1@x>", 2), *last]
        assert memory.settle({"smtp": asked(realert)}, lambda: "<4@x>") == 0


def test_what_is_not_settled_is_listed_with_all_its_packets(site: Installation) -> None:
    """A crash left no piece that says to be of the episode that was mailed about."""
    asked = asking("realert: 5d")
    site.configure(signals=asked)
    site.append(packet() + packet(6))
    job(site)
    site.configure(signals=asking())
    site.append(packet(7) * 2)
    job(site)
    site.configure(signals=asked)
    site.append(packet(8) * 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state.State, "settle", lambda *_, **__: 0)
        job(site)
    assert counts(site) == {MACHINE: (1 + 2 + 4, "sent")}
    job(site)
    assert counts(site) == {MACHINE: (1 + 2 + 4, "sent")}
    assert len(site.mails()) == 2


@pytest.mark.parametrize("version", [2, 3, 4])
def test_state_without_episodes_is_brought_up_to_date(site: Installation, version: int) -> None:
    """What was found before there were thresholds is a detection, of the first episode."""
    site.statefile.parent.mkdir()
    with closing(sqlite3.connect(site.statefile)) as connection, connection:
        for step in MIGRATIONS[0], *MIGRATIONS[2:version]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        tally = Tally()
        for hit in hits(0, 1):
            tally.add(hit)
        # At that time it knew of no hours.
        head, newline, evidence = packed(tally).partition("\n")
        row = (
            MACHINE,
            "smtp",
            str(site.log),
            json.dumps(json.loads(head)[:9]) + newline + evidence,
        )
        connection.execute("INSERT INTO tally VALUES (?, ?, ?, ?)", row)
        columns = "source, signal, message_id, alerted" + ", ended" * (version > 2)
        values = (MACHINE, "smtp", "<1@x>", BEGIN.isoformat(), *["sent"] * (version > 2))
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO alert ({columns}) VALUES ({marks})", values)
    site.configure(signals=asking("threshold: 2 DST in 1h", "realert: 5d"))
    site.append(packet(3))
    job(site)
    assert counts(site) == {MACHINE: (3, "sent")}
    site.append(packet(9) + packet(9))
    job(site)
    assert counts(site) == {MACHINE: (3, "sent")}
    assert site.mails() == []
    site.append(packet(9, dst=2))
    job(site)
    assert counts(site) == {MACHINE: (3, "sent")}
    assert mailed(site) == ["3 packets to 2 addresses"]


def course_of_schema_5(log: str, asks: str, rules: str, stage: str, tally: str) -> str:
    """Write what 1.0.0 knew of a source: what was asked, how far it was, and what was seen."""
    logs = [[log, [[0, tally, None, json.loads(stage)]]]]
    known = {"open": 0, "asks": f"({asks}, {rules})", "ended": 0, "logs": logs}
    return json.dumps(known, separators=(",", ":"))


# As 1.0.0 wrote them, of a packet each to 198.51.100.1 and .2 (0 and 10 seconds
# after the beginning): 3 of each list are moments, then the measures' tails follow.
TWO_OF_1_0_0 = (
    "(Measure(number=3, what='DST', per=None, window=3600), "
    "Measure(number=4, what='DST', per=None, window=604800))",
    "((0,), (1,)), 604800000000, None",
    "[false,2,[0,1780272000000000,739768],[0,1780272010000000,739768],"
    '[0,1780272010000000,739768],true,[[["",[["198.51.100.1",1780272000000000],'
    '["198.51.100.2",1780272010000000]]]],[["",[["198.51.100.1",1780272000000000],'
    '["198.51.100.2",1780272010000000]]]]],[[0,1780272000000000,739768,true,739768,'
    '["198.51.100.1"],1,true]],[],[]]',
)
BACK_OF_1_0_0 = (
    "(Measure(number=3, what='DST', per=None, window=3600),)",
    "((0,),), 86400000000, 172800000000",
    "[false,2,[0,1780272000000000,739768],[0,1780272010000000,739768],"
    '[0,1780272010000000,739768],true,[[["",[["198.51.100.1",1780272000000000],'
    '["198.51.100.2",1780272010000000]]]]],[],[],[]]',
)
BOTH_OF_1_0_0 = (
    "(Measure(number=3, what='DST', per=None, window=3600), "
    "Measure(number=2, what='DPT', per=None, window=None))",
    "((0, 1),), 34560000000000, None",
    "[false,2,[0,1780272000000000,739768],[0,1780272010000000,739768],"
    '[0,1780272010000000,739768],true,[[["",[["198.51.100.1",1780272000000000]]]],'
    '[["",[["25",1780272010000000]]]]],[],[],[]]',
)


@pytest.mark.parametrize(
    ("known", "asked", "then", "expected"),
    [
        (TWO_OF_1_0_0, "threshold: 3 DST in 1h\n 4 DST in 7d", [(0.02, 3)], 3),
        (TWO_OF_1_0_0, "threshold: 3 DST in 1h\n 4 DST in 7d", [(0.9, 3)], 0),
        (TWO_OF_1_0_0, "threshold: 3 DST in 1h\n 4 DST in 7d", [(0.9, 3), (3, 4)], 4),
        (BACK_OF_1_0_0, "threshold: 3 DST in 1h\nrealert: 2d", [(0.02, 3)], 3),
        (BACK_OF_1_0_0, "threshold: 3 DST in 1h\nrealert: 2d", [(0.2, 3)], 0),
        # What asked for several at one moment asks for something else now.
        (BOTH_OF_1_0_0, "threshold: 3 DST in 1h", [(0.02, 3)], 0),
        (BOTH_OF_1_0_0, "threshold: 3 DST in 1h", [(0.02, 3), (0.02, 4), (0.02, 5)], 5),
    ],
)
def test_progress_of_1_0_0_is_gone_on_from(
    site: Installation,
    known: tuple[str, str, str],
    asked: str,
    then: list[tuple[float, int]],
    expected: int,
) -> None:
    """The next packets meet the threshold where they would have; counts go on."""
    seen = json.dumps(
        [
            2,
            BEGIN.isoformat(),
            BEGIN.isoformat(),
            {"198.51.100.1": 1, "198.51.100.2": 1},
            False,
            {"25": 2},
            False,
            ["eth1"],
            [],
        ]
    )
    body = course_of_schema_5(str(site.log), *known, seen)
    site.statefile.parent.mkdir()
    with closing(sqlite3.connect(site.statefile)) as connection, connection:
        for step in MIGRATIONS[0], *MIGRATIONS[2:5]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 5")
        row = (MACHINE, "smtp", str(site.log), body)
        connection.execute("INSERT INTO tally VALUES (?, ?, ?, ?)", row)
    site.configure(signals=asking(asked))
    site.append("".join(packet(day, dst=dst) for day, dst in then))
    job(site)
    assert counts(site) == ({MACHINE: (expected, "sent")} if expected else {})
