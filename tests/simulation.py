"""
A log that is written, rotated, packed, copied, cut and removed by a random schedule.

Every line is numbered.  The schedule knows which lines it removed before
they were read, so that each line is either counted once or inside a gap
that was told.
"""

import bz2
import gzip
import lzma
import os
import random
import time
from collections.abc import Container
from pathlib import Path

PACKERS = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def line_of(number: int) -> bytes:
    """Make the packet line *number*, which can be told from every other by its source."""
    minute, second = divmod(number, 60)
    hour, minute = divmod(minute, 60)
    return (
        f"Nov 20 {hour % 24:02}:{minute:02}:{second:02} fw1 kernel: DROP:IN=eth1 OUT=eth0 "
        f"SRC=10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255} DST=198.51.100.1 LEN=60 "
        f"PROTO=TCP SPT=5 DPT=25 SYN\n"
    ).encode()


class SimulatedLog:
    """
    A log file and its rotations under a schedule.

    Attributes:
        live: The file that the firewall's logger writes.
        history: Globs for the rotations, where they stand elsewhere.
        written: How many lines were written, finished or not.
        gone: The lines that were removed, and when (by step).
    """

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self._chance = chance
        self._clock = int(time.time()) - 10_000_000
        self.live = directory / "messages"
        elsewhere = chance.random() < 0.25
        self._olddir = directory / "old" if elsewhere else directory
        self._olddir.mkdir(exist_ok=True)
        self.history = (f"{self._olddir}/messages*",) if elsewhere else ()
        self._dates = chance.choice(
            [None, None, "-%Y%m%d%H%M%S", "-%d%m%Y%H%M%S", ".%Y-%m-%d_%H%M%S"]
        )
        self._ending = chance.choice(["", ".gz", ".xz", ".bz2"])
        self._delayed = chance.random() < 0.5
        self._copying = chance.random() < 0.4
        self._keep = chance.randint(2, 6)
        self._writer = self.live
        self._rest = b""
        self._rotated: list[Path] = []  # oldest first
        self._half_done: list[str] = []
        self.written = 0
        self.gone: set[int] = set()
        self._in_file: dict[Path, list[int]] = {self.live: []}
        self._seen: set[int] = set()
        self._packing: list[Path] = []
        self._target = self.live
        self._write()

    def step(self) -> None:
        """Do one random thing."""
        self._clock += self._chance.randint(1, 100_000)
        if self._half_done:
            self._finish()
            return
        self._chance.choices(
            [self._write, self._rotate, self._truncate, self._remove_oldest], [60, 25, 2, 3]
        )[0]()

    def looked(self, counted: Container[int]) -> None:
        """Note which lines of the live file a run has counted."""
        self._seen = {number for number in self._in_live() if number in counted}

    def _in_live(self) -> list[int]:
        return self._in_file.get(self.live, [])

    def settle(self) -> None:
        """Bring to an end what is half done, and the line being written."""
        while self._half_done:
            self._finish()
        if self._rest:
            self._append(self._rest)
            self._rest = b""

    def _write(self) -> None:
        for _ in range(self._chance.randint(1, 40)):
            if self._rest:
                self._append(self._rest)
                self._rest = b""
            else:
                self.written += 1
                self._in_file[self._writer].append(self.written)
                self._append(line_of(self.written))
        if not self._copying and self._chance.random() < 0.2:
            self.written += 1
            self._in_file[self._writer].append(self.written)
            line = line_of(self.written)
            cut = self._chance.randint(1, len(line) - 1)
            self._append(line[:cut])
            self._rest = line[cut:]

    def _append(self, content: bytes) -> None:
        with self._writer.open("ab") as file:
            file.write(content)
        os.utime(self._writer, (self._clock, self._clock))

    # Rotation, in steps between which a run may happen.

    def _rotate(self) -> None:
        if self._copying:
            move = ["copy half", "copy", "truncate"]
        elif self._chance.random() < 0.5:  # The logger is told late.
            move = ["rename", "create", "write old", "reopen"]
        else:
            move = ["rename", "create", "reopen"]
        self._half_done = ["shift", *move, "pack", "unlink packed", "prune"]

    def _finish(self) -> None:
        {
            "shift": self._shift,
            "rename": self._rename,
            "create": self._create,
            "write old": self._write,
            "reopen": self._reopen,
            "copy half": lambda: self._copy(half=True),
            "copy": lambda: self._copy(half=False),
            "truncate": lambda: self._cut(lost=False),
            "pack": self._pack,
            "unlink packed": self._unlink_packed,
            "prune": self._prune,
        }[self._half_done.pop(0)]()

    def _move(self, old: Path, new: Path) -> None:
        old.rename(new)
        self._in_file[new] = self._in_file.pop(old)
        if self._writer == old and old != self.live:
            self._writer = new

    def _shift(self) -> None:
        """Make place for .1; dates need none."""
        if self._dates is None:
            for place, path in enumerate(self._rotated):  # The oldest first, as logrotate does.
                ending = path.suffix if path.suffix in PACKERS else ""
                new = self._olddir / f"messages.{len(self._rotated) - place + 1}{ending}"
                self._move(path, new)
                self._rotated[place] = new
        name = (
            "messages.1"
            if self._dates is None
            else "messages" + time.strftime(self._dates, time.gmtime(self._clock))
        )
        self._target = self._olddir / name

    def _rename(self) -> None:
        self.live.rename(self._target)
        self._in_file[self._target] = self._in_file.pop(self.live)
        self._in_file[self.live] = []
        if self._writer == self.live:
            self._writer = self._target
        self._rotated.append(self._target)

    def _create(self) -> None:
        self.live.touch()

    def _reopen(self) -> None:
        if self._rest:  # A line is finished before the file is let go of.
            self._append(self._rest)
            self._rest = b""
        self._writer = self.live

    def _copy(self, *, half: bool) -> None:
        content = self.live.read_bytes()
        self._target.write_bytes(content[: len(content) // 2] if half else content)
        os.utime(self._target, (self._clock, self._clock))
        self._in_file[self._target] = list(self._in_file[self.live])
        if half:
            self._rotated.append(self._target)

    def _cut(self, *, lost: bool) -> None:
        if lost:
            self.gone.update(self._in_file[self.live])
        with self.live.open("r+b") as file:
            file.truncate(0)
        self._in_file[self.live] = []

    def _truncate(self) -> None:
        # A file that is begun and emptied between two runs leaves no trace;
        # of one that was seen, the loss can be told.
        if not self._rest and self._writer == self.live and self._seen & set(self._in_live()):
            self._cut(lost=True)

    def _pack(self) -> None:
        plain = [path for path in self._rotated if path.suffix not in PACKERS]
        if self._delayed:
            plain = plain[:-1]
        self._packing = [path for path in plain if path != self._writer] if self._ending else []
        for path in self._packing:
            whole = PACKERS[self._ending](path.read_bytes())
            archive = path.with_name(path.name + self._ending)
            archive.write_bytes(whole[: len(whole) // 2])
            os.utime(archive, (self._clock, self._clock))

    def _unlink_packed(self) -> None:
        for path in self._packing:
            archive = path.with_name(path.name + self._ending)
            archive.write_bytes(PACKERS[self._ending](path.read_bytes()))
            about = path.stat()
            os.utime(archive, (about.st_mtime, about.st_mtime))
            path.unlink()
            self._in_file[archive] = self._in_file.pop(path)
            self._rotated[self._rotated.index(path)] = archive

    def _prune(self) -> None:
        while len(self._rotated) > self._keep:
            self._drop()

    def _remove_oldest(self) -> None:
        if self._rotated and self._rotated[0] != self._writer:
            self._drop()

    def _drop(self) -> None:
        path = self._rotated[0]
        if path == self._writer:
            return
        self._rotated.pop(0)
        path.unlink()
        self.gone.update(self._in_file.pop(path))

    def settled_order(self) -> list[Path]:
        """Give the files that are there, oldest first."""
        return [*self._rotated, self.live]
