"""What `botalert check` says of signals that can never fire, or that anything fires."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botalert.config import load
from botalert.config.coverage import is_covered, number_left, versions_left
from botalert.config.library import EVERYTHING
from botalert.config.warnings import config_warnings
from botalert.match import Network, ProtocolRange, Range, Test, Text

Told = Callable[..., list[str]]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Give what is told of a signal, and of the whole, without the places."""

    def _told(text: str, *, default: str = "", log: str = "own") -> list[str]:
        path = tmp_path / "botalert.conf"
        path.write_text(
            f"[DEFAULT]\n{default}\n[recipients]\nTo: you@example.org\n"
            f"[signals]\nlog: {log}\n[own]\n{text}\n"
        )
        warnings = config_warnings(load(str(path)), ["lo", "eth0", "eth1"])
        return [each.removeprefix(f"{path}:7 [own] ") for each in warnings]

    return _told


# What is left of a condition's values.


@pytest.mark.parametrize(
    "text",
    [
        "SRC: 10.0.0.0/8, !10.0.0.0/9, !10.128.0.0/9",
        "SRC: !0.0.0.0/1, !128.0.0.0/1, !::/0",
        "DST: 10.0.0.7, 2001:db8::/32, !2001:db8::/33, !2001:db8:8000::/33, !10.0.0.0/29",
        "DPT: 25, !20-22, !23-30",
        "DPT: 20-30, 26, !23-30, !20-22",
        "TTL: 1-3, ff, !1-2, !FF, !3",
        "PROTO: 6-17, !TCP, !udp, !7-16",
        "PREFIX: !*",
        "IN: eth0, eth1, !eth0, !eth1",
    ],
)
def test_what_several_barred_values_cover_is_warned_of(told: Told, text: str) -> None:
    """Though none of them does alone."""
    field = text.partition(":")[0]
    assert told(text) == [f"{field}: can never be met: each of its values is barred, too"]


@pytest.mark.parametrize(
    "text",
    [
        "SRC: 10.0.0.0/8, !10.0.0.0/9, !10.128.0.0/10",
        "SRC: !0.0.0.0/1, !128.0.0.0/1",
        "SRC: 10.0.0.0/8, !::/0",
        "DPT: 20-30, !20-22, !24-30",
        "DPT: !0-65535",
        "PROTO: !0-255",
        "PROTO: 6-17, !TCP, !UDP, !7-15",
        "LEN: 1-9, a, !1-10",
        'IN: !*\nOUT: ""',
        "HOST: !*",
        "IN: ah, !AH",
    ],
)
def test_what_barred_values_leave_is_not_warned_of(told: Told, text: str) -> None:
    """Some of the values, packets that lack the field, or the other case of an interface."""
    assert [each for each in told(text) if "can never be met" in each] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DPT: 25\nignore: 0.0.0.0/0, ::/0", "ignored"),
        ("SRC: 10.0.0.0/8, !10.0.0.0/9\nignore: 10.128.0.0/9", "barred or ignored"),
        ("DPT: 25\nSRC: !10.0.0.0/8\nignore: 0.0.0.0/0, 8000::/1, ::/2, 4000::/2", "ignored"),
        ("DPT: 25\nignore: 0.0.0.0/0", ""),
        ("SRC: 10.0.0.0/8, !10.0.0.0/9\nignore: 10.128.0.0/10", ""),
        ("MAC: !02:00:00:00:00:01\nignore: 02:00:00:00:00:01", ""),
    ],
)
def test_what_is_ignored_counts_as_barred(told: Told, text: str, expected: str) -> None:
    """Where nothing is left of SRC."""
    warning = f"SRC: can never be met: each of its values is {expected}"
    assert told(text) == ([warning] if expected else [])


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("SRC: !0.0.0.0/1, !128.0.0.0/1\nDST: 10.0.0.0/8", True),
        ("DST: 2001:db8::/32, !10.0.0.1\nSRC: !::/0", True),
        ("DST: 10.0.0.0/8\nignore: 0.0.0.0/0", True),
        ("SRC: !0.0.0.0/1, !128.0.0.0/2\nDST: 10.0.0.0/8", False),
        ("SRC: !0.0.0.0/0\nDST: 10.0.0.0/8, ::1", False),
    ],
)
def test_two_families_are_warned_of(told: Told, text: str, warned: bool) -> None:
    """Whether a family is asked for or the other one is barred."""
    warning = "SRC and DST: can never be met: one asks for IPv4 and the other for IPv6"
    assert told(text) == [warning] * warned


_ranges = st.builds(
    lambda low, length: Range(low, low + length), st.integers(0, 40), st.integers(0, 20)
)


