"""
What the recommended signals find in real logs is what a reader of them finds.

Every log of the collection beside the project, and every capture of the
laboratory, is in a table here: which interfaces are its LAN, which machines
somebody who has read it would want to be told of, and why no others.
"""

import contextlib
import csv
import io
import ipaddress
import json
import mailbox
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from real import need_shared

from botalert.cli import main

DEFAULT = "@default"
# A host with one interface, at the internet, has no LAN. Its neighbour there is
# the provider's router, and whoever sends comes from elsewhere.
NO_LAN = "@default, !spoofed"


class Judged(NamedTuple):
    """
    A log, and what somebody who has read it agrees with.

    Attributes:
        log: Its path in the collection.
        lan: The interfaces at which its machines are.
        expected: The signals that fire, and the machines.
        why: What is in the log.
        signals: What ``log:`` says.
    """

    log: str
    lan: str
    expected: set[tuple[str, str]]
    why: str
    signals: str = DEFAULT


QUIET: set[tuple[str, str]] = set()
JUDGED = [
    # Somebody looks for something.
    Judged(
        "crowdsec-hub/iptables-scan-multi-port.log", "ens2", {("vertical-scan", "62.34.17.168")},
        "17 ports of one host within a second. 127.0.0.2 tries 14 at lo, which is no LAN.",
        NO_LAN,
    ),
    Judged(
        "psad/ipv6_tcp_connect_nmap_default_scan.log", "eth0",
        {("vertical-scan", "2001:db8:0:f101::2")},
        "nmap's thousand ports of one host, among them one of nearly every signal's.",
    ),
    Judged(
        "psad/topera_ipv6_syn_scan_no_ip_opts.log", "eth0",
        {("vertical-scan", "2012:1234:1234::1")},
        "The ports 0 to 1023 of one host, each once.",
    ),
    Judged(
        "psad/syn_scan_1000_1500_localhost.log", "eth1",
        {("vertical-scan", "127.0.0.1"), ("spoofed", "00:21:3f:98:99:78")},
        "501 ports of one host, from an address that no cable can bring: both are true.",
    ),
    # Missed on purpose.
    Judged(
        "psad/syn_sweep.log", "eth1", QUIET,
        "One port of 11 hosts. It is a sweep, and a small one: programs that look for their "
        "like on a network ask as many, so 20 are asked for.",
    ),
    Judged(
        "psad/fin_scan_1000_1150.log", "eth0", QUIET,
        "151 ports by FIN alone, which is how connections end as well: no attempt to connect.",
    ),
    Judged("psad/xmas_scan_1000_1150.log", "eth0", QUIET, "The same, by FIN, PSH and URG."),
    Judged(
        "psad/udp_scan_1000_1150.log", "eth1", QUIET,
        "151 ports by UDP, where a late answer looks the same (see host-hpprobook).",
    ),
    Judged(
        "host-pi-cs456/ufw.log", "eth0, podman1, ztt6j4mz7o", QUIET,
        "The machine itself tries ports of its neighbours, and is let. What is refused are "
        "ZeroTier's packets to two ports, and SYN ACK and RST that came late.",
    ),
    # Refused, and harmless.
    Judged(
        "host-azure-ixion/iptables.log", "eth0", QUIET,
        "1180 SYN ACK of four hosts to 1127 ports, and two RST: answers, whoever asked.",
    ),
    Judged(
        "host-hpprobook/ufw.log", "wlo1", QUIET,
        "A laptop among neighbours: messages to groups; media players that answer its search, "
        "at 256 ports; six attempts of four machines (the web's port, a printer's, a camera's, "
        "a telephone's).",
    ),
    Judged("host-hpprobook/kern.log", "wlo1", QUIET, "The same among the kernel's other lines."),
    Judged(
        "host-pogo-droplet/ufw.log", "eth0", QUIET,
        "A host at the internet: 43 strangers look in, 42 once and one twice.", NO_LAN,
    ),
    Judged(
        "host-raspberry-knocker/kern.log", "wlan0", QUIET,
        "The packets of an SSH session, and 13 for six other ports: none begins anything.",
    ),
    Judged(
        "elastic-beats/iptables.log", "eth0", QUIET,
        "A host at the internet: ten strangers, one attempt each.", NO_LAN,
    ),
    Judged("elastic-beats/geo.log", "*", QUIET, "One late packet."),
    Judged("elastic-beats/icmp.log", "*", QUIET, "One ICMP error."),
    Judged("elastic-beats/ipv6.log", "*", QUIET, "Five pings and their answers, at lo."),
    Judged("elastic-beats/ubiquiti.log", "*", QUIET, "One late packet; the others were let in."),
    Judged("psad/invalid_icmp_type_code.log", "eth0", QUIET, "Five pings of one host."),
    Judged("psad/ipv4_valid_ping.log", "eth0", QUIET, "Five pings of one host."),
    Judged("psad/ipv4_igmp.log", "wlan0", QUIET, "Four messages to a group."),
    Judged("psad/ipv6_ping_scan.log", "eth0", QUIET, "Two questions who has an address."),
    Judged(
        "psad/ms_sql_server_sig_match.log", "eth1", QUIET,
        "Two attempts at a database, of the same network at that.",
    ),
    Judged("noise-loghub-linux/Linux_2k.log", "*", QUIET, "No packets."),
    Judged("prelude-lml-rules-non-netfilter/ipchains.log", "*", QUIET, "No packets of netfilter."),
    Judged("prelude-lml-rules-non-netfilter/ipfw.log", "*", QUIET, "No packets of netfilter."),
    # Specimens of lines: nobody in them does anything often.
    *(
        Judged(log, "*", QUIET, "Single lines of many machines.")
        for log in (
            "cpan-IPTables-Log/syslog",
            "crowdsec-hub/iptables-logs.log",
            "espenotterstad-iptables-log-tui/lines.log",
            "kernel-6.18-generated-a/dmesg.log",
            "logstash-patterns-core/lines.log",
            "prelude-lml-rules/netfilter.log",
            "sefinek-ufw-log-parser/lines.log",
            "shorewall-doc/lines.log",
            "ulogd-2.0.8-generated-a/json.log",
            "ulogd-2.0.8-generated-a/syslogemu.log",
            "ulogd-docs/syslogemu.log",
            "web-quotes-a/lines.log",
        )
    ),
]  # fmt: skip

