"""
What one signal with a threshold saw of one source, in one or more logs.

Thresholds are met within one log; its packets are taken in the order of
reading, forward only.  A silence begins a tally anew, unless it is a detection
by then.  What several logs tell of a source is one detection; with
``realert:``, what comes after a time without a packet in any of them is
another *episode*.

So with ``realert:`` it is not known, while one log is read, whether a silence
ends an episode: others may bridge it.  What stands between silences is kept
apart, as *pieces*, and a threshold is tried from each beginning that may turn
out to be one.  For ``2 DST``, ``realert: 1d`` and a log of

    day     DST   pieces                  tries: begun at piece, with what is known
    1       a     [a]                     0: a
    3       b     [a] [b]                 0: a b, met in piece 1    1: b
    5       b     [a] [b] [b]             1: b                      2: b

the third piece is a new episode if no other log has a packet between, and the
threshold was met; if it was met by this log alone, the try that counts is 2.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain, islice
from operator import itemgetter, sub
from typing import NamedTuple, TypeVar

from botalert.hits import Strip
from botalert.match import Signal
from botalert.model import Hit
from botalert.tally import Tally, merged
from botalert.threshold import Measure, is_met_by_any_packet
from botalert.windows import (
    MICROSECONDS,
    STAMP,
    STEP_BACK,
    UPTIME,
    Moment,
    Progress,
    Rules,
    begins_stretch,
    counting,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

T = TypeVar("T")
_PLACE = itemgetter(0)
# So many hits of a source wait at most before its tries take them on.
_MOST_WAITING = 64

Log = str
"""A log's name, or its number in digits enough; they sort in the order of reading."""


class Piece:
    """
    Lines of one log, without a long silence between them.

    Attributes:
        tally: What was seen.
        gap: How long the silence before it was, in microseconds.
        met: The beginnings, numbers of pieces, from which the threshold was met in it.
        episode: Of which episode it is, once that is settled.
        since: The earliest stamp of what its log told before it, without a return between.
    """

    __slots__ = ("episode", "gap", "met", "since", "tally")

    def __init__(
        self,
        tally: Tally,
        gap: int = 0,
        met: Iterable[int] = (),
        episode: int = 0,
        since: datetime | None = None,
    ) -> None:
        self.tally = tally
        self.gap = gap
        self.met = list(met)
        self.episode = episode
        self.since = since

    @property
    def begin(self) -> datetime | None:
        """From when on there were packets, also such as no longer count."""
        return _earliest(self.since, self.tally.first_seen)


class Try(NamedTuple):
    """How far the threshold is met, counted from any of some beginnings, numbers of pieces."""

    starts: tuple[int, ...]
    progress: Progress


