"""The daily job over time: what is read, remembered and mailed."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from installation import NOBODY, SMTP_SIGNAL, Installation, like_everyone, packet_line

from botalert.cli import main
from botalert.config.library import library

OTHER_LINES = ["2026-11-20T23:00:00+00:00 fw1 sshd[1]: Failed password for root\n", "\n"]


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def packets(site: Installation) -> dict[str, int]:
    return {each["source"]: each["packets"] for each in site.detections()}


def message_ids(site: Installation) -> list[str]:
    return [mail["Message-ID"] for mail in site.mails()]


def listed(site: Installation) -> list[dict[str, Any]]:
    """Give what is on record, but not when it was mailed about."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["-c", str(site.config), "list", "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(printed.getvalue())["detections"]
    return [{**each, "alerted": bool(each["alerted"])} for each in found]


LINES = st.one_of(
    st.sampled_from(OTHER_LINES),
    st.builds(
        packet_line,
        st.sampled_from(["192.168.1.10", "192.168.1.11", "2001:db8::17"]),
        second=st.integers(0, 3599),
        port=st.sampled_from([25, 80]),
    ),
)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), lines=st.lists(LINES, min_size=1, max_size=12))
def test_when_runs_happen_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    lines: list[str],
) -> None:
    """A log read in pieces, half lines among them, gives what it gives at once."""
    text = "".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
    at_once = Installation(tmp_path_factory.mktemp("once"))
    at_once.append(text)
    assert main(["-c", str(at_once.config), "run"]) == 0
    in_pieces = Installation(tmp_path_factory.mktemp("pieces"))
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        in_pieces.append(text[begin:end])
        assert main(["-c", str(in_pieces.config), "run"]) == 0
    expected = listed(at_once)
    assert listed(in_pieces) == expected
    assert len(in_pieces.mails()) == len(at_once.mails()) == len(expected)


def test_one_mail_for_each_new_detection(site: Installation) -> None:
    """What was mailed about is counted on in silence; something new is mailed about."""
    site.see("192.168.1.10", "192.168.1.10")
    assert site.run() == (0, [])
    site.see("192.168.1.10", "192.168.1.11", second=60)
    assert site.run() == (0, [])
    assert site.run() == (0, [])
    assert packets(site) == {"192.168.1.10": 3, "192.168.1.11": 1}
    assert len(set(message_ids(site))) == len(site.mails()) == 2


def test_each_signal_alerts_about_a_source(site: Installation) -> None:
    """One machine that two signals find is two detections and two mails."""
    telnet = {"telnet": "IN: eth1\nPROTO: TCP\nDPT: 23"}
    site.configure(signals={**SMTP_SIGNAL, **telnet})
    site.see("192.168.1.10")
    site.see("192.168.1.10", port=23)
    assert site.run() == (0, [])
    subjects = sorted(mail["Subject"].split(": ")[0] for mail in site.mails())
    assert subjects == [
        "[botalert] 192.168.1.10 set off smtp",
        "[botalert] 192.168.1.10 set off telnet",
    ]


def test_forgotten_source_alerts_again(site: Installation) -> None:
    """After `forget` the next packet is mailed about, as a mail of its own."""
    site.see("192.168.1.10")
    assert site.run() == (0, [])
    assert site.botalert("forget", "192.168.1.10").returncode == 0
    assert site.run() == (0, [])
    assert len(site.mails()) == 1
    site.see("192.168.1.10", second=60)
    assert site.run() == (0, [])
    assert len(set(message_ids(site))) == 2
    assert packets(site) == {"192.168.1.10": 1}


def test_what_a_baseline_records_is_known(site: Installation) -> None:
    """It is shown so, with the moment, and not mailed about; what is new is."""
    site.see("192.168.1.10")
    assert site.botalert("run", "--baseline").returncode == 0
    site.see("192.168.1.10", "192.168.1.11", second=60)
    assert site.run() == (0, [])
    assert site.alerts() == {"192.168.1.10": "known", "192.168.1.11": "sent"}
    assert all(each["alerted"] for each in site.detections())
    assert "  known 20" in site.botalert("list").stdout
    assert len(site.mails()) == 1


