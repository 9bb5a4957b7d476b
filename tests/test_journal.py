"""The journal and ulogd's JSON: the same packets as in the text logs, each of them once."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real import need, need_root, need_shared

from botalert.errors import (
    InputOutputError,
    NoInputError,
    NoPermissionError,
    UnavailableError,
)
from botalert.grammar import KernelReader, LineReader
from botalert.grammar.journal import JournalReader
from botalert.grammar.ulogd import UlogdReader
from botalert.log import journal
from botalert.log.blocks import LineBlocks
from botalert.log.journal import JournalReading
from botalert.log.names import is_journal
from botalert.model import Drop, FirstRun, Outcome
from botalert.times import StampReader

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
STAMPS = StampReader(NOW, UTC)
JOURNALD = "/lib/systemd/systemd-journald"
PACKET = (
    "IN=eth1 OUT=eth0 SRC=192.168.1.10 DST=198.51.100.5 LEN=60 PROTO=TCP SPT=1 DPT=25 SYN URGP=0"
)

pytestmark = pytest.mark.xdist_group("laboratory")


# The journal's lines.


def entry(message: object = f"fw DROP: {PACKET} ", **fields: object) -> bytes:
    return json.dumps(
        {
            "_TRANSPORT": "kernel",
            "SYSLOG_IDENTIFIER": "kernel",
            "_HOSTNAME": "fw1",
            "__REALTIME_TIMESTAMP": "1795219113460019",
            "_SOURCE_MONOTONIC_TIMESTAMP": "2071364519",
            "MESSAGE": message,
            **fields,
        }
    ).encode()


def read(line: bytes, *programs: str) -> Drop | Outcome:
    return JournalReader(programs or ("kernel",), STAMPS).read(line)


def drops_in(path: Path, reader: LineReader) -> list[Drop]:
    outcomes = [reader.read(line) for line in path.read_bytes().splitlines()]
    assert all(isinstance(outcome, Drop) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Drop)]


@pytest.mark.parametrize("stage", ["ipt-shorewall", "nft"])
def test_the_journal_tells_the_same_packets_as_syslog(stage):
    """What journald and rsyslogd wrote about the same packets of a real kernel."""
    captured = need_shared("lab/captured")
    expected = drops_in(captured / f"{stage}.iso.log", KernelReader(["kernel"], STAMPS))
    found = drops_in(captured / f"{stage}.journal-json.log", JournalReader(["kernel"], STAMPS))
    assert len(found) > 500
    for theirs, ours in zip(expected, found, strict=True):
        assert (theirs.packet, theirs.prefix, theirs.verdict, theirs.host, theirs.repeat) == (
            ours.packet, ours.prefix, ours.verdict, ours.host, ours.repeat,
        )  # fmt: skip
        assert ours.time is not None and theirs.time is not None
        assert abs(ours.time - theirs.time) < timedelta(seconds=1)


def test_an_entry_is_shown_as_one_line_that_can_be_read_again():
    """The evidence is what a syslog daemon would have written."""
    drop = read(entry())
    assert isinstance(drop, Drop)
    assert drop.line == f"2026-11-20T23:58:33.460019+00:00 fw1 kernel: fw DROP: {PACKET}"
    again = KernelReader(["kernel"], STAMPS).read(drop.line.encode())
    assert isinstance(again, Drop)
    assert (drop.packet, drop.prefix, drop.time, drop.host) == (
        again.packet, again.prefix, again.time, again.host,
    )  # fmt: skip
    assert drop.uptime == 2071.364519


def test_what_the_sender_says_of_the_time_goes_before_its_receipt():
    """And both are shown in the log's zone."""
    drop = read(entry(_SOURCE_REALTIME_TIMESTAMP="1795219113000000"))
    assert isinstance(drop, Drop) and drop.time == datetime(2026, 11, 20, 23, 58, 33, tzinfo=UTC)
    drop = read(entry(_SOURCE_REALTIME_TIMESTAMP="x", __REALTIME_TIMESTAMP="9" * 30))
    assert isinstance(drop, Drop) and drop.time is None


