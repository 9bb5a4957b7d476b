"""Stamps into instants: the small reader against dateutil, zones, years and the clock's changes."""

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from dateutil import parser, tz
from hypothesis import given
from hypothesis import strategies as st

from botalert.times import StampReader, read_when, zone_named

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PARIS = zone_named("Europe/Paris")


def reader(now: datetime = NOW, zone: str = "UTC") -> StampReader:
    found = zone_named(zone)
    assert found is not None
    return StampReader(now, found)


moments = st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(moments, st.sampled_from(["", "Z", "+02:00", "-0730", "+0000"]), st.integers(0, 999999))
def test_iso_stamps_are_what_dateutil_reads(moment, zone, fraction):
    """RFC 3339, with any of the zones that logs have."""
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:06}{zone}"
    expected = parser.isoparse(stamp)
    if expected.tzinfo is None:
        expected = expected.replace(tzinfo=UTC)
    assert reader().iso(stamp) == expected


@given(st.datetimes(datetime(2025, 11, 23), datetime(2026, 11, 22)))
def test_syslog_stamps_are_what_dateutil_reads_in_the_right_year(moment):
    """Within the year before the run, the year is the one that was left out."""
    moment = moment.replace(microsecond=0)
    stamp = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"
    expected = parser.parse(f"{stamp} {moment.year}").replace(tzinfo=UTC)
    assert reader().syslog(stamp) == expected


@given(moments)
def test_ctime_stamps_are_what_dateutil_reads(moment):
    """As dmesg -T and OpenWrt write them."""
    stamp = moment.ctime()
    assert reader().ctime(stamp) == parser.parse(stamp).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "stamp", "expected"),
    [
        ("2027-01-02 08:00", "Dec 31 23:59:58", "2026-12-31T23:59:58+00:00"),
        ("2026-12-31 23:59", "Jan  1 00:00:05", "2027-01-01T00:00:05+00:00"),
        ("2026-11-21 09:00", "Nov 22 08:59:59", "2026-11-22T08:59:59+00:00"),
        ("2026-11-21 09:00", "Nov 22 09:01:00", "2025-11-22T09:01:00+00:00"),
        ("2026-11-21 09:00", "Feb 29 12:00:00", "2024-02-29T12:00:00+00:00"),
        ("2028-02-28 20:00", "Feb 29 12:00:00", "2028-02-29T12:00:00+00:00"),
        ("2026-11-21 10:01:39", "Nov 22 10:01:39", "2026-11-22T10:01:39+00:00"),
        ("2026-11-21 10:01:39", "Nov 22 10:01:40", "2025-11-22T10:01:40+00:00"),
    ],
)
def test_a_stamp_without_a_year_gets_the_latest_it_can_have(now, stamp, expected):
    """Over New Year, with a fast clock, and in leap years."""
    run = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert reader(run).syslog(stamp).isoformat() == expected


@pytest.mark.parametrize(
    ("now", "stamp", "year"),
    [
        ("2026-10-24T23:30:00+00:00", "Oct 26 01:00:00", 2025),  # 24.5 hours ahead
        ("2026-03-28T23:30:00+00:00", "Mar 30 01:20:00", 2026),  # 23.8 hours ahead
    ],
)
def test_a_day_ahead_is_24_hours_where_the_clock_is_changed(now, stamp, year):
    """Not a day of the calendar."""
    assert reader(datetime.fromisoformat(now), "Europe/Paris").syslog(stamp).year == year


@pytest.mark.parametrize("stamp", ["Feb 30 12:00:00", "Nov 31 00:00:00", "Nov 20 24:00:00"])
def test_a_stamp_that_is_no_date_is_none(stamp):
    """The line has no time then, and is still a packet."""
    assert reader().syslog(stamp) is None


def test_the_hour_that_autumn_repeats_is_its_first_passing():
    """On 25 October 2026 Paris has 02:30 twice."""
    assert (
        reader(zone="Europe/Paris").syslog("Oct 25 02:30:00").isoformat()
        == "2026-10-25T02:30:00+02:00"
    )


def test_stamps_around_a_change_of_the_clock_compare_as_instants():
    """A shared zone object would make Python compare wall clocks."""
    stamps = reader(zone="Europe/Paris")
    before, after = stamps.syslog("Oct 25 02:59:59"), stamps.iso("2026-10-25T02:00:01+01:00")
    assert before < after
    assert after - before == timedelta(seconds=2)


def test_both_offsets_of_a_zone_come_from_one_reader():
    """The remembered minute must not carry an offset over a change."""
    stamps = reader(zone="Europe/Paris")
    got = [stamps.syslog(s).utcoffset() for s in ("Mar 29 01:59:59", "Mar 29 03:00:00")]
    assert got == [timedelta(hours=1), timedelta(hours=2)]


def test_a_leap_second_is_the_next_minutes_first():
    """RFC 3339 has it, datetime has not."""
    assert reader().iso("2016-12-31T23:59:60Z").isoformat() == "2017-01-01T00:00:00+00:00"


