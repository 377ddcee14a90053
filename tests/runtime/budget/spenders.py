"""Processes that spend from one budget at once."""

import asyncio
import multiprocessing
import os
import random
from dataclasses import dataclass

from treadle.agents.models import Models
from treadle.core.boundary import boundary
from treadle.core.errors import BudgetExceededError, ModelError
from treadle.core.limits import Limits
from treadle.core.settings import ModelProfile, PriceSettings, Settings
from treadle.memory import connect
from treadle.runtime.budget import BudgetGate, Ledger, run_account

PRICE = PriceSettings(input=1, output=4)
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([__name__, "langchain_openai"])


@dataclass(frozen=True)
class Job:
    """What one process does.

    Attributes:
        redis_url: where the budget is.
        base_url: where the provider is.
        limits: the budget of all processes together.
        children: how many runs it has under way at once.
        seed: chooses what they ask.
    """

    redis_url: str
    base_url: str
    limits: Limits
    children: int
    seed: int


def process(job: Job):
    """Return a process that does the job; it is not started."""
    return FORKING.Process(target=_run, args=(job,))


def _run(job: Job) -> None:
    asyncio.run(_spend(job))


async def _spend(job: Job) -> None:
    profile = ModelProfile(
        model="openai:gpt-5-mini",
        base_url=job.base_url,
        api_key_env="KEY",
        max_output_tokens=300,
        max_retries=1,
        timeout_seconds=20,
        price=PRICE,
    )
    models = Models(Settings(models={"one": profile}), {"KEY": "test-key"})
    chat = models.resolve("one").chat
    async with connect(job.redis_url) as client:
        ledger = Ledger(client)
        await asyncio.gather(*(_child(job, n, chat, ledger) for n in range(job.children)))
    await models.aclose()


async def _child(job: Job, number: int, chat, ledger: Ledger) -> None:
    chance = random.Random(f"{job.seed} {number}")
    run_id = f"{job.seed}-{number}"
    gate = BudgetGate(ledger, [run_account("tree", job.limits)], run_id=run_id)
    async with gate.open():
        with boundary(gate, thread_id="t", run_id=run_id):
            history = [("system", str(os.getpid()))]  # so that the provider can have us killed
            for _ in range(chance.randint(1, 3)):
                history.append(("user", chance.choice("xé漢🙂") * chance.randint(1, 200)))
                try:
                    answer = await chat.ainvoke(history)
                except (BudgetExceededError, ModelError):
                    return
                history.append(("assistant", answer.text))