@pytest.mark.parametrize(
    "fields",
    [
        {"_TRANSPORT": "syslog"},
        {"_TRANSPORT": "stdout"},
        {"_TRANSPORT": None},
        {"_TRANSPORT": "journal", "SYSLOG_IDENTIFIER": ["kernel", "kernel"]},
        {"SYSLOG_IDENTIFIER": "sshd"},  # Through /dev/kmsg.
        {"message": None},
        {"message": []},
        {"message": [1, "x"]},
        {"message": [[["x"]]]},
        {"message": 5},
        {"message": "usb 1-1: new device"},
    ],
)
def test_only_the_kernel_speaks_for_the_firewall(fields):
    """A program may call itself what it likes; a message may be too large to be shown."""
    assert read(entry(**fields)) is Outcome.NOT_A_PACKET


def test_any_program_takes_every_transport():
    """As for a text file that only ulogd writes."""
    line = entry(_TRANSPORT="syslog", SYSLOG_IDENTIFIER="ulogd", _HOSTNAME=None)
    drop = read(line, "*")
    assert isinstance(drop, Drop)
    assert (drop.host, drop.prefix) == (None, "fw DROP:")
    assert " - ulogd: fw DROP: IN=" in drop.line


def test_a_message_that_is_no_text_comes_as_bytes():
    """journalctl(1): an array of numbers; several values are an array of values."""
    message = b"fw \xff DROP: " + PACKET.encode()
    for value in (list(message), [list(message), "other"]):
        drop = read(entry(value))
        assert isinstance(drop, Drop)
        assert (drop.prefix, drop.packet.fields["DPT"]) == ("fw � DROP:", "25")


def test_what_the_kernel_reader_knows_holds_here_too():
    """One grammar for the message, wherever it stands."""
    repeated = read(entry(f"message repeated 3 times: [ {PACKET}]"))
    assert isinstance(repeated, Drop) and repeated.repeat == 3
    printed = read(entry(f"[ 12.500000] {PACKET}", _SOURCE_MONOTONIC_TIMESTAMP=None))
    assert isinstance(printed, Drop) and (printed.uptime, printed.prefix) == (12.5, "")
    assert read(entry(PACKET.replace("DST=", "DST=x"))) is Outcome.UNPARSED
    assert read(entry("IN=eth0 ARP HTYPE=1")) is Outcome.NOT_A_PACKET


def test_no_line_of_an_entry_begins_another():
    """A message with a line's end stays one line of evidence; half a character is none."""
    drop = read(entry(f"a\n2026-11-20 kernel: {PACKET} \ud800"))
    assert isinstance(drop, Drop)
    assert "\n" not in drop.line
    assert drop.line.encode().endswith("�".encode())


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_JOURNAL_KEYS = st.sampled_from(
    ["MESSAGE", "_TRANSPORT", "_HOSTNAME", "SYSLOG_IDENTIFIER", "__REALTIME_TIMESTAMP",
     "_SOURCE_REALTIME_TIMESTAMP", "_SOURCE_MONOTONIC_TIMESTAMP"]
)  # fmt: skip
_ULOGD_KEYS = st.sampled_from(
    ["src_ip", "dest_ip", "src_port", "dest_port", "ip.protocol", "ip.totlen", "ip.tos",
     "ip.fragoff", "ip6.nexthdr", "ip6.payloadlen", "tcp.seq", "tcp.syn", "tcp.res2", "udp.len",
     "oob.in", "oob.prefix", "oob.mark", "oob.time.sec", "oob.time.usec", "timestamp", "action",
     "mac.str", "mac.saddr.str", "mac.daddr.str", "oob.protocol"]
)  # fmt: skip


@given(st.binary() | st.dictionaries(_JOURNAL_KEYS | _ULOGD_KEYS, _VALUES).map(json.dumps))
def test_no_line_breaks_a_reader(line):
    """A strange line is never fatal, and what is told of it can be written."""
    data = line if isinstance(line, bytes) else line.encode()
    for reader in (JournalReader(["*"], STAMPS), UlogdReader(STAMPS)):
        outcome = reader.read(data)
        if isinstance(outcome, Drop):
            outcome.line.encode()
            assert {"SRC", "DST"} <= outcome.packet.fields.keys()


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"a":' * 100_000, b'{"MESSAGE":' + b"9" * 10_000 + b"}", b"[]", b""]
)
def test_json_of_any_depth_and_size_is_just_no_packet(line):
    """Python has limits, and says so by exceptions."""
    assert read(line) is Outcome.NOT_A_PACKET
    assert UlogdReader(STAMPS).read(line) is Outcome.NOT_A_PACKET


