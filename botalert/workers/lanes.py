"""
Hits put aside by their source, and read back.

A lane is what is left of a stream of hits when those of some sources are taken
out of it, in order; a hash of the source says in which lane it is.  Hits stand
there as what :mod:`marshal` writes, which takes a tenth of a microsecond a hit
and a sixth of its line's room; only this process and its workers read it.
"""

import marshal
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from botalert.hits import Batch, Clock, Kind, Strip
from botalert.model import Hit
from botalert.tally import rank
from botalert.times import Period
from botalert.workers.spool import Extent, Spool

_LANE_BITS = 6
LANES = 1 << _LANE_BITS
# So much is gathered before it is written, in all lanes together.
_FLUSH_BYTES = 4 << 20
_MOST_KINDS = 1 << 14

Lanes = tuple[tuple[Extent, ...], ...]
"""Of each lane where its hits stand, in order."""


def lane_of(source: str, depth: int) -> int:
    """Return the lane of *source*; at each *depth* those of one lane are divided otherwise."""
    return rank(source) >> _LANE_BITS * depth & LANES - 1


class _Frame(NamedTuple):
    """One batch's hits of a lane: kinds by their numbers, those that are new, and the rest."""

    kinds: dict[int, tuple[Any, ...]]
    strips: list[tuple[Any, ...]]
    hits: list[tuple[int, tuple[Any, ...]]]
    lines: dict[int, str]


def _begun(frames: dict[int, _Frame], lane: int) -> _Frame:
    frame = frames[lane] = _Frame({}, [], [], {})
    return frame


PlainKinds = dict[Kind, list[tuple[int, tuple[Any, ...]]]]
"""Kinds as they are written, in each lane that they have a source of."""


class LaneWriter:
    """
    Puts hits aside.

    Args:
        spool: Where.
        depth: How often they were divided before.
        plain: Remembers how kinds are written; of one depth.
    """

    def __init__(self, spool: Spool, depth: int, plain: PlainKinds | None = None) -> None:
        self._spool = spool
        self._depth = depth
        self._plain = {} if plain is None else plain
        self._numbers: dict[Kind, list[tuple[int, int]]] = {}
        self._number = 0
        self._gathered: list[list[bytes]] = [[] for _ in range(LANES)]
        self._gathered_bytes = 0
        self._extents: list[list[Extent]] = [[] for _ in range(LANES)]

    def add(self, batch: Batch) -> None:
        """
        Put the hits of *batch* aside.

        Raises:
            InputOutputError: There is no room for them.
        """
        frames: dict[int, _Frame] = {}
        lines = batch.lines
        for strip in batch.strips:
            known = self._numbers.get(strip.kind)
            for lane, number in known or self._begin(strip.kind, frames):
                frame = frames.get(lane) or _begun(frames, lane)
                places = strip.places
                frame.strips.append(
                    (number, places, strip.clocks, strip.destinations, strip.source_ports)
                )
                for place in places:  # Those that have a line stand first.
                    if place not in lines:
                        break
                    frame.lines[place] = lines[place]
        for place, hit in batch.hits:
            lane = lane_of(hit.source, self._depth)
            frame = frames.get(lane) or _begun(frames, lane)
            frame.hits.append((place, _plain(hit)))
        for lane, frame in frames.items():
            data = marshal.dumps((batch.log, batch.is_steady, *frame))
            self._gathered[lane].append(data)
            self._gathered_bytes += len(data)
        if self._gathered_bytes >= _FLUSH_BYTES:
            self._flush()

    def written(self) -> Lanes:
        """Return where all of them stand."""
        self._flush()
        return tuple(map(tuple, self._extents))

    def _begin(self, kind: Kind, frames: dict[int, _Frame]) -> list[tuple[int, int]]:
        """Number *kind* in each lane that it has a source of, and tell its frame there."""
        plain = self._plain.get(kind)
        if plain is None:
            if len(self._plain) >= _MOST_KINDS:
                self._plain.clear()
            plain = self._plain[kind] = _plain_kinds(kind, self._depth)
        if len(self._numbers) >= _MOST_KINDS:
            self._numbers.clear()
        known = self._numbers[kind] = []
        for lane, own in plain:
            self._number += 1
            known.append((lane, self._number))
            frame = frames.get(lane) or _begun(frames, lane)
            frame.kinds[self._number] = own
        return known

    def _flush(self) -> None:
        for lane, gathered in enumerate(self._gathered):
            if gathered:
                self._extents[lane].append(self._spool.append(marshal.dumps(gathered)))
                gathered.clear()
        self._gathered_bytes = 0