# Detections that nobody wants, which a signal's own text warns of.
FALSE = [
    Judged(
        "host-pogo-droplet/ufw.log", "eth0",
        {("spoofed", "84:b5:9c:f9:18:30"), ("spoofed", "84:b5:9c:f9:08:30")},
        "The provider's two routers, by which all the internet comes: lan: names the interface "
        "to the internet. What is written there is taken at its word.",
    ),
]  # fmt: skip

LAB_LAN = "eth1, br-lan"
# Of 192.168.1.13 the laboratory says: a misconfigured printer. 192.168.2.22 sends one
# packet, 192.168.1.12 does what it may. 192.168.2.20 and 2001:db8:2::20 ask two name
# servers and one, as devices do that have theirs built in. Others are outside.
LAB = {
    ("smtp", "192.168.1.10"): ("TCP", "25", "spam to 107 servers"),
    ("smtp", "2001:db8:1::10"): ("TCP", "25", "spam to 41 servers"),
    ("telnet", "192.168.1.11"): ("TCP", "23", "Mirai: 60 addresses"),
    ("smb", "192.168.2.20"): ("TCP", "445", "a worm: 84 addresses"),
    ("smb", "2001:db8:2::20"): ("TCP", "445", "the same worm: 20 addresses"),
    ("irc", "192.168.2.21"): ("TCP", "6667", "20 times to each of two servers"),
    ("horizontal-scan", "192.168.1.11"): ("TCP", "23", "what telnet says, and true"),
    ("horizontal-scan", "192.168.2.20"): ("TCP", "445", "what smb says, and true"),
    ("horizontal-scan", "2001:db8:2::20"): ("TCP", "445", "exactly the 20 that are asked for"),
}
CAPTURES = [
    "ipt-shorewall.iso", "ipt-shorewall.journal-json", "ipt-shorewall.rfc5424",
    "ipt-shorewall.traditional", "nft.iso", "nft.journal-json", "nft.rfc5424",
    "nft.traditional", "ulogd.json", "ulogd.logemu",
]  # fmt: skip