# ulogd's lines.


def ulogd(**changes: object) -> Drop | Outcome:
    keys = {
        "timestamp": "2026-11-20T23:59:09.481024", "dvc": "Netfilter", "oob.prefix": "fw ",
        "oob.in": "eth1", "oob.out": "eth0", "src_ip": "192.168.1.10", "dest_ip": "198.51.100.5",
        "ip.protocol": 6, "ip.totlen": 60, "ip.ttl": 63, "ip.fragoff": 16384, "src_port": 1,
        "dest_port": 25, "tcp.seq": 7, "tcp.syn": 1, "oob.time.sec": 1795219149,
        "oob.time.usec": 24,
    }  # fmt: skip
    renamed = {key.replace("__", "."): value for key, value in changes.items()}
    keys = {key: value for key, value in {**keys, **renamed}.items() if value is not None}
    return UlogdReader(STAMPS).read(json.dumps(keys).encode())


def ulogd_drop(**changes: object) -> Drop:
    drop = ulogd(**changes)
    assert isinstance(drop, Drop)
    return drop


def test_ulogd_tells_the_same_packets_in_json_as_in_its_text():
    """The same ulogd, the same packets, two of its outputs."""
    captured = need_shared("lab/captured")
    texts = drops_in(captured / "ulogd.logemu.log", KernelReader(["*"], STAMPS))
    objects = drops_in(captured / "ulogd.json.log", UlogdReader(STAMPS))
    assert len(objects) > 500
    for text, ours in zip(texts, objects, strict=True):
        assert text.packet == ours.packet
        assert (text.prefix, text.verdict) == (ours.prefix, ours.verdict)
        assert text.time is not None and ours.time is not None
        assert text.time == ours.time.replace(microsecond=0)


def test_odd_packets_of_ulogd_are_the_same_but_for_what_it_gets_wrong():
    """Its text leaves out CWR and ECE, and has ports in later fragments."""
    place = need_shared("corpora/ulogd-2.0.8-generated-a")
    texts = drops_in(place / "syslogemu.log", KernelReader(["*"], STAMPS))
    objects = drops_in(place / "json.log", UlogdReader(STAMPS))
    kept = ("SRC", "DST", "PROTO", "IN", "OUT", "LEN", "TTL", "HOPLIMIT", "FRAG", "TYPE", "MARK")
    for text, ours in zip(texts, objects, strict=True):
        glued = "INCOMPLETEMARK=" in text.line  # It writes no space there.
        for key in kept[:-1] if glued else kept:
            assert text.packet.fields.get(key) == ours.packet.fields.get(key)
        assert text.packet.flags == tuple(f for f in ours.packet.flags if f not in ("CWR", "ECE"))
        if "FRAG" in ours.packet.fields:
            assert "DPT" not in ours.packet.fields
        else:
            assert text.packet.fields.get("DPT") == ours.packet.fields.get("DPT")


def test_a_line_of_ulogd_is_shown_as_text():
    """An administrator knows that form; it has no host."""
    drop = ulogd_drop()
    assert drop.line == (
        "2026-11-20T23:59:09.481024+00:00 fw IN=eth1 OUT=eth0 SRC=192.168.1.10 DST=198.51.100.5 "
        "LEN=60 TTL=63 DF PROTO=TCP SPT=1 DPT=25 SEQ=7 SYN URGP=0"
    )
    assert (drop.host, drop.prefix, drop.verdict) == (None, "fw", "unknown")


def test_ulogd_times_have_their_own_zone_or_the_logs():
    """Without a stamp, the packet's own time counts."""
    assert ulogd_drop(timestamp="2026-11-20T23:59:09+0200").time == datetime(
        2026, 11, 20, 21, 59, 9, tzinfo=UTC
    )
    for stamp in (None, "yesterday", 7):
        assert ulogd_drop(timestamp=stamp).time == datetime(2026, 11, 20, 23, 59, 9, 24, tzinfo=UTC)
    assert ulogd_drop(timestamp=None, oob__time__sec=None).time is None