def _plain_kinds(kind: Kind, depth: int) -> list[tuple[int, tuple[Any, ...]]]:
    begin = (kind.clock.start, kind.clock.offset)
    rest = (begin, kind.address, kind.interface, kind.mac, kind.protocol, kind.port)
    sources = {source for _, source in kind.targets}
    if len(sources) == 1:  # As nearly always: most signals know a machine by one.
        return [(lane_of(sources.pop(), depth), (kind.targets, *rest))]
    lanes = {source: lane_of(source, depth) for source in sources}
    targets: dict[int, list[tuple[str, str]]] = {}
    for target in kind.targets:
        targets.setdefault(lanes[target[1]], []).append(target)
    return [(lane, (tuple(own), *rest)) for lane, own in targets.items()]


def batches_in(
    spool: Spool,
    pieces: Iterable[Sequence[Extent]],
    signals: Collection[str] | None = None,
) -> Iterator[Batch]:
    """
    Read hits of a lane, in the order of reading.

    Args:
        spool: Where they are.
        pieces: Where each part of the logs put some.
        signals: Those of which they are wanted; None for all.
    """
    reader = _KindReader(signals)
    for extents in pieces:
        kinds: dict[int, Kind] = {}
        for extent in extents:
            for data in marshal.loads(spool.read(extent)):
                log, is_steady, new, strips, hits, lines = marshal.loads(data)
                for number, plain in new.items():
                    kind = reader.kind(plain)
                    if kind is not None:
                        kinds[number] = kind
                yield Batch(
                    log,
                    [Strip(kinds[kind], *columns) for kind, *columns in strips if kind in kinds],
                    [
                        (place, _hit(plain))
                        for place, plain in hits
                        if signals is None or plain[0] in signals
                    ],
                    lines,
                    is_steady,
                )


class _KindReader:
    """
    Reads kinds; the same one for what several parts of the logs have in common.

    Args:
        signals: Those that are wanted; None for all.
    """

    def __init__(self, signals: Collection[str] | None) -> None:
        self._signals = signals
        self._kinds: dict[tuple[Any, ...], Kind | None] = {}
        self._clocks: dict[tuple[int, int], Clock] = {}

    def kind(self, plain: tuple[Any, ...]) -> Kind | None:
        """Return what :func:`_plain_kinds` wrote as *plain*; None if no signal wants it."""
        if plain in self._kinds:
            return self._kinds[plain]
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        targets, begin, *rest = plain
        if self._signals is not None:
            targets = tuple(each for each in targets if each[0] in self._signals)
        kind = Kind(targets, self._clock(begin), *rest) if targets else None
        self._kinds[plain] = kind
        return kind

    def _clock(self, plain: tuple[int, int]) -> Clock:
        clock = self._clocks.get(plain)
        if clock is None:
            begin = _time(plain)
            clock = self._clocks[plain] = Clock(Period(begin, begin))
        return clock


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _plain_time(time: datetime) -> tuple[int, int]:
    """Write *time* as microseconds since 1970, and its offset in them."""
    offset = time.utcoffset() or timedelta(0)
    return (time - _EPOCH) // _MICROSECOND, offset // _MICROSECOND


def _time(plain: tuple[int, int]) -> datetime:
    time, offset = (timedelta(microseconds=part) for part in plain)
    return (_EPOCH + time).astimezone(timezone(offset) if offset else UTC)


def _plain(hit: Hit) -> tuple[Any, ...]:
    return tuple(hit._replace(time=hit.time and _plain_time(hit.time)))  # type: ignore[arg-type]


def _hit(plain: tuple[Any, ...]) -> Hit:
    hit = Hit(*plain)
    return hit if hit.time is None else hit._replace(time=_time(hit.time))  # type: ignore[arg-type]
