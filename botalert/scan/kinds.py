"""
What lines share that differ only in their clock and their destination.

Most lines of a log differ from others only in these and in numbers that no
signal asks about.  What is left is a line's *kind*: it is looked into once,
and its other lines are only counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

from botalert.course import Course, Piece, Present
from botalert.grammar import KernelReader
from botalert.grammar.lines import text_of
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
from botalert.match import field_values, flow_words, packet_values, sender_mac, source_named
from botalert.model import Drop, Outcome, Packet
from botalert.scan.clock import Clock
from botalert.scan.masks import Masks, Memory
from botalert.scan.regions import Regions
from botalert.tally import Tally
from botalert.threshold import FLOWS
from botalert.times import ALWAYS, Period, Span
from botalert.windows import Rules

# What a row's own columns may tell; all else, its sender and its rule's prefix do.
_TOLD_BY_ROWS = frozenset(
    {"SRC", "DST", "MAC", *(name for told in COLUMNS.values() for name in told)}
)


Value = Callable[[Row, str], str | None]
"""Gives what is known of a row and the address that its DST is."""

Values = Callable[[Row, str], tuple[str | None, ...]]
"""Gives all that a threshold counts of these."""


def _address(_: Row, address: str) -> str:
    return address


def _only_address(_: Row, address: str) -> tuple[str]:
    return (address,)


def _together(values: Sequence[Value]) -> Values:
    """Give all of *values* at once."""
    if list(values) == [_address]:
        return _only_address  # As most thresholds ask.
    return lambda row, address: tuple([value(row, address) for value in values])


class Watch(NamedTuple):
    """
    A threshold, to which the order of a kind's packets matters.

    Attributes:
        course: What it is about.
        pieces: Those of the log that is read.
        piece: Where the packets are counted, until a silence.
        values: What it counts.
    """

    course: Course
    pieces: list[Piece]
    piece: Piece
    values: Values


class Kind:
    """
    Lines that differ only in what is counted here.

    Attributes:
        destinations: The DST of each since the last settling; None if nothing is counted.
        first: The earliest clock.
        last: The latest.
        is_plain: Whether nothing but how many there are matters.
        is_local: Whether it is to be looked up anew at another place.
    """

    __slots__ = (
        "_clock",
        "_port",
        "_tallies",
        "_unproven",
        "_watches",
        "destinations",
        "first",
        "is_local",
        "is_plain",
        "last",
    )

    def __init__(
        self,
        tallies: Sequence[Tally],
        clock: Clock,
        first: str,
        port: str,
        watches: Sequence[Watch] = (),
        *,
        is_local: bool = False,
    ) -> None:
        self.destinations: list[str] | None = [] if tallies else None
        self.first = self.last = first
        self._tallies = tallies
        self._unproven = _unproven(tallies)
        self._watches = list(watches)
        self._clock = clock
        self._port = port
        self.is_plain = not (self._watches or self._unproven)
        self.is_local = is_local or not self.is_plain

    def ends_before(self, clock: str) -> bool:
        """Tell whether what comes at *clock* may be counted in other tallies."""
        if not self._watches:
            return False
        moment = self._clock.moment(clock)
        for course, pieces, piece, _ in self._watches:
            if piece is not pieces[-1] or course.is_apart(piece, moment):
                return True
        return False

    def heed(self, row: Row, address: str, lines: Sequence[bytes], index: int) -> None:
        """Look at a packet as more than one of many; its line is that of *lines* at *index*."""
        if self._unproven:
            line = text_of(lines[index])
            for tally in self._unproven:
                tally.prove(line)
            self._unproven = _unproven(self._unproven)
        moment = self._clock.moment(row[CLOCK])
        for watch in self._watches:
            course, _, piece, values = watch
            piece.stage.add(moment, values(row, address), 1)
            if piece.stage.is_met and course.is_done(piece):
                self._watches = [each for each in self._watches if each is not watch]
        self.is_plain = not (self._watches or self._unproven)

    def settle(self) -> None:
        """Add what was counted to the tallies, and count anew."""
        if not self.destinations:
            return
        period = self._clock.period
        first, last = period.moment(self.first), period.moment(self.last)
        for tally in self._tallies:
            tally.count(first, last, self.destinations, self._port)
        self.destinations.clear()


def _unproven(tallies: Iterable[Tally]) -> list[Tally]:
    return [tally for tally in tallies if not tally.is_proven]


# What needs no counting: packets that no signal wants (UNWANTED), lines that are
# no packets (STRANGE), and lines that have to be read one by one (ODD).
_NEVER = Clock(Period(datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)))
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


Finder = Callable[[str, str, str | None, str | None], Tally | Present]


class Classifier:
    """
    Looks into lines to tell of what kind they are.

    Args:
        masks: Of the signals; they ask for nothing that rows do not tell.
        rules: Those of signals that have thresholds.
        reader: Reads single lines.
        span: Which packets count.
        seen_by: Gives where a signal counts a source's packets, and notes an interface and a MAC.

    Attributes:
        rows: Makes rows of a block of whole lines.
        key: Gives what all rows of one kind have in common.
    """

    def __init__(
        self,
        masks: Masks,
        rules: Mapping[str, Rules],
        reader: KernelReader,
        span: Span,
        seen_by: Finder,
    ) -> None:
        self._rules_of = rules
        self._masks = masks
        self._reader = reader
        self._span = span
        self._seen_by = seen_by
        counted = {name for each in rules.values() for name in each.values}
        if FLOWS in counted:
            counted |= {"PROTO", "SPT"}
        self._columns = columns_for({*masks.fields, *counted, "DPT"})
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
        shared = itemgetter(PERIOD, SENDER, FLOW, *sorted(alike))
        self.key: Callable[[Row], tuple[object, ...]] = shared
        self._asks_destination = "DST" in masks.fields
        if self._asks_destination:
            self.key = lambda row: (*shared(row), self._destination_mask(row[DESTINATION]))
        self._clocks: Memory[tuple[str, str], Clock | None] = Memory()
        self._rules: Memory[tuple[int, str, str, bool], _Rule | Kind] = Memory()
        self._flows: Memory[str, _Flow] = Memory()
        self._told: Memory[Row, int] = Memory()
        self._destinations: Memory[str, int] = Memory()
        self._regions = Regions(masks, "DST")

    def kind_of(self, row: Row, line: bytes) -> Kind:
        """Look into *line*, whose columns are *row*; its DST is sound."""
        clock = self._clock(row)
        flow = self._flows.get(row[FLOW]) or self._flows.keep(row[FLOW], self._flow_of(row[FLOW]))
        if clock is None:
            # A day in which clocks jump may have hours in which they don't.
            self.rows = self._by_hour.findall
            return ODD
        if not flow.source:
            return ODD
        rule = self._rule(row, flow, clock.period, line)
        if isinstance(rule, Kind):
            return rule
        if not self._span.holds_all(clock.period):
            return ODD if self._span.holds_some(clock.period) else UNWANTED
        mask = rule.mask & flow.mask & self._told_mask(row)
        if self._asks_destination:
            mask &= self._destination_mask(row[DESTINATION])
        if not mask:
            return UNWANTED
        tallies: list[Tally] = []
        watches: list[Watch] = []
        is_local = False
        for signal in self._masks.signals_in(mask):
            source = source_named(signal.source, flow.source, flow.sender, rule.host)
            seen = self._seen_by(signal.name, source, rule.interface, flow.sender)
            if isinstance(seen, Present):
                piece = seen.course.piece(seen.log, clock.moment(row[CLOCK]))
                piece.tally.name(rule.interface, flow.sender)
                tallies.append(piece.tally)
                is_local = True
                if not seen.course.is_done(piece):
                    names = self._rules_of[signal.name].values
                    values = [self._value(name, row, flow, rule) for name in names]
                    watches.append(Watch(seen.course, seen.pieces, piece, _together(values)))
            else:
                tallies.append(seen)
        port = row[self._port_column]
        return Kind(tallies, clock, row[CLOCK], port, watches, is_local=is_local)

    def _value(self, name: str, row: Row, flow: _Flow, rule: _Rule) -> Value:
        """Give what tells *name* of rows that are of one kind with *row*."""
        places = self._places
        if name == "DST":
            return _address
        if name == "SPT":
            return lambda row, _: row[places["sport"]] or None
        protocol = protocol_name(row[places["protocol"]]) if "protocol" in places else None
        if name == FLOWS:
            return lambda row, address: flow_words(
                protocol, address, row[places["sport"]], row[places["dport"]]
            )
        alike = {
            "SRC": flow.source,
            "IN": rule.interface,
            "DPT": row[self._port_column] or None,
            "PROTO": protocol,
        }[name]
        return lambda _, __: alike

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