def test_ulogds_own_names_are_read_like_the_common_ones():
    """Whoever renames, src_ip is ip.saddr.str and src_port tcp.sport."""
    renamed = {
        "src_ip": None, "dest_ip": None, "src_port": None, "dest_port": None,
        "ip__saddr__str": "2001:DB8:0::1", "ip__daddr__str": "2001:db8::2", "tcp__sport": 1,
        "tcp__dport": 25, "ip6__payloadlen": 20, "ip6__nexthdr": 6, "ip6__fragoff": 0,
        "ip6__fragid": 10,
    }  # fmt: skip
    fields = ulogd_drop(**renamed).packet.fields
    assert (fields["SRC"], fields["DPT"], fields["LEN"], fields["ID"]) == (
        "2001:db8::1", "25", "60", "0000000a",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("action", "prefix", "verdict"),
    [
        ("blocked", "fw", "drop"),
        ("allowed", "fw", "accept"),
        ("allowed", "fw DROP", "drop"),
        ("other", "fw", "unknown"),
        (["blocked"], None, "unknown"),
    ],
)
def test_ulogds_label_tells_a_verdict_where_the_prefix_tells_none(action, prefix, verdict):
    """The rule's own words go first."""
    assert ulogd_drop(action=action, oob__prefix=prefix).verdict == verdict


@pytest.mark.parametrize(
    "changes",
    [
        {"src_ip": None},
        {"dest_ip": None},
        {"src_ip": "192.168.1.10 DST=1.2.3.4"},
        {"src_ip": 17},
        {"dest_ip": "198.51.100.256"},
        {"dest_port": 70000},
        {"dest_port": True},
        {"ip__totlen": -1},
    ],
)
def test_a_damaged_packet_of_ulogd_is_unparsed(changes):
    """Never guessed at."""
    assert ulogd(**changes) is Outcome.UNPARSED


def test_arp_and_flows_of_ulogd_are_no_packets():
    """They have neither a source nor a destination of the IP layer."""
    for keys in ({"arp.saddr.str": "192.168.1.10", "oob.family": 3}, {"orig.ip.protocol": 6}, {}):
        assert UlogdReader(STAMPS).read(json.dumps(keys).encode()) is Outcome.NOT_A_PACKET


def test_ulogds_mac_is_put_together_where_it_comes_in_parts():
    """Receiver, sender, type: 14 bytes, as the kernel logs them."""
    parts = {
        "mac__saddr__str": "02:00:c0:a8:01:0a",
        "mac__daddr__str": "66:3e:06:4e:33:1a",
        "oob__protocol": 2048,
    }
    assert ulogd_drop(**parts).packet.fields["MAC"] == "66:3e:06:4e:33:1a:02:00:c0:a8:01:0a:08:00"


# A real journal.


class Journald:
    """A systemd-journald of its own, which sees nothing of the machine's journal but /dev/kmsg."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.journal = place / "journal"
        self.mark = f"botalert-{os.getpid()}-{time.monotonic_ns()}"
        self.journal.mkdir()
        (place / "state").mkdir()
        self._written = 0
        self._process: subprocess.Popen[bytes] | None = None
        (place / "journald.conf").write_text(
            "[Journal]\nStorage=persistent\nSeal=no\nReadKMsg=yes\nAudit=\n"
            "ForwardToSyslog=no\nSystemMaxUse=64M\n"
        )
        (place / "journald.sh").write_text(
            "set -e\nmount --make-rprivate /\nmount -t tmpfs tmpfs /run\n"
            "mkdir -p /run/systemd/journal /run/log\n"
            # It notes there how far it has read the kernel's messages.
            f"mount --bind {place}/state /run/systemd/journal\n"
            "touch /run/systemd/journal/flushed\n"
            f"mount --bind {self.journal} /var/log/journal\n"
            f"mount --bind {place}/journald.conf /etc/systemd/journald.conf\n"
            f"hostname fw1\nexec {JOURNALD}\n"
        )

    @property
    def log(self) -> str:
        return f"journal:{self.journal}"

    def start(self) -> None:
        command = ["unshare", "--mount", "--uts", "bash", str(self.place / "journald.sh")]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.write(1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    def rotate(self) -> None:
        """Archive the journal's file and begin a new one (systemd-journald.service(8))."""
        assert self._process is not None
        before = self.archives()
        self._process.send_signal(signal.SIGUSR2)
        self._wait(lambda: self.archives() != before)

    def archives(self) -> set[Path]:
        return set(self.journal.glob("*/system@*.journal"))

    def write(self, count: int) -> None:
        """Log *count* packets, numbered; come back when journald has them."""
        with open("/dev/kmsg", "wb", buffering=0) as kernel:
            for number in range(self._written, self._written + count):
                kernel.write(f"<4>{self.mark}-{number}. {PACKET}\n".encode())
        self._written += count
        last = f"{self.mark}-{self._written - 1}.".encode()
        self._wait(lambda: last in self._shown())

    def write_bytes(self, message: bytes) -> None:
        with open("/dev/kmsg", "wb", buffering=0) as kernel:
            kernel.write(b"<4>" + message + b"\n")

    def numbers(self) -> list[int]:
        return list(range(self._written))

    def _shown(self) -> bytes:
        command = ["journalctl", "-D", str(self.journal), "-o", "cat", "-n", "50"]
        return subprocess.run(command, capture_output=True, check=False).stdout

    @staticmethod
    def _wait(is_so) -> None:
        for _ in range(200):
            if is_so():
                return
            time.sleep(0.02)
        pytest.fail("journald did not get that far")


