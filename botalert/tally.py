"""
What one signal saw of one source, as a value that merges.

A tally has an empty value and an associative merge, so neither the blocks
that a log is cut into, nor worker processes, nor the moments of runs change
what is known in the end.  Neighbours merge in reading order.

Many different destinations are kept as the k whose hashes are smallest
(KMV; Bar-Yossef and others, "Counting Distinct Elements in a Data Stream",
RANDOM 2002): an item that is among the k smallest of all is so in every
part, so its count is exact however the parts are grouped, and the k-th hash
tells how many there were.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import compress
from operator import methodcaller
from typing import Self
from zlib import crc32

from botalert.model import Hit

KEPT_ITEMS = 256
# So many are held before those too many are sorted out: as many as Python's
# dict holds before it doubles its 512 slots.
MOST_ITEMS = 341
KEPT_LINES = 5
KEPT_NAMES = 16
EVIDENCE_CHARACTERS = 2048

# An ordinary source: most of it is evidence, and what a scan remembers of its lines.
TALLY_KB = 4
ITEMS_OF_ONE_KB = 8

_HASH_SPAN = 1 << 64
_HASH_MASK = _HASH_SPAN - 1
# 2 to the 64th over the golden ratio (Knuth, TAOCP 3, 6.4: multiplicative
# hashing): CRCs of neighbours are far apart, but not independent.
_SPREAD = 0x9E3779B97F4A7C15


_encoded = methodcaller("encode", "utf-8", "surrogatepass")


def rank(item: str) -> int:
    """Give the hash that decides which items are kept: those with the smallest."""
    # A cryptographic hash took four times as long, and estimated no better.
    return crc32(_encoded(item)) * _SPREAD & _HASH_MASK


def _ranks(items: Iterable[str]) -> list[int]:
    """Give the :func:`rank` of each of many *items*."""
    return [crc * _SPREAD & _HASH_MASK for crc in map(crc32, map(_encoded, items))]


class Distinct:
    """
    Distinct items, each with its count; exact up to ``KEPT_ITEMS`` of them.

    Attributes:
        overflowed: Whether there were more than are kept.
        limit: Beyond which rank no item is kept any more; None if all are.
    """

    __slots__ = ("_counts", "limit", "overflowed")

    def __init__(
        self,
        counts: Mapping[str, int] | None = None,
        *,
        overflowed: bool = False,
        limit: int | None = None,
    ) -> None:
        # More than are kept, at times: sorting many at once takes less time.
        self._counts: dict[str, int] = {}
        self.overflowed = False
        self.limit = limit
        if counts:
            self.add_all(counts)
        if overflowed:
            self._overflow()

    @classmethod
    def beyond(cls, other: Self) -> Self:
        """Begin a set to be merged with *other*: it need not keep what that would not."""
        return cls(overflowed=other.overflowed, limit=other.limit)

    def add(self, item: str, count: int) -> None:
        """Count *item*, *count* times."""
        self.add_all({item: count})

    def add_all(self, counts: Mapping[str, int]) -> None:
        """Count each of *counts*."""
        own, limit = self._counts, self.limit
        for item, count in counts.items():
            if item in own:
                own[item] += count
            elif limit is None or rank(item) <= limit:
                own[item] = count
        if len(own) > MOST_ITEMS:
            self._overflow()

    def count_all(self, items: Sequence[str]) -> None:
        """Count each of *items* once."""
        own, limit = self._counts, self.limit
        if limit is not None:
            items = list(compress(items, map(limit.__ge__, _ranks(items))))
        for item in items:
            own[item] = own.get(item, 0) + 1
        if len(own) > MOST_ITEMS:
            self._overflow()

    def merge(self, other: Self) -> None:
        """Add all that *other* counted."""
        if other.limit is not None and (self.limit is None or other.limit < self.limit):
            self.limit = other.limit
        self.add_all(other._counts)
        if other.overflowed:
            self._overflow()

    def _overflow(self) -> None:
        """Keep the items of the smallest ranks."""
        self.overflowed = True
        ranks = _ranks(self._counts)
        if len(ranks) < KEPT_ITEMS:
            return
        limit = self.limit = sorted(ranks)[KEPT_ITEMS - 1]
        kept = [pair for pair in zip(ranks, self._counts, strict=True) if pair[0] <= limit]
        if len(kept) > KEPT_ITEMS:  # Some have the same rank.
            kept = sorted(kept)[:KEPT_ITEMS]
        self._counts = {item: self._counts[item] for _, item in kept}

    @property
    def counts(self) -> Mapping[str, int]:
        """The items kept, with how often each came."""
        if len(self._counts) > KEPT_ITEMS:
            self._overflow()
        return self._counts

    def __len__(self) -> int:
        """Tell how many items are held at the moment."""
        return len(self._counts)

    def distinct(self) -> int:
        """Tell how many distinct items there were; an estimate if not all are kept."""
        kept = len(self.counts)
        if self.limit is None:
            return kept
        return round((KEPT_ITEMS - 1) * _HASH_SPAN / max(self.limit, 1))

    def ranked(self) -> dict[str, int]:
        """Give the kept items by count downwards, then by name."""
        return dict(sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def __eq__(self, other: object) -> bool:
        """Compare what is kept and whether it is all."""
        if not isinstance(other, Distinct):
            return NotImplemented
        return self.counts == other.counts and self.overflowed == other.overflowed

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle only what is kept."""
        return _restored, (self.counts, self.overflowed, self.limit)

    def __repr__(self) -> str:
        """Show what is kept."""
        return f"Distinct({self.counts!r}, overflowed={self.overflowed})"

    __hash__ = None  # type: ignore[assignment]