def test_two_logs_unite_in_one_detection(site: Installation) -> None:
    """One mail, with the sum of what both logs tell."""
    other = site.home / "other"
    site.configure(logfile=f"{site.log}, {other}")
    site.see("192.168.1.10")
    other.write_text(packet_line("192.168.1.10", second=30) * 2)
    assert site.run() == (0, [])
    assert packets(site) == {"192.168.1.10": 3}
    (mail,) = site.mails()
    assert ": 3 packets to 1 address" in mail["Subject"]


def test_missing_log_does_not_keep_others_from_being_read(site: Installation) -> None:
    """It is one line and status 66; the other log is read and mailed about."""
    nothing = site.home / "nothing"
    site.configure(logfile=f"{nothing}, {site.log}")
    site.see("192.168.1.10")
    told = f"botalert: {nothing}: no such file. Name the log that your syslog daemon writes."
    assert site.run() == (66, [told])
    assert site.alerts() == {"192.168.1.10": "sent"}


def test_directory_as_a_log_is_unusable(site: Installation) -> None:
    """A directory is one line and status 65; the other log goes on."""
    site.configure(logfile=f"{site.home / 'folder'}, {site.log}")
    (site.home / "folder").mkdir()
    site.see("192.168.1.10")
    status, (line,) = site.run()
    assert (status, line) == (
        65,
        f"botalert: {site.home / 'folder'}: is a directory. Name a file in it.",
    )
    assert site.alerts() == {"192.168.1.10": "sent"}


def test_log_that_may_not_be_read_is_told(site: Installation) -> None:
    """A log of another user's is one line and status 77; the other log goes on."""
    other = site.home / "other"
    other.write_text(packet_line("192.168.1.11"))
    site.configure(logfile=f"{site.log}, {other}")
    site.see("192.168.1.10")
    command = like_everyone(site.command("run"))
    site.log.chmod(0o600)
    os.chown(site.log, NOBODY, NOBODY)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    told = f"{site.log}: permission denied. Run as root, or give this user read access."
    assert (done.returncode, done.stderr) == (77, f"botalert: {told}\n")
    assert site.alerts() == {"192.168.1.11": "sent"}


Change = Callable[[Installation], None]


def replaced(site: Installation) -> None:
    new = site.home / "new"
    new.write_text(packet_line("192.168.1.11", second=1) * 2)
    new.replace(site.log)


def cut_and_written_anew(site: Installation) -> None:
    site.log.write_text(packet_line("192.168.1.11", second=1) * 2)


def emptied(site: Installation) -> None:
    site.log.write_text("")
    site.see("192.168.1.11", "192.168.1.11")


@pytest.mark.parametrize("change", [replaced, cut_and_written_anew, emptied])
def test_another_log_of_the_same_name_is_read_from_its_beginning(
    site: Installation, change: Change
) -> None:
    """Whether shorter or longer than before, nothing of it is skipped and nothing old counted."""
    site.see("192.168.1.10", "192.168.1.10", "192.168.1.10")
    assert site.run() == (0, [])
    change(site)
    status, (line,) = site.run()
    assert status == 0
    assert "may be missing: the file was removed or cut before it was read" in line
    assert packets(site) == {"192.168.1.10": 3, "192.168.1.11": 2}
    assert site.run() == (0, [])
    assert len(site.mails()) == 2


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_packed_log_is_read_once(site: Installation, pack: Callable[[bytes], bytes]) -> None:
    """An archive may be the log; its last line is whole though it has no newline."""
    lines = packet_line("192.168.1.10") + packet_line("192.168.1.11")
    site.log.write_bytes(pack(lines.rstrip("\n").encode()))
    assert site.run() == (0, [])
    assert site.run() == (0, [])
    assert packets(site) == {"192.168.1.10": 1, "192.168.1.11": 1}
    assert len(site.mails()) == 2


def test_corrupt_archive_is_told_and_counts_nothing_twice(site: Installation) -> None:
    """It is status 65 at each run; when it is whole, all of it counts once."""
    whole = gzip.compress("".join(packet_line(f"192.168.1.{n}") for n in range(9)).encode())
    site.log.write_bytes(whole[:-20])
    for _ in range(2):
        status, (line,) = site.run()
        assert status == 65
        assert line.startswith(f"botalert: {site.log}: the archive is damaged or cut short: ")
    site.log.write_bytes(whole)
    assert site.run() == (0, [])
    assert set(packets(site).values()) == {1}
    assert len(site.mails()) == 9