@given(st.lists(_ranges, min_size=1), st.lists(_ranges))
def test_spans_are_counted_as_single_values_are(asked: list[Test], barred: list[Test]) -> None:
    """However they overlap."""
    left = {
        number
        for number in range(100)
        if any(test.holds(str(number)) for test in asked)
        and not any(test.holds(str(number)) for test in barred)
    }
    assert number_left("DPT", asked, barred) == len(left)
    assert is_covered("DPT", asked, barred) == (not left)


def test_kinds_of_values_are_kept_apart() -> None:
    """A number, a protocol and an address of either version cover none of the others."""
    zeros = [
        Range(0, 0),
        ProtocolRange(0, 0),
        Network(ip_network("0.0.0.0")),
        Network(ip_network("::")),
        Text("zero"),
    ]
    for one in zeros:
        assert not is_covered("PROTO", [one], [each for each in zeros if each != one])
    assert versions_left("SRC", zeros, [zeros[2]]) == {6}
    assert not is_covered("DPT", [], [])


# Thresholds.


@pytest.mark.parametrize(
    ("source", "threshold", "one", "remedy"),
    [
        ("SRC", "2 SRC in 1h", "SRC", "MAC"),
        ("SRC", "2 SRC per DST", "SRC", "MAC"),
        ("MAC", "2 MAC", "MAC", "SRC"),
        ("MAC", "2 MACSRC", "MACSRC", "SRC"),
        ("HOST SRC", "2 HOST", "HOST", "SRC"),
        ("HOST SRC", "\n 9 packets\n 2 SRC", "SRC", "MAC"),
    ],
)
def test_counting_what_one_machine_has_one_of_is_warned_of(
    told: Told, source: str, threshold: str, one: str, remedy: str
) -> None:
    """It is what machines are told apart by."""
    (warning,) = told(f"DPT: 25\nsource: {source}\nthreshold: {threshold}")
    assert warning.startswith("threshold: 2 ")
    assert warning.endswith(
        f" can never be met: with source: {source}, a machine has one {one}. Write source: {remedy}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "threshold: 1 SRC",
        "threshold: 20 DST per SRC",
        "threshold: 2 MAC",
        "threshold: 2 HOST",
        "source: MAC\nthreshold: 10 SRC in 1h",
        "source: MAC\nthreshold: 2 MACDST",
        "source: MAC\nthreshold: 20 DST per MAC",
        "source: SRC/64\nthreshold: 2 SRC",
        "source: HOST SRC\nthreshold: 2 MAC",
    ],
)
def test_counting_what_a_machine_may_have_more_of_is_not_warned_of(told: Told, text: str) -> None:
    """A machine may send with many addresses, and many hosts may log it."""
    assert told(f"DPT: 25\n{text}") == []


@pytest.mark.parametrize(
    ("protocol", "threshold", "field"),
    [
        ("ICMP", "2 DPT in 1h", "DPT"),
        ("1, 58", "2 DST per SPT", "SPT"),
        ("IGMP", "1 DPT", "DPT"),
        ("TCP", "2 TYPE per DST", "TYPE"),
        ("TCP, UDP", "2 DST per CODE", "CODE"),
        ("TCP", "2 MTU", "MTU"),
        ("UDP", "2 SEQ", "SEQ"),
        ("UDP", "2 WINDOW", "WINDOW"),
        ("ICMP", "2 WINDOW", "WINDOW"),
        ("17", "2 DST per ACK", "ACK"),
        ("SCTP", "2 URGP", "URGP"),
        ("TCP, UDP, !TCP", "2 RES", "RES"),
    ],
)
def test_counting_what_a_protocol_lacks_is_warned_of(
    told: Told, protocol: str, threshold: str, field: str
) -> None:
    """Behind per, too: a packet that lacks the field does not count."""
    (warning,) = told(f"PROTO: {protocol}\nthreshold: {threshold}")
    assert warning.startswith("threshold: ")
    assert warning.endswith(f" can never be met: {protocol} has no {field}")


@pytest.mark.parametrize(
    "text",
    [
        "PROTO: TCP\nthreshold: 2 SEQ",
        "PROTO: ICMP\nthreshold: 2 SEQ",  # Of an echo.
        "PROTO: ICMPv6\nthreshold: 2 TYPE per CODE",
        "PROTO: ICMP, UDP\nthreshold: 2 DPT",
        "PROTO: 33\nthreshold: 2 DPT",
        "PROTO: 0-255\nthreshold: 2 WINDOW",
        "PROTO: !TCP\nthreshold: 2 WINDOW",
        "PROTO: TCP\nthreshold: 2 SPI",  # Behind an AH, in IPv6.
        "PROTO: UDP\nthreshold: 2 FLAGS",  # DF, or none.
        "PROTO: TCP\nthreshold: 2 OPT",
        "PROTO: UDP\nthreshold: 2 TTL",
        "PROTO: ICMP\nthreshold: 2 flows",
    ],
)
def test_counting_what_a_protocol_may_have_is_not_warned_of(told: Told, text: str) -> None:
    """Silence when all is well."""
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "protocol", "field"),
    [
        ("PROTO: UDP\nWINDOW: 1024", "UDP", "WINDOW"),
        ("PROTO: TCP\nMTU: 1-1400", "TCP", "MTU"),
        ("PROTO: UDP, IGMP\nSEQ: 0", "UDP, IGMP", "SEQ"),
    ],
)
def test_asking_for_what_a_protocol_lacks_is_warned_of(
    told: Told, text: str, protocol: str, field: str
) -> None:
    """As it is for ports and types."""
    assert told(text) == [f"PROTO: can never be met together with {field}: {protocol} has none"]
    assert told(text.replace(f"{field}: ", f"{field}: !")) == []


