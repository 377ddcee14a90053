"""A turn behind a window costs late what it cost early, and the first turns are remembered."""

import random
from statistics import fmean

from benchmarks.memory.window import measured, near

from treadle.memory import connect
from treadle.memory.bundle import Memory

TURNS = 130
BUDGET = 4_000


async def test_bytes_and_round_trips_stay_flat_and_no_prompt_is_over_budget(redis_url):
    random.seed(1)
    async with connect(redis_url) as client:
        memory = Memory(client)
        figures = await measured(client, memory, TURNS, BUDGET)
        total = await memory.transcript.count("t")
    assert total == 2 * TURNS
    assert max(figures.tokens) <= BUDGET
    assert figures.remembered
    early, late = near(20), near(TURNS)
    for cost in (figures.stored, figures.wire, figures.trips, figures.state):
        before, after = (fmean(cost[turn - 1] for turn in span) for span in (early, late))
        assert after <= 1.2 * before
    assert fmean(share > 0.5 for share in figures.unchanged) > 0.7
