"""
How far a long scan is, on a terminal.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

# Who waits no longer than that needs no telling.
PATIENCE_SECONDS = 1.0
INTERVAL_SECONDS = 0.25

# ECMA-48: to the line's beginning, and erase the line.
_ERASE = "\r\x1b[K"
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Progress:
    """
    Shows how much is read, of how much, at what rate, and how long is left.

    A context manager: what it showed is gone when that ends.  It is shown in
    one line, which is overwritten.

    Args:
        terminal: Where to.
        clock: Tells seconds, from any beginning.
    """

    def __init__(self, terminal: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._begun = clock()
        self._next = self._begun + PATIENCE_SECONDS
        self._read_bytes = 0
        self._expected_bytes: int | None = 0
        self._is_shown = False

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what is shown."""
        self.hide()

    def expect(self, more: int | None) -> None:
        """Be told how many more bytes will be read; None if nobody knows."""
        if more is None or self._expected_bytes is None:
            self._expected_bytes = None
        else:
            self._expected_bytes += more

    def read(self, more: int) -> None:
        """Be told how many more bytes were read."""
        self._read_bytes += more
        now = self._clock()
        if now >= self._next:
            self._next = now + INTERVAL_SECONDS
            self._write(f"{_ERASE}{self._words(now - self._begun)}")
            self._is_shown = True

    def hide(self) -> None:
        """Make room for another line."""
        if self._is_shown:
            self._write(_ERASE)
            self._is_shown = False

    def _words(self, seconds: float) -> str:
        rate = self._read_bytes / seconds
        words = [_bytes(self._read_bytes), f"{_bytes(rate)}/s"]
        if self._expected_bytes:
            # A log may grow while it is read.
            whole = max(self._expected_bytes, self._read_bytes)
            words[0] += f" of {_bytes(whole)}"
            if rate:
                words.append(f"{_duration((whole - self._read_bytes) / rate)} left")
        return ", ".join(words)

    def _write(self, text: str) -> None:
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except OSError:
            # A terminal that was closed; the work goes on.
            self._next = float("inf")


def _bytes(number: float) -> str:
    """Write a number of bytes with three digits: "41.2 MB"."""
    power = 0
    while number >= 999.5 and power < len(_UNITS) - 1:
        number /= 1000
        power += 1
    digits = 0 if power == 0 or number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f} {_UNITS[power]}"


def _duration(seconds: float) -> str:
    """Write a duration: "41 s", "3:05 min", "2:05 h"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
