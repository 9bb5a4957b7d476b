"""
What logs are called: globs, and which names are one log's rotations.

logrotate writes messages.1, messages.2.gz or messages-20261119.xz; savelog
and newsyslog begin with .0.
"""

import glob
import re
from collections.abc import Iterable

from botalert.log.unpack import STANDARD_INPUT

_PACKED = r"(?:\.(?:gz|xz|bz2|zst))?"
_NUMBERED = re.compile(rf"(.+)\.(\d{{1,4}}){_PACKED}")
_DATED = re.compile(rf"(.+)[-.](\d{{8}}(?:[-T.]?\d{{2,6}})?|\d{{4}}-\d\d-\d\d){_PACKED}")
_PACKED_ONLY = re.compile(r"(.+)\.(?:gz|xz|bz2|zst)")


def expanded(patterns: Iterable[str]) -> list[str]:
    """
    Give the paths that *patterns* mean, in name order, each once.

    A pattern that matches nothing stays, so that the missing log is told.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        matching = glob.glob(pattern) if glob.has_magic(pattern) else []
        found.update(dict.fromkeys(sorted(matching) or [pattern]))
    return sorted(found)


def histories(paths: Iterable[str]) -> list[list[str]]:
    """
    Group *paths* into logs: one log's rotations together, oldest first.

    The logs keep the order in which their first path was named.
    """
    families: dict[str, list[str]] = {}
    for path in paths:
        families.setdefault(_rotation(path)[0], []).append(path)
    return [sorted(dict.fromkeys(family), key=_age) for family in families.values()]


def _rotation(path: str) -> tuple[str, str]:
    """Tell the live log's name and what rotation made of it: "", a number or a date."""
    if path == STANDARD_INPUT:
        return path, ""
    rotated = _DATED.fullmatch(path) or _NUMBERED.fullmatch(path)
    if rotated:
        return rotated[1], rotated[2]
    packed = _PACKED_ONLY.fullmatch(path)
    return (packed[1], "") if packed else (path, "")


def _age(path: str) -> tuple[int, int, str]:
    """Sort oldest first: dates upwards, then numbers downwards, then the live log."""
    suffix = _rotation(path)[1]
    if not suffix:
        return (2, 0, path)
    if len(suffix) >= 8:
        return (0, 0, suffix)
    return (1, -int(suffix), path)


def live(history: list[str]) -> str:
    """Give the file of *history* that is being written."""
    return history[-1]
