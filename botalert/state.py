"""
EDGE: what is remembered between runs.  Alone knows SQL.

One SQLite file.  What a run found and how far it read are one transaction,
so a crash leaves both or neither; an alert is marked sent only after the
mail server took it.
"""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import groupby
from urllib.parse import quote

from botalert.detect import Alert, Detection, detection_rank, signal_order
from botalert.directories import make_directories
from botalert.errors import (
    BotalertError,
    CannotCreateError,
    ConfigurationError,
    DataError,
    InputOutputError,
    NoPermissionError,
    TryAgainError,
    reading_error,
    writing_error,
)
from botalert.tally import Tallies, Tally, merged, packed, unpacked

# "bota" in ASCII: tells our files from other SQLite files (PRAGMA application_id).
APPLICATION_ID = 0x626F7461
FILE_MODE = 0o600
DIRECTORY_MODE = 0o750

# Step N brings a file of schema version N to N + 1.  Steps are never edited,
# only added: files of every version are out there.  The CHECKs let the
# integrity check find values of a wrong type, as STRICT would, which needs
# SQLite 3.37 (RHEL 9 has 3.34).
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # How far each log has been read; as botalert.log writes it.
        """CREATE TABLE cursor (
            log TEXT PRIMARY KEY CHECK (typeof(log) = 'text'),
            body TEXT NOT NULL CHECK (typeof(body) = 'text')
        )""",
        # What each log told of each source, by signal; as botalert.tally packs it.
        """CREATE TABLE tally (
            source TEXT NOT NULL CHECK (typeof(source) = 'text'),
            signal TEXT NOT NULL CHECK (typeof(signal) = 'text'),
            log TEXT NOT NULL CHECK (typeof(log) = 'text'),
            body TEXT NOT NULL CHECK (typeof(body) = 'text'),
            PRIMARY KEY (source, signal, log)
        )""",
        # The mail about each detection; pending while alerted is NULL.
        """CREATE TABLE alert (
            source TEXT NOT NULL CHECK (typeof(source) = 'text'),
            signal TEXT NOT NULL CHECK (typeof(signal) = 'text'),
            message_id TEXT NOT NULL CHECK (typeof(message_id) = 'text'),
            alerted TEXT CHECK (typeof(alerted) IN ('text', 'null')),
            PRIMARY KEY (source, signal)
        )""",
        "CREATE INDEX alert_pending ON alert (source, signal) WHERE alerted IS NULL",
    ),
)


