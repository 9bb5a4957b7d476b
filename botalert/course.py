"""
What one signal with a threshold saw of one source, in one or more logs, as a value that merges.

A silence begins a tally anew, unless it is a detection by then, which depends
on what was read before.  So while it is not known, what stands between
silences is kept apart: a *piece* is a tally and how far its threshold was met.
Which pieces belong together is decided when all is known.

Thresholds are met within one log.  What several logs tell of a source is one
detection; with ``realert:``, what comes after a time without a packet in any
of them is another *episode*.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from botalert.match import Signal
from botalert.model import Hit
from botalert.tally import ITEMS_OF_ONE_KB, TALLY_KB, Tally, merged
from botalert.threshold import is_met_by_any_packet
from botalert.windows import (
    MICROSECONDS,
    STAMP,
    UPTIME,
    Moment,
    Rules,
    Stage,
    begins_stretch,
)

# So many tallies tell what all weigh.
_MOST_WEIGHED = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Piece:
    """
    Lines of one log, without a long silence between them.

    Attributes:
        tally: What was seen.
        stage: How far the threshold was met.
        episode: Of which episode it is, once that is settled.
        since: The earliest stamp of what its log told before it, without a return between.
    """

    __slots__ = ("episode", "since", "stage", "tally")

    def __init__(
        self, tally: Tally, stage: Stage, episode: int = 0, since: datetime | None = None
    ) -> None:
        self.tally = tally
        self.stage = stage
        self.episode = episode
        self.since = since

    @property
    def begin(self) -> datetime | None:
        """Tell from when on there were packets, also such as no longer count."""
        return _earliest(self.since, self.tally.first_seen)

    def behind(self, before: "Piece") -> "Piece":
        """Give this as what is left of *before* and it: what was before no longer counts."""
        return Piece(self.tally, self.stage, self.episode, _earliest(before.begin, self.begin))

    def merged(self, later: "Piece") -> "Piece":
        """Give what this and *later*, read after it, are together."""
        stage = self.stage.merged(later.stage)
        since = _earliest(self.since, later.since)
        return Piece(merged((self.tally, later.tally)), stage, self.episode, since)


class Episode(NamedTuple):
    """
    What happened between two times without a packet in any log.

    Attributes:
        number: Counts the episodes of a source, from 0.
        tally: What all logs hold of it.
    """

    number: int
    tally: Tally


Log = str
"""A log's name, or its number in digits enough; they sort in the order of reading."""


class Course:
    """
    What one signal saw of one source.

    Attributes:
        rules: What the signal's threshold asks.
        logs: The pieces of each log, in the order of reading.
        ended: How many episodes were forgotten.
    """

    __slots__ = ("ended", "logs", "rules")

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.logs: dict[Log, list[Piece]] = {}
        self.ended = 0

    def add(self, hit: Hit, log: Log) -> None:
        """Count one hit, the next of *log* in reading order."""
        moment = moment_of(hit.time, hit.uptime)
        piece = self.piece(log, moment)
        piece.tally.add(hit)
        piece.stage.add(moment, hit.values, hit.repeat)

    def piece(self, log: Log, moment: Moment | None) -> Piece:
        """Give the piece that a line logged at *moment* belongs to, the next of *log*."""
        pieces = self.logs.setdefault(log, [])
        if not pieces or self.is_apart(pieces[-1], moment):
            pieces.append(Piece(Tally(), Stage(self.rules)))
        return pieces[-1]

    def is_done(self, piece: Piece) -> bool:
        """Tell whether all that follows *piece* in its log belongs to it."""
        return piece.stage.is_met and self.rules.realert is None

    def is_apart(self, piece: Piece, moment: Moment | None) -> bool:
        """Tell whether a silence may lie between *piece* and a line logged at *moment*."""
        latest = piece.stage.latest
        least = self.rules.least_silence
        if latest is not None and moment is not None and moment.time - latest.time <= least:
            return False  # As nearly always.
        if self.is_done(piece):
            return False
        if latest is None and piece.stage.lines:
            # What stands before lines without a time may be long ago.
            return moment is not None
        return _gap(piece.stage, moment) > least

    def merge(self, later: "Course") -> None:
        """Take in *later*, what was read after this."""
        for log, pieces in later.logs.items():
            own = self.logs.setdefault(log, [])
            for piece in pieces:
                if own and not self.is_apart(own[-1], piece.stage.first):
                    own[-1] = own[-1].merged(piece)
                else:
                    own.append(piece)

    def episodes(self) -> list[Episode]:
        """Give the episodes in which the threshold was met, but for those that were forgotten."""
        return [
            Episode(number, merged(pieces[log].tally for log in sorted(pieces)))
            for number, pieces in enumerate(self._episodes(), start=self.ended)
            if any(piece.stage.is_met for piece in pieces.values())
        ]

    def episode(self) -> Episode | None:
        """Give the last episode in which the threshold was met, if there is one."""
        return next(reversed(self.episodes()), None)

    def settle(self) -> None:
        """Forget what will never matter: this is known to begin where its logs do."""
        episodes = self._episodes()
        met = [
            number
            for number, pieces in enumerate(episodes)
            if any(piece.stage.is_met for piece in pieces.values())
        ]
        kept = episodes[met[-1] if met else 0 :]
        self.ended += len(episodes) - len(kept)
        self.logs = {}
        for number, pieces in enumerate(kept, start=self.ended):
            for log, piece in pieces.items():
                piece.stage.settle()
                piece.episode = number
                self.logs.setdefault(log, []).append(piece)

    def _episodes(self) -> list[dict[Log, Piece]]:
        """Give of each episode what each log tells, as if no log had anything before."""
        episodes: list[dict[Log, Piece]] = [{}]
        for era in self._eras():
            present = episodes[-1]
            if any(piece.stage.is_met for piece in present.values()):
                present = {}
                episodes.append(present)
            for log, piece in era:
                before = present.get(log)
                if before is None:
                    present[log] = piece
                elif (
                    before.stage.is_met
                    or _gap(before.stage, piece.stage.first) <= self.rules.silence
                ):
                    present[log] = before.merged(piece)
                else:
                    present[log] = piece.behind(before)
        return episodes

    def _eras(self) -> list[list[tuple[Log, Piece]]]:
        """Divide all pieces where for longer than ``realert:`` no log has a packet."""
        starts = self._returns()
        eras: list[list[tuple[Log, Piece]]] = [[] for _ in range(len(starts) + 1)]
        for log, pieces in self.logs.items():
            seen = [piece.begin for piece in pieces]
            # What has no time tells of no silence: it is of one era with what stands
            # before it, else with what stands behind it.
            known = [bisect_right(starts, first) for first in seen if first is not None]
            era = known[0] if known else 0
            for piece, first in zip(pieces, seen, strict=True):
                if first is not None:
                    era = max(era, bisect_right(starts, first))
                eras[era].append((log, piece))
        return eras

    def _returns(self) -> list[datetime]:
        """Give when a packet came after longer than ``realert:`` without one in any log."""
        if self.rules.realert is None:
            return []
        seen = sorted(
            (begin, piece.tally.last_seen)
            for pieces in self.logs.values()
            for piece in pieces
            if (begin := piece.begin) is not None and piece.tally.last_seen is not None
        )
        returns = []
        latest = seen[0][1] if seen else None
        for first, last in seen:
            assert latest is not None
            if (first - latest) // _MICROSECOND > self.rules.realert:
                returns.append(first)
            latest = max(latest, last)
        return returns


