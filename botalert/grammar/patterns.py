"""
Patterns that are compiled when they are first used.

A log needs few of those that all logs together need, and compiling one
takes up to a millisecond.
"""

import re
from typing import cast


class _LazyPattern:
    """Has the methods of a compiled pattern, each from its first use on."""

    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        # Asked only for what is not there yet.
        value: object = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, value)
        return value


def lazy_pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Give what acts as ``re.compile(text, flags)`` does, but compiles when it is first used."""
    return cast("re.Pattern[str]", _LazyPattern(text, flags))
