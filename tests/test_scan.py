"""The hot loop against the plain meaning: jumping finds what reading every line finds."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import fold, told

from botalert.config.conditions import read_condition, read_ignored
from botalert.config.thresholds import read_threshold
from botalert.course import Tallies, moment_of, rules_of
from botalert.fold import Fold
from botalert.grammar import ANY_PROGRAM, AutoReader, KernelReader
from botalert.grammar.journal import JournalReader
from botalert.grammar.ordinary import COLUMNS, DESTINATION, line_pattern
from botalert.grammar.packets import canonical_address
from botalert.grammar.ulogd import UlogdReader
from botalert.hits import Clock
from botalert.log.blocks import LineBlocks
from botalert.match import IDENTITIES, REFUSED, Condition, Signal, matches
from botalert.model import Drop, Outcome
from botalert.scan import LineCounts, Scanner, rows
from botalert.scan.masks import Masks, Matcher
from botalert.scan.regions import Regions
from botalert.scan.scanner import hit_of
from botalert.scan.sieve import needles
from botalert.times import ALWAYS, Span, StampReader, zone_named
from botalert.workers.lanes import LaneWriter, batches_in
from botalert.workers.partition import Folder
from botalert.workers.spool import Spool

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def folded(
    scanning: Scanner, blocks: Iterable[bytes], asked: Sequence[Signal], *, aside: bool = False
) -> Tallies:
    """Fold what is found in *blocks*; with *aside*, after it was put aside and read back."""
    batches = scanning.batches(blocks)
    if not aside:
        fold = Fold(rules_of(asked))
        for batch in batches:
            fold.add(batch)
        return fold.seen
    with Spool("/tmp") as spool:
        writer = LaneWriter(spool, 0)
        for batch in batches:
            writer.add(batch)
        folder = Folder(rules_of(asked), spool, 1 << 20)
        return {
            key: seen
            for extents in writer.written()
            for some in folder.seen(batches_in(spool, [extents]), depth=1)
            for key, seen in some.items()
        }


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
    "DST": ["198.51.100.0/24", "!198.51.100.1", "2001:db8::2"],
    "MAC": ["02:00:c0:a8:02:14", '""', "!02:00:c0:a8:02:15"],
    "FLAGS": ["SYN, !ACK", "ACK", "DF", '""'],
    "PREFIX": ["*drop*", "!*IN=*"],
    "HOST": ["fw1", "!fw1"],
    "TTL": ["63", "!64"],
    "ID": ["1-24048", "12"],
    "TYPE": ["8", "!8"],
    "WINDOW": ["64240"],
    "MARK": ["0x1f", "!1"],
    "URGP": ["0"],
    "UID": ["0", "!0"],
    "VERDICT": ["drop", "accept, unknown"],
}

THRESHOLDS = [
    *["1 packet"] * 4,
    "3 packets",
    "4 packets in 1s",
    "2 DST in 5m",
    "2 DST per DPT",
    "2 DPT per DST in 2d",
    "3 flows",
    "2 flows in 1s",
    "2 SPT",
    "3 SPT per PROTO",
    "2 IN\n3 SRC in 1h",
    "2 DPT in 20s\n3 packets in 1h",
    "2 PROTO in 1h\n5 packets",
    "2 days",
    "2 days in 14d",
    "2 TTL",
    "2 MAC per HOST",
    "2 FLAGS",
]
REALERTS = [None, None, 3600, 2 * 86400]

IGNORED = ["", "", "192.168.1.5, 02:00:c0:a8:02:14", "192.168.0.0/16", "2001:db8::17"]


@st.composite
def signals(draw) -> Signal:
    """Give any signal of a few conditions."""
    fields = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4, unique=True))
    conditions: list[Condition] = []
    for field in fields:
        condition = read_condition(field, draw(st.sampled_from(VALUES[field])))
        assert condition is not None
        conditions.append(condition)
    return Signal(
        draw(st.sampled_from(["one", "two", "three"])),
        (*conditions, *read_ignored(draw(st.sampled_from(IGNORED))), REFUSED),
        source=draw(st.sampled_from(IDENTITIES)),
        threshold=read_threshold(draw(st.sampled_from(THRESHOLDS))),
        retain=draw(st.sampled_from([86400, 400 * 86400])),
        realert=draw(st.sampled_from(REALERTS)),
    )


STAMPS = [
    "Nov 20 23:58:33",
    "Nov 20 23:58:34",
    "Nov 20 01:02:03.5",
    "Nov  9 10:00:00",
    "Nov 22 12:00:00",  # Tomorrow's: of this year until noon, then of the last.
    "Nov 22 11:59:59",
    "Oct 25 02:30:00",  # The hour that autumn repeats, and the one that spring leaves out.
    "Oct 25 03:30:00",
    "Mar 29 02:30:00",
    "Mar 29 03:10:00",
    "Feb 30 10:00:00",
    "Xyz 20 10:00:00",
    "Nov 20 24:00:00",
    "2026-11-20T23:58:33.105166+00:00",
    "2026-11-20T23:58:33.105167+00:00",
    "2026-11-20T23:58:33,5+01:00",
    "2026-11-21T00:58:33.105166+01:00",
    "2026-11-20T23:58:33Z",
    "2026-11-20 23:58:33",
    "2026-10-25T02:30:00",
    "2026-11-20T23:58:60+00:00",
]
SENDERS = [
    "fw1 kernel: ",
    "fw1 kernel: [ 2071.364519] ",
    "fw1 kernel: [2071.3] ",
    "fw2 kernel: [12345.678901] ",
    "fw1 kern.warn kernel: ",
    "fw1 sshd[9]: ",
    "fw1 ulogd: ",
    "fw1 ",
    "f\u00e91 kernel: ",
    "kernel: ",
    "fw1 kernel: message repeated 3 times: [ ",
    "fw1 ulogd: [ 2071.364519] ",
    "[ 12.345678] [99.000000] ",
]
PREFIXES = [
    "DROP:",
    "[UFW BLOCK] ",
    "",
    "ACCEPT ",
    "[WAN_IN-A-4] ",
    "DPT=25 x ",
    "x IN=eth1 OUT=eth0 drop ",
    "\u00fc: ",
    "7 DROP ",
    "[ 12.345678] ",
    "[DROP",
]
INTERFACES = ["eth1", "eth0", "br-lan", "", "a=b", "eth10", "xeth1", "\u00e91"]
MACS = [
    "MAC=66:3e:06:4e:33:1a:02:00:C0:a8:02:14:08:00 ",
    "MAC=66:3e:06:4e:33:1a:02:00:c0:a8:02:15:08:00 ",
    "MAC= ",
    "",
    "PHYSIN=eth1 MAC=1 ",
]
ADDRESSES = [
    ("192.168.1.10", "198.51.100.1"),
    ("192.168.1.5", "198.51.100.2"),
    ("192.168.1.10", "198.51.100.2"),
    ("192.168.1.10", "300.51.100.2"),
    ("192.168.1.10", "2001:db8::1"),
    ("192.168.1.010", "198.51.100.1"),
    ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:0db8:0000:0000:0000:0000:0000:0002"),
    ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::2"),
    ("x", "198.51.100.1"),
]
HEADERS = [
    "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=24048 DF ",
    "LEN=60 TOS=0x10 PREC=0x00 TTL=64 ID=24049 ",
    "LEN=60 TOS=00 PREC=0x00 TTL=64 ID=24049 CE DF MF ",
    "LEN=60 TC=0 HOPLIMIT=64 FLOWLBL=1 ",
    "LEN=x TOS=0x10 PREC=0x00 TTL=64 ID=24049 ",
    "LEN=60 TTL=64 FRAG:185 ",
    "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF",
]
TRANSPORTS = [
    "PROTO=TCP SPT=46418 DPT=25 WINDOW=64240 RES=0x00 SYN URGP=0 ",
    "PROTO=TCP SPT=25 DPT=25 WINDOW=64240 RES=0x00 ACK SYN URGP=0 ",
    "PROTO=TCP SPT=46419 DPT=445 SEQ=1 ACK=2 WINDOW=64240 RES=0x00 ACK URGP=0 MARK=0x1f ",
    "PROTO=6 SPT=46419 DPT=6667 WINDOW=1 RES=0x00 RST URGP=0 OPT (020405B4) ",
    "PROTO=UDP SPT=9 DPT=2525 LEN=40 ",
    "PROTO=UDP SPT=9 DPT=25 LEN=40",
    "PROTO=UDP SPT=10 DPT=25 LEN=40 ",
    "PROTO=UDP SPT=11 DPT=25 LEN=40 ",
    "PROTO=UDP SPT=9 DPT=25 LEN=40 MARK=0x1 ",
    "PROTO=UDP SPT=9 DPT=25 LEN=4x ",
    "PROTO=UDP SPT=9 DPT=70000 LEN=40 ",
    "PROTO=UDP SPT=65535 DPT=65499 LEN=40 ",
    "PROTO=UDP SPT=09 DPT=25 LEN=40 ",
    "PROTO=UDP SPT=4 DPT=25 LEN=40MARK=0x1 ",
    "PROTO=UDP SPT=4 DPT=25",
    "PROTO=UDP SPT=4 DPT=25]",
    "PROTO=UDP SPT=4 DPT=25\r",
    "PROTO=UDP SPT=4 DPT=2[SRC=1.2.3.4 DST=1.2.3.4 ]5 ",
    "PROTO=TCP SPT=1 DPT=25 WINDOW=1 RES=0x00SYN URGP=0 ",
    "PROTO=TCP SPT=1 DPT=25 WINDOW=1 RES=0x00 SYNURGP=0 ",
    "PROTO=TCP SPT=1 DPT=25 WINDOW=1 RES=0x00 SYN URGP=0MARK=0x1f ",
    "PROTO=ICMP TYPE=8 CODE=0 ID=12 SEQ=2 ",
    "PROTO=ICMP TYPE=3 CODE=3 [SRC=192.168.9.9 DST=1.2.3.4 LEN=1 PROTO=UDP SPT=1 DPT=25 LEN=2 ] ",
    "PROTO=ICMPv6 TYPE=135 CODE=0 ",
    "PROTO=47 ",
    "PROTO=TCP SPT=46418 DPT=",
    "DPT=25 PROTO=TCP SPT=1 ",
    "PROTO=TCP SPT=1 DPT=25 WINDOW=1 RES=0x00 SYN DPT=99999 URGP=0 ",
    "PROTO=TCP SPT=1 DPT=25 WINDOW=1 RES=0x00 SYN DF URGP=0 DPT=445 ",
]


HEADS = ["[ 2071.364519] ", "", "\0\0Nov 20 "]
OUTS = ["OUT=eth0[SRC=1.2.3.4 DST=1.2.3.4 ] ", "OUT=eth0 ", "OUT= ", "OUT=ppp0 ", ""]
POOLS = [
    STAMPS, SENDERS, PREFIXES, INTERFACES, OUTS, MACS, ADDRESSES, HEADERS, TRANSPORTS,
]  # fmt: skip


@st.composite
def logs(draw, max_size: int = 25) -> list[bytes]:
    """Give lines of the firewall, of others, or damaged, many of which have much in common."""
    pools = [draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3)) for pool in POOLS]
    return draw(st.lists(lines(pools), max_size=max_size))


@st.composite
def lines(draw, pools: Sequence[Sequence[str]] = POOLS) -> bytes:
    """Give a line made of what is in *pools*."""
    stamp, sender, prefix, into, out, mac, addresses, header, transport = (
        draw(st.sampled_from(pool)) for pool in pools
    )
    head = draw(st.sampled_from([f"{stamp} {sender}"] * 8 + HEADS))
    text = (
        f"{head}{prefix}IN={into} {out}{mac}SRC={addresses[0]} DST={addresses[1]} "
        f"{header}{transport}"
    )
    line = text.encode("utf-8" if draw(st.integers(0, 4)) else "latin-1")
    return damaged(line, draw) if draw(st.integers(0, 9)) == 9 else line


def damaged(line: bytes, draw) -> bytes:
    """Cut a piece out of *line*, or put one in."""
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(start + 9, len(line))))
    pieces = [b"", b" ", b"=", b"SRC=", b"IN=eth1 OUT= ", b"DPT=25 ", b"[", b"]", b"x", b"0", b"\r"]
    return line[:start] + draw(st.sampled_from(pieces)) + line[end:]


def spans() -> st.SearchStrategy[Span]:
    """Give a span of time, mostly without limits."""
    moments = st.none() | st.sampled_from(
        [
            datetime(2026, 11, 20, 23, tzinfo=UTC),
            datetime(2026, 11, 20, 23, 58, 33, 105167, tzinfo=UTC),
            datetime(2026, 11, 21, tzinfo=UTC),
            datetime(2026, 11, 9, tzinfo=UTC),
        ]
    )
    return st.just(ALWAYS) | st.builds(Span, moments, moments)


def readers() -> st.SearchStrategy[KernelReader]:
    """Give a reader of some programs, in some zone."""
    zones = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]).map(zone_named)
    programs = st.sampled_from([["kernel"], ["kernel", "ulogd"], [ANY_PROGRAM]])
    return st.builds(lambda p, z: KernelReader(p, StampReader(NOW, z)), programs, zones)


def reader() -> KernelReader:
    return KernelReader(["kernel"], StampReader(NOW, UTC))


def plainly(
    log: Sequence[bytes], asked: Sequence[Signal], by: KernelReader, span: Span = ALWAYS
) -> Tallies:
    """Read each line and ask each signal, without any trick."""
    rules = rules_of(asked)
    hits = (
        hit_of(outcome, signal, rules.get(signal.name))
        for outcome in map(by.read, log)
        if isinstance(outcome, Drop) and span.holds(outcome.time)
        for signal in asked
        if matches(outcome, signal)
    )
    return fold(hits, rules)


def blocks_of(log: Sequence[bytes], cuts: Sequence[int]) -> Iterator[bytes]:
    """Cut *log* behind the lines whose numbers are *cuts*."""
    bounds = sorted({0, len(log), *(cut for cut in cuts if cut < len(log))})
    for start, end in pairwise(bounds):
        yield b"".join(line + b"\n" for line in log[start:end])


@settings(max_examples=400)
@given(
    logs(),
    st.lists(signals(), min_size=1, max_size=3),
    st.lists(st.integers(0, 25), max_size=3),
    readers(),
    spans(),
    st.sampled_from([1, 2, 5, 1000]),
    st.booleans(),
)
def test_scan_equals_the_plain_meaning_of_match(log, asked, cuts, by, span, rows_at_once, aside):
    """Whatever the lines, the signals, the blocks, the batches, the reader and the span of time."""
    asked = [signal._replace(name=f"{number}") for number, signal in enumerate(asked)]
    scanning = Scanner(asked, by, span, few_lines=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_MOST_ROWS", rows_at_once)
        found = folded(scanning, blocks_of(log, cuts), asked, aside=aside)
    assert told(found) == told(plainly(log, asked, by, span))


@given(logs(), st.lists(signals(), max_size=6), readers())
def test_a_matcher_gives_the_signals_that_match(log, asked, by):
    """Also of values that it has met before, and of signals that ask the same."""
    matcher = Matcher(Masks(asked))
    for drop in map(by.read, log):
        if isinstance(drop, Drop):
            assert matcher.met_by(drop) == [each for each in asked if matches(drop, each)]


NETWORKS = [
    "0.0.0.0/0",
    "0.0.0.0",
    "10.0.0.0/8",
    "!10.255.255.255",
    "10.0.0.0/9",
    "!10.128.0.0/9",
    "11.0.0.0",
    "!255.255.255.255",
    "224.0.0.0/4",
    "!::/0",
    "::1",
]
EDGES = [
    "0.0.0.0", "0.0.0.1", "9.255.255.255", "10.0.0.0", "10.127.255.255", "10.128.0.0",
    "10.255.255.254", "10.255.255.255", "11.0.0.0", "11.0.0.1", "223.255.255.255", "224.0.0.0",
    "255.255.255.254", "255.255.255.255", "::1", "010.0.0.1", "10.1", "x", "",
]  # fmt: skip


@given(
    st.lists(
        st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=4).map(", ".join), max_size=4
    ),
    st.lists(st.sampled_from(EDGES) | st.ip_addresses().map(str), max_size=9),
)
def test_a_region_is_alike_to_all_signals(asked, texts):
    """On either side of each bound; what is no IPv4 address is of none."""
    conditions = [read_condition("DST", text) for text in asked]
    masks = Masks([Signal("x", (each,)) for each in conditions])
    regions = Regions(masks, "DST")
    for text in texts:
        mask = regions.mask_of(text)
        is_address = canonical_address(text) == text and ":" not in text
        assert mask == (masks.of("DST", (text,)) if is_address else None)


@pytest.mark.parametrize("text", ['""', "10.0.0.0/8, !x*"])
def test_what_is_asked_of_more_than_addresses_has_no_regions(text):
    """The text decides."""
    condition = read_condition("DST", text, free_text=True)
    assert Regions(Masks([Signal("x", (condition,))]), "DST").mask_of("10.0.0.1") is None


@given(
    st.sampled_from(["Nov 20 ", "2026-11-20T", "2026-11-20T23:", "1972-02-29 "]),
    st.lists(st.times().map(str), max_size=5),
    st.sampled_from(["UTC", "America/St_Johns", "Australia/Lord_Howe"]).map(zone_named),
)
def test_a_clock_tells_the_moments_of_its_period(beginning, texts, zone):
    """A day's or an hour's, one after the other or the same again."""
    period = StampReader(NOW, zone).period(beginning, "")
    clock = Clock(period)
    for text in texts:
        told = text.partition(":")[2] if beginning.endswith(":") else text
        moment = moment_of(period.moment(told), None)
        assert (clock.time(told), clock.day) == (moment.time, moment.day)
        stamp = clock.stamp(clock.time(told))
        assert (stamp, stamp.utcoffset()) == (
            period.moment(told),
            period.moment(told).utcoffset(),
        )
    assert clock.times(texts if beginning[-1] != ":" else []) == [
        clock.time(text) for text in (texts if beginning[-1] != ":" else [])
    ]


@given(logs(), signals(), readers())
def test_lines_are_counted_as_they_are_read(log, signal, by):
    """Whatever is looked for: packets and those that can't be read."""
    counts = LineCounts()
    scanning = Scanner([signal], by, counts=counts, few_lines=0)
    list(scanning.batches([b"".join(line + b"\n" for line in log)]))
    outcomes = [by.read(line) for line in log]
    packets = sum(isinstance(outcome, Drop) for outcome in outcomes)
    assert (counts.read, counts.packets) == (len(log), packets)
    assert counts.unparsed == outcomes.count(Outcome.UNPARSED)


