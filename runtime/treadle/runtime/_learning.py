"""Learning facts from what a person said, in the background, when a run is over."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from treadle.core.boundary import GateChain, boundary
from treadle.core.calls import Call, Outcome, Purpose
from treadle.core.errors import TreadleError
from treadle.core.usage import Usage
from treadle.graphs import extract_facts
from treadle.memory.bundle import FACTS
from treadle.memory.store import Facts, RedisStore, thread_namespace, user_namespace
from treadle.runtime.budget import BudgetGate
from treadle.runtime.runs import LearnedStore, Run

CLOSING_SECONDS = 30
"""How long a runtime that is closed waits for facts that are being learned."""

_log = logging.getLogger("treadle.learning")


class Learner:
    """Keeps the facts that a person told in a run's last turn.

    A failure costs no answer: it is logged, and the facts can still be told again. The model call
    is paid from the run's own budget, and noted with the run when it is made.

    Args:
        store: where facts are kept.
        client: the connection to Redis.
        prefix: the tenant's key prefix.
    """

    def __init__(self, store: RedisStore, client: Any, prefix: str) -> None:
        self._store = store
        self._learned = LearnedStore(client, prefix)
        self._tasks: set[asyncio.Task[None]] = set()

    def learn(
        self,
        run: Run,
        turn: Sequence[BaseMessage],
        model: BaseChatModel,
        budget: Callable[[], BudgetGate],
    ) -> None:
        """Begin to learn from a run's last turn, and return at once."""
        task = asyncio.create_task(self._learn(run, turn, model, budget))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Wait for what is being learned, within bounds."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _learn(
        self,
        run: Run,
        turn: Sequence[BaseMessage],
        model: BaseChatModel,
        budget: Callable[[], BudgetGate],
    ) -> None:
        owner = user_namespace(run.user, FACTS) if run.user else None
        facts = Facts(self._store, owner or thread_namespace(run.thread_id, FACTS))
        gate, meter = budget(), _Meter()
        try:
            try:
                async with gate.open():
                    gates = GateChain([gate, meter])
                    with boundary(gates, thread_id=run.thread_id, run_id=run.id):
                        found = await extract_facts(model, turn)
            finally:
                if meter.usage != Usage():
                    await asyncio.shield(self._learned.note(run, meter.usage))
            for fact in found:
                await facts.keep(fact)
        except TreadleError as error:
            _log.warning("No facts were learned from the run %s: %s", run.id, error)


class _Meter:
    """Adds up what the calls cost that are made.

    Attributes:
        usage: what they cost so far.
    """

    def __init__(self) -> None:
        self.usage = Usage()

    async def before(self, call: Call) -> None:
        """Every call may be made."""

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Add what the call cost."""
        self.usage += outcome.usage
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Pieces cost nothing by themselves."""
