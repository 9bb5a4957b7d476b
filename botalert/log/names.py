"""
What logs are called: globs, and which names are one log's rotations.

logrotate writes messages.1, messages.2.gz, messages-20261119.xz, with
``dateformat`` any text with a date in it, with ``extension .log`` fw-1.log
or fw.1.log; savelog and newsyslog begin with .0, and some write .old.
"""

import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from botalert.grammar.patterns import lazy_pattern
from botalert.log.unpack import STANDARD_INPUT

JOURNAL = "journal"
JOURNAL_PATH = "journal:"
PACKED_ENDINGS = (".gz", ".xz", ".bz2", ".zst")

# What rotation adds to a name: a number; a date, with what may stand between
# its digits; or a word or two with a year in it.  An address is no date.
_SUFFIX = lazy_pattern(
    r"[-._@~](?!\d+\.\d+\.\d+\.\d+$)"
    r"(?:old|\d{1,3}|\d[-_.:T+0-9]{3,}|[-_.:+A-Za-z0-9]*(?:19[7-9]|20\d)\d[-_.:+A-Za-z0-9]*)",
    re.ASCII,
)
# More is a date: %m%d or %Y.
_NUMBER = lazy_pattern(r"[-._]([0-9]{1,3})")


def is_journal(log: str) -> bool:
    """Tell whether *log* names the journal, not a file."""
    return log == JOURNAL or log.startswith(JOURNAL_PATH)


def live_logs(patterns: Iterable[str]) -> list[str]:
    """
    Give the logs that *patterns* mean, each by the name of its live file, once.

    A glob also means a log of which only rotations are there just now.  A
    pattern that means nothing stays, so that the missing log is told.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        named = [*glob.glob(pattern), *glob.glob(f"{pattern}*")] if glob.has_magic(pattern) else []
        by_stem = _by_stem(named)
        lives = {_live_name(path, by_stem) for path in set(named)}
        found.update(dict.fromkeys(sorted(fnmatch.filter(lives, pattern)) or [pattern]))
    return list(found)


def histories(paths: Iterable[str]) -> list[list[str]]:
    """
    Group *paths* into logs: one log's rotations together, oldest first.

    The logs keep the order in which their first path was named.
    """
    named = list(dict.fromkeys(paths))
    by_stem = _by_stem(named)
    families: dict[str, list[str]] = {}
    for path in named:
        families.setdefault(_live_name(path, by_stem), []).append(path)
    return [in_order(live, family) for live, family in families.items()]


def unpacked_name(path: str) -> str:
    """Give the name that *path* had before it was packed."""
    for ending in PACKED_ENDINGS:
        if path.endswith(ending):
            return path.removesuffix(ending)
    return path


def suffix_of(path: str, live_path: str) -> str | None:
    """
    Tell what rotation added to *live_path* to make *path*; None if it is no rotation of it.

    It stands at the end, or before the live name's own extension.
    """
    bare = unpacked_name(path)
    if bare == live_path:
        return ""
    stem, extension = os.path.splitext(live_path)
    for before, after in ((live_path, ""), (stem, extension)):
        if bare.startswith(before) and bare.endswith(after):
            added = bare[len(before) : len(bare) - len(after)]
            if _SUFFIX.fullmatch(added):
                return added
    return None


def _by_stem(named: Iterable[str]) -> dict[str, list[str]]:
    """Group the names that were given by how their rotations begin, too."""
    by_stem: dict[str, list[str]] = {}
    for path in dict.fromkeys(named):
        by_stem.setdefault(os.path.splitext(unpacked_name(path))[0], []).append(path)
    return by_stem


def _live_name(path: str, by_stem: Mapping[str, Sequence[str]]) -> str:
    """Find the live log that *path* is a rotation of, by the names that were given."""
    if path == STANDARD_INPUT:
        return path
    stems = (path[:end] for end in range(len(path) + 1))
    alike = (other for stem in stems for other in by_stem.get(stem, ()))
    for other in sorted(alike, key=len):
        if other != path and suffix_of(path, unpacked_name(other)) is not None:
            return unpacked_name(other)
    bare = unpacked_name(path)
    # Without the live log beside it, only what is not easily something else:
    # "10.0.0.1" is a host's log.
    rotated = re.fullmatch(
        r"(.*[^-.0-9])[-.]([0-9]{1,3}|[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})", bare
    )
    return rotated[1] if rotated else bare


def in_order(
    live_path: str, paths: Iterable[str], modified: dict[str, float] | None = None
) -> list[str]:
    """
    Sort the files of one log, oldest first.

    Numbers tell the order, the highest being the oldest; so do dates that
    begin with the year; for any other names, *modified* does, the times at
    which the files were last written.
    """

    def age(path: str) -> tuple[int, float, str]:
        suffix = suffix_of(os.path.basename(path), os.path.basename(live_path))
        if suffix == "":
            return (2, 0, path)
        number = _NUMBER.fullmatch(suffix or "")
        if number:
            return (1, -int(number[1]), path)
        written = (modified or {}).get(path, 0.0)
        return (0, 0.0 if _begins_with_year(suffix or "") else written, suffix or path)

    return sorted(paths, key=age)


def _begins_with_year(suffix: str) -> bool:
    """Tell whether text order is the order of time: year and month first, not 19082026."""
    return re.match(r"[-._](?:19[7-9]|20[0-9])[0-9][-_.]?(?:0[1-9]|1[0-2])", suffix) is not None


def namesakes(live_path: str) -> list[str]:
    """List the files beside *live_path* whose names begin or end as its own does."""
    directory, name = os.path.split(live_path)
    stem, extension = os.path.splitext(name)
    return [
        os.path.join(directory, other)
        for other in os.listdir(directory or ".")
        if other != name
        and other.startswith(stem)
        and (other.startswith(name) or unpacked_name(other).endswith(extension))
    ]