@given(logs(), st.lists(signals(), min_size=1, max_size=2), st.integers(0, 25))
def test_a_scanner_goes_on_with_another_part(log, asked, cut):
    """What it remembers of the first changes nothing in what it finds in the second."""
    asked = [signal._replace(name=f"{number}") for number, signal in enumerate(asked)]
    scanning = Scanner(asked, reader(), few_lines=0)
    for part in (log[:cut], log[cut:]):
        found = folded(scanning, blocks_of(part, [3]), asked)
        assert told(found) == told(plainly(part, asked, reader()))


@pytest.mark.parametrize("before", [b"", b"\0", b"\xef\xbb\xbf ", b"\t"])
def test_json_is_read_however_it_begins(before):
    """With a space behind the brace, and with what a crash left before it."""
    entry = (
        b'{ "oob.prefix": "DROP", "oob.in": "eth1", "ip.protocol": 17, "src_ip": "192.168.1.10", '
        b'"dest_ip": "198.51.100.1", "src_port": 4, "dest_port": 25}'
    )
    stamps = StampReader(NOW, UTC)
    by = AutoReader(reader(), JournalReader(["kernel"], stamps), UlogdReader(stamps))
    asked = [Signal("mail", (read_condition("DPT", "25"),))]
    for few_lines in (0, 100):
        scanning = Scanner(asked, by, few_lines=few_lines)
        assert len(folded(scanning, [b"x\n" + before + entry + b"\nx\n"], asked)) == 1


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

    def found(blocks: LineBlocks) -> Tallies:
        return folded(Scanner(asked, reader(), few_lines=0), blocks, asked)

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
    scanning = Scanner([], reader(), counts=counts)
    assert list(scanning.batches([b"".join(line + b"\n" for line in log)])) == []
    assert (counts.read, counts.packets, counts.unparsed) == (6, 3, 1)


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

    def seen(span: Span) -> int:
        asked = [Signal("all", ())]
        found = folded(Scanner(asked, reader(), span), [block], asked)
        return sum(tally.packets for tally in found.values())

    eleven = datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert seen(ALWAYS) == 4
    assert seen(Span(eleven, eleven + timedelta(hours=1))) == 1
    assert seen(Span(eleven, None)) == 2
    assert seen(Span(None, eleven)) == 1


