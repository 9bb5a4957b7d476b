"""
What a scan hands on: hits in their order, many at once.

Most lines of a log differ from others only in their clock, their destination
and numbers that no signal asks about.  What is left is their *kind*; hits of
one kind are a *strip*, column by column.  Hits that are like no others come
one by one.  Of both a *batch* says where each stands.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any, NamedTuple

from botalert.match import flow_words
from botalert.model import Hit
from botalert.tally import Tally, ranks
from botalert.threshold import FLOWS
from botalert.times import HOUR_SECONDS, Period, microseconds
from botalert.windows import MICROSECONDS

_HOUR = HOUR_SECONDS * MICROSECONDS
_MICROSECOND = timedelta(microseconds=1)
_MOST_REMEMBERED = 1 << 16


class Clock:
    """
    Tells the times of a period's clocks, without a datetime for each.

    Attributes:
        period: The period.
        start: When it begins, in microseconds since 1970.
        offset: Its offset from UTC, in microseconds.
        day: The ordinal of its day.
    """

    __slots__ = ("_known", "day", "offset", "period", "start")

    def __init__(self, period: Period) -> None:
        self.period = period
        self.day = period.start.toordinal()
        self.start = round(period.start.timestamp()) * MICROSECONDS
        self.offset = (period.start.utcoffset() or timedelta(0)) // _MICROSECOND
        # Rows come in order: many have the clock of the one before.
        self._known: dict[str, int] = {}

    def time(self, text: str) -> int:
        """Return in microseconds since 1970 when *text* is, "23:58:33" or "58:33.105166"."""
        time = self._known.get(text)
        if time is None:
            whole, _, fraction = text.partition(".")
            seconds = 0
            for part in whole.split(":"):
                seconds = seconds * 60 + int(part)
            time = self.start + seconds * MICROSECONDS + microseconds(fraction)
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[text] = time
        return time

    def times(self, texts: Sequence[str]) -> list[int]:
        """Return the :meth:`time` of each of *texts*."""
        times = list(map(self._known.get, texts))
        if None in times:
            return list(map(self.time, texts))
        return times  # type: ignore[return-value]

    def stamp(self, time: int) -> datetime:
        """Return the moment of *time*, aware, with the period's offset."""
        return self.period.start + timedelta(microseconds=time - self.start)


class Kind:
    """
    What hits of one kind have in common.

    Attributes:
        targets: The signals that they meet, and the source for each.
        clock: Tells when they were logged.
        address: SRC.
        interface: Where they came in.
        mac: The sender's hardware address.
        protocol: PROTO.
        port: DPT; empty if there is none.
    """

    __slots__ = ("address", "clock", "interface", "mac", "port", "protocol", "targets")

    def __init__(
        self,
        targets: tuple[tuple[str, str], ...],
        clock: Clock,
        address: str,
        interface: str | None,
        mac: str | None,
        protocol: str | None,
        port: str,
    ) -> None:
        self.targets = targets
        self.clock = clock
        self.address = address
        self.interface = interface
        self.mac = mac
        self.protocol = protocol
        self.port = port


class Strip:
    """
    Hits of one kind, in the order of reading.

    Attributes:
        kind: What they have in common.
        places: Where in the batch each stands.
        clocks: When in its clock's period each was logged.
        destinations: DST of each.
        source_ports: SPT of each, "" where there is none; nothing if no threshold counts it.
    """

    __slots__ = (
        "_ends",
        "_ranks",
        "_span",
        "clocks",
        "destinations",
        "kind",
        "places",
        "source_ports",
    )

    def __init__(
        self,
        kind: Kind,
        places: Sequence[int],
        clocks: Sequence[str],
        destinations: Sequence[str],
        source_ports: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.places = places
        self.clocks = clocks
        self.destinations = destinations
        self.source_ports = source_ports
        # They are asked for once for each target.
        self._ends: tuple[int, int] | None = None
        self._span: tuple[datetime, datetime, Mapping[int, int]] | None = None
        self._ranks: Sequence[int] | None = None

    def ranks(self) -> Sequence[int]:
        """Return the rank of each destination."""
        if self._ranks is None:
            self._ranks = ranks(self.destinations)
        return self._ranks

    def times(self) -> list[int]:
        """Return when each was logged, in microseconds since 1970."""
        return self.kind.clock.times(self.clocks)

    def span(self) -> tuple[datetime, datetime, Mapping[int, int]]:
        """Return the earliest and the latest stamp, and how many packets each hour had."""
        if self._span is None:
            clock = self.kind.clock
            first, last = self.ends()
            hour = first // _HOUR
            if hour == last // _HOUR:
                hours: Mapping[int, int] = {hour: len(self.clocks)}
            else:
                hours = Counter(time // _HOUR for time in self.times())
            self._span = clock.stamp(first), clock.stamp(last), hours
        return self._span

    def ends(self) -> tuple[int, int]:
        """Return the earliest and the latest time, in microseconds since 1970."""
        if self._ends is None:
            clock, clocks = self.kind.clock, self.clocks
            if len(clocks) == 1:
                time = clock.time(clocks[0])
                self._ends = time, time
            else:  # Those of one period compare as text.
                self._ends = clock.time(min(clocks)), clock.time(max(clocks))
        return self._ends

    def count_in(self, tally: Tally) -> None:
        """Count them in *tally*, but for names and lines."""
        tally.count(*self.span(), self.destinations, self.ranks, self.kind.port)

    def column(self, name: str) -> Iterable[str | None]:
        """Return what each has of the field *name*, or its flow; what all have alike has no end."""
        kind = self.kind
        if name == "DST":
            return self.destinations
        if name == "SPT":
            return (port or None for port in self.source_ports)
        if name == FLOWS:
            pairs = zip(self.destinations, self.source_ports, strict=True)
            return [flow_words(kind.protocol, dst, spt, kind.port) for dst, spt in pairs]
        alike = {
            "SRC": kind.address,
            "IN": kind.interface,
            "DPT": kind.port or None,
            "PROTO": kind.protocol,
        }
        return repeat(alike[name])

    def hits(self, lines: Mapping[int, str], names: Sequence[str]) -> Iterator[tuple[int, Hit]]:
        """Return each by itself, with its place and what it has of *names*; of any target."""
        kind = self.kind
        values: Iterator[tuple[Any, ...]] = zip(*map(self.column, names)) if names else repeat(())  # noqa: B905
        columns = zip(self.places, self.clocks, self.destinations, strict=True)
        for (place, clock, destination), own in zip(columns, values):  # noqa: B905
            yield (
                place,
                Hit(
                    "",
                    "",
                    kind.clock.stamp(kind.clock.time(clock)),
                    destination,
                    kind.port or None,
                    kind.interface,
                    kind.mac,
                    1,
                    lines.get(place, ""),
                    None,
                    own,
                ),
            )


class Batch(NamedTuple):
    """
    Hits of a log that follow each other.

    Attributes:
        log: The log's name, or its number in the order of reading; so they sort.
        strips: Those of which many are alike.
        hits: Those that came one by one, with their places.
        lines: The lines that may become evidence, by place: of each kind the first
            of a day, and all where the windows or the counts may begin anew.
        is_steady: Whether all strips are of one period, and their clocks only go on.
    """

    log: str
    strips: Sequence[Strip]
    hits: Sequence[tuple[int, Hit]]
    lines: Mapping[int, str]
    is_steady: bool
