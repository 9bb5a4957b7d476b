"""
The schema of the state file, its versions, and whether a file is one of ours.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from botalert.errors import ConfigurationError, DataError
from botalert.state.faults import damaged
from botalert.threshold import Measure

if TYPE_CHECKING:
    import sqlite3

# "bota" in ASCII: tells our files from other SQLite files (PRAGMA application_id).
APPLICATION_ID = 0x626F7461

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
    (
        # A tally was one JSON object; now its evidence stands behind the rest.
        "UPDATE tally SET body = without_names(body)",
    ),
    (
        # How the alert ended; NULL while it is pending.
        """ALTER TABLE alert ADD COLUMN ended TEXT
            CHECK (ended IN ('sent', 'known', 'ignored'))""",
        # Those that a baseline recorded were not told from those that were mailed.
        "UPDATE alert SET ended = 'sent' WHERE alerted IS NOT NULL",
    ),
    (
        # Which episode of the source it is about: realert: makes more than one.
        """ALTER TABLE alert ADD COLUMN episode INTEGER NOT NULL DEFAULT 0
            CHECK (typeof(episode) = 'integer')""",
    ),
    (
        # Alerts of earlier episodes that are still to be sent, each with the tally
        # of its own: the table of tallies goes on with the last.
        """CREATE TABLE earlier_alert (
            source TEXT NOT NULL CHECK (typeof(source) = 'text'),
            signal TEXT NOT NULL CHECK (typeof(signal) = 'text'),
            episode INTEGER NOT NULL CHECK (typeof(episode) = 'integer'),
            message_id TEXT NOT NULL CHECK (typeof(message_id) = 'text'),
            body TEXT NOT NULL CHECK (typeof(body) = 'text'),
            PRIMARY KEY (source, signal, episode)
        )""",
    ),
    (
        # Tallies count hours, and thresholds are gone on from, but never merged.
        "UPDATE tally SET body = with_hours(body) WHERE substr(body, 1, 1) = '['",
        "UPDATE tally SET body = forward_only(body) WHERE substr(body, 1, 1) = '{'",
        "UPDATE earlier_alert SET body = with_hours(body)",
    ),
)


def _without_names(body: str) -> str:
    """Write as schema 2 has it what schema 1 had in *body*."""
    old = json.loads(body)
    head = [
        *(old[name] for name in ("packets", "first_seen", "last_seen")),
        *(part for name in ("destinations", "ports") for part in old[name]),
        *(old[name] for name in ("interfaces", "macs")),
    ]
    return "\n".join(json.dumps(part, separators=(",", ":")) for part in (head, *old["evidence"]))


def _with_hours(body: str) -> str:
    """Write as schema 6 has it what schema 5 had in *body*, a tally: it knows of no hours."""
    head, newline, evidence = body.partition("\n")
    return f"{head[:-1]},{{}},{{}}]{newline}{evidence}"


def _forward_only(body: str) -> str:
    """
    Write as schema 6 has it what schema 5 had in *body*, a course.

    Of each piece it had, after settling, whether the threshold was met, moments,
    and the last values of each measure; what else was kept served merging.
    """
    old = json.loads(body)
    asked, values = _measures_in(old["asks"])
    logs = []
    for log, pieces in old["logs"]:
        kept, last, latest, tries = [], None, None, []
        for number, (episode, tally, since, stage) in enumerate(pieces):
            is_met, _, _, last, latest, _, tracks, *_ = stage
            kept.append([episode, _with_hours(tally), since, 0, [number] if is_met else []])
            parts = [] if asked is None else _tracks_of(asked, tracks)
            tries = [] if is_met else [[[number], [False, parts]]]
        logs.append([log, kept, last, latest, tries])
    new = {"open": old["open"], "asks": values, "ended": old["ended"], "logs": logs}
    return json.dumps(new, separators=(",", ":"))


def _measures_in(asks: str) -> tuple[tuple[Measure, ...] | None, str]:
    """Read what schema 5 said that a threshold asks; and write as schema 6 says it."""
    found = re.fullmatch(r"\((\(.*,\)|\(.*\)), (\(\(.*\),?\)), (\d+), (\d+|None)\)", asks)
    measures = tuple(
        Measure(
            int(each["number"]),
            each["what"],
            each["per"],
            int(each["window"]) if each["window"] else None,
        )
        for each in _MEASURE.finditer(found[1] if found else "")
    )
    ways = tuple((number,) for number in range(len(measures)))
    if found is None or found[2] != repr(ways):
        return None, asks  # Something that must hold at one moment with something else.
    realert = None if found[4] == "None" else int(found[4])
    return measures, repr((measures, int(found[3]), realert))


_MEASURE = re.compile(
    r"Measure\(number=(?P<number>\d+), what='(?P<what>[^']*)', "
    r"per=(?:None|'(?P<per>[^']*)'), window=(?:None|(?P<window>\d+))\)"
)


def _tracks_of(measures: Sequence[Measure], tracks: Sequence[Any]) -> list[Any]:
    """Unite the *tracks* of measures that count the same: that of the most knows what others do."""
    most: dict[tuple[str, str | None, bool], tuple[int, Any]] = {}
    for measure, track in zip(measures, tracks, strict=True):
        key = (measure.what, measure.per, measure.window is not None)
        most[key] = max(most.get(key, (0, None)), (measure.number, track), key=itemgetter(0))
    return [track for _, track in most.values()]


def check_identity(path: str, connection: "sqlite3.Connection") -> int:
    """
    Tell the schema's version; 0 for a file that is still empty.

    Raises:
        BotalertError: It is another program's, or of a newer botalert.
    """
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
    return int(version)


def check_integrity(path: str, connection: "sqlite3.Connection") -> None:
    """
    Read the whole file at *path* and tell what is damaged.

    A million sources take a second or more, so this is for those who are
    going to write, or to read it all anyway.

    Raises:
        BotalertError: It is damaged.
    """
    with legible(path):
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, verdict)


def migrate(connection: "sqlite3.Connection") -> None:
    """Bring an older schema up to date, each step together with its own record."""
    connection.create_function("without_names", 1, _without_names)
    connection.create_function("with_hours", 1, _with_hours)
    connection.create_function("forward_only", 1, _forward_only)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


@contextmanager
def legible(path: str) -> Iterator[None]:
    """Tell of a schema that SQLite quotes in its message, and Python cannot read."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise damaged(path, "its schema is no text") from error
