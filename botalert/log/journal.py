"""
The systemd journal as a log, read on by its cursor through journalctl.

The journal names every entry with a cursor, so nothing here has to guess
which entry was the last one read, except after it was vacuumed away:
``--after-cursor`` passes over one entry too many then (seen with journalctl
252).  So ``--cursor`` is asked for, which begins at the entry itself or at
the next one, and what comes is compared with what is known.

Only the kernel's entries are read, of every boot: ``-k`` would mean the
current boot only (journalctl(1)).  With them comes what journald says when
the kernel's buffer overran it, so that this can be told.
"""

import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO, NamedTuple, cast

from botalert.errors import (
    BotalertError,
    InputOutputError,
    NoInputError,
    NoPermissionError,
    UnavailableError,
)
from botalert.log.blocks import LineBlocks, LogStream
from botalert.log.names import JOURNAL_PATH
from botalert.model import FirstRun
from botalert.times import CLOCK_SKEW

PROGRAM = "journalctl"

# What the first run reads unless it is told otherwise: cron.daily's span.
_LIVE_SPAN = timedelta(hours=24)

# SD_MESSAGE_JOURNAL_MISSED, systemd's catalog: "Missed N kernel messages".
_OVERRUN_ID = "e9bf28e6e834481bb6f48f548ad13606"
_KERNELS = ("_TRANSPORT=kernel", "+", "_TRANSPORT=driver", f"MESSAGE_ID={_OVERRUN_ID}")
_FIELDS = (
    "MESSAGE",
    "SYSLOG_IDENTIFIER",
    "_HOSTNAME",
    "_SOURCE_MONOTONIC_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
    "_TRANSPORT",
)
# lib/ratelimit.c (Linux) and journald-kmsg.c; a quote inside of a message is
# escaped, so no packet's prefix can look like them.
_SUPPRESSED = re.compile(rb'"MESSAGE":"net_ratelimit: ([0-9]{1,18}) callbacks suppressed')
_OVERRUN = re.compile(rb'"MESSAGE":"Missed ([0-9]{1,18}) kernel messages')

_PIPE_BYTES = 1 << 16

Consumer = Callable[[Iterable[bytes]], None]
"""Takes the blocks that are new."""


@contextmanager
def opened(
    log: str,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    every_transport: bool = False,
) -> Iterator[LogStream]:
    """
    Open the journal for one reading, as lines of JSON.

    *since* and *until* only save reading: journald notes when it received
    an entry, its sender may say that it was a little earlier.  Who reads
    has to look at each packet's own time.

    Raises:
        BotalertError: There is no such journal, or journalctl is missing or
            fails, also while the stream is read.
    """
    bounds = []
    if since is not None:
        bounds.append(f"--since={_stamp(_microseconds(since))}")
    if until is not None:
        bounds.append(f"--until={_stamp(_microseconds(until + CLOCK_SKEW))}")
    with _running(log, bounds, every_transport=every_transport) as output:
        yield output
        if not output.given_bytes:
            _demand_readable(log)


class Entry(NamedTuple):
    """
    What tells an entry of the journal from all others.

    Attributes:
        cursor: The journal's own name for it.
        time: When journald received it; microseconds since 1970.
    """

    cursor: str
    time: int

    @property
    def parts(self) -> dict[str, str]:
        """The cursor's parts: s is the numbering, i the number in it, the others what it is."""
        return dict(part.partition("=")[::2] for part in self.cursor.split(";"))

    def is_same(self, other: "Entry") -> bool:
        """
        Tell whether the two are one entry.

        journald numbers anew what it moves from /run to /var (--flush), but
        its boot, times and content stay.
        """
        mine, others = self.parts, other.parts
        if mine.get("s") == others.get("s"):
            return mine.get("i") == others.get("i")
        return all(mine.get(part) == others.get(part) for part in "bmtx")

    def is_of_numbering(self, other: "Entry") -> bool:
        """Tell whether one journald, without a loss of its files, numbered both."""
        return self.parts.get("s") == other.parts.get("s")


