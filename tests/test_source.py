"""What a machine is known by: `source:`, from the configuration to `forget`."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from installation import Installation

from botalert.config import Config, load
from botalert.config.conditions import source_conditions
from botalert.errors import ConfigurationError
from botalert.grammar import KernelReader
from botalert.match import HOST_SRC, IDENTITIES, SENDER, SRC, SRC_64, Signal, source_of
from botalert.model import Drop, source_rank
from botalert.times import StampReader
from botalert.words import signal_words

MAC = "MAC=66:3e:06:4e:33:1a:02:00:C0:a8:02:14:08:00 "
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
def site(tmp_path: Path) -> Installation:
    """Give a botalert with a log of machines at two sites."""
    site = Installation(tmp_path)
    site.append(
        packet("192.168.1.23", MAC)
        + packet("192.168.1.23", host="fw2")
        + packet("192.168.1.24", MAC)
        + packet("2001:db8:1:2::1")
        + packet("2001:db8:1:2::2")
        + packet("2001:db8:1:3::2")
    )
    return site


def configure(site: Installation, own: str = "", **options: str) -> Config:
    """Write what one signal says of itself, and options for all; read it."""
    site.configure(signals={"smtp": f"DPT: 25\n{own}", "telnet": "DPT: 23"}, **options)
    return load(str(site.config))


def sources(site: Installation, *arguments: str) -> dict[str, int]:
    return {each["source"]: each["packets"] for each in site.detections(*arguments)}


def test_a_signals_own_stands_before_the_default(site):
    """As every option does; any case, any spaces."""
    config = configure(site, own="source: mac", source="host  src")
    assert [signal.source for signal in config.signals] == [SENDER, HOST_SRC]
    assert [signal.source for signal in configure(site).signals] == [SRC, SRC]


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("SRC/46", "Did you mean SRC or SRC/64?"),
        ("SRC HOST", "Write source: SRC"),
        ("name", "source: SRC"),
    ],
)
def test_a_source_that_is_none_is_told_with_a_remedy(site, value, remedy):
    """With its place, the value, and what there is."""
    with pytest.raises(ConfigurationError) as caught:
        configure(site, own=f"source: {value}")
    (fault,) = caught.value.faults
    assert f"botalert.conf:17 [smtp] source: {value!r} is none of {', '.join(IDENTITIES)}" in fault
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
def test_machines_are_told_apart_and_found_again(site, identity, expected):
    """Each source that a scan shows is one that --source narrows it to."""
    configure(site, own=f"source: {identity}")
    found = sources(site, "scan")
    assert found == expected
    # So many lines are looked into by their kinds.
    site.append(site.log.read_text() * 49)
    found = sources(site, "scan")
    assert found == {source: packets * 50 for source, packets in expected.items()}
    for source, packets in found.items():
        assert sources(site, "scan", "--source", source).get(source) == packets


def test_an_address_stands_for_the_network_that_its_machine_is_known_by(site):
    """Or less would be counted than is detected; of IPv4 it is the machine."""
    configure(site, own="source: SRC/64\nthreshold: 2 SRC")
    network = {"2001:db8:1:2::/64": 2}
    assert sources(site, "scan", "--source", "2001:DB8:1:2::1") == network
    followed = site.output("explain", "--source", "2001:db8:1:2::2", str(site.log))
    assert "2001:db8:1:2::/64: fires" in followed
    configure(site, own="source: SRC/64")
    assert sources(site, "scan", "--source", "192.168.1.24") == {"192.168.1.24": 1}


def test_a_mac_and_a_site_narrow_any_signal(site):
    """By form, whatever its signal knows machines by; a line's own SRC may look like these."""
    configure(site)
    mac, at_fw2 = "02:00:C0:A8:02:14", "fw2 192.168.1.23"
    assert sources(site, "scan", "--source", mac) == {"192.168.1.23": 1, "192.168.1.24": 1}
    assert sources(site, "scan", "--source", at_fw2) == {"192.168.1.23": 1}
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
def test_a_source_of_any_kind_is_forgotten(site, identity, given, known):
    """As the mail proposes it, and as people write it."""
    configure(site, own=f"source: {identity}")
    assert site.run() == (0, [])
    assert any(f"{known} set off" in mail["Subject"] for mail in site.mails())
    assert known in sources(site, "list")
    assert site.output("forget", given) == ""
    assert known not in sources(site, "list")


def test_what_machines_are_known_by_is_said_in_words(site):
    """If it is not the address."""
    config = configure(site, own="source: MAC")
    smtp, telnet = map(signal_words, config.signals)
    assert smtp.endswith("packets to port 25; a machine is known by its hardware address")
    assert "known by" not in telnet
