"""What a machine is known by: `source:`, from the configuration to `forget`."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checkout import ROOT

from botalert.config import load
from botalert.config.conditions import source_conditions
from botalert.errors import ConfigurationError
from botalert.grammar import KernelReader
from botalert.match import HOST_SRC, IDENTITIES, SENDER, SRC, SRC_64, Signal, source_of
from botalert.model import Drop, source_rank
from botalert.times import StampReader
from botalert.words import signal_words

MAC = "MAC=66:3e:06:4e:33:1a:02:00:C0:a8:02:14:08:00 "
CONF = """\
[DEFAULT]
logfile: {place}/fw.log
timezone: UTC
statefile: {place}/state.db
mailserver: maildir:{place}/Maildir
{default}
[recipients]
From: firewall@example.org
To: you@example.org
[signals]
log: smtp, telnet
[smtp]
DPT: 25
{own}
[telnet]
DPT: 23
"""
PACKET = (
    "Nov 20 10:00:00 {host} kernel: DROP:IN=eth1 OUT=eth0 {mac}SRC={source} DST=198.51.100.1 "
    "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=5 DPT=25 WINDOW=64240 RES=0x00 SYN "
    "URGP=0\n"
)


def packet(source: str, mac: str = "", host: str = "fw1") -> str:
    return PACKET.format(source=source, mac=mac, host=host)


def drop(line: str) -> Drop:
    found = KernelReader(["kernel"], StampReader(datetime(2026, 11, 21, tzinfo=UTC), UTC)).read(
        line.encode().rstrip()
    )
    assert isinstance(found, Drop)
    return found


@pytest.mark.parametrize(
    ("identity", "line", "expected"),
    [
        (SRC, packet("192.168.1.10", MAC), "192.168.1.10"),
        (SRC_64, packet("192.168.1.10", MAC), "192.168.1.10"),
        (SRC_64, packet("2001:0db8:0001:0002:0003:0004:0005:0006"), "2001:db8:1:2::/64"),
        (SENDER, packet("192.168.1.10", MAC), "02:00:c0:a8:02:14"),
        (SENDER, packet("192.168.1.10", "MAC= "), "192.168.1.10"),
        (SENDER, packet("192.168.1.10"), "192.168.1.10"),
        (HOST_SRC, packet("192.168.1.23"), "fw1 192.168.1.23"),
        (HOST_SRC, "[ 1.500000] " + packet("192.168.1.23").partition("kernel: ")[2],
         "192.168.1.23"),
    ],
)  # fmt: skip
def test_a_machine_is_known_by_what_its_signal_says(identity, line, expected):
    """By its address, where the packet does not tell what is asked for."""
    assert source_of(drop(line), Signal("smtp", (), source=identity)) == expected


def test_what_a_pattern_of_ones_own_finds_stays_as_it_is():
    """It need not be an address, and a scope is no part of one."""
    for source in ("a:printer", "fe80::1%eth0", "printer"):
        found = drop(packet("192.168.1.10"))
        found = found._replace(packet=found.packet._replace(fields={"SRC": source}))
        assert source_of(found, Signal("smtp", (), source=SRC_64)) == source


def test_sources_are_in_order():
    """IPv4, then IPv6 and its networks by number, then all else."""
    ordered = [
        "192.168.1.9",
        "192.168.1.10",
        "2001:db8::/64",
        "2001:db8::1",
        "2001:db8:0:1::/64",
        "2001:db8:0:2::1",
        "02:00:c0:a8:02:14",
        "a/b",
        "fw1 192.168.1.23",
    ]
    assert sorted(set(ordered), key=source_rank) == ordered


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory to work in, with a log of two machines at two sites."""
    (tmp_path / "fw.log").write_text(
        packet("192.168.1.23", MAC)
        + packet("192.168.1.23", host="fw2")
        + packet("192.168.1.24", MAC)
        + packet("2001:db8:1:2::1")
        + packet("2001:db8:1:2::2")
        + packet("2001:db8:1:3::2")
    )
    return tmp_path


def configure(place: Path, own: str = "", default: str = "") -> str:
    path = place / "botalert.conf"
    path.write_text(CONF.format(place=place, own=own, default=default))
    return str(path)


