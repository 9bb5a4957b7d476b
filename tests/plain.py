"""The plain meaning of a fold, for tests to compare with."""

from collections.abc import Iterable

from botalert.course import Tallies
from botalert.model import Hit
from botalert.tally import Tally


def fold(hits: Iterable[Hit]) -> Tallies:
    """Make tallies of *hits*, given in reading order, one after the other."""
    tallies: Tallies = {}
    for hit in hits:
        tallies.setdefault((hit.signal, hit.source), Tally()).add(hit)
    return tallies
