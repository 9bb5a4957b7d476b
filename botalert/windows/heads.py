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
        if self.are_needed(packets.repeat, counted):
            self.opening.append(packets)

    def are_needed(self, repeat: int, counted: Counted) -> bool:
        """Count packets, and tell whether they bring one."""
        is_new = False
        # All of the measures count them, also behind one that needs them.
        for number, group, value in counted:
            what, needed = self._rules.needs[number]
            groups = self._seen[number]
            seen = groups.get(group)
            if seen is None:
                if len(groups) >= MOST_GROUPS:
                    continue
                seen = groups[group] = {}
            if what == PACKETS:
                count = seen.get(PACKETS, 0)
                seen[PACKETS] = count + repeat
                is_new = is_new or count < needed
            # Of days any may matter: what stands before makes one of the first of them.
            elif (len(seen) < needed or what == DAYS) and value not in seen:
                seen[value] = 1
                is_new = True
        return is_new