def test_worst_status_of_a_run_is_its_own(site: Installation) -> None:
    """A missing log and an unreachable server: both are told, 66 goes before 75."""
    nothing = site.home / "nothing"
    site.configure("127.0.0.1:1", logfile=f"{nothing}, {site.log}")
    site.see("192.168.1.10")
    status, told = site.run()
    assert status == 66
    assert len(told) == 2


def test_alert_of_a_signal_that_left_the_configuration_is_sent(site: Installation) -> None:
    """What was found before the administrator removed the section is still mailed about."""
    site.configure("127.0.0.1:1", signals={"own": SMTP_SIGNAL["smtp"]})
    site.see("192.168.1.10")
    assert site.run()[0] == 75
    site.configure(signals={"telnet": "DPT: 23"})
    assert site.run() == (0, [])
    (mail,) = site.mails()
    assert mail["Subject"].startswith("[botalert] 192.168.1.10 set off own: ")


SHIPPED = library().source.values["smtp"]
OWN = {"smtp": "PROTO: TCP\nDPT: 25\nseverity: low\nadvice: Call us.\nto: one@mx.example"}


def find_without_mail(site: Installation, named: str, signals: dict[str, str]) -> None:
    """Find what a spreader of mail does, while the mail server is down."""
    site.configure("127.0.0.1:1", named=named, signals=signals, lan="eth1")
    site.append("".join(packet_line("192.168.1.10").replace(".52 ", f".{n} ") for n in range(99)))
    assert site.run()[0] == 75


@pytest.mark.parametrize("named", ["telnet", "@all, !smtp"])
def test_alert_of_a_shipped_signal_that_left_says_what_it_means(
    site: Installation, named: str
) -> None:
    """Its severity and its texts come from the library, though nothing names it."""
    find_without_mail(site, "smtp", {})
    site.configure(named=named, signals={}, lan="eth1")
    assert site.run() == (0, [])
    (mail,) = site.mails()
    assert SHIPPED["severity"] == "high"
    start = "[botalert] high: 192.168.1.10 set off smtp: 99 packets to 99 addresses"
    assert mail["Subject"] == start
    body = mail.get_body(("plain",))
    assert body is not None
    told = " ".join(body.get_content().split())
    for key in ("description", "advice"):
        assert " ".join(SHIPPED[key].split()) in told
    assert "at least 5 destinations within an hour" in told


def test_alert_of_an_own_signal_that_left_log_says_what_it_means(site: Installation) -> None:
    """Its section is still there, and is asked before the shipped one of that name."""
    find_without_mail(site, "smtp", OWN)
    site.configure(named="telnet", signals=OWN, lan="eth1")
    assert site.run() == (0, [])
    (mail,) = site.mails()
    assert mail["Subject"].startswith("[botalert] low: 192.168.1.10 set off smtp: ")
    assert mail["To"] == "one@mx.example"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "What to do: Call us." in body.get_content()


def test_shipped_signal_that_left_is_ignored_as_others_are(site: Installation) -> None:
    """By what is said for all signals; and no fault of it stops the run."""
    find_without_mail(site, "smtp", {})
    # The shipped signal asks for @lan, which nothing says any more.
    site.configure(signals={"own": "DPT: 23"}, ignore="192.168.1.10")
    assert site.run() == (0, [])
    assert site.alerts() == {"192.168.1.10": "ignored"}


def test_old_command_line_mails_about_the_log_it_names(site: Installation) -> None:
    """`-s -l LOG`, as in 0.5a, does what `run` does, on LOG."""
    other = site.home / "other"
    other.write_text(packet_line("192.168.1.11"))
    site.see("192.168.1.10")
    done = subprocess.run(
        [sys.executable, "-m", "botalert", "-c", site.config, "-s", "-l", other],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert site.alerts() == {"192.168.1.11": "sent"}


def test_verbose_run_tells_what_it_did(site: Installation) -> None:
    """With -v each log and each alert is a line on standard error."""
    site.see("192.168.1.10")
    done = site.botalert("-v", "run")
    size = site.log.stat().st_size
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"botalert: {site.log}: read {size} bytes; 1 new detection",
        "botalert: alert sent: smtp: 192.168.1.10",
    ]


