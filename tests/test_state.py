"""What is remembered between runs, in a real SQLite file."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from installation import NOBODY, Installation, like_everyone, packet_line
from real import lack, need, need_root

from botalert.errors import (
    BotalertError,
    ConfigurationError,
    DataError,
    TryAgainError,
)
from botalert.model import Hit
from botalert.state import file as state
from botalert.state.file import BATCH, Found, State
from botalert.state.schema import APPLICATION_ID, MIGRATIONS
from botalert.tally import Distinct, Tally

NOW = datetime(2026, 11, 21, 6, 25, tzinfo=UTC)
REACHED = '[["aGVhZA==", 100, "dGFpbA==", true]]'
LOG = "/var/log/messages"
SIGNALS = ("smtp", "telnet")


def found(*keys: tuple[str, str], packets: int = 1) -> list[Found]:
    """Make what a run records of (signal, source) pairs."""
    rows = []
    for signal, source in keys:
        tally = Tally()
        hit = Hit(signal, source, NOW, "198.51.100.52", "25", "eth1", None, packets, "a line")
        tally.add(hit)
        rows.append(state.row_of(signal, source, tally)[1])
    return rows


def packed_by_schema_5(body: str) -> str:
    """Write a tally as it was before it knew of hours."""
    head, newline, evidence = body.partition("\n")
    return json.dumps(json.loads(head)[:9], separators=(",", ":")) + newline + evidence


def message_ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"<{next(numbers)}@mx.example>"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "state.db")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def pending(memory: State) -> list[tuple[str, str, str]]:
    return [
        (alert.detection.signal, alert.detection.source, alert.message_id)
        for alert in memory.pending(SIGNALS)
    ]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
def test_modes_do_not_depend_on_the_umask(path: str, mask: int) -> None:
    """The file is for its owner alone, the directory for the group to look into."""
    with umask(mask), state.opened(path) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids())
    assert os.stat(path).st_mode & 0o7777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o7777 == 0o750


def test_parents_that_are_made_are_no_more_open_than_the_directory(tmp_path: Path) -> None:
    """With a umask of 0 everybody could replace them, and the state file with them."""
    with umask(0), state.opened(str(tmp_path / "p" / "q" / "r" / "state.db")):
        pass
    for made in ("p", "p/q", "p/q/r"):
        assert (tmp_path / made).stat().st_mode & 0o7777 == 0o750


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("cursor", "log"),
        ("cursor", "body"),
        ("tally", "source"),
        ("tally", "signal"),
        ("tally", "log"),
        ("tally", "body"),
        ("alert", "source"),
        ("alert", "signal"),
        ("alert", "message_id"),
        ("alert", "alerted"),
        ("alert", "ended"),
        ("earlier_alert", "source"),
        ("earlier_alert", "signal"),
        ("earlier_alert", "episode"),
        ("earlier_alert", "message_id"),
        ("earlier_alert", "body"),
    ],
)
def test_value_of_a_wrong_type_is_told_as_damage(path: str, table: str, column: str) -> None:
    """Bytes where a text belongs end no command with a traceback."""
    with state.opened(path) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids(), alerted=NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO earlier_alert SELECT source, signal, 0, '<0@mx.example>', body FROM tally"
        )
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE {table} SET {column} = X'00FF'")
    damaged = pytest.raises(BotalertError, match="the state file is damaged")
    with damaged, state.opened(path) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.11")), REACHED, message_ids())
    if table == "earlier_alert":
        with damaged, state.opened(path) as memory:
            memory.pending(SIGNALS)
    elif column in ("message_id", "alerted", "ended"):
        with damaged, state.opened_for_reading(path) as memory:
            assert memory is not None
            memory.alerts(SIGNALS)


def test_modes_that_the_administrator_chose_are_kept(path: str) -> None:
    """A state file opened to a group stays so."""
    with state.opened(path):
        pass
    os.chmod(path, 0o640)
    os.chmod(os.path.dirname(path), 0o755)
    with state.opened(path):
        pass
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o755


def test_empty_file_is_brought_up_to_date(path: str) -> None:
    """A file of size 0, as a killed first run leaves it, becomes a state file."""
    os.mkdir(os.path.dirname(path))
    Path(path).touch()
    with state.opened_for_reading(path) as reader:
        assert reader is None
    with state.opened(path) as memory:
        assert memory.pending(SIGNALS) == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_state_of_a_newer_botalert_is_refused(path: str) -> None:
    """A schema that this version does not know is not touched."""
    with state.opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = Path(path).read_bytes()
    for way in (state.opened, state.opened_for_reading):
        told = pytest.raises(DataError, match=r"newer botalert \(schema 7, this one knows 6\)")
        with told, way(path):
            pass
    assert Path(path).read_bytes() == before


def test_state_of_an_older_botalert_is_brought_up_to_date(path: str) -> None:
    """What schema 1 held is all there, and is counted on; till then `list` says what to do."""
    os.mkdir(os.path.dirname(path))
    lines = ['Nov 20 23:00:00 fw1 kernel: "Größe\\\t\x00', "another"]
    bodies = [
        {
            "packets": 7,
            "first_seen": "2026-11-20T23:00:00+01:00",
            "last_seen": "2026-11-21T23:00:00.000500+00:00",
            "destinations": [{"198.51.100.52": 4, "2001:db8::17": 3}, False],
            "ports": [{str(port): 1 for port in range(256)}, True],
            "interfaces": ["eth1", "\udc80"],
            "macs": ["02:00:c0:a8:01:0a"],
            "evidence": lines,
        },
        {
            "packets": 1,
            "first_seen": None,
            "last_seen": None,
            "destinations": [{}, False],
            "ports": [{}, False],
            "interfaces": [],
            "macs": [],
            "evidence": [],
        },
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        for number, body in enumerate(bodies):
            key = (f"192.168.1.1{number}", "smtp")
            text = json.dumps(body, separators=(",", ":"))
            connection.execute("INSERT INTO tally VALUES (?, ?, ?, ?)", (*key, LOG, text))
            connection.execute("INSERT INTO alert VALUES (?, ?, '<1@mx.example>', NULL)", key)
    told = pytest.raises(TryAgainError, match=r"older botalert\. The next run brings it up to date")
    with told, state.opened_for_reading(path):
        pass
    with state.opened(path) as memory:
        full, empty = (alert.detection.tally for alert in memory.pending(SIGNALS))
        assert empty == Tally(packets=1)
        assert full == Tally(
            packets=7,
            first_seen=datetime.fromisoformat("2026-11-20T23:00:00+01:00"),
            last_seen=datetime.fromisoformat("2026-11-21T23:00:00.000500+00:00"),
            destinations=Distinct({"198.51.100.52": 4, "2001:db8::17": 3}),
            ports=Distinct({str(port): 1 for port in range(256)}, overflowed=True),
            interfaces=("eth1", "\udc80"),
            macs=("02:00:c0:a8:01:0a",),
            evidence=tuple(lines),
        )
        assert memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids()) == 0
        assert memory.pending(SIGNALS)[0].detection.tally.packets == 8
    with state.opened_for_reading(path) as reader:
        assert reader is not None


def test_alerts_of_schema_2_were_sent_or_are_pending(path: str) -> None:
    """Whether a baseline recorded them was not written down."""
    os.mkdir(os.path.dirname(path))
    ((_, _, body, _),) = found(("smtp", "::1"))
    body = packed_by_schema_5(body)
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
        for source, moment in (("192.168.1.10", None), ("::1", NOW.isoformat())):
            key = (source, "smtp")
            connection.execute("INSERT INTO tally VALUES (?, ?, ?, ?)", (*key, LOG, body))
            connection.execute(
                "INSERT INTO alert VALUES (?, ?, '<1@mx.example>', ?)", (*key, moment)
            )
    with state.opened(path) as memory:
        ended = {each.detection.source: each[2:] for each in memory.alerts(SIGNALS)}
        assert ended == {"192.168.1.10": (None, "pending"), "::1": (NOW, "sent")}
        assert pending(memory) == [("smtp", "192.168.1.10", "<1@mx.example>")]


def test_file_of_another_program_is_refused(path: str) -> None:
    """An SQLite file that is not ours is not touched."""
    os.mkdir(os.path.dirname(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (thing)")
    before = Path(path).read_bytes()
    for way in (state.opened, state.opened_for_reading):
        told = pytest.raises(ConfigurationError, match="another program's SQLite file")
        with told, way(path):
            pass
    assert Path(path).read_bytes() == before


def test_lock_of_another_program_is_waited_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that someone else has locked is to be tried again later."""
    with state.opened(path):
        pass
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **kwargs: connect(*args, **kwargs, timeout=0)
    )
    with closing(connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        told = pytest.raises(TryAgainError, match="another program is using it")
        with told, state.opened(path):
            pass


def test_state_that_may_not_be_read_is_not_called_empty(tmp_path: Path) -> None:
    """`list` by a user without the right says so, instead of "nothing on record"."""
    site = Installation(tmp_path)
    site.see("192.168.1.10")
    assert site.run() == (0, [])
    command = like_everyone(site.command("list"))
    os.chown(site.statefile.parent, NOBODY, NOBODY)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr == (
        f"botalert: {site.statefile}: permission denied. "
        "Run as root, or give this user read access.\n"
    )


def test_record_makes_alerts_of_what_is_new(path: str) -> None:
    """A source is pending once for each signal; later finds add to its counts."""
    with state.opened(path) as memory:
        assert memory.cursor(LOG) is None
        first = found(("smtp", "192.168.1.10"), ("telnet", "192.168.1.10"))
        assert memory.record(LOG, first, REACHED, message_ids()) == 2
        again = found(("smtp", "192.168.1.10"), packets=4)
        further = REACHED.replace("100", "200")
        assert memory.record(LOG, again, further, lambda: "<new@mx.example>") == 0
        assert memory.cursor(LOG) == further
        assert pending(memory) == [
            ("smtp", "192.168.1.10", "<1@mx.example>"),
            ("telnet", "192.168.1.10", "<2@mx.example>"),
        ]
        assert [alert.detection.tally.packets for alert in memory.alerts(SIGNALS)] == [5, 1]


def test_alert_that_was_sent_is_pending_no_more(path: str) -> None:
    """It stays on record, with the moment, over the next opening."""
    with state.opened(path) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids())
        (alert,) = memory.pending(SIGNALS)
        memory.mark_sent(alert, NOW)
    with state.opened_for_reading(path) as reader:
        assert reader is not None
        assert pending(reader) == []
        assert [(each.status, each.alerted) for each in reader.alerts(SIGNALS)] == [("sent", NOW)]


