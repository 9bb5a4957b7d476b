"""Conditions: what their values mean, and what is refused."""

from datetime import UTC, datetime

import pytest

from botalert.config.conditions import read_condition
from botalert.grammar import KernelReader
from botalert.match import (
    REFUSED,
    Pattern,
    ProtocolRange,
    Range,
    Signal,
    Text,
    first_failure,
    matches,
    sender_mac,
)
from botalert.model import Drop
from botalert.times import StampReader

NOW = datetime(2026, 11, 21, tzinfo=UTC)
FORWARDED = (
    "DROP:IN=br-lan OUT=eth0.100 PHYSIN=vl2 MAC=66:3e:06:4e:33:1a:02:00:C0:a8:02:14:08:00 "
    "SRC=192.168.1.10 DST=2001:db8::19 LEN=60 TOS=0x10 TTL=63 ID=5 DF PROTO=TCP SPT=5 DPT=25 "
    "WINDOW=64240 RES=0x00 SYN URGP=0 MARK=0x1f"
)
TO_US = "accept IN=eth0 OUT= SRC=192.168.1.10 DST=192.0.2.2 LEN=60 TTL=63 PROTO=47"


def drop(packet: str = FORWARDED, head: str = "Nov 20 23:58:33 FW1 kernel: ") -> Drop:
    outcome = KernelReader(["kernel"], StampReader(NOW, UTC)).read(f"{head}{packet}".encode())
    assert isinstance(outcome, Drop)
    return outcome


def meets(field: str, value: str, packet: str = FORWARDED, *, free_text: bool = False) -> bool:
    condition = read_condition(field, value, free_text=free_text)
    return condition is None or condition.meets(drop(packet))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("IN", ""),
        ("IN", ","),
        ("IN", "br-lan"),
        ("IN", "eth0, br-lan,"),
        ("IN", "br-*"),
        ("IN", "br+"),
        ("IN", "*"),
        ("IN", "!eth0"),
        ("OUT", "eth*.100"),
        ("SRC", "192.168.1.10"),
        ("SRC", "192.168.0.0/16, !192.168.1.5"),
        ("SRC", "192.168.0.0/255.255.0.0"),
        ("DST", "2001:db8::/32"),
        ("DST", "2001:DB8:0::19"),
        ("DST", "!192.0.2.0/24"),
        ("DPT", "25"),
        ("DPT", "1-24, 25"),
        ("DPT", "20 - 30"),
        ("SPT", "!25"),
        ("TTL", "1-63"),
        ("TOS", "0x10"),
        ("TOS", "16"),
        ("MARK", "0x10-0x20"),
        ("PROTO", "tcp"),
        ("PROTO", "6"),
        ("PROTO", "1-10"),
        ("PROTO", "UDP, TCP"),
        ("MAC", "02:00:c0:a8:02:14"),
        ("MAC", "02:00:C0:A8:02:14"),
        ("MAC", "66:3e:06:4e:33:1a:02:00:c0:a8:02:14:08:00"),
        ("FLAGS", "SYN, !ACK"),
        ("FLAGS", "syn"),
        ("FLAGS", "ACK, DF"),
        ("VERDICT", "Drop"),
        ("VERDICT", "!accept"),
        ("PREFIX", "drop:"),
        ("PREFIX", "*ROP*"),
        ("HOST", "fw*"),
        ("HOST", "fw1"),
        ("MACSRC", "!00:00:00:00:00:00"),
        ("UID", "!0"),
    ],
)
def test_a_value_is_met(field, value):
    """By a forwarded packet of TCP."""
    assert meets(field, value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("IN", "BR-LAN"),
        ("IN", "br"),
        ("IN", "lan"),
        ("IN", "br.*"),
        ("IN", '""'),
        ("IN", "!br*"),
        ("OUT", '""'),
        ("SRC", "192.168.1.10, !192.168.0.0/16"),
        ("SRC", "2001:db8::/32"),
        ("SRC", "192.168.1.1"),
        ("DPT", "2"),
        ("DPT", "26-30, !25"),
        ("DPT", "!20-30"),
        ("PROTO", "UDP"),
        ("PROTO", "17"),
        ("FLAGS", "ACK"),
        ("FLAGS", '""'),
        ("FLAGS", "!DF"),
        ("MAC", "66:3e:06:4e:33:1a"),
        ("VERDICT", "accept, unknown"),
        ("PREFIX", "DROP"),
        ("PREFIX", '""'),
        ("HOST", "fw"),
        ("UID", "0"),
        ("UID", '""'),
        ("PHYSOUT", "*"),
    ],
)
def test_a_value_is_not_met(field, value):
    """Values are whole values, and a field that is lacking meets no plain one."""
    assert not meets(field, value)


