"""
What one run or scan found: tallies of any number of sources.

While they are few they are merged in memory.  What is more is written, in
parts, into a temporary file of SQLite's; reading it back sorts the parts and
merges those of each source, as they come: an external merge sort.  That a
tally's merge is associative makes the two the same.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botalert.detect import Detection, detections, signal_order, signal_rank
from botalert.errors import InputOutputError
from botalert.model import source_rank
from botalert.packing import packed, unpacked
from botalert.scan import Part, united
from botalert.tally import Tallies, Tally, unite, weight

if TYPE_CHECKING:
    import sqlite3

# So many ordinary sources are held in memory.
LIMIT = 16384

CACHE_KIBIBYTES = 32768


class Ledger:
    """
    Tallies by signal and source; a context manager.

    What was written to a temporary file is gone when this is closed, and when
    the process dies.

    Args:
        limit: So many ordinary sources stay in memory.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._weight = 0
        # What is in memory: of attempts that succeeded, and of the present one.
        self._settled: Tallies = {}
        self._held: list[Part] = []
        self._attempt = 1
        self._has_spilled = False
        self._file: _File | None = None

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget everything."""
        self._settled, self._held = {}, []
        if self._file is not None:
            self._file.close()

    def add(self, part: Part) -> None:
        """
        Take *part*, whose tallies are the ledger's from now on.

        Parts may come in any order of their places; of two with one place the
        first that comes was read first.

        Raises:
            InputOutputError: There is no space for it.
        """
        self._weight += weight(part.tallies)
        if self._held and self._held[-1].place == part.place:
            unite(self._held[-1].tallies, part.tallies)
        else:
            self._held.append(part)
        if self._weight < self._limit:
            return
        # What was added to a source that is held was weighed as if it were new.
        self._weight = weight(self._settled) + sum(weight(each.tallies) for each in self._held)
        if self._weight >= self._limit / 2:
            self._spill()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Keep all that is added within this block; or nothing of it, if the block fails."""
        self._settle()
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            if not succeeded:
                self._held.clear()
                if self._has_spilled and self._file is not None:
                    self._file.void.add(self._attempt)
            self._settle()

    def items(self) -> Iterator[tuple[tuple[str, str], Tally]]:
        """
        Give each signal and source once, with all that was added; in order of source and signal.

        Raises:
            InputOutputError: There is no space to sort them.
        """
        file = self._all_in_one()
        if file is None:
            yield from sorted(self._settled.items(), key=lambda pair: (pair[0][1], pair[0][0]))
            return
        for source, signal, _, bodies in file.groups():
            yield (signal, source), _united(bodies)

    def detections(self, signal_names: Sequence[str]) -> Iterator[Detection]:
        """
        Give each signal and source once, in the order that people see.

        Raises:
            InputOutputError: There is no space to sort them.
        """
        file = self._all_in_one()
        if file is None:
            yield from detections(self._settled, signal_names)
        else:
            yield from _ranked(file, signal_order(signal_names))

    def _all_in_one(self) -> "_File | None":
        """Bring everything together: in the file, or in memory if there is none."""
        self._settle()
        if self._file is not None:
            self._spill()
        return self._file

    def _settle(self) -> None:
        """End the present attempt; what it added counts."""
        if self._has_spilled:
            self._spill()
        else:
            unite(self._settled, united(self._held))
        self._held = []
        self._has_spilled = False
        self._attempt += 1

    def _spill(self) -> None:
        if self._file is None:
            self._file = _File()
        # An attempt of which something is in the file has nothing in memory.
        self._file.write(Part(0, self._settled), self._attempt - 1)
        for part in self._held:
            self._file.write(part, self._attempt)
        self._settled, self._held = {}, []
        self._has_spilled = True
        self._weight = 0


class _File:
    """
    Parts of tallies, in a temporary file.

    Attributes:
        void: The numbers of attempts that don't count.
    """

    def __init__(self) -> None:
        self.void: set[int] = set()
        self._written = 0
        with _told():
            self._connection = _temporary_file()
            self._connection.execute(
                "CREATE TABLE part (source TEXT, signal TEXT, attempt INTEGER, place INTEGER, "
                "number INTEGER, packets INTEGER, body TEXT)"
            )

    def close(self) -> None:
        """Remove the file."""
        self._connection.close()

    def write(self, part: Part, attempt: int) -> None:
        """Add *part*, which the attempt of that number found."""
        rows = (
            (source, signal, attempt, part.place, self._written, tally.packets, packed(tally))
            for (signal, source), tally in part.tallies.items()
        )
        with _told():
            _insert(self._connection, "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._written += 1

    def groups(self) -> Iterator[tuple[str, str, int, list[str]]]:
        """Give each source and signal with its packets and its packed parts in reading order."""
        with _told():
            rows = self._connection.execute(
                "SELECT source, signal, attempt, packets, body FROM part "
                "ORDER BY source, signal, attempt, place, number"
            )
            valid = (row for row in rows if row[2] not in self.void)
            for (source, signal), group in groupby(valid, key=lambda row: row[:2]):
                parts = list(group)
                yield source, signal, sum(row[3] for row in parts), [row[4] for row in parts]


def _ranked(file: _File, order: Mapping[str, int]) -> Iterator[Detection]:
    """Sort what *file* holds once more, as people see it."""
    rows = (
        (
            *signal_rank(signal, order),
            -packets,
            _sort_key(source),
            source,
            signal,
            bodies[0] if len(bodies) == 1 else packed(_united(bodies)),
        )
        for source, signal, packets, bodies in file.groups()
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


def _united(bodies: Iterable[str]) -> Tally:
    tallies = map(unpacked, bodies)
    whole = next(tallies)
    for tally in tallies:
        whole.merge(tally)
    return whole


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