def test_alert_that_is_not_to_be_sent_says_why(path: str) -> None:
    """It is known or ignored, since when, and pending no more."""
    with state.opened(path) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids())
        (alert,) = memory.pending(SIGNALS)
        memory.mark_ignored(alert, NOW)
        later = found(("smtp", "192.168.1.10"), ("telnet", "192.168.1.10"))
        memory.record("other", later, REACHED, message_ids(), alerted=NOW)
    with state.opened_for_reading(path) as reader:
        assert reader is not None
        assert pending(reader) == []
        assert [(each.status, each.alerted) for each in reader.alerts(SIGNALS)] == [
            ("ignored", NOW),
            ("known", NOW),
        ]


@pytest.mark.parametrize(
    ("alerted", "ended"), [(NOW.isoformat(), None), (NOW.isoformat(), "lost"), (None, "sent")]
)
def test_alert_that_ended_in_no_way_is_told_as_damage(
    path: str, alerted: str | None, ended: str | None
) -> None:
    """Neither is guessed: not whether it was sent, nor when."""
    with state.opened(path) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE alert SET alerted = ?, ended = ?", [alerted, ended])
    damaged = pytest.raises(BotalertError, match="the state file is damaged")
    with damaged, state.opened_for_reading(path) as memory_or_none:
        assert memory_or_none is not None
        memory_or_none.alerts(SIGNALS)


