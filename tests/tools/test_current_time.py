from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.calls import Effect
from treadle.core.settings import Settings
from treadle.tools import ToolContext, build_tool
from treadle.tools import current_time as module

NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)


async def at_noon(timezone: str) -> str:
    return str(await module.make_tool(lambda: NOON).ainvoke({"timezone": timezone}))


async def test_it_tells_the_date_the_weekday_and_the_offset():
    assert await at_noon("Europe/Paris") == (
        "2026-07-04T14:00:00+02:00\n"
        "Saturday, 4 July 2026, 14:00:00 in Europe/Paris "
        "(UTC+02:00; week 27 of 2026, day 185 of the year)"
    )


async def test_without_a_zone_it_is_utc():
    assert str(await module.make_tool(lambda: NOON).ainvoke({})).startswith(
        "2026-07-04T12:00:00+00:00\nSaturday, 4 July 2026, 12:00:00 in UTC"
    )


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("Tokyo", "+09:00"),
        ("new york", "-04:00"),
        ("america/new_york", "-04:00"),
        ("  Asia/Kolkata ", "+05:30"),
        ("+05:45", "+05:45"),
        ("UTC-3", "-03:00"),
        ("gmt+0200", "+02:00"),
        ("", "+00:00"),
    ],
)
async def test_it_knows_names_cities_and_offsets(zone, offset):
    assert (await at_noon(zone)).splitlines()[0].endswith(offset)


async def test_local_is_this_computers_zone():
    told = datetime.fromisoformat((await at_noon("local")).splitlines()[0])
    assert told == NOON
    assert told.utcoffset() == NOON.astimezone().utcoffset()


@pytest.mark.parametrize(
    ("zone", "nearest"),
    [
        ("Europe/Pari", "Europe/Paris"),
        ("London, UK", "Europe/London"),
        ("Buenos Aires", "America/Argentina/Buenos_Aires"),
    ],
)
async def test_an_unknown_zone_is_answered_with_the_nearest(zone, nearest):
    told = await at_noon(zone)
    assert f"No time zone is named {zone!r}" in told
    assert nearest in told


async def test_an_offset_that_does_not_exist_is_refused():
    assert "no offset from UTC" in await at_noon("+25:00")


async def test_without_a_time_zone_database_it_says_so_and_still_knows_utc(monkeypatch):
    monkeypatch.setattr(module, "available_timezones", set)
    module._zones_by_name.cache_clear()
    try:
        assert "pip install tzdata" in await at_noon("Europe/Paris")
        assert (await at_noon("UTC")).startswith("2026-07-04T12:00:00+00:00")
        assert (await at_noon("+02:00")).startswith("2026-07-04T14:00:00+02:00")
    finally:
        module._zones_by_name.cache_clear()


@given(st.sampled_from(sorted(available_timezones())))
async def test_every_zone_of_the_system_tells_the_same_moment(zone):
    assert datetime.fromisoformat((await at_noon(zone)).splitlines()[0]) == NOON


@given(st.text(max_size=200))
async def test_any_text_gets_an_answer_the_model_can_read(zone):
    told = await at_noon(zone)
    assert told
    assert "Traceback" not in told
    assert len(told) < 500


async def test_the_shipped_tool_reads_the_computers_clock():
    tool = build_tool("current_time", ToolContext(Path(), Settings(), None))
    before = datetime.now(UTC).replace(microsecond=0)
    told = datetime.fromisoformat(str(await tool.ainvoke({})).splitlines()[0])
    assert before <= told <= datetime.now(UTC)
    assert tool.effect is Effect.READ
    assert tool.time_limit <= timedelta(seconds=5)
