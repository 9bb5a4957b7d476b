"""The command line, as a real process: what it prints, and with which status it ends."""

import csv
import fcntl
import gzip
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botalert.cli import main
from botalert.printable import printable

REPOSITORY = Path(__file__).resolve().parents[1]
PACKET = "IN=eth1 OUT=eth0 SRC={} DST={} LEN=60 PROTO=TCP SPT=5 DPT={} SYN URGP=0 "
SPAM = PACKET.format("192.168.1.10", "198.51.100.1", 25).replace(
    "SRC", "MAC=ba:51:fc:4a:ba:d1:02:00:c0:a8:01:0a:08:00 SRC"
)
SPAM_AGAIN = PACKET.format("192.168.1.10", "198.51.100.2", 25)
LOG = f"""\
Nov 20 10:00:00 fw1 kernel: DROP:{SPAM}
Nov 20 10:00:05 fw1 kernel: message repeated 2 times: [ DROP:{SPAM_AGAIN}]
Nov 20 10:00:10 fw1 kernel: DROP:{PACKET.format("2001:db8::1", "2001:db8::2", 25)}
Nov 20 10:00:11 fw1 kernel: ACCEPT:{PACKET.format("192.168.1.11", "198.51.100.1", 25)}
Nov 20 10:00:12 fw1 kernel: DROP:{PACKET.format("192.168.1.9", "198.51.100.1", 23)}
Nov 20 10:00:13 fw1 kernel: DROP:{PACKET.format("192.168.1.x", "198.51.100.1", 23)}
Nov 20 10:00:14 fw1 sshd[1]: Invalid user kernel: {PACKET.format("192.168.1.8", "192.0.2.1", 25)}
"""
CONF = """\
[DEFAULT]
logfile: {0}/fw.log
timezone: UTC
statefile: {0}/state/state.db
mailserver: maildir:{0}/Maildir
[recipients]
From: firewall@example.org
To: you@example.org
[signals]
log: telnet, smtp,
[smtp]
IN: eth1
DPT: 25
[telnet]
DPT: 23
[spare]
SRC: 192.168.0.0/16
"""


@pytest.fixture
def place(tmp_path):
    """Give a directory with a log and a configuration."""
    (tmp_path / "fw.log").write_text(LOG)
    (tmp_path / "botalert.conf").write_text(CONF.format(tmp_path))
    return tmp_path


def botalert(*arguments: object, cwd: Path, **more) -> subprocess.CompletedProcess[str]:
    """Run the program; its standard error must be empty unless a test looks at it."""
    return subprocess.run(
        [sys.executable, "-m", "botalert", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "LC_ALL": "C.UTF-8",
            **more.pop("env", {}),
        },
        **more,
    )


