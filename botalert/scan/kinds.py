"""
Of which kind a line is: looked into once, for all lines that are alike.
"""

from collections.abc import Callable, Collection, Iterable
from enum import Enum
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
from botalert.grammar.packets import canonical_address, protocol_name
from botalert.hits import Clock, Kind
from botalert.match import field_values, packet_values, sender_mac, source_named
from botalert.model import Drop, Outcome, Packet
from botalert.scan.masks import Masks, Memory
from botalert.scan.regions import Regions
from botalert.threshold import FLOWS
from botalert.times import ALWAYS, Period, Span

# What a row's own columns may tell; all else, its sender and its rule's prefix do.
_TOLD_BY_ROWS = frozenset(
    {"SRC", "DST", "MAC", *(name for told in COLUMNS.values() for name in told)}
)


# A quarter of a KB each.
_MOST_FLOWS = 1 << 13


class Outside(Enum):
    """What lines may be of which no kind is known."""

    UNWANTED = "packets that no signal wants"
    STRANGE = "no packets"
    ODD = "lines that have to be read one by one"


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


class Classifier:
    """
    Looks into lines to tell of what kind they are.

    Args:
        masks: Of the signals; they ask for nothing that rows do not tell.
        counted: What their thresholds count.
        reader: Reads single lines.
        span: Which packets count.

    Attributes:
        rows: Makes rows of a block of whole lines.
        key: Gives what all rows of one kind have in common, their destinations aside.
        source_port: The column that has SPT, if a threshold counts it.
        asks_destination: Whether signals ask for DST, so that a kind has one mask of it.
    """

    def __init__(
        self, masks: Masks, counted: Collection[str], reader: KernelReader, span: Span
    ) -> None:
        self._masks = masks
        self._reader = reader
        self._span = span
        flows = {"PROTO", "SPT"} if FLOWS in counted else set()
        self._columns = columns_for({*masks.fields, *counted, *flows, "DPT"})
        self._places = {name: FIRST_COLUMN + at for at, name in enumerate(self._columns)}
        self._port_column = self._places["dport"]
        # Of each field that is asked about and columns tell, which ones.
        self._tellers = [
            (field, names)
            for field in sorted(masks.fields)
            if (names := tuple(each for each in self._columns if field in COLUMNS[each]))
        ]
        by_day, self._by_hour = (
            line_pattern(self._columns, any_program=reader.any_program, by_hour=by_hour)
            for by_hour in (False, True)
        )
        pattern = by_day if span == ALWAYS else self._by_hour
        self.rows: Callable[[str], list[Row]] = pattern.findall
        # A source port may be another in each packet: if it is but counted, it makes no kind.
        alike = {self._places[name] for name in self._columns if name != "sport"}
        if "SPT" in masks.fields:
            alike.add(self._places["sport"])
        self.key: Callable[[Row], tuple[str, ...]] = itemgetter(
            PERIOD, SENDER, FLOW, *sorted(alike)
        )
        is_counted = "SPT" in counted or FLOWS in counted
        self.source_port = self._places["sport"] if is_counted else None
        self.asks_destination = "DST" in masks.fields
        self._clocks: Memory[tuple[str, str], Clock | None] = Memory()
        self._rules: Memory[tuple[int, str, str, bool], _Rule | Outside] = Memory()
        self._flows: Memory[str, _Flow] = Memory(_MOST_FLOWS)
        self._told: Memory[Row, int] = Memory()
        self._destinations: Memory[str, int] = Memory()
        self._regions = Regions(masks, "DST")
        self._sources = Regions(masks, "SRC")

    def destination_masks(self, destinations: list[str]) -> list[int]:
        """Return the signals that packets to each of *destinations* do not fail."""
        found = list(map(self._destinations.get, destinations))
        if None not in found:
            return found  # type: ignore[return-value]
        return [
            self._destination_mask(text) if mask is None else mask
            for mask, text in zip(found, destinations, strict=True)
        ]

    def kind_of(self, row: Row, line: bytes) -> Kind | Outside:
        """Look into *line*, whose columns are *row*; its DST is sound."""
        clock = self._clock(row)
        flow = self._flows.get(row[FLOW]) or self._flows.keep(row[FLOW], self._flow_of(row[FLOW]))
        if clock is None:
            # A day in which clocks jump may have hours in which they don't.
            self.rows = self._by_hour.findall
            return Outside.ODD
        if not flow.source:
            return Outside.ODD
        rule = self._rule(row, flow, clock.period, line)
        if isinstance(rule, Outside):
            return rule
        if not self._span.holds_all(clock.period):
            return Outside.ODD if self._span.holds_some(clock.period) else Outside.UNWANTED
        mask = rule.mask & flow.mask & self._told_mask(row)
        if self.asks_destination:
            mask &= self._destination_mask(row[DESTINATION])
        if not mask:
            return Outside.UNWANTED
        targets = tuple(
            (signal.name, source_named(signal.source, flow.source, flow.sender, rule.host))
            for signal in self._masks.signals_in(mask)
        )
        protocol = self._places.get("protocol")
        return Kind(
            targets,
            clock,
            flow.source,
            rule.interface,
            flow.sender,
            None if protocol is None else protocol_name(row[protocol]),
            row[self._port_column],
        )

    def _clock(self, row: Row) -> Clock | None:
        key = (row[PERIOD], row[SENDER].partition(" ")[0])
        if key not in self._clocks:
            period = self._reader.stamps.period(*key)
            self._clocks.keep(key, period and Clock(period))
        return self._clocks[key]

    def _flow_of(self, text: str) -> _Flow:
        front, _, source = text.rpartition(" SRC=")
        mac = None
        if " MAC=" in front:
            front, _, mac = front.rpartition(" MAC=")
        source = canonical_address(source) or ""
        if not source:
            return _Flow(front, mac, "", None, 0)
        packet = Packet({"SRC": source} if mac is None else {"SRC": source, "MAC": mac})
        known = self._sources.mask_of(source)
        mask = self._mask_of(packet, ("MAC",) if known is not None else ("SRC", "MAC"))
        mask &= self._masks.every if known is None else known
        return _Flow(front, mac, source, sender_mac(packet.fields), mask)

    def _rule(self, row: Row, flow: _Flow, period: Period, line: bytes) -> _Rule | Outside:
        # The form of the stamp decides which zones may follow.
        key = (len(row[PERIOD]), row[SENDER], flow.front, flow.mac is None)
        rule = self._rules.get(key)
        if rule is None:
            rule = self._rules.keep(key, self._rule_of(row, flow, period, line))
        return rule

    def _rule_of(self, row: Row, flow: _Flow, period: Period, line: bytes) -> _Rule | Outside:
        """Read *line* as a whole, and make sure that its columns mean what they seem to."""
        drop = self._reader.read(line)
        if drop is Outcome.NOT_A_PACKET:
            return Outside.STRANGE
        if not isinstance(drop, Drop):
            return Outside.ODD
        fields = drop.packet.fields
        seems = (
            period.moment(row[CLOCK]),
            flow.source,
            canonical_address(row[DESTINATION]),
            flow.mac,
        )
        means = (drop.time, fields.get("SRC"), fields.get("DST"), fields.get("MAC"))
        if seems != means or drop.repeat != 1:
            return Outside.ODD
        mask = self._masks.every
        for field in self._masks.fields - _TOLD_BY_ROWS:
            mask &= self._masks.of(field, field_values(drop, field))
        return _Rule(mask, fields.get("IN"), drop.host)

    def _told_mask(self, row: Row) -> int:
        """Give the signals that what columns tell does not fail."""
        whole = self._masks.every
        for field, names in self._tellers:
            key = (field, *(row[self._places[name]] for name in names))
            mask = self._told.get(key)
            if mask is None:
                mask = self._told.keep(key, self._mask_of(packet_of(names, key[1:]), (field,)))
            whole &= mask
        return whole

    def _destination_mask(self, text: str) -> int:
        """Give the signals that a packet to *text* does not fail."""
        mask = self._destinations.get(text)
        if mask is None:
            mask = self._regions.mask_of(text)
            if mask is None:
                address = canonical_address(text)
                packet = Packet({} if address is None else {"DST": address})
                mask = self._mask_of(packet, ("DST",))
            self._destinations.keep(text, mask)
        return mask

    def _mask_of(self, packet: Packet, fields: Iterable[str]) -> int:
        mask = self._masks.every
        for field in fields:
            mask &= self._masks.of(field, packet_values(packet, field))
        return mask