def test_every_time_has_a_plain_offset():
    """So that it can be stored and compared."""
    stamps = reader(zone="Europe/Paris")
    for moment in (stamps.syslog("Nov 20 23:58:33"), stamps.iso("2026-11-20T23:58:33")):
        assert type(moment.tzinfo) is timezone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", "2026-11-21T00:00:00+01:00"),
        ("Yesterday", "2026-11-20T00:00:00+01:00"),
        ("3h ago", "2026-11-21T07:00:00+01:00"),
        ("90 m ago", "2026-11-21T08:30:00+01:00"),
        ("2w ago", "2026-11-07T10:00:00+01:00"),
        ("2026-11-20", "2026-11-20T00:00:00+01:00"),
        ("2026-07-01 14:30", "2026-07-01T14:30:00+02:00"),
        ("2026-11-20T14:30:00Z", "2026-11-20T14:30:00+00:00"),
        ("Nov 20 14:30", "2026-11-20T14:30:00+01:00"),
        ("14:30", "2026-11-21T14:30:00+01:00"),
    ],
)
def test_people_write_dates_in_many_ways(text, expected):
    """In the log's zone, unless they name one."""
    assert PARIS is not None
    assert read_when(text, NOW, PARIS).isoformat() == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-40", "3 fortnights ago", "9" * 30 + "h ago"])
def test_what_is_no_date_gets_an_error_that_shows_what_can_be_read(text):
    """It quotes the text and gives examples."""
    with pytest.raises(ValueError, match="is not a date") as caught:
        read_when(text, NOW, UTC)
    assert repr(text) in str(caught.value)
    assert "3h ago" in str(caught.value)


def test_the_machines_zone_is_found():
    """Without a name it is the machine's own."""
    assert NOW.astimezone(zone_named(None)).utcoffset() == NOW.astimezone(tz.tzlocal()).utcoffset()


@pytest.fixture
def machine_in(monkeypatch):
    """Put the machine into a zone."""

    def put(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()
        return zone_named(None)

    yield put
    monkeypatch.undo()
    time.tzset()


ZONES = [
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
]
# Offset, summer and winter of these are the same as the zones' since 1996, or 2007.
POSIX_ZONES = {
    "CET-1CEST,M3.5.0,M10.5.0/3": "Europe/Paris",
    "EST5EDT,M3.2.0,M11.1.0": "America/New_York",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0": "Australia/Lord_Howe",
}


def assert_alike(machines, other, start, end):
    """Two zones tell one time, both ways, around each change and in between."""
    instant = start
    while instant < end:
        shown, expected = instant.astimezone(machines), instant.astimezone(other)
        assert (shown.replace(tzinfo=None), shown.fold) == (
            expected.replace(tzinfo=None),
            expected.fold,
        )
        assert shown.utcoffset() == expected.utcoffset()
        assert shown.astimezone(UTC) == instant
        instant += timedelta(minutes=30) if instant.day in range(1, 15) else timedelta(hours=5)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("year", [1975, 2005, 2026])
def test_the_machines_zone_is_what_the_database_says(machine_in, name, year):
    """Before, in and behind every change of the clock."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    assert_alike(machine_in(name), ZoneInfo(name), start, start + timedelta(days=366))


@pytest.mark.parametrize(("rule", "name"), POSIX_ZONES.items())
def test_the_machines_zone_may_be_a_rule(machine_in, rule, name):
    """TZ as POSIX has it."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert_alike(machine_in(rule), ZoneInfo(name), start, start + timedelta(days=366))


@pytest.mark.parametrize("name", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe"])
def test_the_machines_zone_reads_stamps_as_the_zone_of_that_name(machine_in, name):
    """Also of times that come twice, and of those that spring leaves out."""
    by_machine = StampReader(NOW, machine_in(name))
    by_name = StampReader(NOW, zone_named(name))
    moment = datetime(2026, 1, 1)
    while moment < datetime(2026, 12, 1):
        stamp = moment.isoformat()
        assert by_machine.iso(stamp).isoformat() == by_name.iso(stamp).isoformat()
        moment += timedelta(minutes=15) if moment.hour < 4 else timedelta(hours=4)


def test_the_machines_zone_in_the_hours_that_change(machine_in):
    """Of what autumn repeats the first passing, or by fold the second; a gap is as before it."""
    zone = machine_in("Europe/Paris")
    repeated, left_out = datetime(2026, 10, 25, 2, 30), datetime(2026, 3, 29, 2, 30)
    hours = [
        moment.replace(tzinfo=zone).utcoffset() / timedelta(hours=1)
        for moment in (repeated, repeated.replace(fold=1), left_out)
    ]
    assert hours == [2, 1, 1]
    passings = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(zone) for hour in (0, 1)]
    assert [(moment.hour, moment.fold) for moment in passings] == [(2, 0), (2, 1)]
    assert [moment.tzname() for moment in passings] == ["CEST", "CET"]


def test_a_zone_without_changes_is_as_plain(machine_in):
    """UTC, and a TZ that the C library does not know, which is UTC to it."""
    for name in ("UTC", "UTC0", "Nowhere/Land"):
        zone = machine_in(name)
        assert NOW.astimezone(zone).utcoffset() == timedelta(0)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(
        [
            "%Y-%m-%d",
            "%Y-%m-%d %H:%M",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%d %H:%M:%SZ",
            "%Y-%m-%dT%H:%M-07:30",
        ]
    ),
)
def test_dates_in_iso_form_are_what_dateutil_reads(moment, form):
    """They are read without it."""
    text = moment.strftime(form)
    expected = parser.parse(text, default=datetime(2026, 11, 21))
    if expected.tzinfo is None:
        expected = expected.replace(tzinfo=PARIS)
    got = read_when(text, NOW, PARIS)
    assert (got, got.utcoffset()) == (expected, expected.utcoffset())
