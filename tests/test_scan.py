"""The hot loop against the plain meaning: jumping finds what reading every line finds."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botalert.config.conditions import read_condition
from botalert.grammar import KernelReader
from botalert.log.blocks import LineBlocks
from botalert.match import REFUSED, Condition, Signal, matches
from botalert.model import Drop
from botalert.scan import Finder, LineCounts, drops, hit_of, hits, needles, within
from botalert.times import StampReader

NOW = datetime(2026, 11, 21, tzinfo=UTC)

VALUES = {
    "IN": [
        "eth1",
        "eth0",
        "eth1, br-lan",
        "eth*",
        "eth+",
        "!eth1",
        '""',
        "a=b",
        "*",
        "é*",
        "eth1, ",
    ],
    "OUT": ["eth0", '""', "!eth0", "ppp*, eth0"],
    "PHYSIN": ["eth1", "*"],
    "DPT": ["25", "2", "20-30", "6660-6669", "9-11", "!25", "25, 445", "0-65535", '""'],
    "SPT": ["25", "1024-65535"],
    "PROTO": ["TCP", "6", "!UDP", "1-17"],
    "SRC": ["192.168.0.0/16", "!192.168.1.5", "2001:db8::/32"],
    "FLAGS": ["SYN, !ACK", "ACK"],
    "PREFIX": ["*drop*", "!*IN=*"],
    "VERDICT": ["drop", "accept, unknown"],
}


@st.composite
def signals(draw) -> Signal:
    """Give any signal of a few conditions."""
    fields = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4, unique=True))
    conditions: list[Condition] = []
    for field in fields:
        condition = read_condition(field, draw(st.sampled_from(VALUES[field])))
        assert condition is not None
        conditions.append(condition)
    return Signal(draw(st.sampled_from(["one", "two", "three"])), (*conditions, REFUSED))


@st.composite
def lines(draw) -> bytes:
    """Give a line: of the firewall, of somebody else, or neither."""
    head = draw(
        st.sampled_from(
            [
                "Nov 20 23:58:33 fw1 kernel: ",
                "2026-11-20T23:58:33.4+00:00 fw1 kernel: [ 2071.3] ",
                "[ 2071.364519] ",
                "Nov 20 23:58:33 fw1 sshd[9]: ",
                "",
                "\0\0Nov 20 23:58:33 fw1 kernel: message repeated 3 times: [ ",
            ]
        )
    )
    prefix = draw(
        st.sampled_from(["", "DROP:", "IN=eth1 OUT=eth0 drop ", "ACCEPT ", "DPT=25 x", "\xff "])
    )
    into = draw(st.sampled_from(["eth1", "eth0", "br-lan", "", "a=b", "eth10", "xeth1", "é1"]))
    out = draw(st.sampled_from(["OUT=eth0 ", "OUT= ", "", "OUT=ppp0 PHYSIN=eth1 "]))
    source = draw(st.sampled_from(["192.168.1.10", "192.168.1.5", "2001:db8::1", "x"]))
    ports = draw(
        st.sampled_from(
            [
                "SPT=25 DPT=25 ",
                "SPT=9 DPT=2525 ",
                "SPT=1 DPT=6667 ",
                "",
                "DPT=10 ",
                "SPT=1 DPT=",
                "DPT=025 ",
            ]
        )
    )
    flags = draw(
        st.sampled_from(["SYN ", "ACK SYN ", "", "[SRC=192.168.9.9 DST=1.2.3.4 DPT=25 ] "])
    )
    protocol = draw(st.sampled_from(["TCP", "UDP", "6", "47"]))
    text = (
        f"{head}{prefix}IN={into} {out}SRC={source} DST=192.0.2.2 LEN=60 PROTO={protocol} "
        f"{ports}{flags}"
    )
    return draw(st.sampled_from([text.encode(), text.encode()[: draw(st.integers(0, len(text)))]]))


def reader() -> KernelReader:
    return KernelReader(["kernel"], StampReader(NOW, UTC))


@settings(max_examples=400)
@given(st.lists(lines(), max_size=25), st.lists(signals(), min_size=1, max_size=3))
def test_scan_equals_the_plain_meaning_of_match(log, asked):
    """Each line read and each signal asked, without any trick, gives the same hits."""
    plain = [
        hit_of(outcome, signal)
        for outcome in (reader().read(line) for line in log)
        if isinstance(outcome, Drop)
        for signal in asked
        if matches(outcome, signal)
    ]
    block = b"".join(line + b"\n" for line in log)
    assert list(hits(drops([block], Finder(asked), reader()), asked)) == plain


class Stream:
    """Gives its bytes in pieces of random sizes, as a pipe does."""

    def __init__(self, content: bytes, seed: int) -> None:
        self._content = content
        self._random = random.Random(seed)

    def read1(self, size: int, /) -> bytes:
        size = self._random.randint(1, size)
        piece, self._content = self._content[:size], self._content[size:]
        return piece


@given(
    st.lists(lines() | st.binary(max_size=40), max_size=15),
    st.integers(1, 300),
    st.integers(0, 99),
    st.booleans(),
)
def test_block_boundaries_change_nothing(log, block_bytes, seed, ended):
    """Any size of block, any size of read, with and without a last newline."""
    content = b"\n".join(log) + (b"\n" if ended else b"")
    asked = [Signal("smtp", (REFUSED,))]

    def found(blocks: LineBlocks) -> list[object]:
        return list(hits(drops(blocks, Finder(asked), reader()), asked))

    whole = LineBlocks(Stream(content, 0))
    cut = LineBlocks(Stream(content, seed), block_bytes=block_bytes)
    assert found(whole) == found(cut)
    assert whole.offset == cut.offset == len(content)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"IN": "eth1", "DPT": "25"}, ((b"IN=eth1 ",), (b"DPT=25",))),
        ({"IN": "eth+", "DPT": "6660-6669"}, ((b"IN=eth",), (b"DPT=666",))),
        ({"IN": "eth1, br-lan"}, ((b"IN=eth1 ", b"IN=br-lan "),)),
        ({"IN": '""', "OUT": "!eth0"}, ((b"IN= ",),)),
        ({"DPT": "9-11", "PROTO": "TCP"}, ((b"SRC=",),)),
        ({"DPT": '25, ""'}, ((b"SRC=",),)),
    ],
)
def test_a_signal_tells_which_bytes_its_lines_contain(conditions, expected):
    """Only what the kernel writes in exactly one way can be searched for."""
    read = [read_condition(field, value) for field, value in conditions.items()]
    assert needles(Signal("x", tuple(c for c in read if c))) == expected


def test_lines_are_counted_when_every_line_is_read():
    """Packets of believed programs, whatever their verdict; repeats are one line."""
    packet = b"IN=eth1 OUT=eth0 SRC=192.0.2.1 DST=192.0.2.2 LEN=40"
    log = [
        b"Nov 20 23:58:33 fw1 kernel: DROP:" + packet,
        b"Nov 20 23:58:33 fw1 kernel: ACCEPT:" + packet,
        b"Nov 20 23:58:33 fw1 kernel: message repeated 28 times: [ DROP:" + packet + b"]",
        b"Nov 20 23:58:33 fw1 kernel: DROP:" + packet.replace(b"SRC=", b"SRC=x"),
        b"Nov 20 23:58:33 fw1 sshd[1]: " + packet,
        b"",
    ]
    counts = LineCounts()
    block = b"".join(line + b"\n" for line in log)
    assert len(list(drops([block], Finder(None), reader(), counts))) == 3
    assert counts == LineCounts(read=6, packets=3, unparsed=1)


def test_packets_are_chosen_by_time_with_the_end_outside():
    """A packet without a time is outside, unless no time is asked for."""
    block = b"".join(
        line + b" kernel: DROP:IN=a OUT= SRC=192.0.2.1 DST=192.0.2.2\n"
        for line in (
            b"Nov 20 10:00:00 fw1",
            b"Nov 20 11:00:00 fw1",
            b"Nov 20 12:00:00 fw1",
            b"[ 1.5] fw1",
        )
    )
    seen = list(drops([block], Finder(None), reader()))
    assert len(seen) == 4
    eleven = datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert [d.time for d in within(seen, eleven, eleven + timedelta(hours=1))] == [eleven]
    assert len(list(within(seen, eleven, None))) == 2
    assert len(list(within(seen, None, eleven))) == 1
    assert len(list(within(seen, None, None))) == 4
