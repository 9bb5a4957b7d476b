"""
Parts of tallies in a temporary file, and read back sorted: an external merge sort.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from botalert.course import Seen, met
from botalert.detect import Detection, signal_rank
from botalert.errors import InputOutputError
from botalert.model import source_rank
from botalert.packing import packed, packed_any, unpacked, unpacked_any
from botalert.scan import Part
from botalert.windows import Rules

if TYPE_CHECKING:
    import sqlite3

CACHE_KIBIBYTES = 8192


class PartsFile:
    """
    Parts of tallies, in a temporary file.

    Args:
        rules: Those of signals that have thresholds.

    Attributes:
        void: The numbers of attempts that don't count.
    """

    def __init__(self, rules: Mapping[str, Rules]) -> None:
        self.void: set[int] = set()
        self._rules = rules
        self._written = 0
        with _told():
            self._connection = _temporary_file()
            self._connection.execute(
                "CREATE TABLE part (source TEXT, signal TEXT, attempt INTEGER, place INTEGER, "
                "number INTEGER, body TEXT)"
            )

    def close(self) -> None:
        """Remove the file."""
        self._connection.close()

    def write(self, part: Part, attempt: int) -> None:
        """Add *part*, which the attempt of that number found."""
        rows = (
            (source, signal, attempt, part.place, self._written, packed_any(seen))
            for (signal, source), seen in part.tallies.items()
        )
        with _told():
            _insert(self._connection, "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._written += 1

    def items(self) -> Iterator[tuple[tuple[str, str], Seen]]:
        """Give each signal and source once, with all that was written; in order of source."""
        for source, signal, bodies in self._groups():
            yield (signal, source), self._united(signal, bodies)

    def found(self) -> Iterator[tuple[str, str, int, str]]:
        """Give signal and source of each detection, its packets and it, packed; in that order."""
        for source, signal, bodies in self._groups():
            if signal not in self._rules and len(bodies) == 1:
                yield signal, source, unpacked(bodies[0]).packets, bodies[0]
                continue
            tally = met(self._united(signal, bodies))
            if tally is not None:
                yield signal, source, tally.packets, packed(tally)

    def _united(self, signal: str, bodies: Iterable[str]) -> Seen:
        rules = self._rules.get(signal)
        parts = (unpacked_any(body, rules) for body in bodies)
        whole = next(parts)
        for part in parts:
            whole.merge(part)  # type: ignore[arg-type]
        return whole

    def _groups(self) -> Iterator[tuple[str, str, list[str]]]:
        """Give each source and signal with its packed parts in reading order."""
        with _told():
            rows = self._connection.execute(
                "SELECT source, signal, attempt, body FROM part "
                "ORDER BY source, signal, attempt, place, number"
            )
            valid = (row for row in rows if row[2] not in self.void)
            for (source, signal), group in groupby(valid, key=lambda row: row[:2]):
                yield source, signal, [row[3] for row in group]


def ranked(file: PartsFile, order: Mapping[str, int]) -> Iterator[Detection]:
    """Sort what *file* holds once more, as people see it."""
    rows = (
        (*signal_rank(signal, order), -packets, _sort_key(source), source, signal, body)
        for signal, source, packets, body in file.found()
    )
    with _told(), closing(_temporary_file()) as connection:
        connection.execute(
            "CREATE TABLE detection (place INTEGER, name TEXT, fewer INTEGER, rank BLOB, "
            "source TEXT, signal TEXT, body TEXT)"
        )
        _insert(connection, "INSERT INTO detection VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        for source, signal, body in connection.execute(
            "SELECT source, signal, body FROM detection ORDER BY place, name, fewer, rank, source"
        ):
            yield Detection(signal, source, unpacked(body))


def _sort_key(source: str) -> bytes:
    """Write :func:`source_rank` as bytes of the same order: IPv6 is too long for SQLite."""
    version, number, text = source_rank(source)
    return bytes([version]) + number.to_bytes(16, "big") + text.encode()


def _temporary_file() -> "sqlite3.Connection":
    """Open a file without a name: it is gone when it is closed, or the process dies."""
    import sqlite3

    connection = sqlite3.connect("", isolation_level=None)
    # What stands in it is lost with the process, so nothing is to be safe on the disk.
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    return connection


def _insert(
    connection: "sqlite3.Connection", statement: str, rows: Iterable[tuple[str | int | bytes, ...]]
) -> None:
    connection.execute("BEGIN")
    try:
        connection.executemany(statement, rows)
        connection.execute("COMMIT")
    finally:
        # A full disk has rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def _told() -> Iterator[None]:
    """Tell SQLite's errors with a temporary file as ours."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        raise InputOutputError(
            f"{_temporary_directory()}: no room for what was found: {error}. Free some space "
            "there, or name another directory in the variable SQLITE_TMPDIR."
        ) from error


def _temporary_directory() -> str:
    """Tell where SQLite makes its temporary files (sqlite.org/tempfiles.html, section 5)."""
    named = [os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR")]
    for directory in (*named, "/var/tmp", "/usr/tmp", "/tmp"):
        if directory and os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK):
            return directory
    return "."