def scan(place: Path, log: Path, lan: str, signals: str, sections: str = "") -> list[dict]:
    """Say what the command prints of *log*; any program's lines are believed."""
    conf = place / "botalert.conf"
    conf.write_text(
        f"[DEFAULT]\nlan: {lan}\nprograms: *\ntimezone: UTC\n[signals]\nlog: {signals}\n{sections}"
    )
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["-c", str(conf), "scan", "--format", "json", str(log)]) == 0
    return json.loads(printed.getvalue())["detections"]


def pairs(detections: list[dict]) -> list[tuple[str, str]]:
    return sorted((each["signal"], each["source"]) for each in detections)


@pytest.mark.parametrize("judged", [*JUDGED, *FALSE], ids=lambda judged: judged.log)
def test_exactly_what_a_reader_agrees_with(tmp_path: Path, judged: Judged) -> None:
    """No machine more and none less."""
    log = need_shared(f"corpora/{judged.log}")
    found = scan(tmp_path, log, judged.lan, judged.signals)
    assert pairs(found) == sorted(judged.expected), judged.why


@pytest.mark.parametrize("capture", CAPTURES)
def test_exactly_what_the_laboratory_sent(tmp_path: Path, capture: str) -> None:
    """In every form of the log, with the packets and destinations that were counted there."""
    log = need_shared(f"lab/captured/{capture}.log")
    found = scan(tmp_path, log, LAB_LAN, DEFAULT)
    assert pairs(found) == sorted(LAB)
    sent: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with log.with_name("truth.csv").open() as file:
        for row in csv.DictReader(file):
            if row["stage"] == capture.partition(".")[0] and int(row["packets"]):
                sent[row["src"], row["proto"], row["dport"]][row["dst"]] += int(row["packets"])
    for each in found:
        proto, port, _ = LAB[each["signal"], each["source"]]
        assert each["destinations"] == sent[each["source"], proto, port]


def test_every_log_is_judged() -> None:
    """A new one has to be read by somebody."""
    corpora, captured = need_shared("corpora"), need_shared("lab/captured")
    logs = {str(path.relative_to(corpora)) for path in corpora.rglob("*.log")}
    assert {*logs, "cpan-IPTables-Log/syslog"} == {judged.log for judged in JUDGED}
    assert {path.stem for path in captured.glob("*.log")} == set(CAPTURES)


# At which line each of these fires: the same, counted by a few lines of Python.


class Counted(NamedTuple):
    """What is counted by hand: of the lines with all of *where*, distinct *what* for each *per*."""

    log: str
    signal: str
    source: str
    number: int
    what: str
    per: str
    where: str = " SYN "


ISO = "lab/captured/ipt-shorewall.iso.log"
COUNTED = [
    Counted(ISO, "smtp", "192.168.1.10", 5, "DST", "PROTO", " DPT=25 .* SYN "),
    Counted(ISO, "smtp", "2001:db8:1::10", 5, "DST", "PROTO", " DPT=25 .* SYN "),
    Counted(ISO, "telnet", "192.168.1.11", 5, "DST", "PROTO", " DPT=23 .* SYN "),
    Counted(ISO, "smb", "192.168.2.20", 10, "DST", "PROTO", " DPT=445 .* SYN "),
    Counted(ISO, "smb", "2001:db8:2::20", 10, "DST", "PROTO", " DPT=445 .* SYN "),
    Counted(ISO, "irc", "192.168.2.21", 10, "SPT", "DST"),
    Counted(ISO, "horizontal-scan", "192.168.1.11", 20, "DST", "DPT"),
    Counted(ISO, "horizontal-scan", "192.168.2.20", 20, "DST", "DPT"),
    Counted(ISO, "horizontal-scan", "2001:db8:2::20", 20, "DST", "DPT"),
    *(
        Counted(f"corpora/{log}", "vertical-scan", source, 15, "DPT", "DST")
        for log, source in (
            ("crowdsec-hub/iptables-scan-multi-port.log", "62.34.17.168"),
            ("psad/ipv6_tcp_connect_nmap_default_scan.log", "2001:db8:0:f101::2"),
            ("psad/topera_ipv6_syn_scan_no_ip_opts.log", "2012:1234:1234::1"),
            ("psad/syn_scan_1000_1500_localhost.log", "127.0.0.1"),
        )
    ),
    Counted(
        "corpora/psad/syn_scan_1000_1500_localhost.log",
        "spoofed", "00:21:3f:98:99:78", 50, "line", "PROTO",
    ),
    Counted(
        "corpora/host-pogo-droplet/ufw.log", "spoofed", "84:b5:9c:f9:08:30", 10, "SRC", "DST", ""
    ),
]  # fmt: skip


