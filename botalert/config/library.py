"""
EDGE: the signals that come with botalert, in the package's folder ``signals``.

They are INI files as anybody's, a section for each signal.  They are read
only where something in them is named: a configuration that does without
them should not wait for them.
"""

import os
from functools import cache
from typing import NamedTuple

from botalert.config.conditions import split_list
from botalert.config.options import SIGNALS
from botalert.config.reading import Source, read_folder

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "signals")
RECOMMENDED, EVERYTHING = "@default", "@all"


class Library(NamedTuple):
    """
    The shipped signals.

    Attributes:
        source: What their files say.
        sets: The names that ``@default`` and ``@all`` stand for, in the
            order of ``log:``.
    """

    source: Source
    sets: dict[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all shipped signals."""
        return self.sets[EVERYTHING]


@cache
def library() -> Library:
    """Read the shipped signals."""
    source = read_folder(FOLDER)
    recommended = split_list(source.values.get(SIGNALS, "log"))
    others = (name for name in source.values.sections() if name != SIGNALS)
    every = tuple(dict.fromkeys((*recommended, *others)))
    return Library(source, {RECOMMENDED: recommended, EVERYTHING: every})