def test_an_empty_value_finds_packets_to_the_firewall_itself():
    """OUT is there and empty on input, and lacking where a sender leaves it out."""
    assert meets("OUT", '""', TO_US)
    assert not meets("OUT", '!""', TO_US)
    assert not meets("OUT", '""', TO_US.replace("OUT= ", ""))
    assert meets("OUT", '!""', TO_US.replace("OUT= ", ""))
    assert meets("FLAGS", '""', TO_US)


def test_a_packet_without_ports_meets_no_port_but_every_barred_one():
    """Fragments and protocols without ports."""
    assert not meets("DPT", "0-65535", TO_US)
    assert meets("DPT", "!25", TO_US)
    assert meets("PROTO", "gre", TO_US)


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("DPT", "70000", "DPT: 25"),
        ("DPT", "smtp", "DPT: 25"),
        ("SPT", "30-20", "Write the number"),
        ("DPT", "-1", "Write the number"),
        ("SRC", "192.168.1.0/33", "192.168.0.0/16"),
        ("SRC", "192.168.1.5/16", "Write the network: 192.168.0.0/16"),
        ("SRC", "printer", "2001:db8::/32"),
        ("TTL", "many", "TTL: 1-64"),
        ("PROTO", "256", "PROTO: TCP"),
        ("FLAGS", "SNY", "Did you mean SYN"),
        ("VERDICT", "dropped", "Did you mean drop"),
        ("MAC", "02:00:c0", "00:16:3e:12:34:56"),
        ("DST", "!", "!192.168.1.5"),
    ],
)
def test_a_value_that_is_none_is_refused_with_a_remedy(field, value, remedy):
    """It quotes the value and says what to write."""
    with pytest.raises(ValueError, match=r".") as caught:
        read_condition(field, value)
    assert value in str(caught.value)
    assert remedy in str(caught.value)


def test_a_pattern_of_ones_own_may_find_any_text():
    """A source need not be an address then; a number out of range is still a fault."""
    condition = read_condition("SRC", "printer-3", free_text=True)
    assert condition is not None
    assert condition.plain[0].holds("PRINTER-3")
    with pytest.raises(ValueError, match="70000"):
        read_condition("DPT", "70000", free_text=True)


def test_all_conditions_must_hold_and_the_first_that_fails_is_told():
    """In the order of the section."""
    conditions = [read_condition(*pair) for pair in (("IN", "br-lan"), ("DPT", "23"), ("TTL", "1"))]
    signal = Signal("telnet", tuple(c for c in conditions if c))
    failed = first_failure(drop(), signal)
    assert failed is not None
    assert failed.field == "DPT"
    assert not matches(drop(), signal)
    assert matches(drop(), Signal("in", signal.conditions[:1]))


def test_what_was_let_through_is_not_counted_unless_asked_for():
    """Verdicts drop and unknown count."""
    signal = Signal("all", (REFUSED,))
    assert matches(drop(), signal)
    assert matches(drop("x IN=a OUT= SRC=192.0.2.1 DST=192.0.2.2"), signal)
    assert not matches(drop(TO_US), signal)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("MAC=66:3e:06:4e:33:1a:02:00:C0:a8:02:14:08:00", "02:00:c0:a8:02:14"),
        ("MAC=66:3e:06:4e:33:1a:02:00:c0:a8:02:14:08:00:45:00:01:4b", "02:00:c0:a8:02:14"),
        ("MAC=00:d8:0f:6d:ab:20", None),
        ("MAC=", None),
        ("MACSRC=86:6c:92:ea:d6:73 MACDST=0e:3b:eb:86:73:76", "86:6c:92:ea:d6:73"),
    ],
)
def test_the_senders_hardware_address_is_found(fields, expected):
    """Bytes 7 to 12 of the link header, or what the kernel says is the sender's."""
    assert (
        sender_mac(drop(f"D IN=a OUT= {fields} SRC=192.0.2.1 DST=192.0.2.2").packet.fields)
        == expected
    )


def test_values_of_two_kinds_are_never_equal():
    """They are keys: the numbers from 6 to 6 are not the protocols from 6 to 6."""
    values = [Text("6"), Text("6", exact_case=True), Pattern("6"), Range(6, 6), ProtocolRange(6, 6)]
    assert len(set(values)) == len(values)
    assert Text("6") == Text("6") != Pattern("6")
    assert repr(Range(1, 2)) == "Range(1, 2)"