class Trace:
    """
    What one log tells of a source.

    Attributes:
        rules: What the signal's threshold asks.
        pieces: What stands between silences; without ``realert:`` the last only.
        tries: How far its threshold is met.
        last: The last moment as logged; None if there was none.
        latest: The last moment that counts.
        is_met: Whether all tries are met, so that none takes on more.
        is_done: Whether all that follows is only counted.
        is_changed: Whether another piece began, or the threshold was met, since it was settled.
    """

    __slots__ = (
        "_bearable",
        "_lines_waiting",
        "_waiting",
        "_waiting_since",
        "is_changed",
        "is_done",
        "is_met",
        "last",
        "latest",
        "pieces",
        "rules",
        "tries",
    )

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.pieces: list[Piece] = []
        self.tries: list[Try] = []
        self.last: Moment | None = None
        self.latest: Moment | None = None
        self.is_met = self.is_done = self.is_changed = False
        # Hits that no try has taken on yet, and the latest time before them; how many
        # they are, and may be before any try can be met.
        self._waiting: list[Sequence[Strip]] = []
        self._waiting_since = 0
        self._lines_waiting = 0
        self._bearable = 0

    def go_on(self, pieces: list[Piece], tries: list[Try]) -> None:
        """Go on from *pieces* and *tries*, as they were left."""
        self.pieces, self.tries = pieces, tries
        self._look()

    def add(self, hit: Hit) -> None:
        """Count one hit, the next in reading order."""
        self.catch_up()
        moment = moment_of(hit.time, hit.uptime)
        self._step(moment)
        self.pieces[-1].tally.add(hit)
        if self.is_met:
            return
        latest = self.latest
        time, today = (0, 0) if latest is None else (latest.time, latest.day)
        own_day = (0 if moment is None else moment.day,)
        columns = [(value,) for value in hit.values]
        for each in self._open():
            if each.progress.take(
                (time,), (today,), own_day, columns, (hit.repeat,), in_windows=moment is not None
            ):
                self._meet(each)
        self._look()

    def take(self, strips: Sequence[Strip], *, is_steady: bool) -> Tally | None:
        """
        Count the hits of *strips*, the next in reading order, if no window nor count begins anew.

        Args:
            strips: Hits of one or more kinds.
            is_steady: Whether it is known that they are of one day and that time only goes on.

        Returns:
            The tally that counted them, which still lacks their names and evidence;
            None if they have to be added one by one.
        """
        clock = strips[0].kind.clock
        day = clock.day
        if is_steady:
            first, last = strips[0].ends()
            for strip in strips[1:]:
                begin, end = strip.ends()
                first, last = min(first, begin), max(last, end)
            newest = last
        else:
            times = _in_order(strips, [strip.times() for strip in strips])
            if any(strip.kind.clock.day != day for strip in strips) or _steps_back(times):
                return None
            first, last, newest = times[0], times[-1], max(times)
        before, latest = self.last, self.latest
        if before is not None and (before.clock != STAMP or first < before.time - STEP_BACK):
            return None
        begin = first if latest is None else latest.time
        if newest - begin > self.rules.least_silence or (latest is not None and day < latest.day):
            return None
        if not self.pieces:
            self._begin()
        tally = self.pieces[-1].tally
        for strip in strips:
            strip.count_in(tally)
        if not self.is_met:
            self._wait(strips, begin)
        self.last = Moment(STAMP, last, day)
        if newest == last and last >= begin:
            self.latest = self.last
        else:
            self.latest = counting(Moment(STAMP, newest, day), latest)
        return tally

    def _wait(self, strips: Sequence[Strip], begin: int) -> None:
        """Let hits wait that follow the time *begin*, unless they may meet the threshold."""
        if not self._waiting:
            self._waiting_since = begin
        self._waiting.append(strips)
        for strip in strips:
            self._lines_waiting += len(strip.places)
        if self._lines_waiting >= self._bearable:
            self.catch_up()

    def size(self) -> int:
        """Return about how many things are remembered for the threshold."""
        # A strip that waits takes as much as a dozen that were taken on.
        waiting = 12 * sum(map(len, self._waiting))
        return waiting + sum(each.progress.size() for each in self.tries)

    def most(self, measure: Measure) -> tuple[str, int]:
        """Return the group of *measure* that was active last, and how many it has by now."""
        self.catch_up()
        latest = self.latest
        time, day = (0, 0) if latest is None else (latest.time, latest.day)
        return self.tries[0].progress.most(measure, time, day)

    def catch_up(self) -> None:
        """Let the tries take on what waits."""
        if not self._waiting:
            return
        waiting, self._waiting, self._lines_waiting = self._waiting, [], 0
        times: list[int] = []
        days: list[int] = []
        columns: list[list[str | None]] = [[] for _ in self.rules.values]
        for strips in waiting:
            before = len(times)
            times += _in_order(strips, [strip.times() for strip in strips])
            days += [strips[0].kind.clock.day] * (len(times) - before)
            for place, name in enumerate(self.rules.values):
                columns[place] += _in_order(strips, [strip.column(name) for strip in strips])
        # A line that is earlier than the latest counts at that.
        counted = list(accumulate(times, max, initial=self._waiting_since))[1:]
        for each in self._open():
            if each.progress.take(counted, days, days, columns):
                self._meet(each)
        self._look()

    def _look(self) -> None:
        """See how far the tries are."""
        lacks = [each.progress.lacks for each in self._open()]
        self.is_met = not lacks
        self.is_done = self.is_met and self.rules.realert is None
        self._bearable = min([_MOST_WAITING, *lacks])

    def _step(self, moment: Moment | None) -> None:
        """Go on to a line logged at *moment*."""
        if moment is not None and begins_stretch(self.last, moment):
            for each in self._open():
                each.progress.begin_stretch()
            self.latest = None
        elif moment is not None and self.latest is not None and not self.is_done:
            gap = moment.time - self.latest.time
            if gap > self.rules.least_silence:
                self._begin(gap, moment)
        if not self.pieces:
            self._begin()
        if moment is not None:
            self.last = moment
            self.latest = counting(moment, self.latest)

    def _begin(self, gap: int = 0, moment: Moment | None = None) -> None:
        """Begin a piece, at *moment* after a silence."""
        self.is_changed = True
        self.is_met = self.is_done = False
        tries: list[Try] = []
        if self.rules.realert is None:
            self.pieces = []  # What was before no longer counts.
        elif gap <= self.rules.silence:
            for starts, progress in self._open():
                # Those that know the same, but for what no window reaches, go on as one.
                progress.settle(moment and moment.time)
                is_alike = tries and tries[-1].progress.parts() == progress.parts()
                before = tries.pop().starts if is_alike else ()
                tries.append(Try((*before, *starts), progress))
        self.tries = [*tries, Try((len(self.pieces),), Progress(self.rules))]
        self.pieces.append(Piece(Tally(), gap))
        self._bearable = min(_MOST_WAITING, self.rules.least)
        if tries:
            self._look()

    def _open(self) -> list[Try]:
        return [each for each in self.tries if not each.progress.is_met]

    def _meet(self, met: Try) -> None:
        self.is_changed = True
        self.pieces[-1].met += met.starts


