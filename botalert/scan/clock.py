"""
When rows were logged, without a datetime for each.
"""

from botalert.course import moment_of
from botalert.times import Period, microseconds
from botalert.windows import MICROSECONDS, STAMP, Moment


class Clock:
    """
    Tells the moments of a period's clocks.

    Attributes:
        period: The period.
    """

    __slots__ = ("_day", "_last", "_moment", "_start", "period")

    def __init__(self, period: Period) -> None:
        self.period = period
        start = moment_of(period.start, None)
        assert start is not None
        self._start, self._day = start.time, start.day
        # Rows come in order: many have the clock of the one before.
        self._last = ""
        self._moment = start

    def moment(self, text: str) -> Moment:
        """Give :func:`moment_of` what :meth:`Period.moment` gives of *text*."""
        if text != self._last:
            whole, _, fraction = text.partition(".")
            seconds = 0
            for part in whole.split(":"):
                seconds = seconds * 60 + int(part)
            time = self._start + seconds * MICROSECONDS + microseconds(fraction)
            self._last, self._moment = text, Moment(STAMP, time, self._day)
        return self._moment
