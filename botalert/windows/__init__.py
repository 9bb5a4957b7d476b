"""
Whether a threshold is met, over time, as a value that merges.

What decides is the order of a log's lines and the times that count: a stamp
that is earlier than the latest one counts at that; one more than a minute
before the previous packet's begins the windows anew, and what follows is
another *stretch*.  A threshold is met at a packet if, of all packets of its
stretch up to it that lie within the window, enough are distinct; without a
window all packets count.

A log is cut into parts that are looked at by themselves, so a part keeps what
may still matter to its neighbours: of its first stretch the packets that bring
the first N distinct values, of its last one the last N values with their
times, and when each measure held, where several must hold at one moment.
Merging is exact: what stands before a part reaches into it up to one window's
length behind the latest time before, and up to there all of the part's own
packets, none of which counts earlier than that time, lie within the window, so
which came first is all that matters.  The part's first stamp may be earlier
than that time, as each line may step back a minute: what opens a part is kept
for the longest window and an hour more, which sixty lines in a row could use up.
"""

from botalert.windows.rules import MICROSECONDS, STAMP, UPTIME, Moment, Rules, begins_stretch
from botalert.windows.stage import Stage

__all__ = ["MICROSECONDS", "STAMP", "UPTIME", "Moment", "Rules", "Stage", "begins_stretch"]