@pytest.mark.parametrize(
    ("text", "threshold", "expected"),
    [
        ("DPT: 25, 465", "3 DPT", "DPT asks for no more than 2"),
        ("DPT: 20-25, 25, !21-24", "3 DPT per DST", "DPT asks for no more than 2"),
        ("DPT: !0-65535", "1 DPT", "DPT asks for none"),
        ("DPT: !2-65535", "3 DPT", "DPT asks for no more than 2"),
        ("LEN: 1", "65537 SPT", "there are no more than 65536"),
        ("PROTO: TCP", "2 PROTO", "PROTO asks for no more than 1"),
        ("PROTO: 6, tcp, 17", "3 PROTO", "PROTO asks for no more than 2"),
        ("IN: eth1", "2 IN", "IN asks for no more than 1"),
        ("IN: eth0, eth1, !eth1", "2 IN", "IN asks for no more than 1"),
        ("TTL: 1-4", "5 TTL", "TTL asks for no more than 4"),
        ("HOST: fw1", "2 HOST", "HOST asks for no more than 1"),
        ("LEN: 1", "3 VERDICT", "VERDICT asks for no more than 2"),
        ("LEN: 1\nVERDICT: !drop", "3 VERDICT", "VERDICT asks for no more than 2"),
        ("MAC: 02:00:00:00:00:01", "2 MAC", "MAC asks for no more than 1"),
        (
            "SRC: 10.0.0.0/30\nsource: MAC\nignore: 10.0.0.0/31",
            "3 SRC",
            "SRC asks for no more than 2",
        ),
        ("PROTO: ICMP\nDST: 10.0.0.0/31", "3 flows", "the conditions leave no more than 2"),
        ("PROTO: ICMP", "2 flows per DST", "the conditions leave no more than 1"),
        (
            "PROTO: TCP\nSPT: 1-9\nDPT: 25",
            "10 flows per DST",
            "the conditions leave no more than 9",
        ),
    ],
)
def test_more_than_the_conditions_leave_is_warned_of(
    told: Told, text: str, threshold: str, expected: str
) -> None:
    """Silence where the threshold asks for one less."""
    (warning,) = [each for each in told(f"{text}\nthreshold: {threshold}") if "threshold" in each]
    assert warning.endswith(f" can never be met: {expected}")
    number, what = threshold.split(" ", 1)
    if number != "1":
        assert told(f"{text}\nthreshold: {int(number) - 1} {what}") == []


@pytest.mark.parametrize(
    "text",
    [
        "IN: eth*\nthreshold: 9 IN",
        "IN: eth+, eth0\nthreshold: 9 IN",
        "PROTO: 6-17\nthreshold: 9 PROTO",
        "PREFIX: drop\nthreshold: 2 PREFIX",  # Drop, and DROP.
        "FLAGS: SYN\nthreshold: 2 FLAGS",  # SYN, and DF SYN.
        "HOST: fw*\nthreshold: 2 HOST",
        "PROTO: !TCP\nthreshold: 300 PROTO",
        "VERDICT: drop, accept, unknown\nDPT: 25\nthreshold: 3 VERDICT",
        "DPT: 25\nthreshold: 1000 flows per DST",
        "PROTO: TCP\nDPT: 25\nthreshold: 65537 flows per DST",  # A fragment has no SPT.
        "DST: 10.0.0.1\nPROTO: !TCP\nthreshold: 1000 flows",
    ],
)
def test_as_much_as_the_conditions_leave_is_not_warned_of(told: Told, text: str) -> None:
    """Silence when all is well."""
    assert told(text) == []


