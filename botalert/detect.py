"""
Tallies into detections: facts that are worth a mail.

A detection is a tally that met its signal's threshold.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import NamedTuple

from botalert.course import Tallies, met
from botalert.match import Condition
from botalert.model import SourceRank, source_rank
from botalert.tally import Tally

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


def detections(tallies: Tallies, signal_names: Sequence[str]) -> list[Detection]:
    """Make detections of *tallies*, in the order that people see."""
    found = [
        Detection(signal, source, tally)
        for (signal, source), seen in tallies.items()
        if (tally := met(seen)) is not None
    ]
    order = signal_order(signal_names)
    return sorted(found, key=lambda detection: detection_rank(detection, order))


def signal_order(names: Iterable[str]) -> dict[str, int]:
    """Give each signal's place in ``log:``."""
    return {name: place for place, name in enumerate(names)}


def signal_rank(signal: str, order: Mapping[str, int]) -> tuple[int, str]:
    """Order signals as in ``log:``; those that it no longer names come last, by name."""
    place = order.get(signal)
    return (len(order), signal) if place is None else (place, "")


def detection_rank(
    detection: Detection, order: Mapping[str, int]
) -> tuple[int, str, int, SourceRank]:
    """Order by signal as in ``log:``, then by packets downwards, then by source."""
    place, name = signal_rank(detection.signal, order)
    return (place, name, -detection.tally.packets, source_rank(detection.source))