@pytest.fixture
def journald(tmp_path) -> Iterator[Journald]:
    need_root()
    need("journalctl", "unshare", JOURNALD)
    daemon = Journald(tmp_path)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


class Reader:
    """Reads a journal in several runs, each from the cursor of the last."""

    def __init__(self, daemon: Journald, first: FirstRun = FirstRun.ALL) -> None:
        self.cursor: str | None = None
        self.numbers: list[int] = []
        self.hosts: set[str | None] = set()
        self._daemon = daemon
        self._first = first

    def run(self) -> JournalReading:
        reading = JournalReading(self._daemon.log, self.cursor, self._first, datetime.now(UTC))
        reading.read(self._consume)
        self.cursor = reading.cursor()
        assert reading.faults == []
        return reading

    def _consume(self, blocks: Iterable[bytes]) -> None:
        reader = JournalReader(["kernel"], StampReader(datetime.now(UTC), UTC))
        for block in blocks:
            assert block.endswith(b"\n")
            for line in block.splitlines():
                outcome = reader.read(line)
                if isinstance(outcome, Drop) and self._daemon.mark in outcome.prefix:
                    self.numbers.append(int(outcome.prefix.rpartition("-")[2].rstrip(".")))
                    self.hosts.add(outcome.host)


def test_each_entry_is_read_once_over_runs_rotations_and_restarts(journald):
    """Whenever a run happens, and whatever journald did to its files."""
    reader = Reader(journald)
    reader.run()
    for step in range(4):
        journald.write(3 + step)
        if step % 2:
            journald.rotate()
        if step == 2:
            journald.stop()
            journald.start()
        reader.run()
        assert reader.run().missing is None
    assert reader.numbers == journald.numbers()
    assert reader.hosts == {"fw1"}


def test_no_entry_is_passed_over_when_the_known_one_was_vacuumed_away(journald):
    """What is left is read from its first entry on, and the gap is told once."""
    reader = Reader(journald)
    journald.write(5)
    reader.run()
    journald.rotate()
    journald.write(4)
    for archive in journald.archives():
        archive.unlink()
    reading = reader.run()
    assert reader.numbers == journald.numbers()
    assert reading.missing is not None
    assert reading.missing.startswith("what was written between 20")
    journald.write(2)
    assert reader.run().missing is None
    assert reader.numbers == journald.numbers()


def test_a_journal_begun_anew_with_a_slow_clock_is_read(journald, tmp_path):
    """Nothing in it is later than what was read, but it is all new."""
    journald.write(2)
    journald.stop()
    early = tmp_path / "early"
    journald.journal.rename(early)
    journald.journal.mkdir()
    journald.start()
    reader = Reader(journald)
    reader.run()
    journald.stop()
    shutil.rmtree(journald.journal)
    early.rename(journald.journal)
    reader.numbers.clear()
    reading = reader.run()
    assert reader.numbers == [0, 1, 2]
    assert reading.missing is not None
    assert reader.run().read_bytes == 0


def test_the_first_run_reads_what_it_is_told_to(journald):
    """All, the last 24 hours, or nothing yet."""
    journald.write(3)
    readers = {first: Reader(journald, first) for first in FirstRun}
    for reader in readers.values():
        reader.run()
    journald.write(2)
    for reader in readers.values():
        reader.run()
    everything = journald.numbers()
    assert readers[FirstRun.ALL].numbers == everything
    assert readers[FirstRun.LIVE].numbers == everything
    assert readers[FirstRun.NEW].numbers == everything[-2:]


