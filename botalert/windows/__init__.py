"""
How far a source is towards a threshold, over time.

What decides is the order of a log's lines and the times that count: a stamp
that is earlier than the latest one counts at that; one more than a minute
before the previous packet's begins the windows anew, and what follows is
another *stretch*.  A threshold is met at a packet if, of all packets of its
stretch up to it that lie within the window, enough are distinct; without a
window all packets count.

A source's packets are taken in that order, forward only.  What is remembered
of them can be stored and gone on from, and is never merged with another's:
where work is divided, it is divided by source.
"""

from botalert.windows.progress import MOST_GROUPS, Progress
from botalert.windows.rules import (
    MICROSECONDS,
    STAMP,
    STEP_BACK,
    UPTIME,
    Moment,
    Rules,
    begins_stretch,
    counting,
)

__all__ = [
    "MICROSECONDS",
    "MOST_GROUPS",
    "STAMP",
    "STEP_BACK",
    "UPTIME",
    "Moment",
    "Progress",
    "Rules",
    "begins_stretch",
    "counting",
]