class JournalReading:
    """
    One reading of the journal.

    Args:
        log: "journal", or "journal:PATH" for a directory or a file.
        known: How far it was read; None if it never was.
        first: What is read then; of the "live" journal, the last 24 hours.
        now: When this run began.
        every_transport: Whether to read what programs write, too.

    Attributes:
        read_bytes: How much was new, as JSON.
        faults: What journalctl complained of although it went on.
        missing: Which span is missing, if the last entry read is gone; else None.
        suppressed: How many messages the kernel kept back (net_ratelimit).
        overrun: How many of the kernel's messages journald was too slow for.
    """

    def __init__(
        self,
        log: str,
        known: str | None,
        first: FirstRun,
        now: datetime,
        *,
        every_transport: bool = False,
    ) -> None:
        self.read_bytes = 0
        self.faults: list[BotalertError] = []
        self.missing: str | None = None
        self.suppressed = 0
        self.overrun = 0
        self._log = log
        self._first = first if known is None else None
        self._now = now
        self._every_transport = every_transport
        self._last, self._since = _unpacked(known) if known else (None, 0)

    def read(self, consume: Consumer) -> None:
        """
        Give all entries that are new to *consume*, in the journal's order.

        Raises:
            BotalertError: There is no such journal, or journalctl is missing
                or fails, perhaps in the middle: then *consume* sees the
                error, too, must forget what it had, and the cursor stays.
        """
        if self._first is not None:
            self._begin(self._first)
            if self._first is FirstRun.NEW:
                return
        if self._last is None:
            self._consume(consume, self._last, [f"--since={_stamp(self._since)}"])
            return
        start = [f"--cursor={self._last.cursor}"]
        if not self._consume(consume, self._last, start) and self._is_replaced(self._last):
            self._consume(consume, self._last, [])

    def cursor(self) -> str:
        """Tell how far the journal has been read, as text to be kept."""
        if self._last is None:
            return json.dumps({"since": self._since})
        return json.dumps({"cursor": self._last.cursor, "time": self._last.time})

    def remarks(self) -> list[str]:
        """Tell what is worth knowing and no fault: messages that never came into the journal."""
        told = []
        if self.suppressed:
            told.append(f"the kernel kept back {self.suppressed} messages (its rate limit)")
        if self.overrun:
            told.append(f"journald missed {self.overrun} of the kernel's messages")
        return told

    def _begin(self, first: FirstRun) -> None:
        if first is FirstRun.ALL:
            self._since = 0
        elif first is FirstRun.LIVE:
            self._since = _microseconds(self._now - _LIVE_SPAN)
        else:
            self._since = _microseconds(self._now)
            self._last = self._newest()
            if self._last is None:
                _demand_readable(self._log)

    def _newest(self) -> Entry | None:
        with self._running(["--lines=1"]) as output:
            return _entry(output.read().rstrip(b"\n").rpartition(b"\n")[2])

    def _is_replaced(self, known: Entry) -> bool:
        """
        Tell whether the journal was begun anew, with nothing later than *known*.

        A clock that was ahead makes a new journal look older than what was
        read of the lost one.
        """
        newest = self._newest()
        return newest is not None and not newest.is_of_numbering(known)

    def _consume(self, consume: Consumer, known: Entry | None, start: Sequence[str]) -> bool:
        """Give what follows *known*; tell whether anything came, be it known."""
        with self._running(start) as output:
            entries = _NewEntries(LineBlocks(output, unfinished=False), known, begun=bool(start))
            consume(entries)
            if not output.given_bytes:
                _demand_readable(self._log)
        if output.complaint:
            self.faults.append(_complaint(self._log, output.complaint))
        if entries.last is not None:
            self._last = entries.last
            self.missing = _gap(known, entries.gap_end)
        self.read_bytes += entries.read_bytes
        self.suppressed += entries.suppressed
        self.overrun += entries.overrun
        return bool(output.given_bytes)

    @contextmanager
    def _running(self, arguments: Sequence[str]) -> Iterator["_Output"]:
        with _running(self._log, arguments, every_transport=self._every_transport) as output:
            yield output


class _NewEntries:
    """
    The blocks of a reading without what is known already.

    Args:
        blocks: Lines of JSON.
        known: The last entry read.
        begun: Whether the reading begins at it; else all entries of its
            numbering are known.

    Attributes:
        last: The last entry given.
        gap_end: The first entry given, if it does not follow *known*.
    """

    def __init__(self, blocks: Iterable[bytes], known: Entry | None, *, begun: bool) -> None:
        self.last: Entry | None = None
        self.gap_end: Entry | None = None
        self.read_bytes = 0
        self.suppressed = 0
        self.overrun = 0
        self._blocks = blocks
        self._known = known
        self._begun = begun

    def __iter__(self) -> Iterator[bytes]:
        """Give the blocks."""
        for number, whole in enumerate(self._blocks):
            if not self._begun:
                block = self._without_numbering(whole)
            elif number == 0:
                block = self._without_known(whole)
            else:
                block = whole
            if block:
                self.last = _entry(block[:-1].rpartition(b"\n")[2]) or self.last
                self._count(block)
                yield block

    def _without_known(self, block: bytes) -> bytes:
        first, _, rest = block.partition(b"\n")
        entry = _entry(first)
        if self._known is None or entry is None:
            return block
        if entry.is_same(self._known):
            return rest
        self.gap_end = entry
        return block

    def _without_numbering(self, block: bytes) -> bytes:
        assert self._known is not None
        kept = []
        for line in block.splitlines(keepends=True):
            entry = _entry(line)
            if entry is not None and not entry.is_of_numbering(self._known):
                self.gap_end = self.gap_end or entry
                kept.append(line)
        return b"".join(kept)

    def _count(self, block: bytes) -> None:
        self.read_bytes += len(block)
        self.suppressed += sum(map(int, _SUPPRESSED.findall(block)))
        self.overrun += sum(map(int, _OVERRUN.findall(block)))


