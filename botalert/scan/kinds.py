"""
What lines share that differ only in their clock and their destination.

Most lines of a log differ from others only in these and in numbers that no
signal asks about.  What is left is a line's *kind*: it is looked into once,
and its other lines are only counted.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from botalert.grammar import KernelReader
from botalert.grammar.ordinary import (
    CLOCK,
    COLUMNS,
    DESTINATION,
    FIRST_COLUMN,
    FLOW,
    PERIOD,
    SENDER,
    Row,
    columns_for,
    line_pattern,
    packet_of,
)
from botalert.grammar.packets import canonical_address
from botalert.match import Signal, field_values, packet_values, sender_mac, source_named
from botalert.model import Drop, Outcome, Packet
from botalert.scan.masks import Masks, Memory, numbers_in
from botalert.tally import Tally
from botalert.times import ALWAYS, Period, Span

# What a row's own columns may tell; all else, its sender and its rule's prefix do.
_TOLD_BY_ROWS = frozenset(
    {"SRC", "DST", "MAC", *(name for told in COLUMNS.values() for name in told)}
)


class Kind:
    """
    Lines that differ only in what is counted here.

    Attributes:
        destinations: The DST of each since the last settling; None if nothing is counted.
        first: The earliest clock.
        last: The latest.
        is_proven: Whether no tally needs more evidence.
    """

    __slots__ = ("_period", "_port", "_tallies", "destinations", "first", "is_proven", "last")

    def __init__(self, tallies: Sequence[Tally], period: Period, clock: str, port: str) -> None:
        self.destinations: list[str] | None = [] if tallies else None
        self.first = self.last = clock
        self.is_proven = all(tally.is_proven for tally in tallies)
        self._tallies = tallies
        self._period = period
        self._port = port

    def prove(self, line: str) -> None:
        """Offer *line* to the tallies as evidence."""
        for tally in self._tallies:
            tally.prove(line)
        self.is_proven = all(tally.is_proven for tally in self._tallies)

    def settle(self) -> None:
        """Add what was counted to the tallies, and count anew."""
        if not self.destinations:
            return
        first, last = self._period.moment(self.first), self._period.moment(self.last)
        for tally in self._tallies:
            tally.count(first, last, self.destinations, self._port)
        self.destinations.clear()


# What needs no counting: packets that no signal wants (UNWANTED), lines that are
# no packets (STRANGE), and lines that have to be read one by one (ODD).
_NEVER = Period(datetime.min, datetime.min)
UNWANTED = Kind((), _NEVER, "", "")
STRANGE = Kind((), _NEVER, "", "")
ODD = Kind((), _NEVER, "", "")


class _Rule(NamedTuple):
    """
    What a sender and a rule's prefix tell of all their lines.

    Attributes:
        mask: The signals that they do not fail.
        interface: Where the packets came in.
        host: The machine that logged them.
    """

    mask: int
    interface: str | None
    host: str | None


class _Flow(NamedTuple):
    """
    What a row's flow tells.

    Attributes:
        front: The rule's prefix, IN and OUT.
        mac: MAC's value; None where there is none.
        source: SRC; empty where it is damaged.
        sender: The sender's hardware address.
        mask: The signals that SRC and MAC do not fail.
    """

    front: str
    mac: str | None
    source: str
    sender: str | None
    mask: int


TallyFinder = Callable[[str, str, str | None, str | None], Tally]


class Classifier:
    """
    Looks into lines to tell of what kind they are.

    Args:
        signals: What is looked for; they ask for nothing that rows do not tell.
        reader: Reads single lines.
        span: Which packets count.
        tally_of: Gives the tally of a signal and a source, and notes an interface and a MAC.

    Attributes:
        rows: Makes rows of a block of whole lines.
        key: Gives what all rows of one kind have in common.
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        reader: KernelReader,
        span: Span,
        tally_of: TallyFinder,
    ) -> None:
        self._signals = signals
        self._masks = masks = Masks(signals)
        self._reader = reader
        self._span = span
        self._tally_of = tally_of
        self._columns = columns_for({*masks.fields, "DPT"})
        self._port_column = FIRST_COLUMN + self._columns.index("dport")
        self._told_by_columns = masks.fields & {
            name for column in self._columns for name in COLUMNS[column]
        }
        by_day, self._by_hour = (
            line_pattern(self._columns, any_program=reader.any_program, by_hour=by_hour)
            for by_hour in (False, True)
        )
        pattern = by_day if span == ALWAYS else self._by_hour
        self.rows: Callable[[str], list[Row]] = pattern.findall
        shared = itemgetter(
            PERIOD, SENDER, FLOW, *range(FIRST_COLUMN, FIRST_COLUMN + len(self._columns))
        )
        self.key: Callable[[Row], tuple[object, ...]] = shared
        self._asks_destination = "DST" in masks.fields
        if self._asks_destination:
            self.key = lambda row: (*shared(row), self._destination_mask(row[DESTINATION]))
        self._periods: Memory[tuple[str, str], Period | None] = Memory()
        self._rules: Memory[tuple[int, str, str, bool], _Rule | Kind] = Memory()
        self._flows: Memory[str, _Flow] = Memory()
        self._packets: Memory[Row, int] = Memory()
        self._destinations: Memory[str, int] = Memory()

    def kind_of(self, row: Row, line: bytes) -> Kind:
        """Look into *line*, whose columns are *row*; its DST is sound."""
        period = self._period(row)
        flow = self._flows.get(row[FLOW]) or self._flows.keep(row[FLOW], self._flow_of(row[FLOW]))
        if period is None:
            # A day in which clocks jump may have hours in which they don't.
            self.rows = self._by_hour.findall
            return ODD
        if not flow.source:
            return ODD
        rule = self._rule(row, flow, period, line)
        if isinstance(rule, Kind):
            return rule
        if not self._span.holds_all(period):
            return ODD if self._span.holds_some(period) else UNWANTED
        mask = rule.mask & flow.mask & self._packet_mask(row[FIRST_COLUMN:-1])
        if self._asks_destination:
            mask &= self._destination_mask(row[DESTINATION])
        if not mask:
            return UNWANTED
        tallies = []
        for signal in (self._signals[number] for number in numbers_in(mask)):
            source = source_named(signal.source, flow.source, flow.sender, rule.host)
            tallies.append(self._tally_of(signal.name, source, rule.interface, flow.sender))
        return Kind(tallies, period, row[CLOCK], row[self._port_column])

    def _period(self, row: Row) -> Period | None:
        key = (row[PERIOD], row[SENDER].partition(" ")[0])
        if key not in self._periods:
            self._periods.keep(key, self._reader.stamps.period(*key))
        return self._periods[key]

    def _flow_of(self, text: str) -> _Flow:
        front, _, source = text.rpartition(" SRC=")
        mac = None
        if " MAC=" in front:
            front, _, mac = front.rpartition(" MAC=")
        source = canonical_address(source) or ""
        if not source:
            return _Flow(front, mac, "", None, 0)
        packet = Packet({"SRC": source} if mac is None else {"SRC": source, "MAC": mac})
        mask = self._mask_of(packet, ("SRC", "MAC"))
        return _Flow(front, mac, source, sender_mac(packet.fields), mask)

    def _rule(self, row: Row, flow: _Flow, period: Period, line: bytes) -> _Rule | Kind:
        # The form of the stamp decides which zones may follow.
        key = (len(row[PERIOD]), row[SENDER], flow.front, flow.mac is None)
        rule = self._rules.get(key)
        if rule is None:
            rule = self._rules.keep(key, self._rule_of(row, flow, period, line))
        return rule

    def _rule_of(self, row: Row, flow: _Flow, period: Period, line: bytes) -> _Rule | Kind:
        """Read *line* as a whole, and make sure that its columns mean what they seem to."""
        drop = self._reader.read(line)
        if drop is Outcome.NOT_A_PACKET:
            return STRANGE
        if not isinstance(drop, Drop):
            return ODD
        fields = drop.packet.fields
        seems = (
            period.moment(row[CLOCK]),
            flow.source,
            canonical_address(row[DESTINATION]),
            flow.mac,
        )
        means = (drop.time, fields.get("SRC"), fields.get("DST"), fields.get("MAC"))
        if seems != means or drop.repeat != 1:
            return ODD
        mask = self._masks.every
        for field in self._masks.fields - _TOLD_BY_ROWS:
            mask &= self._masks.of(field, field_values(drop, field))
        return _Rule(mask, fields.get("IN"), drop.host)

    def _packet_mask(self, texts: Row) -> int:
        mask = self._packets.get(texts)
        if mask is None:
            packet = packet_of(self._columns, texts)
            mask = self._packets.keep(texts, self._mask_of(packet, self._told_by_columns))
        return mask

    def _destination_mask(self, text: str) -> int:
        """Give the signals that a packet to *text* does not fail."""
        mask = self._destinations.get(text)
        if mask is None:
            address = canonical_address(text)
            packet = Packet({} if address is None else {"DST": address})
            mask = self._destinations.keep(text, self._mask_of(packet, ("DST",)))
        return mask

    def _mask_of(self, packet: Packet, fields: Iterable[str]) -> int:
        mask = self._masks.every
        for field in fields:
            mask &= self._masks.of(field, packet_values(packet, field))
        return mask