class State:
    """
    The state file, open.

    Use :func:`opened` or :func:`opened_for_reading`.
    """

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def cursor(self, log: str) -> str | None:
        """Give how far *log* has been read; None if it never was."""
        row = self._connection.execute("SELECT body FROM cursor WHERE log = ?", (log,)).fetchone()
        return row[0] if row else None

    def record(
        self,
        log: str,
        tallies: Tallies,
        cursor: str,
        new_message_id: Callable[[], str],
        *,
        alerted: datetime | None = None,
    ) -> int:
        """
        Add what was read of *log*, with how far that was, in one transaction.

        A source that its signal had not been seen to find before becomes a
        pending alert; with *alerted*, one that counts as sent then.

        Returns:
            How many detections are new.
        """
        new = 0
        with self._transaction() as connection:
            for (signal, source), tally in tallies.items():
                known = connection.execute(
                    "SELECT body FROM tally WHERE source = ? AND signal = ? AND log = ?",
                    (source, signal, log),
                ).fetchone()
                whole = merged([self._unpacked(known[0]), tally]) if known else tally
                connection.execute(
                    "INSERT OR REPLACE INTO tally (source, signal, log, body) VALUES (?, ?, ?, ?)",
                    (source, signal, log, packed(whole)),
                )
                new += connection.execute(
                    "INSERT INTO alert (source, signal, message_id, alerted) "
                    "VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (source, signal, new_message_id(), alerted and alerted.isoformat()),
                ).rowcount
            connection.execute(
                "INSERT OR REPLACE INTO cursor (log, body) VALUES (?, ?)", (log, cursor)
            )
        return new

    def alerts(self, signal_names: Sequence[str]) -> list[Alert]:
        """Give every detection on record with its alert, in the order that people see."""
        return self._in_order(self._alerts("alert"), signal_names)

    def pending(self, signal_names: Sequence[str]) -> list[Alert]:
        """Give the alerts that are still to be sent, in the order that people see."""
        # SQLite would go through all the alerts, which are in the wanted order, too.
        waiting = "alert INDEXED BY alert_pending WHERE alerted IS NULL"
        return self._in_order(self._alerts(waiting), signal_names)

    def mark_sent(self, alert: Alert, moment: datetime) -> None:
        """Remember that the mail server took *alert*."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE alert SET alerted = ? WHERE source = ? AND signal = ? AND message_id = ?",
                (
                    moment.isoformat(),
                    alert.detection.source,
                    alert.detection.signal,
                    alert.message_id,
                ),
            )

    def forget(self, source: str, signal: str | None) -> int:
        """
        Forget *source*, or only what *signal* found of it.

        Returns:
            How many detections were forgotten.
        """
        parameters = (source,) if signal is None else (source, signal)
        where = "WHERE source = ?" + ("" if signal is None else " AND signal = ?")
        with self._transaction() as connection:
            connection.execute(f"DELETE FROM tally {where}", parameters)
            return connection.execute(f"DELETE FROM alert {where}", parameters).rowcount

    def _alerts(self, chosen: str) -> Iterator[Alert]:
        # A log's name orders what several logs tell of one source, as a run
        # reads them; the moments at which runs happen must not.
        rows = self._connection.execute(
            "SELECT source, signal, message_id, alerted, body "
            f"FROM (SELECT * FROM {chosen}) JOIN tally USING (source, signal) "
            "ORDER BY source, signal, log"
        )
        for (source, signal, message_id, alerted), group in groupby(rows, key=lambda r: r[:4]):
            # To a connection that only reads, SQLite leaves CHECKs unknown.
            if not all(isinstance(each, str) for each in (source, signal, message_id)):
                raise _damaged(self._path, "an alert is no text")
            tally = merged(self._unpacked(row[4]) for row in group)
            moment = self._moment(alerted) if alerted else None
            yield Alert(Detection(signal, source, tally), message_id, moment)

    def _unpacked(self, body: str) -> Tally:
        try:
            return unpacked(body)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise _damaged(self._path, f"a tally cannot be read: {error}") from error

    def _moment(self, text: str) -> datetime:
        try:
            return datetime.fromisoformat(text)
        except (ValueError, TypeError) as error:
            raise _damaged(self._path, str(error)) from error

    @staticmethod
    def _in_order(alerts: Iterable[Alert], signal_names: Sequence[str]) -> list[Alert]:
        order = signal_order(signal_names)
        return sorted(alerts, key=lambda alert: detection_rank(alert.detection, order))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        finally:
            # Some errors, a full disk among them, have rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


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

    Its integrity is checked, and an older schema is brought up to date, each
    step together with its own record.

    Raises:
        BotalertError: It cannot be made or written, is damaged, is another
            program's, or was written by a newer botalert.
    """
    make_directory(path)
    _make_file(path)
    with _told(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with _legible(path):
            # The whole file is one to copy or delete, and no transaction is
            # lost to a power failure.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = FULL")
            _check(path, connection)
            _migrate(connection)
        yield State(path, connection)


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
        BotalertError: It may not be read, is damaged, or is not ours.
    """
    if not exists(path):
        yield None
        return
    address = f"file:{quote(os.path.abspath(path))}?mode=ro"
    with (
        _told(path),
        closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection,
    ):
        with _legible(path):
            version = _check(path, connection)
        yield State(path, connection) if version == len(MIGRATIONS) else None


def _check(path: str, connection: sqlite3.Connection) -> int:
    """Tell the schema's version; 0 for a file that is still empty."""
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if identity != APPLICATION_ID and tables:
        raise ConfigurationError(
            [f"{path}: is another program's SQLite file. Name a file of botalert's own: statefile:"]
        )
    if version > len(MIGRATIONS):
        raise DataError(
            f"{path}: was written by a newer botalert (schema {version}, "
            f"this one knows {len(MIGRATIONS)}). Install that version again."
        )
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(path, verdict)
    return int(version)


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def _damaged(path: str, what: str) -> BotalertError:
    # SQLite tells it in several lines, and quotes the damage.
    what = " ".join(what.split())
    return InputOutputError(
        f"{path}: the state file is damaged: {what}. Restore it from a backup, or move it "
        "away: the next run begins a new one, and every source alerts again."
    )


@contextmanager
def _legible(path: str) -> Iterator[None]:
    """Tell of a schema that SQLite quotes in its message, and Python cannot read."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise _damaged(path, "its schema is no text") from error


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Tell SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _error_of(path, error) from error


def _error_of(path: str, error: sqlite3.Error) -> BotalertError:
    # The primary result code is the low byte of the extended one.
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    # Python's own errors have no code: bytes that are no text.
    if code in (0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    if extended == sqlite3.SQLITE_READONLY_ROLLBACK:
        return TryAgainError(f"{path}: a run was interrupted in a change. The next run mends it.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TryAgainError(f"{path}: another program is using it. Try again later.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return NoPermissionError(f"{path}: may not be written: {error}. Run as its owner.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return CannotCreateError(f"{path}: cannot be opened: {error}. Look at its directory.")
    return InputOutputError(f"{path}: {error}. Free some space or look at the disk.")