class Present(NamedTuple):
    """A course, and the log that is being read."""

    course: Course
    log: Log

    def add(self, hit: Hit) -> None:
        """Count one hit, the next of the log in reading order."""
        self.course.add(hit, self.log)

    @property
    def pieces(self) -> list[Piece]:
        """Give the pieces of that log."""
        return self.course.logs[self.log]


def rules_of(signals: Iterable[Signal]) -> dict[str, Rules]:
    """Give the rules of those of *signals* that not just any packet sets off, by their names."""
    return {
        signal.name: Rules(signal.threshold, signal.retain, signal.realert)
        for signal in signals
        if signal.realert is not None or not is_met_by_any_packet(signal.threshold)
    }


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


def _gap(stage: Stage, moment: Moment | None) -> int:
    """Give how long nothing came between *stage* and a line logged at *moment*."""
    if moment is None or stage.latest is None or begins_stretch(stage.last, moment):
        return 0
    return max(moment.time - stage.latest.time, 0)


def moment_of(time: datetime | None, uptime: float | None) -> Moment | None:
    """Give when a line was logged, by its stamp, else by its uptime."""
    if time is not None:
        return Moment(STAMP, (time - _EPOCH) // _MICROSECOND, time.toordinal())
    if uptime is not None:
        return Moment(UPTIME, round(uptime * MICROSECONDS), 0)
    return None


Seen = Tally | Course
"""What a signal saw of a source: a course if it has a threshold."""

Tallies = dict[tuple[str, str], Seen]
"""What was seen, by signal and source."""


def detected(rules: Rules, log: Log, tally: Tally) -> Course:
    """Give the course of what was a detection before its signal had *rules*."""
    course = Course(rules)
    stage = Stage(rules)
    stage.is_met = True
    stage.last = stage.latest = moment_of(tally.last_seen, None)
    stage.first = moment_of(tally.first_seen, None)
    course.logs[log] = [Piece(tally, stage)]
    return course


def met(seen: Seen) -> Tally | None:
    """Give what makes a detection of *seen*; None if its threshold was not met."""
    if isinstance(seen, Tally):
        return seen
    episode = seen.episode()
    return episode and episode.tally


def unite(tallies: Tallies, later: Tallies) -> None:
    """Take *later*, what was read after them, into *tallies*."""
    for key, tally in later.items():
        if key in tallies:
            tallies[key].merge(tally)  # type: ignore[arg-type]
        else:
            tallies[key] = tally


def weight(tallies: Tallies) -> int:
    """Tell about how much room *tallies* take, in KB; what leads to them counts, too."""
    # Of many, some are like all.
    step = len(tallies) // _MOST_WEIGHED + 1
    return step * sum(map(_weight, islice(tallies.values(), None, None, step)))


def _weight(seen: Seen) -> int:
    if isinstance(seen, Tally):
        return _weight_of(seen)
    pieces = (piece for own in seen.logs.values() for piece in own)
    return sum(_weight_of(piece.tally) + piece.stage.weight() for piece in pieces)


def _weight_of(tally: Tally) -> int:
    return TALLY_KB + (len(tally.destinations) + len(tally.ports)) // ITEMS_OF_ONE_KB