def test_maildir_left_half_made_is_completed(site: Installation) -> None:
    """A Maildir of which only the directory is there takes mail all the same."""
    site.maildir.mkdir()
    site.see("192.168.1.10")
    assert site.run() == (0, [])
    assert len(site.mails()) == 1


def test_maildir_is_for_its_owner_alone(site: Installation) -> None:
    """What a firewall tells of its network is not for everyone on the machine."""
    site.see("192.168.1.10")
    assert site.run() == (0, [])
    modes = {path.stat().st_mode & 0o777 for path in (site.maildir, *site.maildir.iterdir())}
    assert modes == {0o700}


def test_maildir_that_cannot_be_made_keeps_the_alert(site: Installation) -> None:
    """A file in its place is one line and status 75; with the place free, the alert goes."""
    site.maildir.write_text("")
    site.see("192.168.1.10")
    status, (line,) = site.run()
    assert status == 75
    assert line.startswith(f"botalert: maildir:{site.maildir}: ")
    assert line.endswith(f"1 alert kept in {site.statefile}; the next run tries again.")
    site.maildir.unlink()
    assert site.run() == (0, [])
    assert len(site.mails()) == 1


MACHINES = ("192.168.1.10", "192.168.1.11", "192.168.1.12")


def test_ignored_machines_are_not_found(site: Installation) -> None:
    """Whether by address or by hardware address; explain says why."""
    site.configure(ignore="192.168.1.10")
    site.see(*MACHINES)
    assert site.run() == (0, [])
    assert set(packets(site)) == {"192.168.1.11", "192.168.1.12"}
    told = site.botalert("explain").stdout.splitlines()
    assert [line for line in told if "[smtp]" in line] == [
        f"{site.log}:1 [smtp] 192.168.1.10: SRC is 192.168.1.10, "
        "asked is none of ignore: 192.168.1.10",
        f"{site.log}:2 [smtp] 192.168.1.11: matched",
        f"{site.log}:3 [smtp] 192.168.1.12: matched",
    ]


@pytest.mark.parametrize("left", [False, True], ids=["in log:", "left the configuration"])
def test_pending_alert_about_an_ignored_machine_is_not_sent(site: Installation, left: bool) -> None:
    """It is marked as ignored and stays so, also when the machine is no longer ignored."""
    site.configure("127.0.0.1:1")
    site.see(*MACHINES)
    assert site.run()[0] == 75
    signals = {"telnet": "DPT: 23"} if left else SMTP_SIGNAL
    ignore = "192.168.1.10/31"
    # The mail server is still down: nothing is tried for those that nobody wants.
    site.configure("127.0.0.1:1", ignore=f"{ignore}, 192.168.1.12", signals=signals)
    done = site.botalert("-v", "run")
    assert done.returncode == 0
    assert "botalert: alert ignored: smtp: 192.168.1.10" in done.stderr.splitlines()
    assert site.alerts() == dict.fromkeys(MACHINES, "ignored")
    assert "  ignored 20" in site.botalert("list").stdout
    site.configure()
    assert site.run() == (0, [])
    assert site.mails() == []


def test_pending_alert_about_an_ignored_hardware_address_is_not_sent(site: Installation) -> None:
    """The others are."""
    site.configure("127.0.0.1:1")
    site.see("192.168.1.10")
    site.append(packet_line("192.168.1.11").replace("c0:a8:01:0a", "c0:a8:02:14"))
    assert site.run()[0] == 75
    site.configure(ignore="02:00:C0:A8:02:14")
    assert site.run() == (0, [])
    assert site.alerts() == {"192.168.1.10": "sent", "192.168.1.11": "ignored"}
    assert len(site.mails()) == 1


def test_check_and_test_mail_tell_a_signals_own_recipients(site: Installation) -> None:
    """Whom its mails go to, instead of those of [recipients]."""
    site.configure(signals={"smtp": f"{SMTP_SIGNAL['smtp']}\nto: one@mx.example"})
    told = site.botalert("test-mail").stdout
    assert told == f"a sample alert went to one@mx.example by maildir:{site.maildir}\n"
    assert [mail["To"] for mail in site.mails()] == ["one@mx.example"]
    assert "\nthose of [smtp] go to one@mx.example\n" in site.botalert("check").stdout
