"""
A tally as text, and back: how the state file keeps it.

What only scans does not import this, nor the json that it needs.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from botalert.tally import (
    KEPT_ITEMS,
    KEPT_LINES,
    Distinct,
    Tally,
    first_names,
    is_before,
    merged,
)

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
    ]
    return "\n".join((_encoded(head), *map(_encoded_text, tally.evidence)))


def unpacked(text: str) -> Tally:
    """
    Read what :func:`packed` wrote.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: It is something else.
    """
    head, end = _decoded(text)
    packets, first, last, destinations, more, ports, more_ports, interfaces, macs = head
    beyond, *lines = text[end:].split("\n")
    if beyond:
        raise ValueError(f"{beyond!r} is no part of a tally")
    return Tally(
        packets=packets,
        first_seen=_moment(first),
        last_seen=_moment(last),
        destinations=Distinct(destinations, overflowed=more),
        ports=Distinct(ports, overflowed=more_ports),
        interfaces=tuple(interfaces),
        macs=tuple(macs),
        evidence=tuple(map(json.loads, lines)),
    )


def packed_with(known: str, later: Tally) -> str:
    """
    Write what :func:`packed` wrote as *known* and *later*, read after it, as one.

    It is what packing both, merged, gives; but while all destinations and
    ports are kept, which is so of nearly every source, counts are added up
    without ranking them and no evidence is decoded: 9 microseconds, not 26.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: *known* is something else.
    """
    head, end = _decoded(known)
    packets, first, last, destinations, more, ports, more_ports, interfaces, macs = head
    _add_up(destinations, later.destinations.counts)
    _add_up(ports, later.ports.counts)
    if (
        more
        or more_ports
        or later.destinations.overflowed
        or later.ports.overflowed
        or len(destinations) > KEPT_ITEMS
        or len(ports) > KEPT_ITEMS
    ):
        return packed(merged([unpacked(known), later]))
    seen = later.first_seen
    if seen is not None and (first is None or is_before(seen, datetime.fromisoformat(first))):
        first = seen.isoformat()
    seen = later.last_seen
    if seen is not None and (last is None or is_before(datetime.fromisoformat(last), seen)):
        last = seen.isoformat()
    interfaces = first_names(tuple(interfaces), later.interfaces)
    macs = first_names(tuple(macs), later.macs)
    lines = known[end:]
    wanted = max(KEPT_LINES - lines.count("\n"), 0)
    lines = "\n".join((lines, *map(_encoded_text, later.evidence[:wanted])))
    united = [packets + later.packets, first, last, destinations, more, ports, more_ports]
    return _encoded([*united, interfaces, macs]) + lines


def _add_up(counts: dict[str, int], later: Mapping[str, int]) -> None:
    for item, count in later.items():
        counts[item] = counts.get(item, 0) + count


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