def output(*arguments: object, cwd: Path, **more) -> str:
    """Run the program, which must succeed in silence; give its output."""
    done = botalert("-c", cwd / "botalert.conf", *arguments, cwd=cwd, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def complaint(status: int, *arguments: object, cwd: Path, **more) -> str:
    """Run the program, which must end with *status* and one line; give the line."""
    done = botalert(*arguments, cwd=cwd, **more)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("botalert: ")
    return done.stderr


def test_scan_prints_what_the_signals_find_as_json(place):
    """In the order of log:, then by packets; repeats count; what was let through doesn't."""
    found = json.loads(output("scan", "--format", "json", cwd=place))
    assert found["bytes"] == len(LOG)
    assert [(d["signal"], d["source"], d["packets"]) for d in found["detections"]] == [
        ("telnet", "192.168.1.9", 1),
        ("smtp", "192.168.1.10", 3),
        ("smtp", "2001:db8::1", 1),
    ]
    assert found["detections"][1] == {
        "signal": "smtp",
        "source": "192.168.1.10",
        "packets": 3,
        "first_seen": "2026-11-20T10:00:00+00:00",
        "last_seen": "2026-11-20T10:00:05+00:00",
        "hours": {"2026-11-20T10": 3},
        "destinations": {"198.51.100.2": 2, "198.51.100.1": 1},
        "destination_count": 2,
        "ports": {"25": 3},
        "port_count": 1,
        "interfaces": ["eth1"],
        "macs": ["02:00:c0:a8:01:0a"],
        "evidence": LOG.splitlines()[:2],
    }


def test_stats_count_every_line(place):
    """And change nothing in what is found."""
    plain = json.loads(output("scan", "--format", "json", cwd=place))
    counted = json.loads(output("scan", "--format", "json", "--stats", cwd=place))
    assert counted.pop("lines") == {"read": 7, "packets": 5, "unparsed": 1}
    assert counted == plain
    assert "7 lines read, 5 packets, 1 unparsed" in output("scan", "--stats", cwd=place)


def test_scan_prints_csv_with_the_jsons_keys(place):
    """What is nested is JSON in a cell."""
    found = json.loads(output("scan", "--format", "json", cwd=place))["detections"]
    rows = list(csv.DictReader(io.StringIO(output("scan", "--format", "csv", cwd=place))))
    assert [list(row) for row in rows] == [list(each) for each in found]
    assert [json.loads(row["destinations"]) for row in rows] == [d["destinations"] for d in found]
    assert [row["source"] for row in rows] == [each["source"] for each in found]


def test_scan_prints_an_aligned_table(place):
    """Its columns stand under their headings."""
    lines = output("scan", cwd=place).splitlines()
    assert lines[0].split("  ")[0] == "SIGNAL"
    column = lines[0].index("SOURCE")
    assert [line[column:].split()[0] for line in lines[1:]] == [
        "192.168.1.9", "192.168.1.10", "2001:db8::1",
    ]  # fmt: skip
    assert output("scan", "--signal", "spare", "--source", "10.1.1.1", cwd=place) == (
        "nothing detected\n"
    )


@pytest.mark.parametrize("width", [200, 80, 60, 40])
def test_a_table_fits_the_terminal(place, width):
    """On a real terminal of that width, whatever must be cut."""
    text = on_terminal(place, width, "scan")
    assert max(map(len, text.splitlines())) <= width
    assert text.startswith("SIG")
    assert ("…" in text) == (width < 80)


def on_terminal(place: Path, width: int, *arguments: str) -> str:
    """Run the program on a pseudo-terminal; give what it shows."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-m", "botalert", "-c", str(place / "botalert.conf"), *arguments],
        stdin=its, stdout=its, stderr=its, close_fds=True, cwd=place,
        env={**environment, "PYTHONPATH": str(REPOSITORY), "LC_ALL": "C.UTF-8"},
    ) as process:  # fmt: skip
        os.close(its)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux reports the closed other end so.
                break
            if not piece:
                break
            shown += piece
        assert process.wait(30) == 0
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_nothing_from_a_log_reaches_a_terminal_unescaped(place):
    """Escape sequences in a damaged line, a prefix or a custom source."""
    evil = LOG.replace("192.168.1.x", "\x1b]0;owned\x07\u202e").replace(
        "DROP:IN=eth1", "\x1b[31mDROP:IN=eth1"
    )
    (place / "fw.log").write_text(evil)
    conf = CONF.format(place).replace("[recipients]", "regex: SRC=(?P<SRC>\\S+)\n[recipients]")
    for arguments in (["scan"], ["parse"], ["parse", "--unparsed"], ["explain"]):
        assert not re.search("[\x1b\x07\u202e]", on_terminal(place, 80, *arguments))
    (place / "botalert.conf").write_text(conf)
    for arguments in (["scan", "--signal", "spare"], ["explain"], ["scan", "--format", "csv"]):
        assert not re.search("[\x1b\x07\u202e]", on_terminal(place, 80, *arguments))


def test_parse_prints_each_packet_line_as_an_object(place):
    """With the log as named and the line counted from 1."""
    objects = [json.loads(line) for line in output("parse", "fw.log", cwd=place).splitlines()]
    assert [each["line"] for each in objects] == [1, 2, 3, 4, 5]
    assert {each["log"] for each in objects} == {"fw.log"}
    assert objects[1]["repeat"] == 2
    assert list(objects[0]) == [
        "log",
        "line",
        "time",
        "host",
        "prefix",
        "verdict",
        "fields",
        "flags",
    ]
    assert objects[3]["verdict"] == "accept"


def test_parse_prints_the_unparsed_lines_as_they_stand(place):
    """Byte for byte into a pipe, and only those of believed programs."""
    damaged = b"Nov 20 10:00:13 fw1 kernel: DROP:IN=eth1 \xff OUT=eth0 SRC=x DST=y\n"
    (place / "fw.log").write_bytes(LOG.encode() + damaged)
    done = subprocess.run(
        [sys.executable, "-m", "botalert", "-c", place / "botalert.conf", "parse", "--unparsed"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == LOG.splitlines(keepends=True)[5].encode() + damaged


def test_standard_input_and_packed_logs_are_read(place):
    """Told by their first bytes."""
    plain = output("scan", "--format", "json", cwd=place)
    (place / "odd.name").write_bytes(gzip.compress(LOG.encode()))
    assert output("scan", "--format", "json", "odd.name", cwd=place) == plain
    assert output("scan", "--format", "json", "-", cwd=place, input=LOG) == plain


def test_rotations_are_one_log_oldest_first(place):
    """The evidence begins with the oldest line."""
    lines = LOG.splitlines(keepends=True)
    (place / "m").write_text(lines[1])
    (place / "m.2.gz").write_bytes(gzip.compress(lines[0].encode()))
    found = json.loads(output("scan", "--format", "json", "m", "m.2.gz", cwd=place))["detections"]
    assert found[0]["evidence"] == LOG.splitlines()[:2]


def test_packets_are_chosen_by_time_signal_and_source(place):
    """The beginning is in, the end is out; a signal need not be in log:."""

    def sources(*arguments: str) -> list[str]:
        text = output("scan", "--format", "json", *arguments, cwd=place)
        return [each["source"] for each in json.loads(text)["detections"]]

    assert sources("--since", "2026-11-20 10:00:10") == ["192.168.1.9", "2001:db8::1"]
    assert sources("--until", "2026-11-20 10:00:10") == ["192.168.1.10"]
    assert sources("--since", "today") == []
    assert sources("--signal", "spare") == ["192.168.1.10", "192.168.1.9"]
    assert sources("--source", "2001:DB8::0001") == ["2001:db8::1"]
    assert sources("--source", "192.168.1.0/24") == ["192.168.1.9", "192.168.1.10"]


def test_explain_tells_why(place):
    """Per packet line its parse, and per signal: matched, or the first condition that failed."""
    lines = output("explain", cwd=place).splitlines()
    assert len(lines) == 5 * (1 + 2) + 1
    log = f"{place}/fw.log"
    assert lines[0] == (
        f'{log}:1 packet at 2026-11-20 10:00:00+00:00, host fw1, prefix "DROP:", verdict drop: '
        "IN=eth1 OUT=eth0 MAC=ba:51:fc:4a:ba:d1:02:00:c0:a8:01:0a:08:00 SRC=192.168.1.10 "
        "DST=198.51.100.1 LEN=60 PROTO=TCP SPT=5 DPT=25 URGP=0; flags SYN"
    )
    assert ", verdict drop, repeated 2 times: IN=eth1 " in lines[3]
    assert lines[-1] == f"{log}:6 unparsed: looks like a packet line, but cannot be read"
    assert f"{log}:1 [smtp] 192.168.1.10: matched" in lines
    assert f"{log}:1 [telnet] 192.168.1.10: DPT is 25, asked is 23" in lines
    assert f"{log}:4 [smtp] 192.168.1.11: VERDICT is accept, asked is drop, unknown" in lines
    assert output("explain", "--signal", "spare", cwd=place).count("matched") == 3


def test_explain_reads_any_packet_for_people(place):
    """One on standard input, without a time, with a quoted packet and a value of two words."""
    line = (
        "[ 12.5] x IN=eth1 OUT= SRC=192.0.2.1 DST=192.0.2.2 PROTO=ICMP TYPE=3 "
        "[SRC=192.0.2.2 DST=192.0.2.9 PROTO=UDP DPT=53 ] OPT (01 02) \n"
    )
    first = output("explain", "-", cwd=place, input=line).splitlines()[0]
    assert first == (
        '-:1 packet at 12.5 seconds of uptime, prefix "x", verdict unknown: OPT="01 02" '
        "IN=eth1 OUT= SRC=192.0.2.1 DST=192.0.2.2 PROTO=ICMP TYPE=3; "
        "quotes [SRC=192.0.2.2 DST=192.0.2.9 PROTO=UDP DPT=53]"
    )


def test_explain_says_that_nothing_is_a_packet(place):
    """Of a line that another program wrote it would else say nothing."""
    told = output("explain", "-", cwd=place, input=LOG.splitlines(keepends=True)[6])
    assert told == "- no packet line of a program that is believed\n"


def test_check_says_what_each_signal_asks_and_warns(place):
    """On standard output, with status 0."""
    text = output("check", cwd=place)
    assert "[smtp] packets to port 25 from eth1\n" in text
    assert "[spare] is not looked for" in text
    assert f"alerts go to you@example.org by maildir:{place}/Maildir" in text
    (place / "fw.log").unlink()
    (place / "botalert.conf").write_text(CONF.format(place).replace("eth1", "an-endless-interface"))
    text = output("check", cwd=place)
    assert f"warning: logfile: {place}/fw.log: No such file or directory" in text
    assert "can never be met" in text


def test_a_shipped_signal_can_be_tried_by_name(place):
    """Be it in log: or not; one that is nowhere is told."""
    conf = place / "botalert.conf"
    conf.write_text(conf.read_text().replace("[DEFAULT]\n", "[DEFAULT]\nlan: eth1\n"))
    found = output("scan", "--signal", "vertical-scan", "--format", "csv", cwd=place)
    assert {line.partition(",")[0] for line in found.splitlines()[1:]} <= {"vertical-scan"}
    assert "[vertical-scan]" in output("explain", "--signal", "vertical-scan", cwd=place)
    told = complaint(64, "-c", "botalert.conf", "scan", "--signal", "vertical", cwd=place)
    assert "nor such a shipped signal. Did you mean vertical-scan?" in told
    told = complaint(64, "-c", "botalert.conf", "scan", "--signal", "nix", cwd=place)
    assert "nor such a shipped signal. There are: telnet, smtp, spare" in told


def test_check_warns_of_one_file_under_two_names_and_of_a_broken_template(place):
    """What would count twice, and what would keep alerts pending."""
    os.link(place / "fw.log", place / "kern.log")
    (place / "templates").mkdir()
    (place / "templates" / "alert.txt").write_text("{{ nonsense }}")
    conf = CONF.format(place).replace("fw.log", f"fw.log, {place}/kern.log")
    (place / "botalert.conf").write_text(
        conf.replace("[recipients]", f"templates: {place}/templates\n[recipients]")
    )
    text = output("check", cwd=place)
    assert "are one file: its packets would count twice" in text
    assert "'nonsense' is undefined" in text


def test_check_warns_of_two_logs_that_hold_the_same_packets(place):
    """As kern.log and syslog do."""
    (place / "syslog").write_text(f"Nov 20 09:59:00 fw1 cron[1]: x\n{LOG}")
    conf = CONF.format(place).replace("fw.log", f"fw.log, {place}/syslog")
    (place / "botalert.conf").write_text(conf)
    expected = f"{place}/fw.log and {place}/syslog hold the same packets, which would count twice"
    assert expected in output("check", cwd=place)


def test_check_refuses_what_run_would_refuse(place):
    """With every fault on a line of its own."""
    (place / "botalert.conf").write_text(CONF.format(place).replace("DPT", "DTP"))
    done = botalert("-c", "botalert.conf", "check", cwd=place)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        "botalert: botalert.conf:13 [smtp] DTP: is not known here. Did you mean DPT or DST?",
        "botalert: botalert.conf:15 [telnet] DTP: is not known here. Did you mean DPT or DST?",
    ]


def test_run_is_silent_and_list_tells_what_was_found(place):
    """Once; a second run sends nothing."""
    assert output("list", cwd=place) == "nothing on record\n"
    assert output("run", cwd=place) == ""
    mails = sorted((place / "Maildir" / "new").iterdir())
    assert output("run", cwd=place) == ""
    assert sorted((place / "Maildir" / "new").iterdir()) == mails
    assert len(mails) == 3
    scanned = json.loads(output("scan", "--format", "json", cwd=place))["detections"]
    listed = json.loads(output("list", "--format", "json", cwd=place))["detections"]
    assert [each.pop("alert") for each in listed] == ["sent"] * 3
    assert all(each.pop("alerted") for each in listed)
    assert listed == scanned
    rows = list(csv.DictReader(io.StringIO(output("list", "--format", "csv", cwd=place))))
    assert [row["alert"] for row in rows] == ["sent"] * 3
    assert "sent 20" in output("list", cwd=place)


def test_a_forgotten_machine_alerts_again(place):
    """By its address in any form; an unknown one is told."""
    output("run", cwd=place)
    conf = ("-c", "botalert.conf")
    assert "is not on record" in complaint(65, *conf, "forget", "192.168.1.77", cwd=place)
    assert "[telnet]" in complaint(
        65, *conf, "forget", "192.168.1.10", "--signal", "telnet", cwd=place
    )
    assert output("forget", "2001:DB8:0::1", "--signal", "smtp", cwd=place) == ""
    with (place / "fw.log").open("a") as log:
        log.write(LOG)
    output("run", cwd=place)
    assert len(list((place / "Maildir" / "new").iterdir())) == 4


def test_without_a_command_it_is_05as(place):
    """-l prints what is found in LOG; -s mails it."""
    table = output("scan", cwd=place)
    assert output(cwd=place) == table
    (place / "other.log").write_text(LOG.splitlines(keepends=True)[4])
    assert output("-l", "other.log", cwd=place).splitlines()[1].startswith("telnet")
    assert output("--logfile", "other.log", "--sendmail", cwd=place) == ""
    assert len(list((place / "Maildir" / "new").iterdir())) == 1
    assert output("-s", cwd=place) == ""
    assert len(list((place / "Maildir" / "new").iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "no command"),
        (["rnu"], "invalid choice: 'rnu'"),
        (["scan", "--format", "xml"], "invalid choice: 'xml'"),
        (["scan", "--since", "soon"], "--since: 'soon' is not a date. Write today, yesterday"),
        (["scan", "--signal", "nix"], "--signal nix: no such section"),
        (["scan", "--source", " ,"], "--source: names nobody. Write an address: 192.168.1.5"),
        (["scan", "--source", "printer"], "--source: 'printer' is not an address"),
        (["-s", "run"], "-l and -s are for use without a command"),
        (["-v", "-q", "run"], "not allowed with argument"),
        (["forget"], "required: SOURCE"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_told(place, arguments, expected):
    """Status 64, and where help is."""
    done = botalert(*(["-c", "botalert.conf", *arguments] if arguments else []), cwd=place)
    assert done.returncode == 64
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_that_cannot_be_read_are_told_and_the_others_go_on(place):
    """The status is that of the worst."""
    (place / "cut.gz").write_bytes(gzip.compress(os.urandom(99999))[:-500])
    done = botalert("-c", "botalert.conf", "scan", "none.log", "fw.log", "cut.gz", cwd=place)
    assert done.returncode == 65
    assert "192.168.1.10" in done.stdout
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["none.log", "cut.gz"]
    assert "no such file" in complaint(66, "-c", "botalert.conf", "parse", "none", cwd=place)
    assert botalert("-q", "-c", "botalert.conf", "scan", "none", cwd=place).stderr == ""


def test_a_configuration_that_is_not_there_is_told(place):
    """By every command; without -c, scan and its like use the shipped one."""
    for command in ("run", "scan", "check", "list"):
        assert "no such file" in complaint(78, "-c", "none.conf", command, cwd=place)
    if not os.path.exists("/etc/botalert.conf"):
        done = botalert("scan", "fw.log", cwd=place)
        assert (done.returncode, done.stdout) == (0, "nothing detected\n")
        assert "no such file" in complaint(78, "run", cwd=place)


def test_a_full_disk_under_the_output_is_told(place):
    """And a reader that has had enough is not."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "botalert", "-c", place / "botalert.conf", "parse"],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 74
    assert done.stderr == (
        "botalert: standard output: No space left on device. Free some space or look at the disk.\n"
    )
    (place / "fw.log").write_text(LOG * 2000)
    shell = f"{sys.executable} -m botalert -c botalert.conf parse | head -n 1"
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], cwd=place, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert (piped.returncode, piped.stderr, piped.stdout.count("\n")) == (0, "", 1)