def test_the_last_day_is_counted_from_the_runs_beginning(journald):
    """An entry of yesterday's is not read by tomorrow's first run, nor one that is yet to come."""
    journald.write(2)
    tomorrow = datetime.now(UTC) + timedelta(hours=25)
    reader = Reader(journald)
    reading = JournalReading(journald.log, None, FirstRun.LIVE, tomorrow)
    reading.read(reader._consume)
    assert (reader.numbers, reading.read_bytes) == ([], 0)


def test_a_message_of_any_bytes_is_read(journald):
    """The kernel logs what the rule's prefix says, be it UTF-8 or not."""
    journald.write_bytes(f"{journald.mark} \xff DROP: {PACKET}".encode("latin-1"))
    journald.write(1)
    found = []

    def consume(blocks: Iterable[bytes]) -> None:
        reader = JournalReader(["kernel"], STAMPS)
        lines = [line for block in blocks for line in block.splitlines()]
        found.extend(reader.read(line) for line in lines if b"[" in line)

    JournalReading(journald.log, None, FirstRun.ALL, NOW).read(consume)
    assert f"{journald.mark} � DROP:" in [each.prefix for each in found if isinstance(each, Drop)]


def test_a_journal_can_be_read_once_within_bounds(journald):
    """For scan: the stream is lines of JSON, and begins where it is asked to."""
    journald.write(2)

    def lines(**bounds: datetime) -> int:
        with journal.opened(journald.log, **bounds) as stream:
            return sum(block.count(journald.mark.encode()) for block in LineBlocks(stream))

    now = datetime.now(UTC)
    assert lines() == 3
    assert lines(since=now - timedelta(hours=1), until=now) == 3
    assert lines(since=now + timedelta(hours=1)) == 0
    assert lines(until=now - timedelta(days=3)) == 0
    file = next(journald.journal.glob("*/system.journal"))
    with journal.opened(f"journal:{file}") as stream:
        assert journald.mark.encode() in stream.read()


def test_a_user_who_may_not_read_the_journal_is_told_so(journald, monkeypatch, tmp_path):
    """An empty journal and one that hides are not the same."""
    need("setpriv")
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    fake_journalctl(monkeypatch, tmp_path, f'exec {nobody} {shutil.which("journalctl")} "$@"')
    with pytest.raises(NoPermissionError, match=f"^{journald.log}: permission denied"):
        read_nothing(journald.log)


# Without a journal, and without journalctl.


def read_nothing(log: str, known: str | None = None) -> JournalReading:
    reading = JournalReading(log, known, FirstRun.ALL, NOW)
    reading.read(lambda blocks: [*blocks])
    return reading


def test_the_journal_is_no_file():
    """A file of that name is ./journal."""
    assert is_journal("journal") and is_journal("journal:/var/log/journal")
    assert not is_journal("/var/log/journal") and not is_journal("./journal")


def test_a_machine_without_journalctl_is_told_so(monkeypatch, tmp_path):
    """With what to do instead."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"^journal: there is no program journalctl\. "):
        read_nothing("journal")


def test_a_journal_that_is_not_there_is_told(tmp_path):
    """Neither the directory nor anything in it."""
    need("journalctl")
    with pytest.raises(NoInputError, match="no such directory or file"):
        read_nothing(f"journal:{tmp_path}/none")
    for first in FirstRun:
        with pytest.raises(NoInputError, match="there is no journal"):
            JournalReading(f"journal:{tmp_path}", None, first, NOW).read(lambda blocks: [*blocks])
    with (
        pytest.raises(NoInputError, match="there is no journal"),
        journal.opened(f"journal:{tmp_path}") as stream,
    ):
        assert stream.read() == b""


def test_what_is_no_journal_is_told_and_the_cursor_stays(tmp_path):
    """Journalctl's own words, in one line."""
    need("journalctl")
    (tmp_path / "x.journal").write_bytes(b"no journal")
    log = f"journal:{tmp_path}/x.journal"
    known = json.dumps({"since": 7})
    reading = JournalReading(log, known, FirstRun.ALL, NOW)
    with pytest.raises(InputOutputError, match=r"journalctl failed: .*\. Look with: ") as caught:
        reading.read(lambda blocks: [*blocks])
    assert "\n" not in str(caught.value)
    assert reading.cursor() == known


