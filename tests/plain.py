"""The plain meaning of a fold, for tests to compare with."""

from collections.abc import Iterable, Mapping
from typing import Any

from botalert.course import Course, Seen, Tallies
from botalert.model import Hit
from botalert.packing import packed_course, unpacked_course
from botalert.tally import Tally
from botalert.windows import Rules

NO_RULES: Mapping[str, Rules] = {}


def fold(
    hits: Iterable[Hit],
    rules: Mapping[str, Rules] = NO_RULES,
    log: str = "",
    seen: Tallies | None = None,
) -> Tallies:
    """
    Make tallies of *hits*, all of *log* and in reading order, one after the other.

    What was *seen* before is gone on from.
    """
    tallies: Tallies = {} if seen is None else seen
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
    return {key: told_of(seen) for key, seen in tallies.items()}


def told_of(seen: Seen) -> Any:
    """Say all that a run would make of *seen*."""
    if isinstance(seen, Tally):
        return seen
    course = unpacked_course(packed_course(seen), seen.rules)
    found = course.episodes()
    course.settle()
    kept = [
        (
            log,
            # Where all that follows is only counted, nobody asks when it came.
            *(() if trace.is_done else (trace.last, trace.latest)),
            [(piece.episode, bool(piece.met), piece.tally, piece.begin) for piece in trace.pieces],
            [each.progress.parts() for each in trace.tries],
        )
        for log, trace in sorted(course.logs.items())
    ]
    return course.ended, found, kept