def _entry(line: bytes) -> Entry | None:
    """Read which entry *line* is; None where it is none."""
    try:
        fields = json.loads(line)
        return Entry(fields["__CURSOR"], int(fields["__REALTIME_TIMESTAMP"]))
    except (ValueError, KeyError, TypeError):
        return None


def _unpacked(cursor: str) -> tuple[Entry | None, int]:
    stored = json.loads(cursor)
    if "cursor" in stored:
        return Entry(stored["cursor"], stored["time"]), 0
    return None, stored["since"]


def _gap(known: Entry | None, end: Entry | None) -> str | None:
    """Say what may be missing where *end* came instead of what follows *known*."""
    if known is None or end is None:
        return None
    return (
        f"what was written between {_shown(known.time)} and {_shown(end.time)} may be missing: "
        "the journal has lost the last entry read. Let journald keep more (SystemMaxUse=), "
        "or run botalert more often."
    )


def _shown(time: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time)).isoformat()


def _microseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def _stamp(time: int) -> str:
    """Write *time*, in microseconds, as journalctl takes it in any zone (systemd.time(7))."""
    time = max(time, 0)
    return f"@{time // 1_000_000}.{time % 1_000_000:06}"


# journalctl.


class _Output(io.BufferedReader):
    """
    What journalctl writes; at its end, an error if it failed.

    Attributes:
        given_bytes: How much it wrote so far.
        complaint: What it said on standard error, though it went on.
    """

    def __init__(self, log: str, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
        self._pipe = _Pipe(log, process, said)
        super().__init__(self._pipe, _PIPE_BYTES)

    @property
    def given_bytes(self) -> int:
        return self._pipe.given_bytes

    @property
    def complaint(self) -> str:
        return self._pipe.complaint


class _Pipe(io.RawIOBase):
    def __init__(self, log: str, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
        self.given_bytes = 0
        self.complaint = ""
        self._log = log
        self._process = process
        self._said = said

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview[int]", /) -> int:  # type: ignore[override]
        pipe = cast(io.FileIO, self._process.stdout)
        count = pipe.readinto(buffer) or 0
        self.given_bytes += count
        if count == 0:
            status = self._process.wait()
            self.complaint = _last_line(self._said)
            if status != 0:
                raise _failure(self._log, status, self.complaint)
        return count


@contextmanager
def _running(log: str, arguments: Sequence[str], *, every_transport: bool) -> Iterator[_Output]:
    """Run journalctl over *log*; it is ended with this block, if it has not ended itself."""
    command = [
        *_command(log),
        "--quiet",
        "--output=json",
        f"--output-fields={','.join(_FIELDS)}",
        *arguments,
        *(() if every_transport else _KERNELS),
    ]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
            env=_environment(),
        ) as process,
    ):
        try:
            yield _Output(log, process, said)
        finally:
            process.kill()


def _command(log: str) -> list[str]:
    program = shutil.which(PROGRAM)
    if program is None:
        raise UnavailableError(
            f"{log}: there is no program {PROGRAM}. It comes with systemd; "
            "without systemd, name the log file that your syslog daemon writes."
        )
    path = log.removeprefix(JOURNAL_PATH) if log.startswith(JOURNAL_PATH) else None
    if path is not None and not os.path.exists(path):
        raise NoInputError(f"{log}: no such directory or file. Name one with journal files.")
    source = []
    if path is not None:
        source.append(f"--directory={path}" if os.path.isdir(path) else f"--file={path}")
    return [program, "--no-pager", *source]


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_LOG_LEVEL": "notice"}


def _demand_readable(log: str) -> None:
    """
    Make sure that a journal without entries is one that may be read.

    A user outside of the group systemd-journal sees his own entries alone,
    and journalctl says so, but not with JSON.

    Raises:
        BotalertError: There is no journal, or this user may not read the system's.
    """
    done = subprocess.run(
        [*_command(log), "--header"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=_environment(),
    )
    said = done.stderr.decode("utf-8", "replace")
    if "not seeing messages" in said:
        raise _no_permission(log)
    if not done.stdout.strip() or "No journal files were found" in said:
        raise NoInputError(
            f"{log}: there is no journal. Make /var/log/journal and restart systemd-journald, "
            "or name the log file that your syslog daemon writes."
        )


def _failure(log: str, status: int, said: str) -> BotalertError:
    if status < 0:
        return InputOutputError(
            f"{log}: {PROGRAM} was killed in the middle (signal {-status}). "
            "The next run reads on from where the last one ended."
        )
    if "ermission" in said:
        return _no_permission(log)
    return _complaint(log, said or f"status {status}")


def _no_permission(log: str) -> NoPermissionError:
    return NoPermissionError(
        f"{log}: permission denied. Run as root, or put this user into the group systemd-journal."
    )


def _complaint(log: str, said: str) -> InputOutputError:
    return InputOutputError(f"{log}: {PROGRAM} failed: {said}. Look with: {PROGRAM} --verify")


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read(_PIPE_BYTES).decode("utf-8", "replace").split("\n")
    return next((line.strip().rstrip(".") for line in reversed(lines) if line.strip()), "")
