"""
A block's lines as rows of one pattern, column by column, and grouped by their kinds.

What is done for every row is done in C, for a whole column at once; only what
is new is looked at by itself.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import compress, islice, repeat
from operator import attrgetter, itemgetter, le
from socket import AF_INET, inet_pton
from typing import NamedTuple

from botalert.grammar import KernelReader
from botalert.grammar.lines import text_of
from botalert.grammar.ordinary import CLOCK, DESTINATION, PERIOD, Row
from botalert.grammar.packets import canonical_address
from botalert.hits import Clock, Kind, Strip
from botalert.scan.kinds import Classifier, Outside
from botalert.scan.masks import Masks, Memory
from botalert.tally import KEPT_LINES
from botalert.times import Span

# So many kinds are remembered.
_MOST_KINDS = 16384
# So many rows are held, or a block more; fewer where there is much to know of them.
_MOST_ROWS = 32768
_MOST_NEW_KINDS = 4096

_is_counted = attrgetter("is_counted")
_clock, _destination = itemgetter(CLOCK), itemgetter(DESTINATION)


class _Group:
    """
    The rows of one kind since they were last taken.

    Attributes:
        kind: The kind.
        is_counted: Whether any signal wants it.
        places: Where each stands.
        add: Adds a place.
        lines_left: How many more lines of it may become evidence.
    """

    __slots__ = ("add", "is_counted", "kind", "lines_left", "places")

    def __init__(self, kind: Kind | Outside) -> None:
        self.kind = kind
        self.is_counted = isinstance(kind, Kind)
        self.lines_left = KEPT_LINES
        self.places: list[int] = []
        self.add = self.places.append

    def taken(self) -> list[int]:
        """Return the places; there are none then."""
        places, self.places = self.places, []
        self.add = self.places.append
        return places


class Taken(NamedTuple):
    """
    What stood in some blocks.

    Attributes:
        strips: The rows that signals want, by kind.
        odd: The lines that have to be read one by one, with their places.
        lines: Those that may become evidence, by place.
        is_steady: Whether all strips are of the period of those before, and clocks only go on.
        packets: How many packets there were, but for those in odd lines.
    """

    strips: list[Strip]
    odd: list[tuple[int, bytes]]
    lines: dict[int, str]
    is_steady: bool
    packets: int


class Rows:
    """
    Collects the packets of blocks.

    Args:
        masks: Of the signals.
        counted: What their thresholds count; None if they have none, so that no order matters.
        reader: Reads single lines.
        span: Which packets count.
        every_line: Whether any line may become evidence: counts may begin anew within a day.
    """

    def __init__(
        self,
        masks: Masks,
        counted: Collection[str] | None,
        reader: KernelReader,
        span: Span,
        *,
        every_line: bool,
    ) -> None:
        self._classifier = Classifier(masks, counted or (), reader, span)
        self._has_order = counted is not None
        self._every_line = every_line
        self._groups: dict[tuple[object, ...], _Group] = {}
        self._outside = {each: _Group(each) for each in Outside}
        # What is no IPv4 address, and the address that it is.
        self._known: Memory[str, str | None] = Memory()
        # Of each row its group and what else is counted, and of each block its
        # first place and its lines.
        self._grouped: list[_Group] = []
        self._clocks: list[str] = []
        self._destinations: list[str] = []
        self._source_ports: list[str] = []
        self._firsts: list[int] = []
        self._blocks: list[Sequence[bytes]] = []
        self._end: tuple[Clock, str] | None = None
        self._new_kinds = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to take what is held: enough for rows of one kind to be many."""
        return len(self._grouped) >= _MOST_ROWS or self._new_kinds >= _MOST_NEW_KINDS

    def __bool__(self) -> bool:
        """Whether any row is held."""
        return bool(self._grouped)

    def add(self, text: bytes, lines: Sequence[bytes]) -> None:
        """Collect what is in *text*, whose lines are *lines*, each with its end."""
        classifier = self._classifier
        rows = classifier.rows(text.decode("latin-1"))
        texts = list(map(_destination, rows))
        keys: Sequence[tuple[object, ...]] = list(map(classifier.key, rows))
        if classifier.asks_destination:
            keys = list(zip(keys, classifier.destination_masks(texts), strict=True))
        groups = list(map(self._groups.get, keys))
        addresses = self._addresses(texts)
        if None in groups or None in addresses:
            self._look_into(groups, keys, rows, addresses, lines)
        self._firsts.append(len(self._grouped))
        self._blocks.append(lines)
        self._grouped += groups  # type: ignore[arg-type]
        self._clocks += map(_clock, rows)
        self._destinations += addresses  # type: ignore[arg-type]
        if classifier.source_port is not None:
            self._source_ports += map(itemgetter(classifier.source_port), rows)

    def take(self) -> Taken:
        """Return what was collected; nothing is held then."""
        for place, group in enumerate(self._grouped):
            group.add(place)
        packets = len(self._grouped)
        for outside in (Outside.STRANGE, Outside.ODD):
            packets -= len(self._outside[outside].places)
        groups = [group for group in self._groups.values() if group.is_counted and group.places]
        clocks = {group.kind.clock for group in groups if isinstance(group.kind, Kind)}
        is_steady = self._has_order and len(clocks) < 2 and self._is_steady(clocks)
        if self._has_order and not is_steady:
            self.renew()
        odd = [(place, self._line(place)) for place in self._outside[Outside.ODD].taken()]
        for group in self._outside.values():
            group.taken()
        every_line = self._every_line or len(clocks) > 1
        lines: dict[int, str] = {}
        strips = list(self._strips(groups, lines, every_line=every_line))
        if len(self._groups) > _MOST_KINDS:
            self._groups.clear()
        self._grouped, self._clocks, self._destinations = [], [], []
        self._source_ports, self._firsts, self._blocks = [], [], []
        self._new_kinds = 0
        return Taken(strips, odd, lines, is_steady, packets)

    def renew(self) -> None:
        """Let the first lines of all kinds become evidence once more."""
        for group in self._groups.values():
            group.lines_left = KEPT_LINES

    def _strips(
        self, groups: Sequence[_Group], lines: dict[int, str], *, every_line: bool
    ) -> Iterator[Strip]:
        """Give the rows of each of *groups*; put what may become evidence into *lines*."""
        for group in groups:
            places = group.taken()
            assert isinstance(group.kind, Kind)
            wanted = places if every_line else places[: group.lines_left]
            if wanted:
                group.lines_left -= min(len(wanted), group.lines_left)
                lines.update((place, text_of(self._line(place))) for place in wanted)
            # Of one place it would give no tuple.
            pick = (
                itemgetter(*places)
                if len(places) > 1
                else itemgetter(slice(places[0], places[0] + 1))
            )
            ports = pick(self._source_ports) if self._source_ports else ()
            yield Strip(group.kind, places, pick(self._clocks), pick(self._destinations), ports)

    def _is_steady(self, clocks: Collection[Clock]) -> bool:
        """Whether time only went on since the rows before, all of which are of *clocks*."""
        texts = self._clocks
        if any(group.places for group in self._outside.values()):
            texts = list(compress(texts, map(_is_counted, self._grouped)))
        if not texts:
            return True
        before, self._end = self._end, (next(iter(clocks)), texts[-1])
        if before is not None and (before[0] is not self._end[0] or before[1] > texts[0]):
            return False
        return all(map(le, texts, islice(texts, 1, None)))

    def _line(self, place: int) -> bytes:
        block = bisect_right(self._firsts, place) - 1
        return self._blocks[block][place - self._firsts[block]]

    def _look_into(
        self,
        groups: list[_Group | None],
        keys: Sequence[tuple[object, ...]],
        rows: Sequence[Row],
        addresses: Sequence[str | None],
        lines: Sequence[bytes],
    ) -> None:
        """Find the missing ones of *groups*."""
        for index, (group, row, address) in enumerate(zip(groups, rows, addresses, strict=True)):
            if not row[PERIOD] or address is None:
                groups[index] = self._outside[Outside.ODD]
            elif group is None:
                # A row before it may be of its kind.
                known = self._groups.get(keys[index])
                groups[index] = known or self._begun(keys[index], row, lines[index])

    def _begun(self, key: tuple[object, ...], row: Row, line: bytes) -> _Group:
        """Look into *line*; remember its kind for the others."""
        kind = self._classifier.kind_of(row, line)
        group = self._outside[kind] if isinstance(kind, Outside) else _Group(kind)
        self._new_kinds += 1
        self._groups[key] = group
        return group

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