def _in_order(strips: Sequence[Strip], columns: Sequence[Iterable[T]]) -> list[T]:
    """Unite *columns*, each of one of *strips*, in the order of reading; some may have no end."""
    if len(strips) == 1:
        return list(islice(columns[0], len(strips[0].places)))
    pairs = zip(strips, columns, strict=True)
    rows = [zip(strip.places, column) for strip, column in pairs]  # noqa: B905
    return [value for _, value in sorted(chain.from_iterable(rows), key=_PLACE)]


def _steps_back(times: Sequence[int]) -> bool:
    """Whether any of *times* begins the windows anew."""
    return min(map(sub, islice(times, 1, None), times), default=0) < -STEP_BACK


class Episode(NamedTuple):
    """
    What happened between two times without a packet in any log.

    Attributes:
        number: Counts the episodes of a source, from 0.
        tally: What all logs hold of it.
    """

    number: int
    tally: Tally


class _Share:
    """What a log tells of an episode: pieces, the number of the first, and whether it is met."""

    def __init__(self, start: int, piece: Piece, since: datetime | None) -> None:
        self.start = start
        self.pieces = [piece]
        self.is_met = start in piece.met
        self.since = since

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.is_met = self.is_met or self.start in piece.met

    @property
    def begin(self) -> datetime | None:
        return _earliest(self.since, *(piece.begin for piece in self.pieces))

    def united(self, number: int, start: int) -> Piece:
        """Return it as one piece, from now on the one numbered *start*, of the episode *number*."""
        whole = Piece(merged(piece.tally for piece in self.pieces), self.pieces[0].gap)
        whole.episode, whole.since = number, _earliest(*self._sinces())
        whole.met = [start] if self.is_met else []
        return whole

    def _sinces(self) -> list[datetime | None]:
        return [self.since, *(piece.since for piece in self.pieces)]


