"""
Blocks of a log into tallies.

What is scanned becomes tallies by their own algebra, so where the blocks are
cut, and how often kinds are settled, changes nothing.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, overload

from botalert.course import Course, Present, Tallies, rules_of, unite, weight
from botalert.grammar import AutoReader, KernelReader, LineReader
from botalert.grammar.ordinary import COUNTED, UNTOLD
from botalert.match import Signal, counted_values, sender_mac, source_of
from botalert.model import Drop, Hit, Outcome
from botalert.scan.masks import Masks, Matcher
from botalert.scan.sieve import Sieve
from botalert.tally import KEPT_LINES, TALLY_KB, Distinct, Tally
from botalert.times import ALWAYS, Span
from botalert.windows import Rules

if TYPE_CHECKING:
    from botalert.scan.rows import Rows

# So many lines at first are read one by one, whatever is looked for.
_FEW_LINES = 100
# What thresholds remember is weighed after so many lines: each may add to it.
_MOST_UNWEIGHED = 1 << 14


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
        self._latest: dict[tuple[str, str], Tally] = {}
        # How many lines of evidence and which names earlier parts have.
        self._earlier: dict[tuple[str, str], Tally] = {}
        self._weight = 0
        self._unweighed = 0
        self._rules = rules_of(signals)
        self._log = ""
        kernel = reader.text if isinstance(reader, AutoReader) else reader
        self._sieve: Sieve | None = None
        # Importing what reads rows, and compiling its pattern, takes longer than
        # reading a few lines.
        self._rows: Rows | None = None
        self._few_left = _FEW_LINES
        self._kernel: KernelReader | None = None
        if isinstance(kernel, KernelReader):
            if counts is None:
                self._sieve = Sieve(signals, json=isinstance(reader, AutoReader))
            asked = {c.field for signal in signals for c in signal.conditions}
            counted = {name for rules in self._rules.values() for name in rules.values}
            if not asked & UNTOLD and counted <= COUNTED:
                self._kernel = kernel
        self.begin(0)

    def scan(self, block: bytes) -> None:
        """Count what is in *block*, whole lines; only the last may lack its end."""
        if not block:
            return
        is_few = self._few_left > 0 and block.count(b"\n") < self._few_left
        lines = None if self._sieve is None or is_few else self._sieve.lines(block)
        if lines is None:
            self._scan_lines(block if block.endswith(b"\n") else block + b"\n", _Lines(block))
        elif lines:
            self._scan_lines(b"\n".join([*lines, b""]), lines)

    def begin(self, place: int, log: str = "") -> None:
        """
        Say that what follows stands at *place*, and of which log it is.

        Only evidence and names depend on the order of reading, so what is
        counted may be of any part; but what would give some begins a new one.
        If *place* is before what was scanned last, nothing of that is known
        any more: its evidence may not be the first.
        """
        if self._parts and place < self._parts[-1].place:
            self._done = self.take()
        self._log = log
        if self._rows is not None:
            self._rows.forget_local()
        if self._parts and not self._parts[-1].tallies:
            self._parts.pop()
        self._parts.append(Part(place, {}))

    def take(self) -> list[Part]:
        """Give what was found since the last call; united by place, it is the whole."""
        if self._rows is not None:
            self._rows.forget()
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
        self.begin(place, self._log)
        return parts

    @property
    def weight(self) -> int:
        """About how much room is taken by what was found, in KB."""
        return self._weight

    @cached_property
    def _masks(self) -> Masks:
        return Masks(self._signals)

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self._masks)

    def _scan_lines(self, text: bytes, lines: Sequence[bytes]) -> None:
        """Scan *text*, whose lines are *lines*, each with its end."""
        if self._counts is not None:
            self._counts.read += len(lines)
        if self._kernel is None or len(lines) <= self._few_left:
            self._few_left -= len(lines)
            for line in lines:
                self._read(line)
            self._weigh_if_many(len(lines))
            return
        if self._rows is None:
            from botalert.scan.rows import Rows

            self._rows = Rows(
                self._masks, self._rules, self._kernel, self._span, self._seen, self._read
            )
        packets = self._rows.scan(text, lines)
        if self._counts is not None:
            self._counts.packets += packets
        if self._rows.settle_if_many():
            self._weigh()
        self._weigh_if_many(len(lines))

    def _weigh_if_many(self, lines: int) -> None:
        self._unweighed += lines
        if self._rules and self._unweighed > _MOST_UNWEIGHED:
            self._weigh()

    def _weigh(self) -> None:
        self._weight = sum(weight(part.tallies) for part in self._parts)
        self._unweighed = 0

    def _read(self, line: bytes) -> None:
        """Read *line* by itself and count it."""
        if self._sieve is not None and not self._sieve.may_want(line):
            return
        outcome = self._reader.read(line)
        if self._counts is not None:
            self._counts.packets += isinstance(outcome, Drop)
            self._counts.unparsed += outcome is Outcome.UNPARSED
        if isinstance(outcome, Drop) and self._span.holds(outcome.time):
            for signal in self._matcher.met_by(outcome):
                hit = hit_of(outcome, signal, self._rules.get(signal.name))
                seen = self._seen(hit.signal, hit.source, hit.interface, hit.mac)
                seen.add(hit)

    def _seen(
        self, signal: str, source: str, interface: str | None, mac: str | None
    ) -> Tally | Present:
        """Give where a packet of *source* is counted that *signal* wants, its names noted."""
        if signal not in self._rules:
            return self._tally(signal, source, interface, mac)
        tallies = self._parts[-1].tallies
        course = tallies.get((signal, source))
        if course is None:
            course = tallies[signal, source] = Course(self._rules[signal])
            self._weight += TALLY_KB
        assert isinstance(course, Course)
        return Present(course, self._log)

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


def hit_of(drop: Drop, signal: Signal, rules: Rules | None = None) -> Hit:
    """Keep of *drop* what a tally needs, and a threshold, if there are *rules* for one."""
    fields = drop.packet.fields
    return Hit(
        signal=signal.name,
        source=source_of(drop, signal),
        time=drop.time,
        destination=fields.get("DST"),
        port=fields.get("DPT"),
        interface=fields.get("IN"),
        mac=sender_mac(fields),
        repeat=drop.repeat,
        line=drop.line,
        uptime=drop.uptime,
        values=() if rules is None else counted_values(drop, rules.values),
    )