def test_verbose_tells_what_was_done(place):
    """On standard error."""
    done = botalert("-v", "-c", "botalert.conf", "run", cwd=place)
    assert done.returncode == 0
    assert f"fw.log: read {len(LOG)} bytes; 3 new detections" in done.stderr
    assert "alert sent: smtp: 192.168.1.10" in done.stderr


@pytest.mark.parametrize(
    "command", ["", "run", "scan", "parse", "explain", "check", "list", "forget", "test-mail"]
)
def test_help_reads_well(place, command):
    """Within 80 columns, with every option explained."""
    done = botalert(*command.split(), "--help", cwd=place, env={"COLUMNS": "80"})
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    for option in re.findall(r"^  (-.*)$", done.stdout, re.MULTILINE):
        assert option.strip(), command
    assert f"usage: botalert {command}".strip() in done.stdout


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_crash_a_command(place, capsysbinary, content):
    """As a log, by each command that reads one, in this process."""
    log = place / "any.log"
    log.write_bytes(content)
    conf = ["-c", str(place / "botalert.conf")]
    for command in (["scan", "--stats"], ["scan", "--format", "csv"], ["parse"], ["parse", "--unparsed"], ["explain"]):  # fmt: skip  # noqa: E501
        assert main([*conf, *command, str(log)]) in (0, 65, 69)
    assert main([*conf, "-s", "-l", str(log)]) in (0, 65, 69)
    assert b"Traceback" not in capsysbinary.readouterr().err


