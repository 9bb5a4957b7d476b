"""
One machine followed through a signal's threshold, line by line, for people.

What decides is a course, as in a scan, so that both find the same.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from botalert.course import Course, Piece, moment_of
from botalert.match import Signal
from botalert.model import Hit
from botalert.threshold import Alternative, Measure, duration_words, threshold_words
from botalert.windows import Moment, Rules, Stage, begins_stretch

_LOG = ""


class _Reach(NamedTuple):
    """
    How far a measure got.

    Attributes:
        number: The most that there were within its window.
        group: Of which value of the field behind ``per``; "" without one.
        place: The line at which there were first so many.
    """

    number: int
    group: str
    place: str


class Follower:
    """
    What one source does in one log, to the threshold of one signal.

    Attributes:
        rules: What the threshold asks.
        fired: How many times it was met: more than once only with ``realert:``.
    """

    def __init__(self, signal: Signal) -> None:
        # When an alert may follow another is told here: until the first it changes nothing.
        self.rules = Rules(signal.threshold, signal.retain, None)
        self.fired = 0
        self._threshold = signal.threshold
        self._realert = signal.realert
        self._latest: datetime | None = None
        self._begin()

    def _begin(self) -> None:
        self._course = Course(self.rules)
        self._is_met = False
        self._since = ""
        self._reached: dict[Measure, _Reach] = {}

    def add(self, hit: Hit, place: str) -> list[str]:
        """Count *hit*, the next of the log, which is the line *place*; tell what happens there."""
        told = self._returned(hit.time)
        if self._is_met:
            return told
        before, moment = self._piece(), moment_of(hit.time, hit.uptime)
        last = None if before is None else before.stage.last
        self._course.add(hit, _LOG)
        piece = self._piece()
        assert piece is not None
        if before is None:
            self._since = place
        elif piece is not before and before.stage.latest is None:
            # Lines without a time may stand behind a silence, but here nothing is before them.
            piece = before.merged(piece)
            self._course.logs[_LOG] = [piece]
        elif moment is not None:
            if piece is not before:
                self._since = place
            told += self._began_anew(before, piece, last, moment)
        if piece.stage.is_met:
            self._is_met = True
            self.fired += 1
            told.append(f"fires: {threshold_words(self._threshold)}; counted since {self._since}")
        else:
            self._note(piece.stage, place)
        return told

    def conclusion(self) -> str | None:
        """Tell how far it got; None if it is met."""
        if self._is_met:
            return None
        again = " again" if self.fired else ""
        return f"does not fire{again}: {'; or '.join(map(self._got, self._threshold))}"

    def _piece(self) -> Piece | None:
        pieces: Sequence[Piece] = self._course.logs.get(_LOG, ())
        return pieces[-1] if pieces else None

    def _returned(self, time: datetime | None) -> list[str]:
        """Go on to a packet's *time*; tell if another episode begins there."""
        if time is None:
            return []
        quiet = timedelta(0) if self._latest is None else time - self._latest
        self._latest = time if self._latest is None else max(time, self._latest)
        if not self._is_met or self._realert is None or quiet <= timedelta(seconds=self._realert):
            return []
        self._begin()
        asked = duration_words(self._realert)
        return [f"comes back after {_span_words(quiet)} without a packet; realert: is {asked}"]

    def _began_anew(
        self, before: Piece, piece: Piece, last: Moment | None, moment: Moment
    ) -> list[str]:
        """Tell what begins anew at *moment*, behind *before*, whose last line was of *last*."""
        if piece is not before:
            assert before.stage.latest is not None
            silence = timedelta(microseconds=moment.time - before.stage.latest.time)
            return [f"begins anew, after {_span_words(silence)} without a packet"]
        if last is None or not begins_stretch(last, moment):
            return []
        if all(measure.window is None for measure in self.rules.measures):
            return []
        if last.clock != moment.clock:
            return ["the windows begin anew: its time is another clock's than the last packet's"]
        step = timedelta(microseconds=last.time - moment.time)
        return [f"the windows begin anew: its time is {_span_words(step)} before the last packet's"]

    def _note(self, stage: Stage, place: str) -> None:
        for number, measure in enumerate(self.rules.measures):
            group, most = stage.most(number)
            known = self._reached.get(measure)
            if most > (known.number if known else 0):
                self._reached[measure] = _Reach(most, group, place)

    def _got(self, way: Alternative) -> str:
        told = " and ".join(map(self._measure_words, way))
        reached = (self._reached.get(measure) for measure in way)
        if all(reach and reach.number == m.number for reach, m in zip(reached, way, strict=True)):
            return f"{told}, but not at one moment"
        return told

    def _measure_words(self, measure: Measure) -> str:
        reach = self._reached.get(measure)
        if reach is None:
            return f"0 of {measure.words()}"
        group = f" ({reach.group})" if measure.per is not None else ""
        return f"{reach.number} of {measure.words()}{group}, at {reach.place}"


def _span_words(span: timedelta) -> str:
    """Say *span* in days, hours, minutes and whole seconds."""
    return str(span - timedelta(microseconds=span.microseconds))
