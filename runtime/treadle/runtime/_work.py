"""A run that is to be executed, with what it needs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.runtime import RunControl

from treadle.agents import Agent, Rule
from treadle.core.errors import BudgetExceededError
from treadle.graphs import Graph
from treadle.runtime.approvals import is_approval
from treadle.runtime.budget import Account
from treadle.runtime.events import Feed
from treadle.runtime.journal import Source, is_told
from treadle.runtime.runs import Change, Run, RunOptions, RunStatus
from treadle.runtime.runs.beginning import Headstart
from treadle.runtime.runs.ending import Completion


def status_after(error: BaseException) -> RunStatus:
    """Return what becomes of a run when its attempt is stopped or fails."""
    if isinstance(error, asyncio.CancelledError):
        return RunStatus.CANCELLED
    if isinstance(error, BudgetExceededError) and error.unit == "seconds":
        return RunStatus.TIMEOUT
    return RunStatus.ERROR


async def _nothing() -> None:
    """Undo nothing."""


@dataclass(frozen=True)
class Work:
    """A run to be executed, with what it needs.

    Attributes:
        run: the run.
        agent: its agent.
        graph: the agent's graph, with the memory it is to use.
        input: what the graph is given where the run has not begun yet.
        answers: answers to the interrupts the run waits at, by the interrupts' ids.
        change: what is done with the answers beside.
        source: another journal that outcomes are taken from; ``None`` for a run of its own.
        learning_model: what finds facts in what the person said, when the run is over; ``None``
            learns nothing.
        is_watched: whether anybody sees answers grow; where nobody does, they are received whole.
        policies: the rules of the agents that work for this one, by their names.
        accounts: what it is paid from beside the usual accounts.
        options: how the graph is executed.
        control: how the graph is asked to stop after the superstep it is in.
        verdict: what becomes of the run when its attempt is stopped or fails; ``pending`` lets
            another attempt go on.
        undone: undoes what the run did to its thread where it is stopped for that, before anybody
            is told that it was.
        feed: what hands its events on to readers in this process, where any may be.
        keeps_thread: whether its thread stays after it.
        headstart: the attempt, where it began as the run was submitted.
        completion: takes it out of the queue when it comes to its end.
    """

    run: Run
    agent: Agent
    graph: Graph
    input: Any = None
    answers: Mapping[str, Any] = field(default_factory=dict)
    change: Change = field(default_factory=Change)
    source: Source | None = None
    learning_model: BaseChatModel | None = None
    is_watched: bool = True
    policies: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    options: RunOptions = field(default_factory=RunOptions)
    accounts: Sequence[Account] = ()
    control: RunControl = field(default_factory=RunControl)
    verdict: Callable[[BaseException], RunStatus] = status_after
    undone: Callable[[], Awaitable[None]] = _nothing
    feed: Feed | None = None
    keeps_thread: bool = True
    headstart: Headstart | None = None
    completion: Completion | None = None

    @property
    def approved(self) -> dict[str, str]:
        """The approvals among the answers, by the ids of their calls."""
        given = [answer for answer in self.answers.values() if is_approval(answer)]
        return {str(answer["call_id"]): str(answer["approval"]) for answer in given}

    @property
    def told(self) -> dict[str, Any]:
        """What became of calls with an unknown outcome, by their ids."""
        given = [answer for answer in self.answers.values() if is_told(answer)]
        return {str(answer["call_id"]): answer for answer in given}
