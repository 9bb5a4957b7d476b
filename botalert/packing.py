"""
A tally as text, and back: how the state file keeps it.

What only scans does not import this, nor the json that it needs.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from botalert.course import Course, Piece, Trace, Try
from botalert.tally import (
    KEPT_ITEMS,
    KEPT_LINES,
    Distinct,
    Tally,
    add_up,
    age_hours,
    first_names,
    is_before,
    merged,
)
from botalert.windows import Moment, Progress, Rules

# What json.dumps and json.loads use, without making and choosing it at each
# call: that saves 2 of 8 microseconds a tally.  raw_decode tells where what it
# read ends.
_encoded = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_encoded_text = json.encoder.encode_basestring_ascii
_decoded = json.JSONDecoder().raw_decode


def packed(tally: Tally) -> str:
    """
    Write *tally* as text, for the state file.

    The first line is a JSON array of all but the evidence; then each line of
    evidence is a JSON string of its own, which merging need not decode.
    """
    tally.age()
    first = _iso(tally.first_seen)
    last = first if tally.last_seen is tally.first_seen else _iso(tally.last_seen)
    head = [
        tally.packets,
        first,
        last,
        tally.destinations.counts,
        tally.destinations.overflowed,
        tally.ports.counts,
        tally.ports.overflowed,
        tally.interfaces,
        tally.macs,
        tally.hours,
        tally.days,
    ]
    return "\n".join((_encoded(head), *map(_encoded_text, tally.evidence)))


def unpacked(text: str) -> Tally:
    """
    Read what :func:`packed` wrote.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: It is something else.
    """
    head, end = _decoded(text)
    packets, first, last, destinations, more, ports, more_ports, interfaces, macs, *times = head
    hours, days = map(_numbered, times)
    beyond, *lines = text[end:].split("\n")
    if beyond:
        raise ValueError(f"{beyond!r} is no part of a tally")
    return Tally(
        packets=packets,
        first_seen=_moment(first),
        last_seen=_moment(last),
        hours=hours,
        days=days,
        destinations=Distinct(destinations, overflowed=more),
        ports=Distinct(ports, overflowed=more_ports),
        interfaces=tuple(interfaces),
        macs=tuple(macs),
        evidence=tuple(map(json.loads, lines)),
    )


def packed_course(course: Course, *, is_open: bool = False) -> str:
    """
    Write *course* as text: a JSON object, which no tally is.

    With *is_open* it says so at its beginning: it is still to be settled.
    """
    logs = [[log, *_parts_of(trace)] for log, trace in course.logs.items()]
    known = {"asks": course.rules.text, "ended": course.ended, "logs": logs}
    return _encoded({"open": int(is_open), **known})


OPEN = '{"open":1,'
"""What a course begins with that is still to be settled."""


def _parts_of(trace: Trace) -> list[Any]:
    trace.catch_up()
    pieces = [
        [piece.episode, packed(piece.tally), _iso(piece.since), piece.gap, piece.met]
        for piece in trace.pieces
    ]
    tries = [[each.starts, each.progress.parts()] for each in trace.tries]
    return [pieces, trace.last, trace.latest, tries]


def is_course(text: str) -> bool:
    """Whether :func:`packed_course` wrote *text*."""
    return text.startswith("{")


def unpacked_course(text: str, rules: Rules) -> Course:
    """
    Read what :func:`packed_course` wrote.

    If by now something else is asked, what was met stays so, and windows begin anew.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: It is something else.
    """
    known = _course_in(text)
    course = Course(rules)
    course.ended = known["ended"]
    is_same = known["asks"] == rules.text
    for log, pieces, last, latest, tries in known["logs"]:
        trace = course.trace(log)
        trace.last, trace.latest = last and Moment(*last), latest and Moment(*latest)
        trace.is_changed = bool(known["open"])
        trace.go_on(
            [
                Piece(unpacked(tally), gap, met, episode, _moment(since))
                for episode, tally, since, gap, met in pieces
            ],
            [
                Try(
                    tuple(starts),
                    Progress.of_parts(rules, parts) if is_same else Progress(rules),
                )
                for starts, parts in tries
            ],
        )
    return course


def tallies_in(text: str, episode: int | None = None) -> Iterator[Tally]:
    """
    Give the tallies that *text* holds: a tally, or a course's pieces of *episode*, or all.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: It is something else.
    """
    if not is_course(text):
        yield unpacked(text)
        return
    for log in _course_in(text)["logs"]:
        for number, tally, *_ in log[1]:
            if episode in (None, number):
                yield unpacked(tally)


def _course_in(text: str) -> dict[str, Any]:
    known, end = _decoded(text)
    if text[end:]:
        raise ValueError(f"{text[end:]!r} is no part of a course")
    return dict(known)


def packed_with(known: str, later: str) -> str:
    """
    Write what :func:`packed` wrote as *known* and *later*, read after it, as one.

    It is what packing both, merged, gives; but while all destinations and
    ports are kept, which is so of nearly every source, counts are added up
    without ranking them and no evidence is decoded.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: One is something else.
    """
    head, end = _decoded(known)
    more_head, more_end = _decoded(later)
    packets, first, last, destinations, more, ports, more_ports, interfaces, macs, *times = head
    (
        later_packets,
        later_first,
        later_last,
        later_destinations,
        later_more,
        later_ports,
        later_more_ports,
        later_interfaces,
        later_macs,
        *later_times,
    ) = more_head
    _add_up(destinations, later_destinations)
    _add_up(ports, later_ports)
    if (
        (more or more_ports or later_more or later_more_ports)
        or len(destinations) > KEPT_ITEMS
        or len(ports) > KEPT_ITEMS
    ):
        return packed(merged([unpacked(known), unpacked(later)]))
    hours, days = map(_numbered, times)
    for counts, later_counts in zip((hours, days), map(_numbered, later_times), strict=True):
        add_up(counts, later_counts)
    age_hours(hours, days)
    lines = known[end:]
    wanted = max(KEPT_LINES - lines.count("\n"), 0)
    lines = "\n".join((lines, *later[more_end:].split("\n")[1 : wanted + 1]))
    united = [
        packets + later_packets,
        _first(first, later_first, is_before),
        _first(last, later_last, _is_after),
        destinations,
        more,
        ports,
        more_ports,
        first_names(tuple(interfaces), tuple(later_interfaces)),
        first_names(tuple(macs), tuple(later_macs)),
        hours,
        days,
    ]
    return _encoded(united) + lines


def _first(
    one: str | None, other: str | None, comes_before: Callable[[datetime, datetime], bool]
) -> str | None:
    """Return which of two moments comes first."""
    if one is None or other is None or one == other:
        return one or other
    moments = datetime.fromisoformat(one), datetime.fromisoformat(other)
    return other if comes_before(moments[1], moments[0]) else one


def _is_after(one: datetime, other: datetime) -> bool:
    return is_before(other, one)


def _add_up(counts: dict[str, int], later: Mapping[str, int]) -> None:
    for item, count in later.items():
        counts[item] = counts.get(item, 0) + count


def _numbered(counts: dict[str, int]) -> dict[int, int]:
    return {int(number): count for number, count in counts.items()}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
