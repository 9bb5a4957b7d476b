"""
The state file: one SQLite file that is remembered between runs.

What a run found and how far it read are one transaction, so a crash leaves
both or neither; an alert is marked sent only after the mail server took it.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from botalert.course import Course, Episode, Seen, detected
from botalert.detect import (
    ENDS,
    IGNORED,
    KNOWN,
    PENDING,
    SENT,
    Alert,
    Detection,
    detection_rank,
    signal_order,
)
from botalert.directories import make_directories
from botalert.errors import CannotCreateError, TryAgainError, reading_error, writing_error
from botalert.packing import (
    OPEN,
    is_course,
    packed,
    packed_course,
    packed_with,
    tallies_in,
    unpacked,
    unpacked_course,
)
from botalert.state.faults import damaged, readable, told
from botalert.state.schema import MIGRATIONS, check_identity, check_integrity, legible, migrate
from botalert.tally import Tally, merged
from botalert.windows import Rules

if TYPE_CHECKING:
    import sqlite3

FILE_MODE = 0o600
DIRECTORY_MODE = 0o750

# Rows are some hundreds of bytes, evidence and all: in pages twice as large as
# SQLite's own choice they are updated a quarter faster.  It holds for new files.
PAGE_BYTES = 8192
# What a transaction changes stays in memory up to this; SQLite's own 2 MB are
# written and synced many times over when many sources are updated.
CACHE_KIBIBYTES = 65536

# So many tallies are read, packed and written at once: 2 KB each.  Larger batches
# are no faster.
BATCH = 1024

Found = tuple[str, str, str, bool | None]
"""A source, a signal, and what it saw, packed: a tally, which is to be added to what
is known; or a course that went on from it, with whether its threshold is met."""


class State:
    """
    The state file, open.

    Use :func:`opened` or :func:`opened_for_reading`.  Before the first change
    the whole file is checked, once: SQLite would write around damage that it
    doesn't meet.
    """

    def __init__(self, path: str, connection: "sqlite3.Connection", *, checked: bool) -> None:
        self._path = path
        self._connection = connection
        self._checked = checked

    def cursor(self, log: str) -> str | None:
        """Give how far *log* has been read; None if it never was."""
        row = self._connection.execute("SELECT body FROM cursor WHERE log = ?", (log,)).fetchone()
        if row is None:
            return None
        if not isinstance(row[0], str):
            raise damaged(self._path, "a cursor is no text")
        return row[0]

    def record(
        self,
        log: str,
        found: Iterable[Found],
        cursor: str,
        new_message_id: Callable[[], str],
        *,
        alerted: datetime | None = None,
    ) -> int:
        """
        Add what was read of *log*, with how far that was, in one transaction.

        A source that its signal had not been seen to find before becomes a
        pending alert; with *alerted*, one that is known since then.  Where
        there is nothing to add, nothing is written.

        Args:
            log: The log's name.
            found: Each source and signal once; fastest in their order,
                as the file has them.  A batch of them is in memory at a time.
            cursor: How far the log was read.
            new_message_id: Makes the Message-ID of a new alert.
            alerted: Since when the new ones are known, and not to be sent.

        Returns:
            How many detections are new.
        """
        rest = iter(found)
        first = list(islice(rest, 1))
        if not first and cursor == self.cursor(log):
            return 0
        moment, ended = (alerted.isoformat(), KNOWN) if alerted else (None, None)
        new = 0
        with self._transaction() as connection:
            for batch in _batches(chain(first, rest)):
                found_now = self._add(connection, log, batch)
                new += connection.executemany(
                    "INSERT INTO alert (source, signal, message_id, alerted, ended) "
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    [(*key, new_message_id(), moment, ended) for key in found_now],
                ).rowcount
            connection.execute(
                "INSERT OR REPLACE INTO cursor (log, body) VALUES (?, ?)", (log, cursor)
            )
        return new

    def _add(
        self, connection: "sqlite3.Connection", log: str, batch: Sequence[Found]
    ) -> list[tuple[str, str]]:
        """Add *batch* to what *log* told; return sources and signals that may be new detections."""
        look = "SELECT body FROM tally WHERE source = ? AND signal = ? AND log = ?"
        rows = []
        may_be_new = []
        for source, signal, seen, is_met in batch:
            body, key = seen, (source, signal, log)
            known = None if is_met is not None else connection.execute(look, key).fetchone()
            if known is not None:
                with readable(self._path):
                    body = _joined(known[0], seen)
            rows.append((*key, body))
            # A tally is a detection; it is no new one if it was there before.
            if is_met or (is_met is None and (known is None or is_course(known[0]))):
                may_be_new.append((source, signal))
        connection.executemany(
            "INSERT INTO tally (source, signal, log, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET body = excluded.body",
            rows,
        )
        return may_be_new

    def settle(
        self,
        rules: Mapping[str, Rules],
        new_message_id: Callable[[], str],
        *,
        alerted: datetime | None = None,
    ) -> int:
        """
        See which sources came back after a silence of all logs.

        Each episode becomes an alert; one that is still pending when another
        follows stays so.

        Args:
            rules: Those of the signals that have thresholds.
            new_message_id: Makes the Message-ID of a new alert.
            alerted: Since when the new ones are known, and not to be sent.

        Returns:
            How many episodes are new detections.
        """
        # A run that was interrupted left some, perhaps with another configuration.
        marks = ", ".join("?" * len(rules))
        waiting = self._connection.execute(
            "SELECT DISTINCT source, signal FROM tally "
            f"WHERE signal IN ({marks}) AND substr(body, 1, {len(OPEN)}) = ?",
            (*rules, OPEN),
        ).fetchall()
        if not waiting:
            return 0
        new = 0
        with self._transaction() as connection:
            for source, signal in waiting:
                episodes = self._settle(connection, source, signal, rules[signal])
                new += self._alert(connection, (source, signal), episodes, new_message_id, alerted)
        return new

    def _settle(
        self, connection: "sqlite3.Connection", source: str, signal: str, rules: Rules
    ) -> list[Episode]:
        """Settle what all logs tell of *source*; give the episodes that alert."""
        where = "WHERE source = ? AND signal = ?"
        rows = connection.execute(
            f"SELECT log, body FROM tally {where} ORDER BY log", (source, signal)
        ).fetchall()
        whole = Course(rules)
        # Without realert: for a while, tallies do not say of which episode they are.
        look = f"SELECT episode FROM alert {where}"
        whole.ended = max(connection.execute(look, (source, signal)).fetchone() or (0,))
        with readable(self._path):
            for log, body in rows:
                course = _course_of(log, body, rules)
                whole.logs.update(course.logs)
                whole.ended = max(whole.ended, course.ended)
        episodes = whole.episodes()
        whole.settle()
        connection.execute(f"DELETE FROM tally {where}", (source, signal))
        for log, pieces in whole.logs.items():
            course = Course(rules)
            course.ended, course.logs = whole.ended, {log: pieces}
            connection.execute(
                "INSERT INTO tally (source, signal, log, body) VALUES (?, ?, ?, ?)",
                (source, signal, log, packed_course(course)),
            )
        return episodes

    def _alert(
        self,
        connection: "sqlite3.Connection",
        key: tuple[str, str],
        episodes: Sequence[Episode],
        new_message_id: Callable[[], str],
        alerted: datetime | None,
    ) -> int:
        """Make an alert of each of *episodes*, of source and signal, that has none; count them."""
        last = connection.execute(
            "SELECT episode, message_id, alerted FROM alert WHERE source = ? AND signal = ?", key
        ).fetchone()
        new = [
            (number, new_message_id()) for number, _ in episodes if last is None or number > last[0]
        ]
        if not new:
            return 0
        *earlier, (number, message_id) = new
        if alerted:  # All are known.
            earlier = []
        if last is not None and last[2] is None:
            earlier.insert(0, last[:2])
        tallies = dict(episodes)
        if not all(each in tallies for each, _ in earlier):
            raise damaged(self._path, "a pending alert has no tally")
        connection.executemany(
            "INSERT INTO earlier_alert (source, signal, episode, message_id, body) "
            "VALUES (?, ?, ?, ?, ?)",
            [(*key, each, its_id, packed(tallies[each])) for each, its_id in earlier],
        )
        moment, ended = (alerted.isoformat(), KNOWN) if alerted else (None, None)
        connection.execute(
            "INSERT OR REPLACE INTO alert (source, signal, message_id, alerted, ended, episode) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (*key, message_id, moment, ended, number),
        )
        return len(new)

    def alerts(self, signal_names: Sequence[str]) -> list[Alert]:
        """Give every detection on record with its alert, in the order that people see."""
        return self._in_order(self._alerts("alert"), signal_names)

    def pending(self, signal_names: Sequence[str]) -> list[Alert]:
        """
        Give the alerts that are still to be sent, in the order that people see.

        Those of earlier episodes stand first, the earliest before all.
        """
        # SQLite would go through all the alerts, which are in the wanted order, too.
        waiting = "alert INDEXED BY alert_pending WHERE alerted IS NULL"
        alerts = [
            *self._earlier_alerts(signal_names),
            *self._in_order(self._alerts(waiting), signal_names),
        ]
        if alerts:
            # They are going to be sent, and a file that cannot remember it
            # would have them sent by every run.
            self._check()
        return alerts

    def mark_sent(self, alert: Alert, moment: datetime) -> None:
        """Remember that the mail server took *alert*."""
        self._end(alert, SENT, moment)

    def mark_ignored(self, alert: Alert, moment: datetime) -> None:
        """Remember that nobody wants *alert*."""
        self._end(alert, IGNORED, moment)

    def _end(self, alert: Alert, ended: str, moment: datetime) -> None:
        mail = (alert.detection.source, alert.detection.signal, alert.message_id)
        with self._transaction() as connection:
            connection.execute(
                "UPDATE alert SET alerted = ?, ended = ? "
                "WHERE source = ? AND signal = ? AND message_id = ?",
                (moment.isoformat(), ended, *mail),
            )
            # What became of an earlier episode's is not on record.
            connection.execute(
                "DELETE FROM earlier_alert WHERE source = ? AND signal = ? AND message_id = ?",
                mail,
            )

    def forget(self, source: str, signal: str | None) -> int:
        """
        Forget *source*, or only what *signal* found of it.

        Returns:
            How many detections were forgotten; or of how many signals the counts
            were that had led to none.
        """
        parameters = (source,) if signal is None else (source, signal)
        where = "WHERE source = ?" + ("" if signal is None else " AND signal = ?")
        with self._transaction() as connection:
            counted = connection.execute(
                f"SELECT count(DISTINCT signal) FROM tally {where}", parameters
            ).fetchone()[0]
            connection.execute(f"DELETE FROM tally {where}", parameters)
            connection.execute(f"DELETE FROM earlier_alert {where}", parameters)
            alerts = connection.execute(f"DELETE FROM alert {where}", parameters).rowcount
            return alerts or int(counted)

    def _alerts(self, chosen: str) -> Iterator[Alert]:
        # A log's name orders what several logs tell of one source, as a run
        # reads them; the moments at which runs happen must not.
        rows = self._connection.execute(
            "SELECT source, signal, message_id, alerted, ended, episode, body "
            f"FROM (SELECT * FROM {chosen}) JOIN tally USING (source, signal) "
            "ORDER BY source, signal, log"
        )
        for alert, group in groupby(rows, key=lambda row: row[:6]):
            source, signal, message_id, alerted, ended, episode = alert
            self._check_texts(source, signal, message_id)
            if ended not in (ENDS if alerted else (None,)):
                raise damaged(self._path, f"an alert cannot have ended as {ended!r}")
            with readable(self._path):
                bodies = [row[6] for row in group]
                own = [tally for body in bodies for tally in tallies_in(body, episode)]
                # A run that was interrupted has not told of which episode they are.
                own = own or [tally for body in bodies for tally in tallies_in(body)]
                tally = merged(own)
            moment = self._moment(alerted) if alerted else None
            yield Alert(Detection(signal, source, tally), message_id, moment, ended or PENDING)

    def _earlier_alerts(self, signal_names: Sequence[str]) -> Iterator[Alert]:
        """Give the pending alerts of earlier episodes, the earliest of them first."""
        rows = self._connection.execute(
            "SELECT episode, source, signal, message_id, body FROM earlier_alert ORDER BY episode"
        )
        for _, group in groupby(rows, key=lambda row: row[0]):
            yield from self._in_order(map(self._earlier_alert, group), signal_names)

    def _earlier_alert(self, row: tuple[int, str, str, str, str]) -> Alert:
        _, source, signal, message_id, body = row
        self._check_texts(source, signal, message_id)
        with readable(self._path):
            return Alert(Detection(signal, source, unpacked(body)), message_id, None)

    def _check_texts(self, *texts: object) -> None:
        """Check what an alert has."""
        # To a connection that only reads, SQLite leaves CHECKs unknown.
        if not all(isinstance(each, str) for each in texts):
            raise damaged(self._path, "an alert is no text")

    def _moment(self, text: str) -> datetime:
        try:
            return datetime.fromisoformat(text)
        except (ValueError, TypeError) as error:
            raise damaged(self._path, str(error)) from error

    @staticmethod
    def _in_order(alerts: Iterable[Alert], signal_names: Sequence[str]) -> list[Alert]:
        order = signal_order(signal_names)
        return sorted(alerts, key=lambda alert: detection_rank(alert.detection, order))

    def _check(self) -> None:
        """Check the whole file, if that was not done yet."""
        if not self._checked:
            check_integrity(self._path, self._connection)
            self._checked = True

    @contextmanager
    def _transaction(self) -> Iterator["sqlite3.Connection"]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._check()
            yield self._connection
            self._connection.execute("COMMIT")
        finally:
            # Some errors, a full disk among them, have rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def row_of(signal: str, source: str, seen: Seen) -> tuple[tuple[str, str], Found]:
    """Make of what was *seen* what :meth:`State.record` takes, ranked as the file has it."""
    if isinstance(seen, Tally):
        return (source, signal), (source, signal, packed(seen), None)
    if seen.rules.realert is not None:
        # Whether it is a new detection depends on the other logs, too.
        body, is_met = packed_course(seen, is_open=seen.is_changed), False
    else:
        is_met = seen.episode() is not None
        seen.settle()
        body = packed_course(seen)
    return (source, signal), (source, signal, body, is_met)


def _joined(known: str, seen: str) -> str:
    """Write *known* and *seen*, read after it, as one."""
    if is_course(known):  # Its signal had a threshold when that was written.
        return packed(merged([*tallies_in(known), unpacked(seen)]))
    return packed_with(known, seen)


def _course_of(log: str, body: str, rules: Rules) -> Course:
    if is_course(body):
        return unpacked_course(body, rules)
    return detected(rules, log, unpacked(body))


class Courses:
    """
    What earlier runs left of the thresholds of sources; can be sent to another process.

    Args:
        path: The state file's.
        log: Of which log.
        rules: Those of the signals that have thresholds.
    """

    def __init__(self, path: str, log: str, rules: Mapping[str, Rules]) -> None:
        self._path = path
        self._log = log
        self._rules = rules
        self._connection: sqlite3.Connection | None = None

    def __call__(self, signal: str, source: str) -> Course | None:
        """Return what *signal* knows of *source*; None if it is new."""
        import sqlite3

        with told(self._path):
            if self._connection is None:
                address = f"file:{quote(os.path.abspath(self._path))}?mode=ro"
                self._connection = sqlite3.connect(address, uri=True, isolation_level=None)
            row = self._connection.execute(
                "SELECT body FROM tally WHERE source = ? AND signal = ? AND log = ?",
                (source, signal, self._log),
            ).fetchone()
        if row is None:
            return None
        with readable(self._path):
            return _course_of(self._log, row[0], self._rules[signal])

    def __getstate__(self) -> tuple[str, str, Mapping[str, Rules]]:
        """Leave the connection behind."""
        return self._path, self._log, self._rules

    def __setstate__(self, known: tuple[str, str, Mapping[str, Rules]]) -> None:
        """Connect anew when that is needed."""
        self.__init__(*known)  # type: ignore[misc]


def _batches(found: Iterable[Found]) -> Iterator[list[Found]]:
    rest = iter(found)
    while batch := list(islice(rest, BATCH)):
        yield batch


def make_directory(path: str) -> None:
    """
    Make the directory in which the file *path* will stand.

    Raises:
        BotalertError: It cannot be made.
    """
    directory = os.path.dirname(path) or "."
    try:
        make_directories(directory, DIRECTORY_MODE)
    except OSError as error:
        raise writing_error(directory, error) from error


@contextmanager
def opened(path: str) -> Iterator[State]:
    """
    Open the state file at *path* for writing; make it if it isn't there.

    An older schema is brought up to date, each step together with its own
    record.

    Raises:
        BotalertError: It cannot be made or written, is damaged, is another
            program's, or was written by a newer botalert.
    """
    import sqlite3

    make_directory(path)
    _make_file(path)
    with told(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with legible(path):
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            # The whole file is one to copy or delete, and no transaction is
            # lost to a power failure.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = FULL")
            outdated = check_identity(path, connection) < len(MIGRATIONS)
            if outdated:
                check_integrity(path, connection)
                migrate(connection)
        yield State(path, connection, checked=outdated)


def _make_file(path: str) -> None:
    new = not exists(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            if new:
                os.fchmod(descriptor, FILE_MODE)  # Whatever the umask is.
        finally:
            os.close(descriptor)
    except OSError as error:
        raise writing_error(path, error) from error


def exists(path: str) -> bool:
    """
    Tell whether there is a state file at *path*.

    Raises:
        BotalertError: It may not be read, or is no plain file.
    """
    try:
        # Opening a FIFO would wait for whoever writes to it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CannotCreateError(
                f"{path}: is there, and no plain file. Name another in statefile:."
            )
        with open(path, "rb"):
            return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise reading_error(path, error) from error


@contextmanager
def opened_for_reading(path: str) -> Iterator[State | None]:
    """
    Open the state file at *path* without changing it; None if there is none.

    Raises:
        BotalertError: It may not be read, is damaged, is not ours, or has an
            older schema.
    """
    import sqlite3

    if not exists(path):
        yield None
        return
    address = f"file:{quote(os.path.abspath(path))}?mode=ro"
    with (
        told(path),
        closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection,
    ):
        with legible(path):
            version = check_identity(path, connection)
            check_integrity(path, connection)
        if 0 < version < len(MIGRATIONS):
            raise TryAgainError(
                f"{path}: was written by an older botalert. The next run brings it up to date."
            )
        yield State(path, connection, checked=True) if version else None