class Course:
    """
    What one signal saw of one source.

    Attributes:
        rules: What the signal's threshold asks.
        logs: What each log tells, each in the order of reading.
        ended: How many episodes were forgotten.
    """

    __slots__ = ("ended", "logs", "rules")

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.logs: dict[Log, Trace] = {}
        self.ended = 0

    def trace(self, log: Log) -> Trace:
        """Return what *log* tells."""
        trace = self.logs.get(log)
        if trace is None:
            trace = self.logs[log] = Trace(self.rules)
        return trace

    def add(self, hit: Hit, log: Log) -> None:
        """Count one hit, the next of *log* in reading order."""
        self.trace(log).add(hit)

    def episodes(self) -> list[Episode]:
        """Return the episodes in which the threshold was met, but for those that were forgotten."""
        return [
            Episode(number, merged(p.tally for log in sorted(shares) for p in shares[log].pieces))
            for number, shares in enumerate(self._episodes(), start=self.ended)
            if any(share.is_met for share in shares.values())
        ]

    def episode(self) -> Episode | None:
        """Return the last episode in which the threshold was met, if there is one."""
        for trace in self.logs.values():
            for piece in trace.pieces:
                if piece.met:
                    return next(reversed(self.episodes()), None)
        return None  # What waits cannot meet it.

    @property
    def is_changed(self) -> bool:
        """Whether another piece began, or the threshold was met, since it was settled."""
        return any(trace.is_changed for trace in self.logs.values())

    def settle(self) -> None:
        """Forget what will never matter: all that its logs tell up to now is known."""
        episodes = self._episodes()
        met = [
            number
            for number, shares in enumerate(episodes)
            if any(share.is_met for share in shares.values())
        ]
        kept = episodes[met[-1] if met else 0 :]
        self.ended += len(episodes) - len(kept)
        traces, self.logs = self.logs, {}
        for number, shares in enumerate(kept, start=self.ended):
            for log, share in shares.items():
                trace = self.logs.get(log)
                if trace is None:
                    trace = self.logs[log] = Trace(self.rules)
                    trace.last, trace.latest = traces[log].last, traces[log].latest
                start = len(trace.pieces)
                tries = [
                    Try((start,), each.progress)
                    for each in traces[log].tries
                    if share.start in each.starts and not share.is_met
                ]
                trace.go_on([*trace.pieces, share.united(number, start)], tries)
        for trace in self.logs.values():
            for each in trace.tries:
                each.progress.settle(trace.latest and trace.latest.time)

    def _episodes(self) -> list[dict[Log, _Share]]:
        """Return of each episode what each log tells, as if no log had anything before."""
        for trace in self.logs.values():
            trace.catch_up()
        episodes: list[dict[Log, _Share]] = [{}]
        for era in self._eras():
            present = episodes[-1]
            if any(share.is_met for share in present.values()):
                present = {}
                episodes.append(present)
            for log, number in era:
                piece = self.logs[log].pieces[number]
                before = present.get(log)
                if before is None:
                    present[log] = _Share(number, piece, None)
                elif before.is_met or piece.gap <= self.rules.silence:
                    before.add(piece)
                else:  # What was before no longer counts.
                    present[log] = _Share(number, piece, before.begin)
        return episodes

    def _eras(self) -> list[list[tuple[Log, int]]]:
        """Divide all pieces where for longer than ``realert:`` no log has a packet."""
        starts = self._returns()
        eras: list[list[tuple[Log, int]]] = [[] for _ in range(len(starts) + 1)]
        for log, trace in self.logs.items():
            seen = [piece.begin for piece in trace.pieces]
            # What has no time tells of no silence: it is of one era with what stands
            # before it, else with what stands behind it.
            known = [bisect_right(starts, first) for first in seen if first is not None]
            era = known[0] if known else 0
            for number, first in enumerate(seen):
                if first is not None:
                    era = max(era, bisect_right(starts, first))
                eras[era].append((log, number))
        return eras

    def _returns(self) -> list[datetime]:
        """Return when a packet came after longer than ``realert:`` without one in any log."""
        if self.rules.realert is None:
            return []
        seen = sorted(
            (begin, piece.tally.last_seen)
            for trace in self.logs.values()
            for piece in trace.pieces
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


def rules_of(signals: Iterable[Signal]) -> dict[str, Rules]:
    """Return the rules of those of *signals* that not just any packet triggers, by their names."""
    return {
        signal.name: Rules(signal.threshold, signal.retain, signal.realert)
        for signal in signals
        if signal.realert is not None or not is_met_by_any_packet(signal.threshold)
    }


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


def moment_of(time: datetime | None, uptime: float | None) -> Moment | None:
    """Return when a line was logged, by its stamp, else by its uptime."""
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
    """Return the course of what was a detection before its signal had *rules*."""
    course = Course(rules)
    trace = course.trace(log)
    trace.go_on([Piece(tally, met=[0])], [])
    trace.last = trace.latest = moment_of(tally.last_seen, None)
    trace.is_changed = True
    return course


def met(seen: Seen) -> Tally | None:
    """Return what makes a detection of *seen*; None if its threshold was not met."""
    if isinstance(seen, Tally):
        return seen
    episode = seen.episode()
    return episode and episode.tally
