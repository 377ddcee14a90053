"""A hundred runs over four processes, one of them killed, and one budget: the bill is within."""

import os
import random
import signal
from decimal import Decimal
from zlib import crc32

import pytest

from tests.runtime.budget.spenders import PRICE, Job, process
from treadle.core.limits import Limits
from treadle.core.usage import Usage
from treadle.memory import connect
from treadle.runtime.budget import Ledger
from treadle.runtime.testing import (
    ScriptedOpenAI,
    disconnect,
    half_stream,
    rate_limited,
    say,
    server_error,
)

PROCESSES, CHILDREN = 4, 25
SEEDS, SHORT = 50, 3
SCARCE = [
    {"tokens": 30_000},
    {"model_calls": 60},
    {"usd": "0.05"},
    {"input_tokens": 20_000, "output_tokens": 9_000},
    {"tokens": 50_000, "model_calls": 120, "usd": "0.08"},
]


class Provider:
    """Answers as it must: at most as long as it is told; and as dear as it can be.

    In every other conversation each byte it reads is a token, and the answers are as long as they
    may be. It counts what it has read before as it did then, as a tokenizer does.
    """

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.kill_at = self.chance.randint(5, 40)
        self.asked = 0

    def __call__(self, request):
        self.asked += 1
        if self.asked == self.kill_at:
            asker = request.body["messages"][0]["content"]
            os.kill(int(asker), signal.SIGKILL)
        most = request.body["max_completion_tokens"]
        sent = sum(len(str(message["content"]).encode()) for message in request.body["messages"])
        is_dear = crc32(request.body["messages"][1]["content"].encode()) % 2 == 0
        answer = say("x").costing(
            input_tokens=sent if is_dear else max(sent // 4, 1),
            output_tokens=most if is_dear else self.chance.randint(1, most),
        )
        fault = self.chance.random()
        if fault < 0.05:
            return half_stream(answer)
        if fault < 0.15:
            return self.chance.choice(
                [rate_limited(retry_after_seconds=0), server_error(), disconnect()]
            )
        return answer


async def spend(redis_url, seed):
    limits = Limits(**SCARCE[seed % len(SCARCE)])
    provider = Provider(seed)
    with ScriptedOpenAI(provider) as server:
        workers = [
            process(Job(redis_url, server.base_url, limits, CHILDREN, PROCESSES * seed + n))
            for n in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    async with connect(redis_url) as client:
        state = await Ledger(client).usage_of("run:tree")
    codes = [worker.exitcode for worker in workers]
    return limits, server, state, codes


def within(bill, limit):
    return limit is None or bill <= limit


@pytest.mark.parametrize(
    "seed",
    [pytest.param(n, marks=[] if n < SHORT else pytest.mark.soak) for n in range(SEEDS)],
)
async def test_the_bill_of_a_hundred_runs_stays_within_one_budget(redis_url, seed):
    limits, server, state, codes = await spend(redis_url, seed)
    bill, price = server.billed, PRICE.to_price()
    money = price.of(Usage(input_tokens=bill.input_tokens, output_tokens=bill.output_tokens))
    assert within(len(server.requests), limits.model_calls)
    assert within(bill.total_tokens, limits.tokens)
    assert within(bill.input_tokens, limits.input_tokens)
    assert within(bill.output_tokens, limits.output_tokens)
    assert within(money, limits.usd)
    # The account knows of everything that was billed, and holds no more than its limits.
    taken = state.spent.plus(state.reserved)
    assert bill.total_tokens <= taken.tokens
    assert money <= Decimal(taken.nano_usd) / 10**9
    assert all(within(n, most) for n, most in zip(taken, state.limits, strict=True))
    assert sorted(codes) == [-signal.SIGKILL, 0, 0, 0]
    assert bill.requests > 5