def _restored(counts: dict[str, int], overflowed: bool, limit: int | None) -> Distinct:
    distinct = Distinct(limit=limit)
    distinct._counts, distinct.overflowed = counts, overflowed
    return distinct


class Tally:
    """
    What one signal saw of one source.

    Attributes:
        packets: How many packets, repeats included.
        first_seen: The earliest stamp; None where no line had one.
        last_seen: The latest stamp.
        destinations: DST, by packets.
        ports: DPT, by packets; packets without one are not in it.
        interfaces: Where they came in, in the order seen, few.
        macs: The senders' hardware addresses, in the order seen, few.
        evidence: The first lines, as read.
        lines_wanted: How many are to be kept: fewer if a tally to be merged with has some.
    """

    __slots__ = (
        "destinations",
        "evidence",
        "first_seen",
        "interfaces",
        "last_seen",
        "lines_wanted",
        "macs",
        "packets",
        "ports",
    )

    def __init__(
        self,
        packets: int = 0,
        first_seen: datetime | None = None,
        last_seen: datetime | None = None,
        destinations: Distinct | None = None,
        ports: Distinct | None = None,
        interfaces: tuple[str, ...] = (),
        macs: tuple[str, ...] = (),
        evidence: tuple[str, ...] = (),
        lines_wanted: int = KEPT_LINES,
    ) -> None:
        self.packets = packets
        self.first_seen = first_seen
        self.last_seen = last_seen
        self.destinations = Distinct() if destinations is None else destinations
        self.ports = Distinct() if ports is None else ports
        self.interfaces = interfaces
        self.macs = macs
        self.evidence = evidence
        self.lines_wanted = lines_wanted

    def add(self, hit: Hit) -> None:
        """Count one hit, the next in reading order."""
        self.packets += hit.repeat
        self._see(hit.time, hit.time)
        if hit.destination is not None:
            self.destinations.add(hit.destination, hit.repeat)
        if hit.port is not None:
            self.ports.add(hit.port, hit.repeat)
        self.name(hit.interface, hit.mac)
        self.prove(hit.line)

    def count(
        self,
        first: datetime,
        last: datetime,
        destinations: Sequence[str],
        port: str,
    ) -> None:
        """Count packets to *destinations* and *port*, if it is not empty, seen in that time."""
        self.packets += len(destinations)
        self._see(first, last)
        self.destinations.count_all(destinations)
        if port:
            self.ports.add(port, len(destinations))

    def name(self, interface: str | None, mac: str | None) -> None:
        """Note where a packet came in, and the hardware address of who sent it."""
        if interface:
            self.interfaces = first_names(self.interfaces, (interface,))
        if mac:
            self.macs = first_names(self.macs, (mac,))

    def needs_no_name(self, interface: str | None, mac: str | None) -> bool:
        """Tell whether :meth:`name` would add nothing."""
        return all(
            not name or name in kept or len(kept) >= KEPT_NAMES
            for name, kept in ((interface, self.interfaces), (mac, self.macs))
        )

    @property
    def is_proven(self) -> bool:
        """Tell whether no more lines are kept as evidence."""
        return len(self.evidence) >= self.lines_wanted

    def prove(self, line: str) -> None:
        """Keep *line* as evidence, if it is among the first."""
        if not self.is_proven:
            self.evidence += (line[:EVIDENCE_CHARACTERS],)

    def merge(self, later: "Tally") -> None:
        """Take in *later*, what was read after this."""
        self.packets += later.packets
        self._see(later.first_seen, later.last_seen)
        self.destinations.merge(later.destinations)
        self.ports.merge(later.ports)
        self.interfaces = first_names(self.interfaces, later.interfaces)
        self.macs = first_names(self.macs, later.macs)
        self.evidence = (self.evidence + later.evidence)[:KEPT_LINES]

    def __eq__(self, other: object) -> bool:
        """Compare all that was seen."""
        if not isinstance(other, Tally):
            return NotImplemented
        return self._seen() == other._seen()

    def __repr__(self) -> str:
        """Show all that was seen."""
        return f"Tally(**{self._seen()})"

    __hash__ = None  # type: ignore[assignment]

    def _seen(self) -> dict[str, object]:
        names = (name for name in self.__slots__ if name != "lines_wanted")
        return {name: getattr(self, name) for name in names}

    def _see(self, first: datetime | None, last: datetime | None) -> None:
        if first is not None and (self.first_seen is None or is_before(first, self.first_seen)):
            self.first_seen = first
        if last is not None and (self.last_seen is None or is_before(self.last_seen, last)):
            self.last_seen = last


def is_before(one: datetime, other: datetime) -> bool:
    """
    Tell whether *one* comes before *other*, of equal instants the smaller offset.

    One instant can be written with two offsets; in which order they are
    read and merged must not matter.
    """
    return one < other or (one == other and one.utcoffset() < other.utcoffset())  # type: ignore[operator]


def merged(tallies: Iterable[Tally]) -> Tally:
    """Merge *tallies*, given in reading order, into a new one."""
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    return whole


def first_names(seen: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the first few distinct names."""
    if all(name in seen for name in new):
        return seen
    return tuple(dict.fromkeys(seen + new))[:KEPT_NAMES]
