"""The runtime: agents, their tools and memory, opened together and closed together."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.errors import GraphRecursionError

from treadle.agents import Agent, Budget, agent_files, build_agent, find_agent
from treadle.agents.models import Models, info_of
from treadle.core.boundary import GateChain, boundary
from treadle.core.errors import ConfigError, InputError, RunError, TreadleError
from treadle.core.events import Event, Reply, RunFailed, RunFinished, RunStarted
from treadle.core.settings import Settings, project_folder
from treadle.graphs import Graph
from treadle.memory import connect
from treadle.memory.saver import RedisSaver
from treadle.runtime._documents import Documents
from treadle.runtime._gates import BudgetGate, Emit, Reporter
from treadle.runtime._locks import thread_lock
from treadle.runtime._replies import make_reply
from treadle.runtime._threads import Threads, check_thread_id
from treadle.tools import ToolContext

MAX_QUESTION_CHARS = 400_000
"""The longest question, in characters: some 100,000 tokens, which few models can read at once."""

_MAX_STEPS = 1_000
"""LangGraph's recursion limit: a last wall behind the bounds of the graphs themselves."""


class Runtime:
    """Agents that can be asked, with their tools, their memory and their threads.

    Open one with `Runtime.open` and share it: any number of questions may be under way at once;
    on one thread they are answered one after the other.

    Attributes:
        project: the project's folder.
        settings: its settings.
        threads: the conversations.
        documents: the project's document index.
    """

    def __init__(self, context: ToolContext, models: Models, saver: RedisSaver) -> None:
        self.project = context.project
        self.settings = context.settings
        self.threads = Threads(context.redis, context.settings.prefix, saver)
        self.documents = Documents(context)
        self._context = context
        self._models = models
        self._saver = saver
        self._loaded: dict[str, tuple[Agent, Graph]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str | None = None,
        project: str | Path = ".",
        *,
        settings: Settings | None = None,
    ) -> "AsyncGenerator[Runtime, None]":
        """Open a project's runtime; everything it opened is closed again at the end.

        Args:
            url: where Redis is, as `treadle.memory.connect` takes it; overrules the settings.
                Without either, a Redis of the user's own is started and shared.
            project: the project's folder, with its ``treadle.toml`` and ``agents/``.
            settings: used instead of the project's settings file and the environment.

        Raises:
            ConfigError: the settings are wrong.
            RedisError: Redis cannot be reached or used.
        """
        folder = project_folder(project)
        chosen = settings or Settings.load(folder)
        async with connect(url or chosen.redis.url) as redis, aclosing(Models(chosen)) as models:
            saver = RedisSaver(redis, prefix=chosen.prefix)
            yield cls(ToolContext(folder, chosen, redis), models, saver)

    async def redis_version(self) -> str:
        """Return the name and version of the Redis behind this runtime, such as ``redis 7.2``."""
        hello = await self._context.redis.execute_command("HELLO")
        pairs = (
            hello if isinstance(hello, dict) else dict(zip(hello[::2], hello[1::2], strict=True))
        )
        return f"{pairs[b'server'].decode()} {pairs[b'version'].decode()}"

    def agents(self) -> list[str]:
        """Return the names of the agents that can be asked."""
        return list(agent_files(self.project))

    async def ask(self, agent: str | Agent, text: str, *, thread: str | None = None) -> Reply:
        """Ask an agent and wait for its reply.

        Args:
            agent: its name, or a definition made in Python.
            text: the question.
            thread: the conversation to go on with; a new one when not given.

        Raises:
            UserError: an unknown name, a wrong setting, an unusable question.
            RunError: the run failed; what was said stays on the thread.
        """
        async with aclosing(self._events(agent, text, thread)) as events:
            async for event in events:
                if isinstance(event, RunFinished):
                    return event.reply
        raise RunError("The run ended without a reply.")

    async def stream(
        self, agent: str | Agent, text: str, *, thread: str | None = None
    ) -> AsyncIterator[Event]:
        """Ask an agent and yield each event of the run as it happens.

        The last event is `RunFinished` or `RunFailed`. Leaving the loop early cancels the run;
        what was said until then stays on the thread.

        Args: as for `ask`.

        Raises:
            UserError: before the first event, when the run cannot begin.
        """
        started = False
        try:
            async with aclosing(self._events(agent, text, thread)) as events:
                async for event in events:
                    started = True
                    yield event
        except TreadleError:
            if not started:
                raise  # RunFailed told of every later error.

    def graph(self, agent: str | Agent) -> Graph:
        """Return an agent's compiled LangGraph graph, with its memory attached.

        Raises:
            UserError: an unknown name or a wrong definition.
        """
        return self._load(agent)[1]

    def _load(self, agent: str | Agent) -> tuple[Agent, Graph]:
        if isinstance(agent, Agent):
            self._check_budget(agent)
            return agent, build_agent(agent, self._context, self._models, self._saver)
        if agent not in self._loaded:
            self._loaded[agent] = self._load(find_agent(agent, self.project))
        return self._loaded[agent]

    async def _events(
        self, agent: str | Agent, text: str, thread: str | None
    ) -> AsyncGenerator[Event, None]:
        run = _Run(
            *self._load(agent),
            question=check_question(text),
            thread_id=check_thread_id(thread if thread is not None else _new_id()),
            run_id=_new_id(),
        )
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        running = asyncio.create_task(self._execute(run, queue.put_nowait))
        running.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _execute(self, run: "_Run", emit: Emit) -> None:
        reporter = Reporter(run.run_id, emit)
        try:
            state = await self._invoke(run, reporter, emit)
        except TreadleError as error:
            emit(RunFailed(run.run_id, error=str(error), usage=reporter.usage))
            raise
        except Exception as error:
            failure = _failure(run.agent, error)
            emit(RunFailed(run.run_id, error=str(failure), usage=reporter.usage))
            raise failure from error
        reply = make_reply(state, reporter.usage, run.run_id, run.thread_id)
        emit(RunFinished(run.run_id, reply=reply))

    async def _invoke(self, run: "_Run", reporter: Reporter, emit: Emit) -> Mapping[str, Any]:
        async with thread_lock(self._context.redis, self.settings.prefix, run.thread_id):
            emit(
                RunStarted(
                    run.run_id,
                    thread_id=run.thread_id,
                    agent=run.agent.name,
                    question=run.question,
                )
            )
            await self.threads.note_question(run.thread_id, run.agent.name, run.question)
            gates = GateChain([reporter, BudgetGate(run.agent.budget)])
            with boundary(gates, thread_id=run.thread_id, run_id=run.run_id):
                return await _invoke(run)

    def _check_budget(self, agent: Agent) -> None:
        budget: Budget = agent.budget
        if budget.usd is None:
            return
        name = agent.model or self.settings.model
        if info_of(self._models.resolve(name).chat).price is None:
            raise ConfigError(
                f"the agent {agent.name!r} has a budget in US dollars, and the price of the model "
                f"{name!r} is not known.",
                hint="Set 'price' in a profile under [models] in treadle.toml.",
            )