def test_forgotten_source_alerts_anew(path: str) -> None:
    """Forgetting takes one signal or all; the next find has its own Message-ID."""
    both = found(("smtp", "192.168.1.10"), ("telnet", "192.168.1.10"))
    new = message_ids()
    with state.opened(path) as memory:
        memory.record(LOG, both, REACHED, new)
        assert memory.forget("192.168.1.10", "telnet") == 1
        assert memory.forget("192.168.1.10", "telnet") == 0
        assert memory.record(LOG, both, REACHED, new) == 1
        assert memory.forget("192.168.1.10", None) == 2
        assert memory.alerts(SIGNALS) == []
        assert memory.record(LOG, both, REACHED, new) == 2
        assert len({message_id for _, _, message_id in pending(memory)}) == 2


def test_record_is_all_or_nothing(path: str) -> None:
    """Where the second of two alerts cannot be made, nothing of the log is remembered."""
    numbers = iter(["<1@mx.example>"])
    both = found(("smtp", "192.168.1.10"), ("telnet", "192.168.1.10"))
    with state.opened(path) as memory:
        with pytest.raises(StopIteration):
            memory.record(LOG, both, REACHED, lambda: next(numbers))
        assert memory.cursor(LOG) is None
        assert memory.alerts(SIGNALS) == []