def test_a_pattern_of_ones_own_may_find_anything(told: Told) -> None:
    """Other protocols and hardware addresses, and no field that every packet has."""
    names = ("SRC", "DST", "DPT", "PROTO", "WINDOW", "TTL", "MAC", "IN")
    regex = "regex: " + "".join(f"(?P<{name}>x)?" for name in names)
    for text in (
        "PROTO: udp\nthreshold: 2 WINDOW",
        "PROTO: udp\nWINDOW: 1",
        "PROTO: udp\nthreshold: 2 PROTO",
        "TTL: 1\nthreshold: 2 TTL",
        "TTL: 1\nsource: MAC\nthreshold: 2 MAC",
        "DST: !0.0.0.0/0, !::/0",
        "DST: 0.0.0.0/0, ::/0\nIN: *",
        "IN: @lan\nPROTO: icmp\nDST: ::1\nthreshold: 2 flows",
        "TTL: 1\nVERDICT: !drop, !accept, !unknown",
    ):
        (warning,) = told(text, default=f"{regex}\nlan: *")
        assert warning.startswith("regex: is searched in every line"), text
    assert "DPT asks for no more than 1" in told("DPT: 25\nthreshold: 2 DPT", default=regex)[1]


# What excludes nothing.


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("PREFIX: *", "Leave it empty"),
        ("SRC: 0.0.0.0/0, ::/0", "Leave it empty"),
        ("DST: 0.0.0.0/1, 128.0.0.0/1, ::/0", "Leave it empty"),
        ("IN: +", 'Write IN: !"" for whatever the firewall did not send itself'),
        ('IN: eth0, "", *', 'Write IN: !"" for whatever the firewall did not send itself'),
        ("OUT: *", 'Write OUT: !"" for whatever was not meant for the firewall itself'),
    ],
)
def test_a_condition_that_excludes_nothing_is_warned_of(told: Told, text: str, remedy: str) -> None:
    """And so is a signal that has no other, if one packet is enough."""
    field, _, values = text.partition(": ")
    expected = f"{field}: excludes nothing: any packet meets {values!r}. {remedy}"
    every = "is met by any refused packet: its conditions exclude nothing"
    assert told(text) == [expected, every]
    assert told(f"{text}\nthreshold:\n 5 DST in 1h\n 1 flow") == [expected, every]
    assert told(f"{text}\nVERDICT: drop, accept")[1:] == [every.replace("refused ", "")]
    assert told(f"{text}\nthreshold: 2 packets") == [expected]
    assert told(f"{text}\nDPT: 25") == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "PREFIX: *:*",
        "PREFIX: *, !*accept*",
        "SRC: 0.0.0.0/0",
        "SRC: 0.0.0.0/1, 128.0.0.0/2, ::/0",
        "DST: ::/0, 0.0.0.0/0, !10.0.0.1",
        'IN: !""',
        "IN: *, !eth0",
        "IN: e*",
        "DPT: 0-65535",  # Not what has no port.
        "PROTO: 0-255",  # Not a fragment that does not tell it.
        "LEN: 0-65535",
        "HOST: *",
        "PHYSIN: *",  # Not what is not bridged.
        "VERDICT: drop, accept, unknown\nDPT: 25",
    ],
)
def test_a_condition_that_excludes_something_is_not_warned_of(told: Told, text: str) -> None:
    """Packets that lack the field among it."""
    assert told(text) == []


def test_a_lan_of_all_interfaces_is_told_once(told: Told) -> None:
    """However many signals ask for it; not one that has other conditions, too."""
    warning = (
        "lan: excludes nothing: any packet meets '*', and so IN: @lan. "
        "Write the LAN's own interfaces: lan: eth1"
    )
    for lan in ("lan: +", "lan: *"):
        assert told("IN: @lan\nDPT: 25", default=lan, log=f"own, {EVERYTHING}") == [warning]
    every = "is met by any refused packet: its conditions exclude nothing"
    assert told("IN: @lan", default="lan: +") == [warning, every]
    assert told("IN: @lan", default="lan: eth+") == []


@pytest.mark.parametrize("threshold", ["5 DST in 1h", "2 packets", "1 DPT", "1 packet per DPT"])
def test_a_threshold_is_a_condition_enough(told: Told, threshold: str) -> None:
    """Where not any one packet meets it, nothing else need be asked."""
    assert told(f"threshold: {threshold}") == []


@pytest.mark.parametrize("threshold", ["1 packet", "1 flow in 1h", "9 DPT\n 1 DST", "1 day"])
def test_a_threshold_that_any_packet_meets_is_none(told: Told, threshold: str) -> None:
    """Without conditions it is all packets."""
    assert told(f"threshold:\n {threshold}") == [
        "is met by any refused packet: it has no condition"
    ]


@pytest.mark.parametrize(
    "default",
    [
        "lan: eth1",
        "lan: eth0, eth1\nlan_networks: 192.168.0.0/16, 2001:db8::/32\nignore: 192.168.1.5",
    ],
)
def test_shipped_signals_are_not_warned_of(told: Told, default: str) -> None:
    """All of them can fire, and none does for anything."""
    assert told("DPT: 25", default=default, log=f"own, {EVERYTHING}") == []
