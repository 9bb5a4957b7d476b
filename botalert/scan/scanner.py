"""
Blocks of a log into tallies.

What is scanned becomes tallies by their own algebra, so where the blocks are
cut, and how often kinds are settled, changes nothing.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from socket import AF_INET, inet_pton
from typing import NamedTuple, overload

from botalert.grammar import AutoReader, KernelReader, LineReader
from botalert.grammar.lines import text_of
from botalert.grammar.ordinary import (
    CLOCK,
    DESTINATION,
    PERIOD,
    Row,
)
from botalert.grammar.packets import canonical_address
from botalert.match import Signal, matches, sender_mac
from botalert.model import Drop, Hit, Outcome
from botalert.scan.kinds import ODD, STRANGE, Classifier, Kind
from botalert.scan.masks import Memory
from botalert.scan.sieve import Sieve
from botalert.tally import KEPT_LINES, TALLY_KB, Distinct, Tallies, Tally, unite, weight
from botalert.times import ALWAYS, Span

# Kinds become tallies when there are so many of them, or of their rows.
_MOST_KINDS = 4096
_MOST_UNSETTLED = 1 << 17
# So many lines at first are read one by one, for one signal.
_FEW_LINES = 40


class LineCounts:
    """What went by, for --stats."""

    __slots__ = ("packets", "read", "unparsed")

    def __init__(self, read: int = 0, packets: int = 0, unparsed: int = 0) -> None:
        self.read = read
        self.packets = packets
        self.unparsed = unparsed

    def add(self, other: "LineCounts") -> None:
        """Count what *other* counted."""
        self.read += other.read
        self.packets += other.packets
        self.unparsed += other.unparsed


class Part(NamedTuple):
    """
    Tallies of some of what was scanned.

    Attributes:
        place: Where in the order of reading it begins.
        tallies: By signal and source.
    """

    place: int
    tallies: Tallies


def united(parts: Iterable[Part]) -> Tallies:
    """Unite *parts*, in whatever order they came."""
    whole: Tallies = {}
    for part in sorted(parts, key=lambda part: part.place):
        unite(whole, part.tallies)
    return whole


class Scanner:
    """
    Finds in blocks of whole lines what signals ask for.

    Args:
        signals: What is looked for.
        reader: Reads single lines; what it remembers is this scan's own.
        span: Which packets count.
        counts: Counts what goes by, if given; then every line is read.
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        reader: LineReader,
        span: Span = ALWAYS,
        counts: LineCounts | None = None,
    ) -> None:
        self._signals = signals
        self._reader = reader
        self._span = span
        self._counts = counts
        self._parts: list[Part] = []
        self._done: list[Part] = []
        self._taken: dict[tuple[str, str], tuple[Distinct, Distinct]] = {}
        self._latest: Tallies = {}
        # How many lines of evidence and which names earlier parts have.
        self._earlier: dict[tuple[str, str], Tally] = {}
        self._kinds: dict[tuple[object, ...], Kind] = {}
        self._unproven: dict[tuple[object, ...], Kind] = {}
        # One object for each text: the same few are compared all the time.
        self._shared: dict[str, str] = {}
        # How many rows their kinds have not told their tallies.
        self._unsettled = 0
        # What is no IPv4 address, and the one that it is.
        self._known: Memory[str, str | None] = Memory()
        self._weight = 0
        kernel = reader.text if isinstance(reader, AutoReader) else reader
        self._sieve: Sieve | None = None
        # Compiling its pattern takes longer than reading a few lines.
        self._classifier: Classifier | None = None
        self._kernel: KernelReader | None = None
        self._few_left = _FEW_LINES // max(len(signals), 1)
        if isinstance(kernel, KernelReader):
            if counts is None:
                self._sieve = Sieve(signals, json=isinstance(reader, AutoReader))
            if Classifier.knows(signals):
                self._kernel = kernel
        self.begin(0)

    def scan(self, block: bytes) -> None:
        """Count what is in *block*, whole lines; only the last may lack its end."""
        if not block:
            return
        lines = self._sieve.lines(block) if self._sieve is not None else None
        if lines is None:
            self._scan_lines(block if block.endswith(b"\n") else block + b"\n", _Lines(block))
        elif lines:
            self._scan_lines(b"\n".join([*lines, b""]), lines)

    def begin(self, place: int) -> None:
        """
        Say that what follows stands at *place*.

        Only evidence and names depend on the order of reading, so what is
        counted may be of any part; but what would give some begins a new one.
        If *place* is before what was scanned last, nothing of that is known
        any more: its evidence may not be the first.
        """
        if self._parts and place < self._parts[-1].place:
            self._done = self.take()
        for key, kind in self._unproven.items():
            kind.settle()
            del self._kinds[key]
        self._unproven.clear()
        if self._parts and not self._parts[-1].tallies:
            self._parts.pop()
        self._parts.append(Part(place, {}))

    def take(self) -> list[Part]:
        """Give what was found since the last call; united by place, it is the whole."""
        self._settle()
        self._kinds.clear()
        self._unproven.clear()
        # Of sources with many destinations not all is forgotten: what is found
        # from now on is less if it need only add to that.
        self._taken = {
            key: (Distinct.beyond(tally.destinations), Distinct.beyond(tally.ports))
            for key, tally in self._latest.items()
            if tally.destinations.limit is not None
        }
        self._latest.clear()
        self._earlier.clear()
        self._weight = 0
        parts = self._done + self._parts
        place = self._parts[-1].place
        self._done, self._parts = [], []
        self.begin(place)
        return parts

    @property
    def weight(self) -> int:
        """About how much room is taken by what was found, in KB."""
        return self._weight

    def _scan_lines(self, text: bytes, lines: Sequence[bytes]) -> None:
        """Scan *text*, whose lines are *lines*, each with its end."""
        if self._kernel is None or len(lines) <= self._few_left:
            self._few_left -= len(lines)
            for line in lines:
                self._read(line)
        else:
            if self._classifier is None:
                self._classifier = Classifier(self._signals, self._kernel, self._span, self._tally)
            self._scan_rows(self._classifier, text, lines)
        if self._counts is not None:
            self._counts.read += len(lines)
        if len(self._kinds) > _MOST_KINDS:
            self._settle()
            self._kinds.clear()
            self._unproven.clear()
        elif self._unsettled > _MOST_UNSETTLED:
            self._settle()

    def _scan_rows(self, classifier: Classifier, text: bytes, lines: Sequence[bytes]) -> None:
        """Scan *text* by one pattern; what follows is done for every row of it."""
        rows = classifier.rows(text.decode("latin-1"))
        kinds = self._kinds
        packets = len(rows)
        # Looked up as the loop goes on: a kind found in one row is known in the next.
        found = map(kinds.get, map(classifier.key, rows))
        addresses = self._addresses(list(map(itemgetter(DESTINATION), rows)))
        for index, (row, known, address) in enumerate(zip(rows, found, addresses, strict=True)):
            kind = known or self._new_kind(classifier, row, address, lines[index])
            destinations = kind.destinations
            if destinations is None or address is None:
                if kind is STRANGE:
                    packets -= 1
                elif kind is ODD or address is None:
                    packets -= 1
                    self._read(lines[index])
                continue
            destinations.append(address)
            clock = row[CLOCK]
            if clock > kind.last:
                kind.last = clock
            elif clock < kind.first:
                kind.first = clock
            if not kind.is_proven:
                kind.prove(text_of(lines[index]))
        self._unsettled += len(rows)
        if self._counts is not None:
            self._counts.packets += packets

    def _addresses(self, texts: list[str]) -> Sequence[str | None]:
        """Give the addresses that *texts* are, None for what is none."""
        try:
            # One pass in C over what nearly all blocks hold: IPv4, whose text is its short form.
            deque(map(inet_pton, repeat(AF_INET), texts), maxlen=0)
        except OSError:
            return list(map(self._address, texts))
        return texts

    def _address(self, text: str) -> str | None:
        try:
            inet_pton(AF_INET, text)
        except OSError:
            if text not in self._known:
                self._known.keep(text, canonical_address(text))
            return self._known[text]
        return text

    def _new_kind(
        self, classifier: Classifier, row: Row, address: str | None, line: bytes
    ) -> Kind:
        """Look into *line*; remember its kind for the others."""
        if not row[PERIOD] or address is None:
            return ODD
        # Keys that share their parts are compared with what is in the cache.
        shared = self._shared
        key = tuple(
            shared.setdefault(part, part) if isinstance(part, str) else part
            for part in classifier.key(row)
        )
        kind = self._kinds[key] = classifier.kind_of(row, line)
        if kind.destinations is not None and not kind.is_proven:
            self._unproven[key] = kind
        return kind

    def _settle(self) -> None:
        """Make tallies of what was counted by kinds."""
        for kind in self._kinds.values():
            kind.settle()
        self._unsettled = 0
        self._shared.clear()
        self._weight = sum(weight(part.tallies) for part in self._parts)

    def _read(self, line: bytes) -> None:
        """Read *line* by itself and count it."""
        if self._sieve is not None and not self._sieve.may_want(line):
            return
        outcome = self._reader.read(line)
        if self._counts is not None:
            self._counts.packets += isinstance(outcome, Drop)
            self._counts.unparsed += outcome is Outcome.UNPARSED
        if isinstance(outcome, Drop) and self._span.holds(outcome.time):
            for signal in self._signals:
                if matches(outcome, signal):
                    hit = hit_of(outcome, signal)
                    self._tally(hit.signal, hit.source, hit.interface, hit.mac).add(hit)

    def _tally(self, signal: str, source: str, interface: str | None, mac: str | None) -> Tally:
        """Give the tally for a packet of *source* that *signal* wants, its names noted."""
        key = (signal, source)
        tally = self._latest.get(key)
        if tally is None:
            tally = self._parts[-1].tallies[key] = self._latest[key] = self._begun(key)
            self._weight += TALLY_KB
        elif tally is not self._parts[-1].tallies.get(key):
            tally = self._continued(key, tally, interface, mac)
        tally.name(interface, mac)
        return tally

    def _begun(self, key: tuple[str, str]) -> Tally:
        destinations, ports = self._taken.get(key, (None, None))
        if destinations is None or ports is None:
            return Tally()
        return Tally(destinations=Distinct.beyond(destinations), ports=Distinct.beyond(ports))

    def _continued(
        self, key: tuple[str, str], tally: Tally, interface: str | None, mac: str | None
    ) -> Tally:
        """Give *tally*, of an earlier part, or one of this part if that is to have something."""
        earlier = self._earlier.get(key, Tally())
        lines = KEPT_LINES - earlier.lines_wanted + len(tally.evidence)
        named = Tally(
            interfaces=earlier.interfaces + tally.interfaces,
            macs=earlier.macs + tally.macs,
            lines_wanted=max(KEPT_LINES - lines, 0),
        )
        if not named.lines_wanted and named.needs_no_name(interface, mac):
            return tally
        self._earlier[key] = named
        continued = self._begun(key)
        continued.lines_wanted = named.lines_wanted
        self._weight += TALLY_KB
        self._parts[-1].tallies[key] = self._latest[key] = continued
        return continued


class _Lines(Sequence[bytes]):
    """The lines of a block, split when one is first asked for: few blocks need that."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._lines: list[bytes] | None = None

    def _split(self) -> list[bytes]:
        if self._lines is None:
            self._lines = self._block.removesuffix(b"\n").split(b"\n")
        return self._lines

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        """Give one line or some, without their ends."""
        return self._split()[index]

    def __len__(self) -> int:
        """Tell how many there are."""
        return len(self._split())


def hit_of(drop: Drop, signal: Signal) -> Hit:
    """Keep of *drop* what a tally needs."""
    fields = drop.packet.fields
    return Hit(
        signal=signal.name,
        source=fields["SRC"],
        time=drop.time,
        destination=fields.get("DST"),
        port=fields.get("DPT"),
        interface=fields.get("IN"),
        mac=sender_mac(fields),
        repeat=drop.repeat,
        line=drop.line,
    )
