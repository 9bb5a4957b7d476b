"""
Blocks of a log into batches of hits.

Where the blocks are cut, and how large batches are, changes nothing in the
hits and their order.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from botalert.course import rules_of
from botalert.grammar import AutoReader, KernelReader, LineReader
from botalert.grammar.ordinary import COUNTED, UNTOLD
from botalert.hits import Batch
from botalert.match import Signal, counted_values, sender_mac, source_of
from botalert.model import Drop, Hit, Outcome
from botalert.scan.masks import Masks, Matcher
from botalert.scan.sieve import Sieve
from botalert.threshold import SECONDS
from botalert.times import ALWAYS, Span
from botalert.windows import MICROSECONDS, Rules

if TYPE_CHECKING:
    from botalert.scan.rows import Rows

# So many lines at first are read one by one, whatever is looked for.
FEW_LINES = 100
# So many hits that come one by one are a batch.
_BATCH_HITS = 4096


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


class Scanner:
    """
    Finds in blocks of whole lines what signals ask for.

    Args:
        signals: What is looked for.
        reader: Reads single lines; what it remembers is this scan's own.
        span: Which packets count.
        counts: Counts what goes by, if given; then every line is read.
        few_lines: How many lines are read one by one before the others are prepared for.

    Attributes:
        counts: It; may be changed for another.
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        reader: LineReader,
        span: Span = ALWAYS,
        counts: LineCounts | None = None,
        few_lines: int = FEW_LINES,
    ) -> None:
        self._signals = signals
        self._reader = reader
        self._span = span
        self.counts = counts
        self._rules = rules_of(signals)
        kernel = reader.text if isinstance(reader, AutoReader) else reader
        self._sieve: Sieve | None = None
        # Importing what reads rows, and compiling its pattern, takes longer than
        # reading a few lines.
        self._rows: Rows | None = None
        self._few_left = few_lines
        self._kernel: KernelReader | None = None
        if isinstance(kernel, KernelReader):
            if counts is None:
                self._sieve = Sieve(signals, json=isinstance(reader, AutoReader))
            asked = {c.field for signal in signals for c in signal.conditions}
            counted = {name for rules in self._rules.values() for name in rules.values}
            if not asked & UNTOLD and counted <= COUNTED:
                self._kernel = kernel

    def batches(
        self, blocks: Iterable[bytes], log: str = "", *, is_later: bool = False
    ) -> Iterator[Batch]:
        """
        Give the hits in *blocks* of *log*: of whole lines; only the last may lack its end.

        Where *is_later* tells that all that was scanned before stands before
        this, what became evidence of it need not be given again; unless what
        stands between may have made tallies begin anew.
        """
        hits: list[tuple[int, Hit]] = []
        if self._rows is not None and (self._rules or not is_later):
            self._rows.renew()
        for block in blocks:
            lines = self._wanted(block)
            if self._kernel is not None and not self._are_few(lines):
                if hits:
                    yield Batch(log, (), hits, {}, is_steady=False)
                    hits = []
                rows = self._prepared(self._kernel)
                rows.add(lines.text, lines)
                if rows.is_full:
                    yield self._batch(rows, log)
                continue
            for line in lines:
                hits += ((len(hits), hit) for hit in self._hits(line))
            if len(hits) >= _BATCH_HITS:
                yield Batch(log, (), hits, {}, is_steady=False)
                hits = []
        if hits:
            yield Batch(log, (), hits, {}, is_steady=False)
        if self._rows:
            yield self._batch(self._rows, log)

    def _wanted(self, block: bytes) -> "_Lines":
        """Return those lines of *block* that are to be looked at."""
        found = None
        if self._sieve is not None and not self._is_small(block):
            found = self._sieve.lines(block)
        lines = _Lines(block, found)
        if self.counts is not None:
            self.counts.read += len(lines)
        return lines

    def _is_small(self, block: bytes) -> bool:
        return self._few_left > 0 and block.count(b"\n") < self._few_left

    def _are_few(self, lines: "_Lines") -> bool:
        """Whether *lines* are read one by one: there are none, or they are among the first."""
        if not lines.text:
            return True
        if self._few_left and len(lines) <= self._few_left:
            self._few_left -= len(lines)
            return True
        self._few_left = 0
        return False

    def _prepared(self, kernel: KernelReader) -> "Rows":
        if self._rows is None:
            from botalert.scan.rows import Rows

            counted = {name for rules in self._rules.values() for name in rules.values}
            day = SECONDS["d"] * MICROSECONDS
            every_line = any(rules.least_silence < day for rules in self._rules.values())
            self._rows = Rows(
                self._masks,
                counted if self._rules else None,
                kernel,
                self._span,
                every_line=every_line,
            )
        return self._rows

    def _batch(self, rows: "Rows", log: str) -> Batch:
        taken = rows.take()
        if self.counts is not None:
            self.counts.packets += taken.packets
        hits = [(place, hit) for place, line in taken.odd for hit in self._hits(line)]
        return Batch(log, taken.strips, hits, taken.lines, taken.is_steady)

    @cached_property
    def _masks(self) -> Masks:
        return Masks(self._signals)

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self._masks)

    def _hits(self, line: bytes) -> list[Hit]:
        """Read *line* by itself."""
        if self._sieve is not None and not self._sieve.may_want(line):
            return []
        outcome = self._reader.read(line)
        if self.counts is not None:
            self.counts.packets += isinstance(outcome, Drop)
            self.counts.unparsed += outcome is Outcome.UNPARSED
        if not isinstance(outcome, Drop) or not self._span.holds(outcome.time):
            return []
        return [
            hit_of(outcome, signal, self._rules.get(signal.name))
            for signal in self._matcher.met_by(outcome)
        ]


class _Lines(Sequence[bytes]):
    """
    Lines of a block, split when one is first asked for: few blocks need that.

    Args:
        block: All of it.
        found: Those that are wanted; None for all.

    Attributes:
        text: They as one text, each with its end.
    """

    def __init__(self, block: bytes, found: list[bytes] | None) -> None:
        self._lines = found
        if found is not None:
            self.text = b"\n".join([*found, b""]) if found else b""
        else:
            self.text = block if block.endswith(b"\n") or not block else block + b"\n"

    def _split(self) -> list[bytes]:
        if self._lines is None:
            self._lines = self.text.removesuffix(b"\n").split(b"\n") if self.text else []
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