def read_plainly(number: int, line: str) -> dict[str, str]:
    """Read the fields of a well-formed packet line."""
    fields = dict(re.findall(r"(\w+)=(\S*)", line))
    fields["SRC"] = str(ipaddress.ip_address(fields["SRC"]))
    fields["sender"] = fields["MAC"][18:35]
    fields["line"] = str(number)
    return fields


def line_that_fires(lines: list[str], counted: Counted) -> int:
    seen: dict[str, set[str]] = defaultdict(set)
    for number, line in enumerate(lines, start=1):
        fields = read_plainly(number, line)
        if counted.source in (fields["SRC"], fields["sender"]) and re.search(counted.where, line):
            group = seen[fields[counted.per]]
            group.add(fields[counted.what])
            if len(group) == counted.number:
                return number
    raise AssertionError("never")


@pytest.mark.parametrize("counted", COUNTED, ids=lambda counted: f"{counted[1]}-{counted[2]}")
def test_a_threshold_is_met_by_the_line_that_completes_it(tmp_path: Path, counted: Counted) -> None:
    """And by none before."""
    lines = need_shared(counted.log).read_text().splitlines(keepends=True)
    last = line_that_fires(lines, counted)
    log = tmp_path / "cut.log"
    for until, fires in ((last - 1, False), (last, True)):
        log.write_text("".join(lines[:until]))
        found = pairs(scan(tmp_path, log, "*", counted.signal))
        assert ((counted.signal, counted.source) in found) is fires, until


class Limit(NamedTuple):
    """A threshold that *source* just meets in a log, and one that it just misses."""

    log: str
    source: str
    conditions: str
    met: str
    missed: str


ULOGD = "lab/captured/ulogd.json.log"
SWEEP = "corpora/psad/syn_sweep.log"
TOPERA = "corpora/psad/topera_ipv6_syn_scan_no_ip_opts.log"
DROPLET = "corpora/host-pogo-droplet/ufw.log"
LIMITS = [
    # One SYN was sent again when nobody answered it for a second, which is no flow of its own.
    Limit(ISO, "192.168.1.10", "DPT: 25", "157 packets in 1h", "158 packets in 1h"),
    Limit(ISO, "192.168.1.10", "DPT: 25", "156 flows in 1h", "157 flows in 1h"),
    Limit(ULOGD, "192.168.1.11", "DPT: 23", "62 packets in 1h", "63 packets in 1h"),
    Limit(ULOGD, "192.168.1.11", "DPT: 23", "61 flows in 1h", "62 flows in 1h"),
    Limit(ULOGD, "192.168.1.11", "DPT: 23", "60 DST in 1h", "61 DST in 1h"),
    Limit(ISO, "192.168.2.21", "DPT: 6667", "20 flows per DST in 1h", "21 flows per DST in 1h"),
    Limit(ISO, "192.168.2.21", "DPT: 6667", "40 flows in 1h", "41 flows in 1h"),
    # What the shipped thresholds miss: a printer's 30 connections, and two name servers.
    Limit(ISO, "192.168.1.13", "DPT: 25", "1 DST in 1h", "2 DST in 1h"),
    Limit(ISO, "192.168.2.20", "DPT: 53", "2 DST in 1h", "3 DST in 1h"),
    Limit(ISO, "2001:db8:2::20", "DPT: 445", "20 DST per DPT in 5m", "21 DST per DPT in 5m"),
    # 12 packets for 11 hosts.
    Limit(SWEEP, "192.168.10.55", "", "11 DST per DPT in 5m", "12 DST per DPT in 5m"),
    # 21:18:09 to 21:20:34, every port once.
    Limit(TOPERA, "2012:1234:1234::1", "", "1024 DPT per DST in 145s", "1024 DPT per DST in 144s"),
    Limit(TOPERA, "2012:1234:1234::1", "", "1024 DPT per DST in 5m", "1025 DPT per DST in 5m"),
    # 20:23:32 and 21:09:33, two ports.
    Limit(DROPLET, "91.230.47.38", "", "2 DPT per DST in 2761s", "2 DPT per DST in 2760s"),
    # December 11 to 14.
    Limit(
        "corpora/host-azure-ixion/iptables.log", "40.119.104.0", "FLAGS: ACK",
        "4 days in 4d", "5 days in 14d",
    ),
]  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.source}-{limit.met}")
def test_a_threshold_is_met_exactly(tmp_path: Path, limit: Limit) -> None:
    """One more, or a second less, and it is not."""
    log = need_shared(limit.log)
    for threshold, fires in ((limit.met, True), (limit.missed, False)):
        section = f"[tried]\n{limit.conditions}\nthreshold: {threshold}\n"
        sources = [source for _, source in pairs(scan(tmp_path, log, "*", "tried", section))]
        assert (limit.source in sources) is fires, threshold