@pytest.mark.parametrize("by_hour", [False, True])
@pytest.mark.parametrize("any_program", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        "Nov 20 23:58:33 fw1 kernel: [ 2071.364519] Shorewall:loc2net:DROP:IN=eth1 OUT=eth0 "
        "MAC=66:3e:06:4e:33:1a:02:00:c0:a8:02:14:08:00 SRC=192.168.1.10 DST=198.51.100.1 LEN=60 "
        "TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=46418 DPT=25 WINDOW=64240 RES=0x00 SYN "
        "URGP=0 ",
        "2026-11-20T23:58:33.105166+00:00 fw1 kernel: [UFW BLOCK] IN=eth1 OUT= MAC= "
        "SRC=192.168.1.10 DST=198.51.100.1 LEN=60 TOS=0x10 PREC=0x00 TTL=63 ID=5 PROTO=UDP "
        "SPT=5 DPT=25 LEN=40",
        "2026-11-20T23:58:33Z fw1 kernel: IN=br-lan OUT=eth0.100 "
        "SRC=fe80:0000:0000:0000:0000:0000:0000:0001 DST=2001:0db8:0000:0000:0000:0000:0000:0001 "
        "LEN=60 TC=0 HOPLIMIT=64 FLOWLBL=1234 PROTO=ICMPv6 TYPE=128 CODE=0 ID=1 SEQ=2 ",
        "Nov  9 23:58:33 fw1 kernel: x IN= OUT=eth0 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 "
        "PREC=0x00 TTL=64 ID=1 CE DF PROTO=TCP SPT=5 DPT=80 SEQ=1 ACK=2 WINDOW=1 RES=0x00 ACK SYN "
        "URGP=0 MARK=0x1 ",
    ],
)
def test_what_kernels_and_daemons_write_is_ordinary(line, any_program, by_hour):
    """Or it would be read one by one, which nothing but the time it takes would tell."""
    for asked in ((), tuple(COLUMNS)):
        pattern = line_pattern(asked, any_program=any_program, by_hour=by_hour)
        (row,) = pattern.findall(f"{line}\n")
        assert row[-1] == "" and row[DESTINATION] in line
