"""
One machine followed through a signal's threshold, line by line, for people.

What decides is a trace, as in a scan, so that both find the same.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from botalert.course import Trace, moment_of
from botalert.match import Signal
from botalert.model import Hit
from botalert.threshold import Measure, duration_words, threshold_words
from botalert.windows import Moment, Rules, begins_stretch


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
        self._trace = Trace(self.rules)
        self._is_met = False
        self._since = ""
        self._reached: dict[Measure, _Reach] = {}

    def add(self, hit: Hit, place: str) -> list[str]:
        """Count *hit*, the next of the log, which is the line *place*; tell what happens there."""
        told = self._returned(hit.time)
        if self._is_met:
            return told
        trace, moment = self._trace, moment_of(hit.time, hit.uptime)
        pieces, last, latest = trace.pieces, trace.last, trace.latest
        trace.add(hit)
        if trace.pieces is not pieces:
            self._since = place
        if pieces and moment is not None:
            told += self._began_anew(last, latest if trace.pieces is not pieces else None, moment)
        if trace.is_met:
            self._is_met = True
            self.fired += 1
            told.append(f"fires: {threshold_words(self._threshold)}; counted since {self._since}")
        else:
            self._note(place)
        return told

    def conclusion(self) -> str | None:
        """Tell how far it got; None if it is met."""
        if self._is_met:
            return None
        again = " again" if self.fired else ""
        return f"does not fire{again}: {'; or '.join(map(self._measure_words, self._threshold))}"

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
        self, last: Moment | None, silent_since: Moment | None, moment: Moment
    ) -> list[str]:
        """Tell what begins anew at *moment*, after *last*, or after a silence."""
        if silent_since is not None:
            silence = timedelta(microseconds=moment.time - silent_since.time)
            return [f"begins anew, after {_span_words(silence)} without a packet"]
        if last is None or not begins_stretch(last, moment):
            return []
        if all(measure.window is None for measure in self.rules.measures):
            return []
        if last.clock != moment.clock:
            return ["the windows begin anew: its time is another clock's than the last packet's"]
        step = timedelta(microseconds=last.time - moment.time)
        return [f"the windows begin anew: its time is {_span_words(step)} before the last packet's"]

    def _note(self, place: str) -> None:
        for measure in self.rules.measures:
            group, most = self._trace.most(measure)
            known = self._reached.get(measure)
            if most > (known.number if known else 0):
                self._reached[measure] = _Reach(most, group, place)

    def _measure_words(self, measure: Measure) -> str:
        reach = self._reached.get(measure)
        if reach is None:
            return f"0 of {measure.words()}"
        group = f" ({reach.group})" if measure.per is not None else ""
        return f"{reach.number} of {measure.words()}{group}, at {reach.place}"


def _span_words(span: timedelta) -> str:
    """Say *span* in days, hours, minutes and whole seconds."""
    return str(span - timedelta(microseconds=span.microseconds))
