"""Calls side by side under one budget: who is refused for the others' sake waits for them."""

import asyncio

import pytest

from tests.support.waiting import eventually
from treadle.core.errors import BudgetExceededError
from treadle.graphs._sharing import _calls, side_by_side


class Purse:
    """Holds so many at once, and gives back what is not used."""

    def __init__(self, room, uses=0, unit="tokens"):
        self.room, self.left, self.uses, self.unit = room, room, uses, unit
        self.most = self.refused = 0

    async def ask(self):
        if self.left < 1:
            self.refused += 1
            raise BudgetExceededError("too little is left.", unit=self.unit)
        self.left -= 1
        self.most = max(self.most, self.room - self.left)
        await asyncio.sleep(0)
        self.left += 1 - self.uses
        return "done"


@pytest.mark.parametrize("room", [1, 2, 5, 50])
async def test_all_are_made_where_all_is_given_back(room):
    purse = Purse(room)
    answers = await asyncio.gather(*[side_by_side(purse.ask) for _ in range(20)])
    assert answers == ["done"] * 20
    assert purse.most <= room
    assert not _calls


async def test_when_nothing_is_given_back_the_rest_is_refused():
    purse = Purse(3, uses=1)
    outcomes = await asyncio.gather(
        *[side_by_side(purse.ask) for _ in range(10)], return_exceptions=True
    )
    assert outcomes.count("done") == 3
    assert sum(isinstance(one, BudgetExceededError) for one in outcomes) == 7
    assert not _calls


async def test_what_is_never_given_back_is_not_waited_for():
    purse = Purse(1, uses=1, unit="model_calls")
    outcomes = await asyncio.gather(
        *[side_by_side(purse.ask) for _ in range(5)], return_exceptions=True
    )
    assert outcomes.count("done") == 1
    assert purse.refused == 4


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_call_that_fails_or_is_cancelled_wakes_the_others(is_cancelled):
    purse, end = Purse(1), asyncio.Event()

    async def fail():
        purse.left -= 1
        try:
            await end.wait()
            raise OSError("gone")
        finally:
            purse.left += 1

    failing = asyncio.create_task(side_by_side(fail))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(side_by_side(purse.ask))
    await eventually(lambda: purse.refused == 1)
    assert failing.cancel() if is_cancelled else not end.set()
    outcomes = await asyncio.gather(failing, waiting, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError if is_cancelled else OSError)
    assert outcomes[1] == "done"
    assert purse.refused == 1
    assert not _calls
