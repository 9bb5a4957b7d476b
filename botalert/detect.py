"""
Tallies into detections: facts that are worth a mail.

A detection is a tally that met its signal's threshold.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Generic, NamedTuple, TypeVar

from botalert.course import Seen, met
from botalert.match import Condition
from botalert.model import SourceRank, source_rank
from botalert.tally import Tally

T = TypeVar("T")
Rank = tuple[int, str, int, SourceRank]

PENDING = "pending"
SENT = "sent"
KNOWN = "known"
IGNORED = "ignored"
ENDS = (SENT, KNOWN, IGNORED)
"""How an alert may have ended: mailed, recorded without a mail, or barred by ``ignore:``."""


class Detection(NamedTuple):
    """
    One source that one signal found.

    Attributes:
        signal: The signal's name.
        source: The machine's address.
        tally: What was seen of it.
    """

    signal: str
    source: str
    tally: Tally


class Alert(NamedTuple):
    """
    The mail about a detection, and what became of it.

    Attributes:
        detection: What it is about.
        message_id: The mail's Message-ID, the same at every attempt.
        alerted: When it ended; None while it is pending.
        status: ``PENDING``, or how it ended: one of ``ENDS``.
    """

    detection: Detection
    message_id: str
    alerted: datetime | None
    status: str = PENDING


def is_ignored(detection: Detection, conditions: Iterable[Condition]) -> bool:
    """Tell whether the machine that *detection* is about is one that *conditions* ignore."""
    names = (detection.source, *detection.tally.macs)
    first, last = _ends(detection.source)
    return any(
        any(test.holds(name) for name in names) or (test.holds(first) and test.holds(last))
        for condition in conditions
        if condition.ignores
        for test in condition.barred
    )


def _ends(source: str) -> tuple[str, str]:
    """Give the first and the last address of *source*, behind a host if it has one."""
    text = source.rpartition(" ")[2]
    try:
        network = ip_network(text)
    except ValueError:
        return text, text
    return str(network.network_address), str(network.broadcast_address)


class RowsForPeople(Generic[T]):
    """
    Makes rows of detections, ranked in the order that people see.

    Args:
        signal_names: In the order of ``log:``.
        told: Makes of a detection what is wanted of it.
    """

    def __init__(self, signal_names: Sequence[str], told: Callable[[Detection], T]) -> None:
        self._order = signal_order(signal_names)
        self._told = told

    def __call__(self, signal: str, source: str, seen: Seen) -> tuple[Rank, T] | None:
        """Make a row of what was *seen*, if it is a detection."""
        tally = met(seen)
        if tally is None:
            return None
        detection = Detection(signal, source, tally)
        return detection_rank(detection, self._order), self._told(detection)


def signal_order(names: Iterable[str]) -> dict[str, int]:
    """Give each signal's place in ``log:``."""
    return {name: place for place, name in enumerate(names)}


def signal_rank(signal: str, order: Mapping[str, int]) -> tuple[int, str]:
    """Order signals as in ``log:``; those that it no longer names come last, by name."""
    place = order.get(signal)
    return (len(order), signal) if place is None else (place, "")


def detection_rank(detection: Detection, order: Mapping[str, int]) -> Rank:
    """Order by signal as in ``log:``, then by packets downwards, then by source."""
    place, name = signal_rank(detection.signal, order)
    return (place, name, -detection.tally.packets, source_rank(detection.source))
