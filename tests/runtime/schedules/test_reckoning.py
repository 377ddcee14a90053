"""What fires at a moment, what was missed, and what comes next."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.core.calendar import moments
from treadle.core.scheduling import ScheduleSettings
from treadle.runtime.schedules._reckoning import AT_ONCE, COUNTED, ON_TIME, due, reckon

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


def told(**changes):
    chosen = {"cron": "0 * * * *"} if "every" not in changes else {}
    return ScheduleSettings(input="Go on.", **{**chosen, **changes})


def reckoned(planned, now=NOW, **changes):
    chosen = told(**changes)
    return reckon("hourly", chosen, chosen.timing(planned), planned, now)


def test_nothing_fires_early_and_what_is_on_time_fires_with_any_policy():
    planned = NOW + timedelta(seconds=1)
    assert reckoned(planned).fires == ()
    assert reckoned(planned).next == planned
    for policy in ("skip", "once", "all"):
        on_time = reckoned(NOW, NOW + ON_TIME, missed=policy)
        assert (on_time.fires, on_time.missed) == ((NOW,), 0)
        assert on_time.next == NOW + timedelta(hours=1)


def test_after_a_day_nobody_was_there():
    planned, now = NOW - timedelta(days=1), NOW + timedelta(minutes=30)
    skipped = reckoned(planned, now, missed="skip")
    assert (skipped.fires, skipped.missed) == ((), 25)
    once = reckoned(planned, now, missed="once")
    assert (once.fires, once.missed) == ((NOW,), 24)
    within = reckoned(planned, now, missed="all", window="3h")
    assert within.fires == tuple(NOW - timedelta(hours=n) for n in (2, 1, 0))
    assert within.missed == 22
    assert {one.next for one in (skipped, once, within)} == {NOW + timedelta(hours=1)}


def test_years_of_seconds_are_reckoned_at_once():
    planned = NOW - timedelta(days=2_000)
    for policy in ("skip", "once", "all"):
        found = reckoned(planned, cron="* * * * * *", missed=policy)
        assert found.missed == COUNTED
        assert found.next > NOW - timedelta(days=1, minutes=1)
    assert len(reckoned(planned, cron="* * * * * *", missed="all").fires) == AT_ONCE


def test_a_schedule_that_is_over_has_no_next():
    last = reckoned(NOW, NOW + timedelta(days=3), end=NOW, missed="skip")
    assert (last.fires, last.missed, last.next) == ((), 1, None)


def dealt_with(chosen, timing, planned, clock):
    """Go through the moments of a clock; return what fired, and how many were left out."""
    fired, missed = [], 0
    for now in clock:
        while planned is not None:
            found = reckon("it", chosen, timing, planned, now)
            fired += [(moment, now) for moment in found.fires]
            missed += found.missed
            if found.next == planned:
                break
            planned = found.next
    return fired, missed


@settings(max_examples=200, deadline=None)
@given(
    minutes=st.integers(1, 600),
    jitter=st.integers(0, 59),
    missed=st.sampled_from(["skip", "once", "all"]),
    window=st.integers(1, 2_000),
    steps=st.lists(st.integers(-3_600, 90_000), min_size=1, max_size=12),
)
def test_each_planned_moment_fires_once_or_is_left_out_as_the_policy_says(
    minutes, jitter, missed, window, steps
):
    """A clock that jumps both ways and stands still for a day."""
    chosen = told(every=f"{minutes}m", jitter=f"{jitter}s", missed=missed, window=f"{window}m")
    timing = chosen.timing(NOW)
    planned = timing.after(NOW)
    clock, now = [], NOW
    for step in steps:
        now += timedelta(seconds=step)
        clock.append(now)
    fired, left_out = dealt_with(chosen, timing, planned, clock)

    moments_fired = [moment for moment, _ in fired]
    assert moments_fired == sorted(set(moments_fired))
    assert all(due("it", moment, chosen.jitter) <= at for moment, at in fired)

    expected, count, open_ = [], 0, planned
    for now in clock:  # The same, said plainly.
        reached = []
        while due("it", open_, chosen.jitter) <= now:
            reached.append(open_)
            open_ = timing.after(open_)
        late = [now - due("it", moment, chosen.jitter) > ON_TIME for moment in reached]
        keep = [True] * len(reached)
        if missed == "once" and any(late):
            keep = [False] * (len(reached) - 1) + [True]
        elif missed != "once":
            bound = timedelta(minutes=window) if missed == "all" else ON_TIME
            in_time = [now - due("it", moment, chosen.jitter) <= bound for moment in reached]
            keep = [not is_late or ok for is_late, ok in zip(late, in_time, strict=True)]
        expected += [moment for moment, is_kept in zip(reached, keep, strict=True) if is_kept]
        count += keep.count(False)
    assert moments_fired == expected
    if count < COUNTED:
        assert left_out == count


def test_the_jitter_of_a_fire_is_its_own_and_always_the_same():
    chosen = told(jitter="10m")
    planned = list(islice(moments(chosen.timing(NOW), NOW), 50))
    late = [due("hourly", moment, chosen.jitter) - moment for moment in planned]
    assert late == [due("hourly", moment, chosen.jitter) - moment for moment in planned]
    assert all(timedelta(0) <= one < timedelta(minutes=10) for one in late)
    assert len(set(late)) > 40
    assert late[0] != due("other", planned[0], chosen.jitter) - planned[0]