def botalert(place: Path, *arguments: str) -> str:
    """Do as *arguments* say, which must succeed in silence; give the output."""
    done = subprocess.run(
        [sys.executable, "-m", "botalert", "-c", "botalert.conf", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def sources(place: Path, *arguments: str) -> dict[str, int]:
    found = json.loads(botalert(place, *arguments, "--format", "json"))
    return {each["source"]: each["packets"] for each in found["detections"]}


def test_a_signals_own_stands_before_the_default(place):
    """As every option does; any case, any spaces."""
    config = load(configure(place, own="source: mac", default="source: host  src"))
    assert [signal.source for signal in config.signals] == [SENDER, HOST_SRC]
    assert [signal.source for signal in load(configure(place)).signals] == [SRC, SRC]


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("SRC/46", "Did you mean SRC or SRC/64?"),
        ("SRC HOST", "Write source: SRC"),
        ("name", "source: SRC"),
    ],
)
def test_a_source_that_is_none_is_told_with_a_remedy(place, value, remedy):
    """With its place, the value, and what there is."""
    with pytest.raises(ConfigurationError) as caught:
        load(configure(place, own=f"source: {value}"))
    (fault,) = caught.value.faults
    assert f"botalert.conf:14 [smtp] source: {value!r} is none of {', '.join(IDENTITIES)}" in fault
    assert remedy in fault


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (SRC, {"192.168.1.23": 2, "192.168.1.24": 1, "2001:db8:1:2::1": 1, "2001:db8:1:2::2": 1,
               "2001:db8:1:3::2": 1}),
        (SRC_64, {"192.168.1.23": 2, "2001:db8:1:2::/64": 2, "192.168.1.24": 1,
                  "2001:db8:1:3::/64": 1}),
        (SENDER, {"02:00:c0:a8:02:14": 2, "192.168.1.23": 1, "2001:db8:1:2::1": 1,
                  "2001:db8:1:2::2": 1, "2001:db8:1:3::2": 1}),
        (HOST_SRC, {"fw1 192.168.1.23": 1, "fw2 192.168.1.23": 1, "fw1 192.168.1.24": 1,
                    "fw1 2001:db8:1:2::1": 1, "fw1 2001:db8:1:2::2": 1,
                    "fw1 2001:db8:1:3::2": 1}),
    ],
)  # fmt: skip
def test_machines_are_told_apart_and_found_again(place, identity, expected):
    """Each source that a scan shows is one that --source narrows it to."""
    configure(place, own=f"source: {identity}")
    found = sources(place, "scan")
    assert found == expected
    # So many lines are looked into by their kinds.
    (place / "fw.log").write_text((place / "fw.log").read_text() * 50)
    found = sources(place, "scan")
    assert found == {source: packets * 50 for source, packets in expected.items()}
    for source, packets in found.items():
        assert sources(place, "scan", "--source", source).get(source) == packets


def test_a_mac_and_a_site_narrow_any_signal(place):
    """By form, whatever its signal knows machines by; a line's own SRC may look like these."""
    configure(place)
    mac, site = "02:00:C0:A8:02:14", "fw2 192.168.1.23"
    assert sources(place, "scan", "--source", mac) == {"192.168.1.23": 1, "192.168.1.24": 1}
    assert sources(place, "scan", "--source", site) == {"192.168.1.23": 1}
    for text in (mac, "a machine"):
        (condition,) = source_conditions(text, SRC, free_text=True)
        assert (condition.field, condition.holds([text])) == ("SRC", True)


@pytest.mark.parametrize(
    ("identity", "given", "known"),
    [
        (SRC_64, "2001:DB8:1:2:0::/64", "2001:db8:1:2::/64"),
        (SENDER, "02:00:C0:A8:02:14", "02:00:c0:a8:02:14"),
        (HOST_SRC, "fw1 2001:DB8:1:2:0::1", "fw1 2001:db8:1:2::1"),
    ],
)
def test_a_source_of_any_kind_is_forgotten(place, identity, given, known):
    """As the mail proposes it, and as people write it."""
    configure(place, own=f"source: {identity}")
    botalert(place, "run")
    mails = [each.read_text() for each in (place / "Maildir" / "new").iterdir()]
    assert any(re.search(rf"^Subject: .*{re.escape(known)} set off", each, re.M) for each in mails)
    assert known in sources(place, "list")
    botalert(place, "forget", given)
    assert known not in sources(place, "list")


def test_what_machines_are_known_by_is_said_in_words(place):
    """If it is not the address."""
    config = load(configure(place, own="source: MAC"))
    smtp, telnet = map(signal_words, config.signals)
    assert smtp.endswith("packets to port 25; a machine is known by its hardware address")
    assert "known by" not in telnet