def fake_journalctl(monkeypatch, place: Path, script: str) -> None:
    program = place / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")


def line_of(number: int, numbering: str = "s") -> str:
    cursor = f"s={numbering};i={number:x};b=b;m={number:x};t={number:x};x=x"
    return json.dumps({"__CURSOR": cursor, "__REALTIME_TIMESTAMP": str(number), "MESSAGE": "x"})


@pytest.mark.parametrize("end", ["kill -9 $$", "echo 'Failed: disk' >&2; exit 1"])
def test_a_journalctl_that_dies_in_the_middle_is_an_error_and_the_cursor_stays(
    monkeypatch, tmp_path, end
):
    """Who consumes sees it, too, and keeps nothing."""
    known = json.dumps({"cursor": "s=s;i=1;b=b;m=1;t=1;x=x", "time": 1})
    fake_journalctl(
        monkeypatch, tmp_path, f"echo '{line_of(1)}'; echo '{line_of(2)}'; printf '{{\"a'; {end}"
    )
    reading = JournalReading("journal", known, FirstRun.ALL, NOW)
    ended = []

    def consume(blocks: Iterable[bytes]) -> None:
        ended.extend(blocks)
        ended.append(b"the end")

    with pytest.raises(InputOutputError):
        reading.read(consume)
    assert ended[-1:] != [b"the end"]
    assert reading.cursor() == known


def test_entries_that_were_numbered_anew_are_known_again(monkeypatch, tmp_path):
    """What journald moves from /run to /var gets new numbers."""
    known = json.dumps({"cursor": "s=run;i=9;b=b;m=5;t=5;x=x", "time": 5})
    fake_journalctl(
        monkeypatch, tmp_path, f"echo '{line_of(5, 'var')}'; echo '{line_of(6, 'var')}'"
    )
    reading = read_nothing("journal", known)
    assert (reading.missing, reading.read_bytes) == (None, len(line_of(6, "var")) + 1)


def test_what_journalctl_complains_of_is_told_although_it_goes_on(monkeypatch, tmp_path):
    """A damaged file that it passed over."""
    fake_journalctl(monkeypatch, tmp_path, f"echo 'File x corrupted.' >&2; echo '{line_of(5)}'")
    reading = read_nothing("journal")
    assert [str(fault) for fault in reading.faults] == [
        "journal: journalctl failed: File x corrupted. Look with: journalctl --verify"
    ]


def test_what_the_kernel_kept_back_and_journald_missed_is_counted(monkeypatch, tmp_path):
    """For those who ask with -v; no packet's prefix is taken for such a note."""
    messages = (
        "net_ratelimit: 17 callbacks suppressed",
        "Missed 31 kernel messages",
        "net_ratelimit: 2 callbacks suppressed",
        r"x \"MESSAGE\":\"net_ratelimit: 9 callbacks suppressed",
    )
    lines = [line_of(5).replace('": "x"}', f'":"{message}"}}') for message in messages]
    (tmp_path / "lines").write_text("\n".join(lines) + "\n")
    fake_journalctl(monkeypatch, tmp_path, f"cat {tmp_path}/lines")
    reading = read_nothing("journal")
    assert (reading.suppressed, reading.overrun) == (19, 31)


def test_a_denied_permission_is_told_as_one(monkeypatch, tmp_path):
    """Whoever denies it."""
    fake_journalctl(monkeypatch, tmp_path, "echo 'No files: insufficient permissions.' >&2; exit 1")
    with pytest.raises(NoPermissionError):
        read_nothing("journal")
    hint = "Hint: You are currently not seeing messages from other users and the system."
    fake_journalctl(
        monkeypatch, tmp_path, f'case "$*" in *header*) echo x; echo "{hint}" >&2;; esac'
    )
    with pytest.raises(NoPermissionError):
        read_nothing("journal")


def test_a_reader_that_stops_early_goes_on_there(monkeypatch, tmp_path):
    """The cursor is that of the last line given."""
    fake_journalctl(monkeypatch, tmp_path, f"echo '{line_of(5)}'; yes '{line_of(6)}'")
    reading = JournalReading("journal", None, FirstRun.ALL, NOW)

    def consume(blocks: Iterable[bytes]) -> None:
        for block in blocks:
            if line_of(6).encode() in block:
                return

    reading.read(consume)
    assert json.loads(reading.cursor())["time"] == 6