def test_more_than_a_batch_is_recorded_in_any_order(path: str) -> None:
    """Each is new once and counted twice, however they are ordered and cut into batches."""
    sources = [f"10.0.{n >> 8}.{n & 255}" for n in range(BATCH + 1000)]
    keys = [("smtp", source) for source in sources]
    with state.opened(path) as memory:
        assert memory.record(LOG, iter(found(*keys[:-10])), REACHED, message_ids()) == BATCH + 990
        assert memory.record(LOG, iter(found(*reversed(keys))), REACHED, message_ids()) == 10
        alerts = memory.alerts(SIGNALS)
    assert Counter(alert.detection.tally.packets for alert in alerts) == {2: BATCH + 990, 1: 10}
    assert {alert.detection.source for alert in alerts} == set(sources)


def test_record_holds_a_batch_at_a_time(path: str) -> None:
    """What is in memory does not grow with what a run found."""

    def peak(number: int, cursor: str) -> int:
        tallies = (found(("smtp", f"10.0.{n >> 8}.{n & 255}"))[0] for n in range(number))
        tracemalloc.reset_peak()
        memory.record(LOG, tallies, cursor, message_ids())
        return tracemalloc.get_traced_memory()[1]

    with state.opened(path) as memory:
        tracemalloc.start()
        try:
            assert peak(6 * BATCH, "later") < 1.2 * peak(3 * BATCH, REACHED)
        finally:
            tracemalloc.stop()


def test_nothing_new_is_nothing_written(path: str) -> None:
    """Where a log was read no further, there is no transaction; where it was, there is one."""
    further = REACHED.replace("100", "200")
    with state.opened(path) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids(), alerted=NOW)
    with state.opened(path) as memory:
        asked: list[str] = []
        memory._connection.set_trace_callback(asked.append)
        assert memory.record(LOG, [], REACHED, message_ids()) == 0
        assert memory.pending(SIGNALS) == []
        assert asked
        assert all(text.startswith("SELECT") for text in asked)
        assert memory.record(LOG, [], further, message_ids()) == 0
        assert "BEGIN IMMEDIATE" in asked
        assert memory.cursor(LOG) == further


def test_quiet_run_leaves_the_file_alone(tmp_path: Path) -> None:
    """A run over an unchanged log writes nothing, and does not read the state file through."""
    site = Installation(tmp_path)
    machines = [f"10.0.{n >> 8}.{n & 255}" for n in range(1000)]
    site.see(*machines)
    assert site.botalert("run", "--baseline").returncode == 0
    before = (site.statefile.read_bytes(), site.statefile.stat().st_mtime_ns)
    assert site.run() == (0, [])
    assert (site.statefile.read_bytes(), site.statefile.stat().st_mtime_ns) == before
    size = len(before[0])
    command = site.command("run")
    trace = tmp_path / "trace"
    need("strace")
    subprocess.run(
        ["strace", "-f", "-e", "trace=pread64", "-P", site.statefile, "-o", trace, *command],
        cwd=ROOT,
        check=True,
        stderr=subprocess.DEVNULL,
    )
    read = sum(int(number) for number in re.findall(r"= (\d+)$", trace.read_text(), re.MULTILINE))
    assert 0 < read < size / 5


def test_several_logs_unite_in_one_detection(path: str) -> None:
    """What two logs tell of a source is one alert, with the sum."""
    with state.opened(path) as memory:
        tallies = found(("smtp", "192.168.1.10"), packets=2)
        assert memory.record(LOG, tallies, REACHED, message_ids()) == 1
        assert memory.record("/var/log/other", tallies, REACHED, message_ids()) == 0
        (alert,) = memory.pending(SIGNALS)
        assert alert.detection.tally.packets == 4


