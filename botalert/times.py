"""
Stamps of log lines into aware datetimes.

A call of dateutil's parser costs 59 µs and a scanned line about 1 µs, so the
forms that logs are full of are read by hand here, and dateutil reads what
people type after --since in other forms than these, and zones by their names.
It is imported for these only: that takes longer than scanning a small log.
Tests hold both to one answer.

Every datetime that leaves this module has a fixed offset as its tzinfo, so
that two of them compare as instants: with a shared zone object Python would
compare the wall clocks, and the hour that autumn repeats would be wrong.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

# A fast sender's clock: a stamp this far ahead is still of this year.
CLOCK_SKEW = timedelta(days=1)

_MONTHS = {
    name: number
    for number, name in enumerate(
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1
    )
}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# No log is older; and every zone must be able to show every stamp.
_YEARS = range(1970, 9999)
_ZONE = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?")
# What datetime reads as dateutil does, of what people write.
_WHEN = r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?"
# Of a day and of an hour: the first and the last clock, and how long it is.
_CLOCKS = (
    ("00:00:00", "23:59:59", timedelta(days=1)),
    ("00:00", "59:59", timedelta(hours=1)),
)
# 29 February may lie this many years back: 1896 to 1904 had none between.
_LEAP_SEARCH_YEARS = 9

WHEN_HELP = (
    "today, yesterday, 3h ago (s, m, h, d, w), 2026-11-20, '2026-11-20 14:30', "
    "2026-11-20T14:30:00+01:00 or 'Nov 20 14:30'"
)


class Span(NamedTuple):
    """
    From when on, and until when, packets count; None for no limit.

    A packet without a time is outside of any limit.
    """

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, moment: datetime | None) -> bool:
        """Tell whether *moment* is in it; its end is not."""
        if moment is None:
            return self == ALWAYS
        return not (
            (self.since is not None and moment < self.since)
            or (self.until is not None and moment >= self.until)
        )

    def holds_all(self, period: "Period") -> bool:
        """Tell whether all of *period* is in it."""
        return self.holds(period.start) and (self.until is None or period.end <= self.until)

    def holds_some(self, period: "Period") -> bool:
        """Tell whether any of *period* is in it."""
        return not (
            (self.since is not None and period.end <= self.since)
            or (self.until is not None and period.start >= self.until)
        )


ALWAYS = Span()
HOUR_SECONDS = 3600


def hour_of(moment: datetime) -> int:
    """Return the number of the clock's hour, UTC, in which *moment* is; since 1970."""
    return (moment - _EPOCH) // _HOUR


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(seconds=HOUR_SECONDS)


class Period(NamedTuple):
    """A day or an hour in which clocks simply go on: from *start* on and before *end*."""

    start: datetime
    end: datetime

    def moment(self, clock: str) -> datetime:
        """Give the moment of *clock*, "23:58:33" or, in an hour, "58:33.105166"."""
        whole, _, fraction = clock.partition(".")
        *hour, minute, second = whole.split(":")
        return self.start.replace(
            hour=int(hour[0]) if hour else self.start.hour,
            minute=int(minute),
            second=int(second),
            microsecond=microseconds(fraction),
        )


def fixed(moment: datetime) -> datetime:
    """Give *moment*'s tzinfo as the plain offset that it has then."""
    offset = moment.utcoffset() or timedelta(0)
    return moment.replace(tzinfo=timezone(offset) if offset else UTC, fold=0)


class MachineZone(tzinfo):
    """
    The machine's own time zone, as its C library knows it.

    So it is the one in which syslog daemons write, whatever tells it: TZ or
    /etc/localtime.  Of the hour that autumn repeats it knows both passings by
    ``fold`` (PEP 495); a time that spring leaves out has the offset of before.
    """

    def utcoffset(self, moment: datetime | None, /) -> timedelta | None:
        """Give the offset at *moment*, a clock's reading."""
        return None if moment is None else _by_machine(moment).utcoffset()

    def dst(self, moment: datetime | None, /) -> timedelta | None:
        """Tell nothing: the C library does not say how much of the offset it is."""
        return None

    def tzname(self, moment: datetime | None, /) -> str | None:
        """Give the zone's abbreviation at *moment*."""
        return None if moment is None else _by_machine(moment).tzname()

    def fromutc(self, moment: datetime, /) -> datetime:
        """Give the clock's reading at *moment*, which is UTC's though it has this zone."""
        local = moment.replace(tzinfo=UTC).astimezone()
        reading = local.replace(tzinfo=self)
        return reading.replace(fold=int(reading.utcoffset() != local.utcoffset()))