def in_a_shell(place: Path, command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which $BOTALERT is the program with its configuration."""
    program = f"{sys.executable} -m botalert -c {place}/botalert.conf"
    return subprocess.run(
        ["bash", "-c", command], cwd=place, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "BOTALERT": program, **env},
    )  # fmt: skip


@pytest.mark.parametrize("where", ["2>/dev/full", "2> >(:)", "2>&-", ">&-", "<&- >&- 2>&-"])
def test_a_run_that_cannot_tell_anything_does_all_its_work(place, where):
    """A fault that nobody hears of stops nothing, and is in the exit status."""
    conf = place / "botalert.conf"
    conf.write_text(conf.read_text().replace("logfile: ", "logfile: missing, "))
    # A pipe breaks when its reader has ended, which is not at once.
    done = in_a_shell(place, f"exec {where}; sleep 0.2; $BOTALERT run")
    assert (done.returncode, done.stdout) == (66, "")
    assert len(list((place / "Maildir" / "new").iterdir())) == 3


@pytest.mark.parametrize(
    ("command", "status", "out"),
    [
        ("$BOTALERT scan >&-", 0, ""),
        ("$BOTALERT check >&-", 0, ""),
        ("$BOTALERT scan - <&-", 0, "nothing detected\n"),
        ("$BOTALERT -c nope run 2>&-", 78, ""),
        ("$BOTALERT scan nope 2>/dev/full", 66, "nothing detected\n"),
        ("$BOTALERT --help >/dev/full", 74, ""),
        ("$BOTALERT --version >/dev/full 2>&1", 74, ""),
        ("$BOTALERT scan nope fw.log >/dev/full", 74, ""),
        ("$BOTALERT scan nope fw.log 2> >(:) | cat >/dev/null; exit ${PIPESTATUS[0]}", 66, ""),
    ],
)
def test_streams_that_cannot_be_used_are_no_crash(place, command, status, out):
    """Closed, full or broken: the status tells what happened."""
    done = in_a_shell(place, command)
    assert (done.returncode, done.stdout) == (status, out)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_log_is_not_taken_for_a_closed_stream(place):
    """What is opened first gets the lowest number, which must not be the output's."""
    before = (place / "fw.log").read_bytes()
    in_a_shell(place, "$BOTALERT run <&- >&- 2>&-; $BOTALERT parse >&-; $BOTALERT list >&-")
    assert (place / "fw.log").read_bytes() == before
    assert "192.168.1.9" in output("list", cwd=place)


def test_an_output_that_lacks_characters_gets_escapes(place):
    """A table's … among them, and what a log has."""
    conf = place / "botalert.conf"
    conf.write_text(conf.read_text().replace("[spare]", "[spare-é]"), encoding="utf-8")
    env = {"PYTHONIOENCODING": "ascii", "COLUMNS": "60"}
    assert r"\u2026" in output("scan", cwd=place, env=env)
    assert r"[spare-\xe9]" in output("explain", "--signal", "spare-é", cwd=place, env=env)


@pytest.mark.parametrize(
    "source", ["2001:DB8:0::1", "-x", "-", "a b", "--", "$HOME", "\x1b[31mred", r"\u202e", "\u202e"]
)
def test_forget_knows_a_source_as_a_mail_proposes_it(place, source):
    """Whatever a custom regex: has found."""
    conf = place / "botalert.conf"
    text = conf.read_text().replace(
        "[DEFAULT]", "[DEFAULT]\nregex: SRC=(?P<SRC>.+) DPT=(?P<DPT>.+)"
    )
    conf.write_text(text.replace("IN: eth1\n", ""))
    (place / "fw.log").write_text(f"Nov 20 10:00:00 fw1 kernel: SRC={source} DPT=25\n")
    output("run", cwd=place)
    (mail,) = (place / "Maildir" / "new").iterdir()
    (proposed,) = re.findall(r"^ {4}botalert (forget .*)$", mail.read_text(), re.MULTILINE)
    done = in_a_shell(place, f"$BOTALERT -v {proposed}")
    assert (done.returncode, done.stderr) == (
        0,
        f"botalert: {printable(source)}: 1 detection forgotten\n",
    )
    assert output("list", cwd=place) == "nothing on record\n"


def test_check_warns_of_what_run_could_not_use(place):
    """What is there, but of a wrong kind; status 0."""
    for name in ("directory.log", "state.db"):
        (place / name).mkdir()
    os.mkfifo(place / "fifo.log")
    conf = place / "botalert.conf"
    text = conf.read_text().replace(f"maildir:{place}/Maildir", "sendmail:/nope")
    text = text.replace("fw.log", "fw.log, /dev/null").replace("/state/state.db", "/state.db")
    text = text.replace("logfile: ", f"templates: /nowhere\nlogfile: journal, {place}/*.log, ")
    conf.write_text(text)
    known = ("no interface", "[spare] is not looked for")
    warned = [
        line
        for line in output("check", cwd=place).splitlines()
        if not any(told in line for told in known)
    ]
    refused = "is no plain file, which run cannot read on from"
    assert [
        line for line in warned if line.startswith("warning: ") and "journalctl" not in line
    ] == [
        f"warning: logfile: {place}/directory.log: {refused}",
        f"warning: logfile: {place}/fifo.log: {refused}",
        f"warning: logfile: /dev/null: {refused}",
        f"warning: statefile: {place}/state.db: is there, and no plain file. "
        "Name another in statefile:.",
        "warning: templates: /nowhere: is no directory; the shipped ones are used",
        "warning: mailserver: sendmail:/nope: is no program that this user can run",
    ]
    (place / "Maildir").write_text("")
    conf.write_text(CONF.format(place))
    assert "Maildir: is there, and no directory" in output("check", cwd=place)


def test_a_zone_that_is_none_is_told(place):
    """A path that leads to something else, in the configuration or in TZ."""
    conf = place / "botalert.conf"
    text = conf.read_text()
    for zone in ("../../etc/passwd", "/etc/passwd", "x" * 300):
        conf.write_text(text.replace("timezone: UTC", f"timezone: {zone}"))
        told = complaint(78, "-c", conf, "check", cwd=place)
        assert f"timezone: {zone!r} is not a time zone. Write one as Europe/Paris" in told
    conf.write_text(text.replace("timezone: UTC", ""))
    told = complaint(78, "-c", conf, "check", cwd=place, env={"TZ": "/etc/passwd"})
    assert "the environment's TZ, '/etc/passwd', is not a time zone" in told


@pytest.mark.parametrize(
    "key", ["logfile", "statefile", "templates", "mailserver", "regex", "programs", "timezone"]
)
def test_a_control_character_in_a_value_is_told(place, key):
    """No path can have a NUL, and no program a name with one."""
    conf = place / "botalert.conf"
    lines = [each for each in conf.read_text().splitlines() if not each.startswith(key)]
    value = "(?P<SRC>x)" if key == "regex" else "/x"
    conf.write_text("\n".join([lines[0], f"{key}: {value}\0y", *lines[1:]]))
    for command in ("check", "run", "list"):
        done = botalert("-c", conf, command, cwd=place)
        assert done.returncode == 78
        assert f"[DEFAULT] {key}: '{value}\\x00y' has a control character" in done.stderr
        assert "Traceback" not in done.stderr


def test_source_that_is_none_is_told_in_one_sentence(place):
    """Without a key that nobody wrote."""
    told = complaint(64, "-c", "botalert.conf", "scan", "--source", "10.0.0.1/8", cwd=place)
    assert told.endswith("is not an address or network. Write the network: 10.0.0.0/8\n")
