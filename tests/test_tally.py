"""The laws of tallies: how hits are grouped for merging changes nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botalert.model import Hit
from botalert.packing import packed, packed_with, unpacked
from botalert.tally import (
    KEPT_ITEMS,
    KEPT_LINES,
    KEPT_NAMES,
    Distinct,
    Tally,
    hour_words,
    merged,
)

START = datetime(2026, 11, 20, tzinfo=UTC)

hits = st.builds(
    Hit,
    signal=st.just("smtp"),
    source=st.just("192.0.2.1"),
    time=st.none()
    | st.builds(
        lambda seconds, hours: (START + timedelta(seconds=seconds)).astimezone(
            timezone(timedelta(hours=hours))
        ),
        st.integers(-90, 90),
        st.integers(-2, 2),
    ),
    destination=st.integers(0, 400).map(lambda n: f"198.51.{n // 250}.{n % 250}"),
    port=st.none() | st.integers(0, 300).map(str),
    interface=st.sampled_from([None, "", *(f"eth{n}" for n in range(KEPT_NAMES + 4))]),
    mac=st.sampled_from([None, *(f"02:00:00:00:00:{n:02}" for n in range(KEPT_NAMES + 4))]),
    repeat=st.integers(1, 28),
    line=st.text(max_size=20),
)


def tally_of(seen: list[Hit]) -> Tally:
    tally = Tally()
    for hit in seen:
        tally.add(hit)
    return tally


def grouped(seen: list[Hit], cuts: list[int]) -> Tally:
    """Fold *seen* in parts and merge them, right ones first."""
    bounds = [0, *sorted(min(cut, len(seen)) for cut in cuts), len(seen)]
    parts = [tally_of(seen[a:b]) for a, b in pairwise(bounds)]
    while len(parts) > 1:
        parts[-2:] = [merged(parts[-2:])]
    return parts[0]


@given(st.lists(hits, max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_how_hits_are_cut_and_grouped_changes_nothing(seen, cuts):
    """Merging from the right gives what one fold gives."""
    assert grouped(seen, cuts) == tally_of(seen)


@given(st.lists(hits, max_size=15), st.lists(hits, max_size=15), st.lists(hits, max_size=15))
def test_merging_is_associative_and_has_an_empty_value(one, two, three):
    """The laws of a monoid."""
    a, b, c = tally_of(one), tally_of(two), tally_of(three)
    assert merged([merged([a, b]), c]) == merged([a, merged([b, c])])
    assert merged([a, Tally()]) == a == merged([Tally(), a])


@given(st.lists(hits, max_size=30))
def test_what_is_stored_comes_back(seen):
    """The state file holds a tally as text."""
    tally = tally_of(seen)
    assert unpacked(packed(tally)) == tally


@given(st.lists(hits, max_size=15), st.lists(hits, max_size=15))
def test_adding_to_what_is_stored_is_merging(seen, later):
    """The short way gives to the letter what unpacking, merging and packing give."""
    known, added = tally_of(seen), tally_of(later)
    assert packed_with(packed(known), packed(added)) == packed(merged([known, added]))


@given(st.data())
def test_adding_to_what_is_stored_is_merging_where_not_all_is_kept(data):
    """Around the number of destinations and ports that are kept, on either side."""

    def drawn() -> Tally:
        numbers = st.integers(0, KEPT_ITEMS + 2)
        destinations, ports = data.draw(numbers), data.draw(numbers)
        first = data.draw(st.integers(0, KEPT_ITEMS))
        return Tally(
            destinations=Distinct({f"10.0.0.{first + n}": 1 for n in range(destinations)}),
            ports=Distinct({str(first + n): 1 for n in range(ports)}),
        )

    known, added = drawn(), drawn()
    assert packed_with(packed(known), packed(added)) == packed(merged([known, added]))


@given(st.lists(st.integers(0, 5000), max_size=60), st.integers(0, 60), st.booleans())
def test_hours_become_days_whatever_the_cut(hours, cut, is_late):
    """Those more than 35 days before the latest one; what comes late is of its day, too."""
    ordered = sorted(hours)
    if is_late:
        ordered.reverse()
    whole, known = Tally(), packed(Tally())
    for part in (ordered[:cut], ordered[cut:]):
        tally = Tally()
        for hour in part:
            hit = Hit("x", "y", START + timedelta(hours=hour), None, None, None, None, 1, "line")
            tally.add(hit)
            whole.add(hit)
        known = packed_with(known, packed(tally))
    whole.age()
    assert (unpacked(known).hours, unpacked(known).days) == (whole.hours, whole.days)
    latest = max(hours, default=0)
    expected = Counter(
        f"{START + timedelta(hours=hour):%Y-%m-%d}"
        if hour < latest - 35 * 24
        else f"{START + timedelta(hours=hour):%Y-%m-%dT%H}"
        for hour in hours
    )
    assert hour_words(whole.hours, whole.days) == expected


def test_hours_are_those_of_utc():
    """Whatever the offset of the stamp, be it of half an hour."""
    india = timezone(timedelta(hours=5, minutes=30))
    tally = Tally()
    for minute in (0, 29, 30, 59):
        time = datetime(2026, 11, 20, 4, minute, tzinfo=india)
        tally.add(Hit("x", "y", time, None, None, None, None, 2, "line"))
    assert hour_words(tally.hours, tally.days) == {"2026-11-19T22": 4, "2026-11-19T23": 4}


@given(st.lists(st.integers(0, 5000), max_size=900), st.data())
def test_many_destinations_are_kept_exactly_however_cut(numbers, data):
    """The k smallest by hash keep exact counts in any grouping."""
    items = [f"10.0.{n // 250}.{n % 250}" for n in numbers]
    cut = data.draw(st.integers(0, len(items)))
    whole, left, right = Distinct(), Distinct(), Distinct()
    for item in items:
        whole.add(item, 1)
    for item in items[:cut]:
        left.add(item, 1)
    for item in items[cut:]:
        right.add(item, 1)
    left.merge(right)
    assert left == whole
    assert left.distinct() == whole.distinct()
    truth = Counter(items)
    assert all(truth[item] == count for item, count in whole.counts.items())
    if len(truth) <= KEPT_ITEMS:
        assert whole.counts == truth
        assert whole.distinct() == len(truth)


@pytest.mark.parametrize("number", [KEPT_ITEMS + 1, 1000, 10_000, 100_000])
def test_the_number_of_many_is_estimated_well(number):
    """Within a fifth: the standard error of KMV with 256 kept is 6 percent."""
    distinct = Distinct()
    for n in range(number):
        distinct.add(f"2001:db8::{n:x}", 1)
    assert len(distinct.counts) == KEPT_ITEMS
    assert distinct.overflowed
    assert abs(distinct.distinct() - number) < number / 5


def test_exactly_as_many_as_are_kept_is_no_estimate():
    """Nothing was dropped then."""
    distinct = Distinct({str(n): 1 for n in range(KEPT_ITEMS)})
    assert (distinct.distinct(), distinct.overflowed) == (KEPT_ITEMS, False)


def test_repeats_count_as_packets_and_one_line_of_evidence():
    """As "message repeated 28 times" is 28 packets."""
    hit = Hit("smtp", "192.0.2.1", None, "192.0.2.2", "25", "eth0", None, 28, "line")
    tally = tally_of([hit, hit._replace(repeat=1)])
    assert tally.packets == 29
    assert tally.destinations.counts == {"192.0.2.2": 29}
    assert tally.evidence == ("line", "line")


def test_limits_hold():
    """Five lines, few names, however much was seen."""
    seen = [
        Hit("smtp", "192.0.2.1", None, None, None, f"eth{n}", f"02:{n}", 1, "x" * 9999)
        for n in range(99)
    ]
    tally = tally_of(seen)
    assert len(tally.evidence) == KEPT_LINES
    assert max(map(len, tally.evidence)) < len(seen[0].line)
    assert (len(tally.interfaces), len(tally.macs)) == (KEPT_NAMES, KEPT_NAMES)
    assert tally.ports.counts == {} == tally.destinations.counts


def test_the_earliest_and_the_latest_stamp_are_kept_when_the_clock_steps_back():
    """Stamps need not come in order."""
    times = [START, START - timedelta(hours=1), START + timedelta(hours=1), None, START]
    hit = Hit("smtp", "192.0.2.1", None, None, None, None, None, 1, "")
    tally = tally_of([hit._replace(time=time) for time in times])
    assert (tally.first_seen, tally.last_seen) == (times[1], times[2])


def test_a_distinct_shows_itself_and_compares_only_to_its_like():
    """For those who debug."""
    assert repr(Distinct({"a": 1})) == "Distinct({'a': 1}, overflowed=False)"
    assert Distinct() != {}