def check_question(text: str) -> str:
    """Return the question as it is.

    Raises:
        InputError: when it is empty or longer than `MAX_QUESTION_CHARS`.
    """
    if not text.strip():
        raise InputError("The question is empty.")
    if len(text) > MAX_QUESTION_CHARS:
        raise InputError(
            f"The question has {len(text):,} characters; at most {MAX_QUESTION_CHARS:,} are read.",
            hint="Put long material into a file, index it with 'treadle index', and ask about it.",
        )
    return text


@dataclass(frozen=True, slots=True)
class _Run:
    agent: Agent
    graph: Graph
    question: str
    thread_id: str
    run_id: str


async def _invoke(run: _Run) -> Mapping[str, Any]:
    state = await run.graph.ainvoke(
        {"messages": [HumanMessage(run.question, id=_new_id())]},
        {
            "configurable": {"thread_id": run.thread_id},
            "metadata": {"run_id": run.run_id},
            "recursion_limit": _MAX_STEPS,
        },
        # A call's identity rests on its checkpoint, so that must be kept before the call is made.
        durability="sync",
    )
    if not isinstance(state, Mapping) or "messages" not in state:
        raise ConfigError("the graph's state has no 'messages'; an agent's graph needs them.")
    return state


def _failure(agent: Agent, error: Exception) -> RunError:
    if isinstance(error, GraphRecursionError):
        return RunError(
            f"The graph of the agent {agent.name!r} took {_MAX_STEPS:,} steps without an end.",
            hint="Look for a loop without an exit: 'treadle graph' draws it.",
        )
    reason = " ".join(str(error).split()) or "no reason given"
    return RunError(f"The agent {agent.name!r} failed: {type(error).__name__}: {reason}")


def _new_id() -> str:
    return uuid.uuid4().hex
