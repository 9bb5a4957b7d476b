"""
A block's lines as rows of one pattern, counted by their kinds.

Rows are looked up one by one, and their destinations counted when there are
many: those of a kind at once, so that each tally comes into the processor's
cache but once for some hundred rows.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from socket import AF_INET, inet_pton

from botalert.grammar import KernelReader
from botalert.grammar.ordinary import CLOCK, DESTINATION, PERIOD, Row
from botalert.grammar.packets import canonical_address
from botalert.scan.kinds import ODD, STRANGE, Classifier, Finder, Kind
from botalert.scan.masks import Masks, Memory
from botalert.times import Span
from botalert.windows import Rules

# Kinds become tallies when there are so many of them, or of their rows.
_MOST_KINDS = 16384
_MOST_UNSETTLED = 1 << 17


class Rows:
    """
    Counts the packets of blocks in tallies.

    Args:
        masks: Of the signals.
        rules: Those of signals that have thresholds.
        reader: Reads single lines.
        span: Which packets count.
        seen_by: Gives where a signal counts a source's packets.
        read: Counts what is in a line that is not ordinary.
    """

    def __init__(
        self,
        masks: Masks,
        rules: Mapping[str, Rules],
        reader: KernelReader,
        span: Span,
        seen_by: Finder,
        read: Callable[[bytes], None],
    ) -> None:
        self._classifier = Classifier(masks, rules, reader, span, seen_by)
        self._read = read
        self._kinds: dict[tuple[object, ...], Kind] = {}
        self._local: dict[tuple[object, ...], Kind] = {}
        # One object for each text: the same few are compared all the time.
        self._shared: dict[str, str] = {}
        # How many rows their kinds have not told their tallies.
        self._unsettled = 0
        # What is no IPv4 address, and the address that it is.
        self._known: Memory[str, str | None] = Memory()

    def scan(self, text: bytes, lines: Sequence[bytes]) -> int:
        """
        Count what is in *text*, whose lines are *lines*, each with its end.

        Returns:
            How many packets there were, but for those in lines that were read
            one by one.
        """
        # What follows is done for every row.
        classifier = self._classifier
        rows = classifier.rows(text.decode("latin-1"))
        packets = len(rows)
        # Looked up as the loop goes on: a kind found in one row is known in the next.
        found = map(self._kinds.get, map(classifier.key, rows))
        addresses = self._addresses(list(map(itemgetter(DESTINATION), rows)))
        for index, (row, known, address) in enumerate(zip(rows, found, addresses, strict=True)):
            kind = known or self._new_kind(row, address, lines[index])
            destinations = kind.destinations
            if destinations is None or address is None:
                if kind is STRANGE:
                    packets -= 1
                elif kind is ODD or address is None:
                    packets -= 1
                    self._read(lines[index])
                continue
            if not kind.is_plain:
                kind, destinations = self._heeded(kind, row, address, lines, index)
            destinations.append(address)
            clock = row[CLOCK]
            if clock > kind.last:
                kind.last = clock
            elif clock < kind.first:
                kind.first = clock
        self._unsettled += len(rows)
        return packets

    def _heeded(
        self, kind: Kind, row: Row, address: str, lines: Sequence[bytes], index: int
    ) -> tuple[Kind, list[str]]:
        """Look at a packet as more than one of many; give its kind by now, and that's list."""
        if kind.ends_before(row[CLOCK]):
            kind.settle()
            kind = self._new_kind(row, address, lines[index])
        kind.heed(row, address, lines, index)
        assert kind.destinations is not None
        return kind, kind.destinations

    def settle_if_many(self) -> bool:
        """Tell the tallies what was counted, if that was much; tell whether it was."""
        if len(self._kinds) > _MOST_KINDS:
            self.forget()
        elif self._unsettled > _MOST_UNSETTLED:
            self._settle()
        else:
            return False
        return True

    def forget(self) -> None:
        """Tell the tallies what was counted, and look all of them up anew."""
        self._settle()
        self._kinds.clear()
        self._local.clear()

    def forget_local(self) -> None:
        """Look up anew where more matters than how many there are."""
        for key, kind in self._local.items():
            kind.settle()
            del self._kinds[key]
        self._local.clear()

    def _settle(self) -> None:
        for kind in self._kinds.values():
            kind.settle()
        self._unsettled = 0
        self._shared.clear()

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

    def _new_kind(self, row: Row, address: str | None, line: bytes) -> Kind:
        """Look into *line*; remember its kind for the others."""
        if not row[PERIOD] or address is None:
            return ODD
        # Keys that share their parts are compared with what is in the cache.
        shared = self._shared
        key = tuple(
            shared.setdefault(part, part) if isinstance(part, str) else part
            for part in self._classifier.key(row)
        )
        kind = self._kinds[key] = self._classifier.kind_of(row, line)
        if kind.destinations is not None and kind.is_local:
            self._local[key] = kind
        return kind