def test_every_query_finds_its_rows_by_an_index(path: str) -> None:
    """Among a million sources one is found at once: no statement reads a table through."""
    with state.opened(path) as memory:
        asked: list[str] = []
        memory._connection.set_trace_callback(asked.append)
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids())
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids())
        (alert,) = memory.pending(SIGNALS)
        memory.mark_sent(alert, NOW)
        memory.cursor(LOG)
        memory.forget("192.168.1.10", None)
        memory.forget("192.168.1.10", "smtp")
        memory._connection.set_trace_callback(None)
        statements = [text for text in asked if re.match("SELECT|UPDATE|DELETE", text)]
        assert len(statements) >= 8
        for statement in statements:
            plan = memory._connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            steps = [row[3] for row in plan]
            scans = [step for step in steps if step.startswith("SCAN")]
            # Only what is pending is read through, by an index or a table of its own.
            of_pending = re.compile("alert_pending|SCAN earlier_alert")
            assert all(of_pending.search(step) for step in scans), (statement, steps)


def damaged(path: Path, content: bytes, damage: str) -> None:
    middle = len(content) // 2
    path.write_bytes(
        {
            "overwritten": content[:middle] + b"\xff" * 4096 + content[middle + 4096 :],
            "cut": content[: middle + 100],
            "text": b"this is no database\n" * 1000,
            "header": content[:20] + b"\xff" * 80 + content[100:],
        }[damage]
    )


@pytest.mark.parametrize("damage", ["overwritten", "cut", "text", "header"])
def test_damaged_state_is_one_clear_line(tmp_path: Path, damage: str) -> None:
    """Every command ends with one line and 74, the file is left as it is, nobody is mailed."""
    site = Installation(tmp_path)
    site.see("192.168.1.10", "192.168.1.11")
    assert site.run() == (0, [])
    damaged(site.statefile, site.statefile.read_bytes(), damage)
    site.see("192.168.1.12")
    before = site.statefile.read_bytes()
    for command in (["run"], ["list"], ["forget", "192.168.1.10"]):
        done = site.botalert(*command)
        assert (done.returncode, done.stdout) == (74, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"botalert: {site.statefile}: the state file is damaged: ")
        assert line.endswith("begins a new one, and every source alerts again.")
    assert site.statefile.read_bytes() == before
    assert len(site.mails()) == 2


@pytest.mark.parametrize("damage", ["overwritten", "cut", "text", "header"])
def test_pending_alert_is_not_sent_again_and_again_from_a_damaged_state(
    tmp_path: Path, damage: str
) -> None:
    """What cannot be marked as sent is not sent, though nothing is new in the log."""
    site = Installation(tmp_path)
    site.configure("localhost:1")
    site.see(*(f"10.0.0.{n}" for n in range(200)))
    assert site.run()[0] == 75
    site.configure()
    damaged(site.statefile, site.statefile.read_bytes(), damage)
    before = site.statefile.read_bytes()
    for _ in range(2):
        status, (line,) = site.run()
        assert status == 74
        assert line.startswith(f"botalert: {site.statefile}: the state file is damaged: ")
    assert site.mails() == []
    assert site.statefile.read_bytes() == before