def _by_machine(moment: datetime) -> datetime:
    # Of a datetime without a zone, astimezone takes the machine's.
    return moment.replace(tzinfo=None).astimezone()


def zone_named(name: str | None) -> tzinfo | None:
    """
    Find a time zone; the machine's own for None.

    dateutil looks in the system's database and then in its own copy, so it
    works on a machine without tzdata.  None where no zone has that name.
    """
    if not name:
        return MachineZone()
    if name == "UTC":
        return UTC
    import warnings

    from dateutil import tz

    with warnings.catch_warnings():
        # Of names with "..", on standard error: they lead to a zone or to none.
        warnings.simplefilter("ignore")
        try:
            return tz.gettz(name)
        except (OSError, ValueError):
            # A path that leads to no zone: another file, or too long a name.
            return None


def microseconds(fraction: str | None) -> int:
    """Read the digits behind a second's point, of any number, down to µs."""
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


class StampReader:
    """
    Reads the stamps of one log in one run.

    Remembers the last minute of each form: lines come in order, so all but
    the first of a minute cost a dictionary look-up.

    Args:
        now: When this run began; aware.
        zone: Of stamps that carry none.
    """

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.zone = zone
        self._latest = now.astimezone(UTC) + CLOCK_SKEW
        self._minutes: dict[str, tuple[str, datetime | None]] = {}

    def syslog(self, stamp: str) -> datetime | None:
        """
        Read "Nov 20 23:58:33", perhaps with a fraction.

        RFC 3164, section 4.1.2, has no year and no zone: the latest year
        that puts the stamp no more than a day after *now*.
        """
        whole, _, fraction = stamp.partition(".")
        moment = self._within("syslog", whole, fraction, lambda m: self._in_year(m, self._latest))
        if moment is not None and moment > self._latest:  # By seconds, in the last minute.
            before = self._in_year(whole[:-2], self._latest - timedelta(minutes=1))
            moment = before and before.replace(second=moment.second)
        return moment

    def ctime(self, stamp: str) -> datetime | None:
        """Read "Mon Mar 23 13:16:49 2026", as ctime(3), dmesg -T and OpenWrt write it."""
        clock, year = stamp[4:-5], stamp[-4:]
        return self._within("ctime" + year, clock, "", lambda m: self._local(int(year), m))

    def iso(self, stamp: str) -> datetime | None:
        """Read RFC 3339, also with a comma, a space, or no colon or zone at all."""
        clock, rest = stamp[:19], stamp[19:]
        fraction = ""
        if rest[:1] in (".", ","):
            digits = len(rest) - len(rest[1:].lstrip("0123456789"))
            fraction, rest = rest[1:digits], rest[digits:]
        return self._within("iso" + rest, clock, fraction, lambda m: self._iso_minute(m, rest))

    def common(self, stamp: str) -> datetime | None:
        """Read "20/Jun/2022:13:09:14 +0200", the common log format, which Proxmox VE uses."""
        day, month, year = stamp[:2], stamp[3:6], stamp[7:11]
        if month not in _MONTHS:
            return None
        return self.iso(f"{year}-{_MONTHS[month]:02}-{day}T{stamp[12:20]}{stamp[21:]}")

    def epoch(self, stamp: str) -> datetime:
        """Read seconds since 1970, as `journalctl -o short-unix` writes them."""
        whole, _, fraction = stamp.partition(".")
        moment = datetime.fromtimestamp(int(whole), UTC) + timedelta(
            microseconds=microseconds(fraction)
        )
        return fixed(moment.astimezone(self.zone))

    def period(self, beginning: str, zone: str) -> Period | None:
        """
        Read a day or an hour: "Nov 20 ", "2026-11-20T23:", and its *zone*.

        None where it can't be read, or where its stamps do not simply follow
        each other: the zone's offset changes within it, or the year that is
        inferred.
        """
        if not _ZONE.fullmatch(zone) or (zone and not beginning[0].isdigit()):
            return None
        read = self.iso if beginning[0].isdigit() else self.syslog
        first_clock, last_clock, length = _CLOCKS[beginning[-1] == ":"]
        first = read(f"{beginning}{first_clock}{zone}")
        last = read(f"{beginning}{last_clock}{zone}")
        if first is None or last is None or first.utcoffset() != last.utcoffset():
            return None
        end = first + length
        return Period(first, end) if last == end - timedelta(seconds=1) else None

    def _within(
        self, form: str, clock: str, fraction: str, minute_of: Callable[[str], datetime | None]
    ) -> datetime | None:
        minute, second = clock[:-2], int(clock[-2:])
        known = self._minutes.get(form)
        if known is None or known[0] != minute:
            known = (minute, minute_of(minute))
            self._minutes[form] = known
        base = known[1]
        if base is None or second > 60:
            return None
        if second == 60:  # RFC 3339 allows a leap second; datetime does not.
            return base + timedelta(seconds=60)
        return base.replace(second=second, microsecond=microseconds(fraction))

    def _in_year(self, minute: str, latest: datetime) -> datetime | None:
        """Give a year-less minute the latest year that puts it no later than *latest*."""
        last = latest.astimezone(self.zone).year
        for year in range(last, last - _LEAP_SEARCH_YEARS, -1):
            moment = self._local(year, minute)
            if moment is not None and moment <= latest:
                return moment
        return None

    def _local(self, year: int, minute: str) -> datetime | None:
        month, day, clock = minute.split()
        if year not in _YEARS:
            return None
        try:
            moment = datetime(
                year, _MONTHS[month], int(day), int(clock[:2]), int(clock[3:5]), tzinfo=self.zone
            )
        except (ValueError, KeyError):
            return None
        return fixed(moment)

    def _iso_minute(self, minute: str, zone: str) -> datetime | None:
        if int(minute[:4]) not in _YEARS:
            return None
        try:
            moment = datetime(
                int(minute[:4]),
                int(minute[5:7]),
                int(minute[8:10]),
                int(minute[11:13]),
                int(minute[14:16]),
                tzinfo=_offset(zone) if zone else self.zone,
            )
        except ValueError:
            return None
        return fixed(moment)


