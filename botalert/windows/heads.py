"""
Which lines of a part what stands before it may need.
"""

from botalert.threshold import DAYS, PACKETS
from botalert.windows.rules import Counted, Packets, Rules, Value
from botalert.windows.tracks import MOST_GROUPS


class Heads:
    """
    Which lines bring one of the first values that any measure needs.

    Attributes:
        opening: Those lines.
    """

    __slots__ = ("_rules", "_seen", "opening")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._seen: list[dict[str, dict[Value, int]]] = [{} for _ in rules.measures]
        self.opening: list[Packets] = []

    def add(self, packets: Packets, counted: Counted) -> None:
        """Keep *packets*, of which the rules say what counts, if they bring one."""
        # All of the measures count them, also behind one that needs them.
        if sum([self._is_new(packets, *each) for each in counted]):
            self.opening.append(packets)

    def _is_new(self, packets: Packets, number: int, group: str, value: Value) -> bool:
        measure = self._rules.measures[number]
        groups = self._seen[number]
        seen = groups.get(group)
        if seen is None:
            if len(groups) >= MOST_GROUPS:
                return False
            seen = groups[group] = {}
        if measure.what == PACKETS:
            count = seen.get(PACKETS, 0)
            seen[PACKETS] = count + packets.repeat
            return count < measure.number
        # Of days any may matter: what stands before makes one of the first of them.
        if value in seen or (len(seen) >= measure.number and measure.what != DAYS):
            return False
        seen[value] = 1
        return True