def test_damage_that_a_quiet_run_does_not_meet_is_told_by_the_next_change(tmp_path: Path) -> None:
    """Till then it is left as it is, and nothing is lost or mailed twice."""
    site = Installation(tmp_path)
    site.see(*(f"10.0.0.{n}" for n in range(200)))
    assert site.botalert("run", "--baseline").returncode == 0
    content = site.statefile.read_bytes()
    with closing(sqlite3.connect(site.statefile)) as connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'tally'"
        ).fetchone()
    start = (root - 1) * page
    site.statefile.write_bytes(content[:start] + b"\xff" * page + content[start + page :])
    before = site.statefile.read_bytes()
    assert site.run() == (0, [])
    assert site.statefile.read_bytes() == before
    site.see("10.0.0.1", second=60)
    for _ in range(2):
        status, (line,) = site.run()
        assert status == 74
        assert line.startswith(f"botalert: {site.statefile}: the state file is damaged: ")
        assert site.statefile.read_bytes() == before
    site.statefile.write_bytes(content)
    assert site.run() == (0, [])
    assert {each["source"]: each["packets"] for each in site.detections()}["10.0.0.1"] == 2
    assert site.mails() == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A state file with a source that was mailed about and one that was not."""
    path = tmp_path_factory.mktemp("whole") / "state.db"
    with state.opened(str(path)) as memory:
        memory.record(LOG, found(("smtp", "192.168.1.10")), REACHED, message_ids())
        memory.mark_sent(memory.pending(SIGNALS)[0], NOW)
        memory.record(LOG, found(("smtp", "192.168.1.11")), REACHED, message_ids())
    return path.read_bytes()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damaged_bytes_are_told_of(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    """Whichever bytes are overwritten, reading and writing either work or say what is wrong."""
    content = bytearray(whole)
    written = [place for place, byte in enumerate(content) if byte]
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.sampled_from(written))] = data.draw(st.integers(0, 255))
    path = str(tmp_path_factory.mktemp("damaged") / "state.db")
    Path(path).write_bytes(content)
    try:
        with state.opened_for_reading(path) as reader:
            if reader is not None:
                reader.alerts(SIGNALS)
        with state.opened(path) as memory:
            memory.record(LOG, found(("smtp", "192.168.1.11")), REACHED, message_ids())
            memory.pending(SIGNALS)
            memory.forget("192.168.1.10", None)
    except BotalertError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)


def test_reading_while_a_change_is_cut_short_is_for_later(tmp_path: Path) -> None:
    """What a killed run left half written is the next run's to mend; `list` says so."""
    site = Installation(tmp_path)
    site.see("192.168.1.10")
    assert site.run() == (0, [])
    # The journal as it stands in the middle of a change, as SIGKILL leaves it.
    with closing(sqlite3.connect(site.statefile, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO alert VALUES (?, 'smtp', ?, NULL, NULL, 0)",
            [(f"10.0.{n >> 8}.{n & 255}", "x" * 200) for n in range(2000)],
        )
        left = tmp_path / "left"
        shutil.copytree(site.statefile.parent, left)
        connection.execute("ROLLBACK")
    for file in left.iterdir():
        shutil.copy(file, site.statefile.parent / file.name)
    done = site.botalert("list")
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == (
        f"botalert: {site.statefile}: a run was interrupted in a change. The next run mends it.\n"
    )
    assert site.run() == (0, [])
    assert site.alerts() == {"192.168.1.10": "sent"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk],
        capture_output=True,
        check=False,
        text=True,
    )
    if mounted.returncode:
        lack(f"the right to mount a tmpfs ({mounted.stderr.strip()})")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_full_disk_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    """One line and 74, no mail about what is not remembered; with space again all is made good."""
    site = Installation(tmp_path)
    site.statefile = small_disk / "state.db"
    site.configure()
    site.see("192.168.1.10")
    assert site.run() == (0, [])
    ballast = small_disk / "ballast"
    space = os.statvfs(small_disk)
    ballast.write_bytes(b"x" * (space.f_bavail * space.f_bsize))
    machines = [f"192.168.1.{n}" for n in range(11, 31)]
    site.see(*machines)
    for _ in range(2):
        status, (line,) = site.run()
        assert status == 74
        assert line.startswith(f"botalert: {site.statefile}: ")
        assert line.endswith("Free some space or look at the disk.")
        assert len(site.mails()) == 1
        assert site.alerts() == {"192.168.1.10": "sent"}
    ballast.unlink()
    assert site.run() == (0, [])
    assert len(site.mails()) == 21
    assert site.run() == (0, [])
    assert {each["source"]: each["packets"] for each in site.detections()} == dict.fromkeys(
        ["192.168.1.10", *machines], 1
    )


def test_state_in_a_place_that_is_no_directory_is_told(tmp_path: Path) -> None:
    """A file where the directory should be, and a directory where the file should be."""
    site = Installation(tmp_path)
    site.append(packet_line("192.168.1.10"))
    (tmp_path / "state").write_text("")
    status, (line,) = site.run()
    assert (status, line.partition(": ")[2].partition(": ")[0]) == (73, str(tmp_path / "state"))
    (tmp_path / "state").unlink()
    site.statefile.parent.mkdir()
    told = f"botalert: {site.statefile}: is there, and no plain file. Name another in statefile:."
    for make in (os.mkdir, os.mkfifo):
        make(site.statefile)
        for command in (["run"], ["list"], ["forget", "192.168.1.10"]):
            done = site.botalert(*command)
            assert (done.returncode, done.stderr.splitlines()) == (73, [told])
        (os.rmdir if make is os.mkdir else os.unlink)(site.statefile)
