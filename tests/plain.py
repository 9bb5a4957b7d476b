"""The plain meaning of a fold, for tests to compare with."""

from collections.abc import Iterable, Mapping
from typing import Any

from botalert.course import Course, Seen, Tallies
from botalert.model import Hit
from botalert.packing import packed_any, unpacked_any
from botalert.tally import Tally
from botalert.windows import Moment, Rules, Stage

NO_RULES: Mapping[str, Rules] = {}


def fold(hits: Iterable[Hit], rules: Mapping[str, Rules] = NO_RULES, log: str = "") -> Tallies:
    """Make tallies of *hits*, all of *log* and in reading order, one after the other."""
    tallies: Tallies = {}
    for hit in hits:
        key = (hit.signal, hit.source)
        if hit.signal in rules:
            course = tallies.setdefault(key, Course(rules[hit.signal]))
            assert isinstance(course, Course)
            course.add(hit, log)
        else:
            tally = tallies.setdefault(key, Tally())
            assert isinstance(tally, Tally)
            tally.add(hit)
    return tallies


def told(tallies: Tallies) -> dict[tuple[str, str], Any]:
    """Say of each of *tallies* all that a run would make of it."""
    return {key: _told(seen) for key, seen in tallies.items()}


def _told(seen: Seen) -> Any:
    if isinstance(seen, Tally):
        return seen
    course = unpacked_any(packed_any(seen), seen.rules)
    assert isinstance(course, Course)
    course.settle()
    kept = [
        (log, piece.episode, piece.stage.is_met, piece.tally, *_when(piece.stage))
        for log, pieces in sorted(course.logs.items())
        for piece in pieces
    ]
    return course.ended, course.episode(), kept


def _when(stage: Stage) -> tuple[Moment | None, ...]:
    """Say from when to when something that is not met was seen."""
    return () if stage.is_met else (stage.first, stage.last, stage.latest)
