"""
What one signal saw of one source, as a value that adds up.

However hits are grouped into tallies, and in whatever order those are added,
the counts, the earliest and the latest stamp, the hours, and the destinations
and ports come out the same.  Evidence and names are the first in the order of
reading, so what was read before is added to.

Many different destinations are kept as the k whose hashes are smallest
(KMV; Bar-Yossef and others, "Counting Distinct Elements in a Data Stream",
RANDOM 2002): an item that is among the k smallest of all is so in every
part, so its count is exact however the parts are grouped, and the k-th hash
tells how many there were.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import compress
from operator import methodcaller
from zlib import crc32

from botalert.model import Hit
from botalert.times import HOUR_SECONDS, hour_of

KEPT_ITEMS = 256
# So many are held before those too many are sorted out: as many as Python's
# dict holds before it doubles its 512 slots.
MOST_ITEMS = 341
KEPT_LINES = 5
KEPT_NAMES = 16
EVIDENCE_CHARACTERS = 2048

HOURS_OF_DAY = 24
# Hours longer ago than this, from the latest one, become days when a tally is stored.
KEPT_HOURS = 35 * HOURS_OF_DAY

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


def ranks(items: Iterable[str]) -> list[int]:
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

    def add(self, item: str, count: int) -> None:
        """Count *item*, *count* times."""
        own = self._counts
        if item in own:
            own[item] += count
        else:
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

    def count_all(self, items: Sequence[str], ranks_of: Callable[[], Sequence[int]]) -> None:
        """Count each of *items* once; *ranks_of* gives their ranks, if that is asked."""
        own, limit = self._counts, self.limit
        if limit is not None:
            items = list(compress(items, map(limit.__ge__, ranks_of())))
        for item in items:
            own[item] = own.get(item, 0) + 1
        if len(own) > MOST_ITEMS:
            self._overflow()

    def merge(self, other: "Distinct") -> None:
        """Add all that *other* counted."""
        if other.limit is not None and (self.limit is None or other.limit < self.limit):
            self.limit = other.limit
        self.add_all(other._counts)
        if other.overflowed:
            self._overflow()

    def _overflow(self) -> None:
        """Keep the items of the smallest ranks."""
        self.overflowed = True
        known = ranks(self._counts)
        if len(known) < KEPT_ITEMS:
            return
        limit = self.limit = sorted(known)[KEPT_ITEMS - 1]
        kept = [pair for pair in zip(known, self._counts, strict=True) if pair[0] <= limit]
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

    def __repr__(self) -> str:
        """Show what is kept."""
        return f"Distinct({self.counts!r}, overflowed={self.overflowed})"

    __hash__ = None  # type: ignore[assignment]


class Tally:
    """
    What one signal saw of one source.

    Attributes:
        packets: How many packets, repeats included.
        first_seen: The earliest stamp; None where no line had one.
        last_seen: The latest stamp.
        hours: How many packets each hour of the clock had, UTC; hours and days
            are numbered since 1970.
        days: The same of days, of which the hours are no longer kept.
        destinations: DST, by packets.
        ports: DPT, by packets; packets without one are not in it.
        interfaces: Where they came in, in the order seen, few.
        macs: The senders' hardware addresses, in the order seen, few.
        evidence: The first lines, as read.
    """

    __slots__ = (
        "days",
        "destinations",
        "evidence",
        "first_seen",
        "hours",
        "interfaces",
        "last_seen",
        "macs",
        "packets",
        "ports",
    )

    def __init__(
        self,
        packets: int = 0,
        first_seen: datetime | None = None,
        last_seen: datetime | None = None,
        hours: dict[int, int] | None = None,
        days: dict[int, int] | None = None,
        destinations: Distinct | None = None,
        ports: Distinct | None = None,
        interfaces: tuple[str, ...] = (),
        macs: tuple[str, ...] = (),
        evidence: tuple[str, ...] = (),
    ) -> None:
        self.packets = packets
        self.first_seen = first_seen
        self.last_seen = last_seen
        self.hours = {} if hours is None else hours
        self.days = {} if days is None else days
        self.destinations = Distinct() if destinations is None else destinations
        self.ports = Distinct() if ports is None else ports
        self.interfaces = interfaces
        self.macs = macs
        self.evidence = evidence

    def add(self, hit: Hit) -> None:
        """Count one hit, the next in reading order."""
        self.count_one(hit)
        self.name(hit.interface, hit.mac)
        self.prove(hit.line)

    def count_one(self, hit: Hit) -> None:
        """Count one hit, without the names and the evidence that it may give."""
        self.packets += hit.repeat
        if hit.time is not None:
            self._see(hit.time, hit.time)
            add_up(self.hours, {hour_of(hit.time): hit.repeat})
        if hit.destination is not None:
            self.destinations.add(hit.destination, hit.repeat)
        if hit.port is not None:
            self.ports.add(hit.port, hit.repeat)

    def count(
        self,
        first: datetime,
        last: datetime,
        hours: Mapping[int, int],
        destinations: Sequence[str],
        ranks_of: Callable[[], Sequence[int]],
        port: str,
    ) -> None:
        """Count packets to *destinations* and *port*, if there is one; without names and lines."""
        self.packets += len(destinations)
        self._see(first, last)
        add_up(self.hours, hours)
        self.destinations.count_all(destinations, ranks_of)
        if port:
            self.ports.add(port, len(destinations))

    def name(self, interface: str | None, mac: str | None) -> None:
        """Note where a packet came in, and the hardware address of who sent it."""
        if interface:
            self.interfaces = first_names(self.interfaces, (interface,))
        if mac:
            self.macs = first_names(self.macs, (mac,))

    def prove(self, line: str) -> None:
        """Keep *line* as evidence, if it is among the first."""
        if len(self.evidence) < KEPT_LINES:
            self.evidence += (line[:EVIDENCE_CHARACTERS],)

    def merge(self, later: "Tally") -> None:
        """Add *later*, what was read after this."""
        self.packets += later.packets
        if later.first_seen is not None and later.last_seen is not None:
            self._see(later.first_seen, later.last_seen)
        add_up(self.hours, later.hours)
        add_up(self.days, later.days)
        self.destinations.merge(later.destinations)
        self.ports.merge(later.ports)
        self.interfaces = first_names(self.interfaces, later.interfaces)
        self.macs = first_names(self.macs, later.macs)
        self.evidence = (self.evidence + later.evidence)[:KEPT_LINES]

    def age(self) -> None:
        """Let hours that are long before the latest one become days."""
        age_hours(self.hours, self.days)

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
        return {name: getattr(self, name) for name in self.__slots__}

    def _see(self, first: datetime, last: datetime) -> None:
        if self.first_seen is None or is_before(first, self.first_seen):
            self.first_seen = first
        if self.last_seen is None or is_before(self.last_seen, last):
            self.last_seen = last


def add_up(counts: dict[int, int], more: Mapping[int, int]) -> None:
    """Add *more* to *counts*."""
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def age_hours(hours: dict[int, int], days: dict[int, int]) -> None:
    """Move *hours* that are long before the latest one into *days*."""
    oldest = max(hours, default=0) - KEPT_HOURS
    for hour in [hour for hour in hours if hour < oldest]:
        add_up(days, {hour // HOURS_OF_DAY: hours.pop(hour)})


def hour_words(hours: Mapping[int, int], days: Mapping[int, int]) -> dict[str, int]:
    """Return both in order of time, by "2026-11-20T23" and "2026-11-20", UTC."""
    spans = [(day * HOURS_OF_DAY, _DAY_CHARACTERS, count) for day, count in days.items()]
    spans += [(hour, _HOUR_CHARACTERS, count) for hour, count in hours.items()]
    return {
        datetime.fromtimestamp(begin * HOUR_SECONDS, UTC).isoformat()[:length]: count
        for begin, length, count in sorted(spans)
    }


# How many characters of an ISO stamp name a day, and an hour.
_DAY_CHARACTERS, _HOUR_CHARACTERS = 10, 13


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
    if not new or (new[0] in seen and all(name in seen for name in new)):
        return seen
    return tuple(dict.fromkeys(seen + new))[:KEPT_NAMES]