def _offset(zone: str) -> timezone:
    if zone in ("Z", "z"):
        return UTC
    digits = zone[1:].replace(":", "")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if zone[0] == "-" else span)


def _zone_written(name: str | None, offset_seconds: int | None) -> tzinfo | None:
    """Find the zone that a person wrote, for dateutil; None where none was."""
    if offset_seconds is not None:
        return timezone(timedelta(seconds=offset_seconds))
    zone = zone_named(name) if name else None
    if name and zone is None:
        raise ValueError(f"there is no time zone {name!r}")
    return zone


def read_when(text: str, now: datetime, zone: tzinfo) -> datetime:
    """
    Read what a person types after --since or --until.

    "today", "yesterday", "3h ago" and ISO 8601 are ours; dateutil reads the rest, in
    *zone* unless the text names one.  What the text leaves out is today's.

    Raises:
        ValueError: The text is no date; the message shows what can be read.
    """
    local = now.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    words = text.strip().lower()
    if words == "today":
        return fixed(midnight)
    if words == "yesterday":
        return fixed(midnight - timedelta(days=1))
    try:
        if re.fullmatch(_WHEN, text, re.ASCII):
            return _at(datetime.fromisoformat(text), zone)
        if ago := re.fullmatch(r"(\d+) ?([smhdw]) ago", words):
            return fixed((now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).astimezone(zone))
        from dateutil import parser

        default = midnight.replace(tzinfo=None, fold=0)
        return _at(parser.parse(text, default=default, tzinfos=_zone_written), zone)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a date. Write {WHEN_HELP}.") from error


def _at(moment: datetime, zone: tzinfo) -> datetime:
    """Give *moment*, in *zone* unless it has one, with its plain offset."""
    return fixed(moment if moment.tzinfo else moment.replace(tzinfo=zone))
