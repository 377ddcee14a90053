"""Planned moments: cron lines with daylight saving, intervals, single moments."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.core.calendar import Between, Cron, Every, Once, moments
from treadle.core.errors import InputError

ZONES = [
    "UTC",
    "Europe/Paris",
    "Europe/London",
    "Europe/Dublin",  # its winter time is the one that is called saving
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",  # half an hour
    "America/Havana",  # the clock goes back to midnight
    "America/Sao_Paulo",
    "America/Santiago",  # midnight is skipped
    "Africa/Cairo",  # midnight is skipped, and 23:00 comes twice
    "Africa/Casablanca",  # twice a year, around Ramadan
    "Asia/Beirut",  # midnight is skipped
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Australia/Sydney",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Chatham",  # three quarters of an hour
    "Pacific/Auckland",
]
NEW_YORK = ZoneInfo("America/New_York")
SPRING = datetime(2026, 3, 8, tzinfo=NEW_YORK)  # 2:00 to 3:00 is skipped
AUTUMN = datetime(2026, 11, 1, tzinfo=NEW_YORK)  # 1:00 to 2:00 comes twice
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def walls(line, begin, count, zone="America/New_York"):
    found = islice(moments(Cron(line, zone), begin), count)
    return [f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M:%S%z}" for moment in found]


@pytest.mark.parametrize("line", ["30 2 * * *", "0 30 2 * * *", "15,30 2 * * *", "*/7 2 * * *"])
def test_what_falls_into_a_gap_happens_once_after_it(line):
    assert walls(line, SPRING, 1) == ["08 03:00:00-0400"]
    following = walls(line, SPRING + timedelta(hours=4), 1)
    assert not following[0].startswith("08")


def test_what_comes_twice_happens_the_first_time():
    assert walls("30 1 * * *", AUTUMN, 2) == ["01 01:30:00-0400", "02 01:30:00-0500"]
    assert walls("0 */30 1 * * *", AUTUMN, 3)[:2] == ["01 01:00:00-0400", "01 01:30:00-0400"]
    # Also where the schedule is made within the second pass.
    second = datetime(2026, 11, 1, 1, 10, fold=1, tzinfo=NEW_YORK)
    assert walls("30 1 * * *", second, 1) == ["02 01:30:00-0500"]


def test_a_line_for_every_hour_goes_by_elapsed_time():
    assert walls("30 * * * *", SPRING + timedelta(hours=1), 2) == [
        "08 01:30:00-0500",
        "08 03:30:00-0400",
    ]
    assert walls("30 * * * *", AUTUMN + timedelta(hours=1), 3) == [
        "01 01:30:00-0400",
        "01 01:30:00-0500",
        "01 02:30:00-0500",
    ]


def test_lines_of_every_kind():
    begin = datetime(2026, 1, 30, 12, tzinfo=UTC)
    assert walls("10 0 0 L * *", begin, 2, "UTC") == ["31 00:00:10+0000", "28 00:00:10+0000"]
    assert walls("0 9 * * MON#1", begin, 1, "UTC") == ["02 09:00:00+0000"]
    assert walls("@daily", begin, 1, "UTC") == ["31 00:00:00+0000"]
    assert walls("*/20 * * * * *", begin, 3, "UTC") == [f"30 12:00:{s}+0000" for s in (20, 40)] + [
        "30 12:01:00+0000"
    ]
    assert Cron("0 0 29 2 *").after(begin) == datetime(2028, 2, 29, tzinfo=UTC)


def zone_offsets(zone, begin, hours):
    """Walk a zone minute by minute, knowing nothing but its offsets."""
    for minute in range(hours * 60):
        moment = begin + timedelta(minutes=minute)
        yield moment, moment.astimezone(zone).replace(tzinfo=None)


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    day=st.integers(0, 364),
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=4),
    hours=st.one_of(st.none(), st.sets(st.integers(0, 23), min_size=1, max_size=4)),
)
def test_every_day_of_a_year_is_as_a_walk_through_its_minutes_says(zone, day, minutes, hours):
    """Compare with a walk over all minutes that only looks at what the clock shows."""
    begin = YEAR + timedelta(days=day)
    line = f"{','.join(map(str, sorted(minutes)))} "
    line += f"{'*' if hours is None else ','.join(map(str, sorted(hours)))} * * *"

    expected, shown, previous = [], set(), None
    for moment, wall in zone_offsets(ZoneInfo(zone), begin - timedelta(hours=30), 60):
        skipped = []
        if previous is not None and wall > previous + timedelta(minutes=1):
            steps = int((wall - previous) / timedelta(minutes=1))
            skipped = [previous + timedelta(minutes=step) for step in range(1, steps)]
        previous = wall
        if hours is None:
            fires = wall.minute in minutes
        else:
            wanted = [
                one for one in [*skipped, wall] if one.minute in minutes and one.hour in hours
            ]
            fires = any(one not in shown for one in wanted)
            shown |= {*skipped, wall}
        if fires and moment > begin:
            expected.append(moment)

    found = list(islice(moments(Cron(line, zone), begin), len(expected)))
    assert found == expected


@given(
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    zone=st.sampled_from(ZONES),
    line=st.sampled_from(
        ["30 2 * * *", "*/5 * * * *", "0 0 * * *", "*/10 30 1 * * *", "0 */3 * * *"]
    ),
)
def test_the_next_moment_is_later_and_the_same_whoever_asks_from_where(moment, zone, line):
    cron, begin = Cron(line, zone), moment.replace(tzinfo=UTC)
    found = cron.after(begin)
    assert found is not None
    assert found > begin
    assert cron.after(begin + (found - begin) / 2) == found


@given(
    seconds=st.integers(1, 10_000_000),
    ask=st.lists(st.integers(0, 10**9), min_size=1, max_size=20),
)
def test_intervals_do_not_drift(seconds, ask):
    every = Every(timedelta(seconds=seconds), YEAR)
    for later in ask:
        found = every.after(YEAR + timedelta(seconds=later))
        assert (found - YEAR) % timedelta(seconds=seconds) == timedelta(0)
        assert timedelta(0) < found - (YEAR + timedelta(seconds=later)) <= every.span


def test_a_day_long_interval_is_24_hours_also_when_the_clock_changes():
    every = Every(timedelta(days=1), SPRING.astimezone(UTC))
    later = every.after(SPRING)
    assert f"{later.astimezone(NEW_YORK):%d %H:%M}" == "09 01:00"


def test_a_single_moment_and_bounds():
    once = Once(YEAR)
    assert once.after(YEAR - timedelta(microseconds=1)) == YEAR
    assert once.after(YEAR) is None
    hours = Every(timedelta(hours=1), YEAR)
    within = Between(hours, YEAR + timedelta(hours=2), YEAR + timedelta(hours=3))
    begin = YEAR - timedelta(days=9)
    assert list(moments(within, begin)) == [YEAR + timedelta(hours=n) for n in (2, 3)]
    assert hours.after(begin) == YEAR


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("61 * * * *", "its minute is '61'"),
        ("* *", "it has 2 fields, and five or six are needed"),
        ("", "it has 0 fields"),
        ("0 0 30 2 *", "never fires: no month in it has such a day"),
        ("0 0 31 2,4,6 *", "never fires"),
        ("0 0 0 * *", "its day of month is '0'"),
        ("0 0 * * MON#6", "its day of week is 'MON#6'"),
        ("0 8-2 * * *", "its hour is '8-2'"),
        ("*/0 * * * *", "its minute is '*/0'"),
        ("a/" * 3_000 + " * * * *", "cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_or_never_fires_is_refused(line, told):
    with pytest.raises(InputError, match="cron line") as refused:
        Cron(line)
    assert told in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        ("Europe/Pariss", "Did you mean 'Europe/Paris'?"),
        ("Paris", "Did you mean 'Europe/Paris'?"),
        ("../../etc/passwd", "IANA name"),
        ("", "IANA name"),
        ("Europe", "IANA name"),
        ("Mars/Olympus\0", "IANA name"),
    ],
)
def test_a_zone_that_does_not_exist_is_refused(name, offer):
    with pytest.raises(InputError, match="There is no time zone") as refused:
        Cron("0 8 * * *", name)
    assert offer in str(refused.value)
