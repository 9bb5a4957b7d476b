"""
End to end with a real kernel: what it logs is what the packet counters say.

The laboratory makes a LAN, a firewall and an internet of network namespaces;
iptables and nftables refuse packets, the kernel logs them, rsyslogd writes
the log.  nftables counts in each sending host, before the firewall: that is
the truth.  Needs root, and touches nothing outside its namespaces.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from real import need, need_root, need_shared

REPOSITORY = Path(__file__).resolve().parents[1]
STAGES = ("ipt-shorewall", "nft", "ulogd")
# What the laboratory's rules refuse and log, as signals.
SIGNALS = {
    "smtp": "PROTO: TCP\nDPT: 25",
    "telnet": "PROTO: TCP\nDPT: 23",
    "smb": "PROTO: TCP\nDPT: 445",
    "irc": "PROTO: TCP\nDPT: 6667",
    "ssh": "PROTO: TCP\nDPT: 22",
    "dns": "PROTO: UDP\nDPT: 53",
    "ping": "PROTO: ICMP, ICMPv6\nTYPE: 8, 128",
}
REFUSED = ("drop", "reject", "inbound-drop")
LOGS = [
    ("ipt-shorewall", "traditional", "kernel"),
    ("ipt-shorewall", "iso", "kernel"),
    ("ipt-shorewall", "rfc5424", "kernel"),
    ("ipt-shorewall", "imkmsg-traditional", "kernel"),
    ("nft", "traditional", "kernel"),
    ("nft", "iso", "kernel"),
    ("nft", "rfc5424", "kernel"),
    ("ulogd", "logemu", "*"),
    ("ipt-shorewall", "journal-json", "kernel"),
    ("nft", "journal-json", "kernel"),
    ("ulogd", "json", "kernel"),
]

pytestmark = pytest.mark.xdist_group("laboratory")


@pytest.fixture(scope="module")
def captured(tmp_path_factory) -> Path:
    """Run the laboratory; give the directory with its logs and its truth."""
    need_root()
    need(
        "ip",
        "nft",
        "iptables",
        "iptables-legacy",
        "rsyslogd",
        "ulogd",
        "nc",
        "unshare",
        "journalctl",
    )
    sources = need_shared("lab")
    place = tmp_path_factory.mktemp("laboratory")
    for source in (*sources.glob("*.sh"), *sources.glob("*.py")):
        shutil.copy(source, place)
    done = subprocess.run(
        ["bash", place / "lab.sh", *STAGES],
        env={**os.environ, "CAP": str(place / "captured"), "NSP": f"b{os.getpid()}-"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return place / "captured"


def truth(captured: Path, stage: str) -> Counter[tuple[str, str, str]]:
    """Count what was really sent and refused: signal, source and destination."""
    signal_of = {
        ("TCP", "25"): "smtp", ("TCP", "23"): "telnet", ("TCP", "445"): "smb",
        ("TCP", "6667"): "irc", ("TCP", "22"): "ssh",
        ("UDP", "53"): "dns", ("ICMP", ""): "ping", ("ICMPv6", ""): "ping",
    }  # fmt: skip
    counted: Counter[tuple[str, str, str]] = Counter()
    with (captured / "truth.csv").open() as file:
        for row in csv.DictReader(file):
            if row["stage"] == stage and row["verdict"] in REFUSED and int(row["packets"]):
                signal = signal_of[row["proto"], row["dport"]]
                counted[signal, row["src"], row["dst"]] += int(row["packets"])
    return counted


def configure(place: Path, log: Path, programs: str) -> Path:
    path = place / "botalert.conf"
    sections = "".join(f"[{name}]\n{conditions}\n" for name, conditions in SIGNALS.items())
    path.write_text(
        f"[DEFAULT]\nlogfile: {log}\nprograms: {programs}\nstatefile: {place}/state.db\n"
        f"mailserver: maildir:{place}/Maildir\n"
        "[recipients]\nFrom: firewall@example.org\nTo: you@example.org\n"
        f"[signals]\nlog: {', '.join(SIGNALS)}\n{sections}"
    )
    return path


def botalert(conf: Path, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "botalert", "-c", conf, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def seen(detections: list[dict]) -> Counter[tuple[str, str, str]]:
    return Counter(
        {
            (each["signal"], each["source"], destination): packets
            for each in detections
            for destination, packets in each["destinations"].items()
        }
    )


@pytest.mark.parametrize(("stage", "form", "programs"), LOGS)
def test_what_scan_finds_is_what_the_counters_counted(captured, tmp_path, stage, form, programs):
    """Every source, every destination, every packet: exactly."""
    expected = truth(captured, stage)
    assert sum(expected.values()) > 500
    log = captured / f"{stage}.{form}.log"
    conf = configure(tmp_path, log, programs)
    found = json.loads(botalert(conf, "scan", "--stats", "--format", "json"))
    assert seen(found["detections"]) == expected
    assert sum(each["packets"] for each in found["detections"]) == sum(expected.values())
    assert found["lines"]["unparsed"] == 0
    assert found["lines"]["packets"] == found["lines"]["read"] == rule_counters(captured, stage)


def rule_counters(captured: Path, stage: str) -> int:
    """Add up what the firewall's own logging rules counted; ulogd has each packet thrice."""
    text = (captured / f"{stage}.counters.txt").read_text()
    lines = [line for line in text.splitlines() if line.strip()]
    if stage == "nft":
        return sum(int(line.split(" packets ")[1].split()[0]) for line in lines)
    groups = 3 if stage == "ulogd" else 1
    return sum(int(line[1:].split(":")[0]) for line in lines) // groups


@pytest.mark.parametrize("stage", ["ipt-shorewall", "nft"])
def test_one_mail_for_each_machine_that_was_refused(captured, tmp_path, stage):
    """The daily job over the same log, in two runs that cut it anywhere."""
    whole = (captured / f"{stage}.iso.log").read_bytes()
    log = tmp_path / "fw.log"
    log.write_bytes(whole[: len(whole) // 3])
    conf = configure(tmp_path, log, "kernel")
    botalert(conf, "run")
    log.write_bytes(whole)
    botalert(conf, "run")
    botalert(conf, "run")
    expected = truth(captured, stage)
    listed = json.loads(botalert(conf, "list", "--format", "json"))["detections"]
    assert seen(listed) == expected
    mails = len(list((tmp_path / "Maildir" / "new").iterdir()))
    assert mails == len({key[:2] for key in expected}) == len(listed)