# All that a new user writes.


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Configure an interface and a recipient; where the test has its files stands beside it."""
    conf = tmp_path / "botalert.conf"
    conf.write_text("[DEFAULT]\nlan: eth1\n[recipients]\nTo: you@example.org\n")
    places = tmp_path / "botalert.conf.d"
    places.mkdir()
    (places / "places.conf").write_text(
        f"[DEFAULT]\nlogfile: {tmp_path}/fw.log\nstatefile: {tmp_path}/state.db\n"
        f"mailserver: maildir:{tmp_path}/Maildir\n"
    )
    return conf


def mails(conf: Path) -> list[mailbox.MaildirMessage]:
    """Do the daily job, which has nothing to say, and read what was delivered until now."""
    with contextlib.redirect_stderr(io.StringIO()) as told:
        assert main(["-c", str(conf), "run"]) == 0
    assert told.getvalue() == ""
    return list(mailbox.Maildir(conf.with_name("Maildir")))


def subjects(messages: list[mailbox.MaildirMessage]) -> list[str]:
    return sorted(str(message["Subject"]) for message in messages)


def test_an_interface_and_a_recipient_have_no_fault(new: Path) -> None:
    """Neither alone nor with the places of this test."""
    for places in (True, False):
        if not places:
            (new.with_name("botalert.conf.d") / "places.conf").unlink()
        told, printed = io.StringIO(), io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(printed):
            assert main(["-c", str(new), "check"]) == 0
        assert told.getvalue() == ""
        assert "at least 5 destinations within an hour" in printed.getvalue()


def logged(second: int, source: str, destination: int, interface: str = "eth1") -> str:
    return (
        f"2026-11-20T23:{second // 60:02}:{second % 60:02}+00:00 fw1 kernel: DROP:"
        f"IN={interface} OUT=eth0 SRC={source} DST=198.51.100.{destination} LEN=60 TTL=63 "
        "PROTO=TCP SPT=35808 DPT=25 WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )


def test_an_interface_and_a_recipient_suffice(new: Path) -> None:
    """Five servers are spam, four are not; and only the LAN's machines count."""
    log = new.with_name("fw.log")
    log.write_text(
        "".join(logged(600 * n, "192.168.1.10", n) for n in range(1, 5))
        + "".join(logged(2500 + n, "192.168.1.11", n) for n in range(1, 5))
        + "".join(logged(2600 + n, "203.0.113.66", n, "eth0") for n in range(1, 10))
    )
    assert mails(new) == []
    with log.open("a") as file:
        file.write(logged(3000, "192.168.1.10", 5))
    (mail,) = mails(new)
    assert mail["From"] == f"botalert@{os.uname().nodename}"
    assert mail["To"] == "you@example.org"
    assert "192.168.1.10" in mail["Subject"]
    assert len(mails(new)) == 1


def test_one_mail_for_each_detection_of_the_laboratory(new: Path) -> None:
    """Of the machines that are at eth1, each once."""
    log = need_shared(ISO)
    new.with_name("fw.log").write_bytes(log.read_bytes())
    expected = [pair for pair in LAB if "192.168.2." not in pair[1] and "8:2:" not in pair[1]]
    found = mails(new)
    assert {message["From"] for message in found} == {f"botalert@{os.uname().nodename}"}
    assert len(found) == len(expected)
    for signal, source in expected:
        assert sum(signal in subject and source in subject for subject in subjects(found)) == 1
