"""The runtime: agents, their tools and memory, opened together and closed together."""

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from treadle.agents import Agent, Budget, agent_files, build_agent, find_agent
from treadle.agents.models import Models, info_of
from treadle.core.errors import ConfigError, InputError, RunError, TreadleError
from treadle.core.events import Event, Reply, RunFinished
from treadle.core.redaction import Redactor
from treadle.core.settings import Settings, project_folder
from treadle.graphs import Graph
from treadle.memory import connect, stamped
from treadle.memory.bundle import Memory
from treadle.memory.saver import StrictSerializer
from treadle.runtime._documents import Documents
from treadle.runtime._execution import Executor, Work
from treadle.runtime._forgetting import Forgetting
from treadle.runtime._learning import Learner
from treadle.runtime._offline import AnyKey, NoRedis, OfflineMemory
from treadle.runtime._reporter import Emit
from treadle.runtime._simulation import Plan, Simulator
from treadle.runtime._tasks import uninterrupted
from treadle.runtime._threads import Threads, check_thread_id
from treadle.runtime.approvals import Approval, Approvals, ApprovalStore, is_approval
from treadle.runtime.approvals._arguments import check_arguments, tools_in
from treadle.runtime.journal import answer_to
from treadle.runtime.runs import JournalFile, Run, RunMode, Runs, RunStateError, RunStatus, RunStore
from treadle.runtime.runs._before import latest_state, put_state
from treadle.runtime.runs._replay import definition_of, recorded_input
from treadle.tools import ToolContext, build_tool

MAX_QUESTION_CHARS = 400_000
"""The longest question, in characters: some 100,000 tokens, which few models can read at once."""

MAX_LOADED = 256
"""How many agents' graphs a runtime keeps; the oldest goes first, and is made again when asked."""


class Runtime:
    """Agents that can be asked, with their tools, their memory and their threads.

    Open one with `Runtime.open` and share it: any number of questions may be under way at once;
    on one thread they are answered one after the other.

    Attributes:
        project: the project's folder.
        settings: its settings.
        threads: the conversations.
        documents: the project's document index.
        runs: the runs and their journals.
        approvals: the calls that wait for a person's leave.
    """

    def __init__(self, context: ToolContext, models: Models, memory: Memory) -> None:
        self.project = context.project
        self.settings = context.settings
        prefix = context.settings.prefix
        self.threads = Threads(context.redis, prefix, memory, context.settings.threads.keep)
        self.documents = Documents(context)
        self._context = context
        self._models = models
        self._memory = memory
        self._loaded: dict[str, tuple[Agent, Graph]] = {}
        redact = Redactor.from_settings(context.settings, os.environ).redact
        keep = timedelta(days=context.settings.runs.keep_days)
        store = RunStore(context.redis, prefix, keep)
        self.runs = Runs(store, memory.saver, self._offline_graph, self._find, redact)
        self._store = store
        approvals = ApprovalStore(context.redis, prefix, keep)
        self.approvals = Approvals(approvals, self._check_arguments, redact)
        self._learner = Learner(memory.store)
        self._executor = Executor(
            context.redis,
            context.settings,
            runs=store,
            memory=memory,
            learner=self._learner,
            approvals=approvals,
            redact=redact,
        )
        self._redact = redact
        self._forgetting = Forgetting(
            context.redis,
            prefix,
            memory=memory,
            threads=self.threads,
            runs=store,
            approvals=approvals,
        )

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
            memory = Memory(redis, prefix=chosen.prefix, ttl=chosen.threads.keep)
            runtime = cls(ToolContext(folder, chosen, redis), models, memory)
            async with aclosing(runtime._learner):
                yield runtime

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

    async def ask(
        self,
        agent: str | Agent,
        text: str,
        *,
        thread: str | None = None,
        user: str | None = None,
    ) -> Reply:
        """Ask an agent and wait for its reply.

        Args:
            agent: its name, or a definition made in Python.
            text: the question.
            thread: the conversation to go on with; a new one when not given.
            user: whose long-term memory the agent uses; the thread's own when not given.

        Raises:
            UserError: an unknown name, a wrong setting, an unusable question.
            RunError: the run failed; what was said stays on the thread.
        """
        return await _reply(self._events(lambda: self._begin(agent, text, thread, user)))

    async def resume(
        self, run_id: str, answers: object = None, *, agent: Agent | None = None
    ) -> Reply:
        """Go on with a run that waits for an answer, failed, was stopped, or died with its process.

        What earlier attempts finished is not done again: outcomes of calls come from the run's
        journal. An effect that must not be repeated, and of which nobody knows whether it took
        place, makes the run wait for a person to say.

        Args:
            run_id: the run.
            answers: to the run's interrupts: a mapping by the interrupts' ids, or the answer itself
                where the run waits at one. Approvals that were answered need none.
            agent: its agent, where that was made in Python and not in a file.

        Raises:
            UserError: there is no such run.
            RunStateError: it came to its end already, or its thread has moved on.
            RunError: the run failed again.
        """
        return await _reply(self._events(lambda: self._take_up(run_id, answers, agent)))

    async def fork(
        self,
        source: str | JournalFile,
        *,
        agent: Agent | None = None,
        question: str | None = None,
        at: int | None = None,
        outcomes: Mapping[int, str] | None = None,
    ) -> Reply:
        """Repeat a run with something changed, on a thread of its own, and go on from there.

        As long as the run asks for what its source asked for, it is given the recorded outcomes,
        which cost nothing and repeat no effect; whatever else it asks for is called.

        Args:
            source: the run's id, or a journal that was exported.
            agent: the agent to go on with, such as the recorded one with another prompt, model or
                tool; as it was recorded when not given.
            question: what is asked instead.
            at: from this call on, by its number from 1, every call is made anew.
            outcomes: texts in place of what calls returned, by the call's number from 1.

        Raises:
            UserError: there is no such run or call.
            RunError: the run failed.
        """
        return await _reply(
            self._events(lambda: self._forked(source, agent, question, at, outcomes))
        )

    async def dry_run(
        self, agent: str | Agent, text: str, *, thread: str | None = None, user: str | None = None
    ) -> Plan:
        """Find out what an agent would do, without doing it.

        What only reads is done; an effect is described instead. Models are called and cost money.
        The thread and its memory stay as they are.

        Args: as for `ask`.

        Raises:
            UserError: an unknown name, a wrong setting, an unusable question.
            RunError: the run failed.
        """
        simulator = Simulator()

        async def begin() -> Work:
            loaded = self._load(agent)[0]
            before = await latest_state(self._memory.saver, thread) if thread else None
            saver = InMemorySaver(serde=StrictSerializer())
            run = self._new_run(loaded, text, f"dry-{_new_id()}", user, mode=RunMode.DRY)
            await put_state(saver, run.thread_id, before)
            graph = build_agent(loaded, self._context, self._models, OfflineMemory(saver))
            given = _asking(text)
            await self._store.create(run, given)
            await self._store.keep_before(run, self._redact(before))
            return Work(run, loaded, graph, given, gates=(simulator,))

        reply = await _reply(self._events(begin))
        return Plan(reply, tuple(simulator.effects))

    async def stream(
        self,
        agent: str | Agent,
        text: str,
        *,
        thread: str | None = None,
        user: str | None = None,
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
            begin = lambda: self._begin(agent, text, thread, user)  # noqa: E731
            async with aclosing(self._events(begin, is_watched=True)) as events:
                async for event in events:
                    started = True
                    yield event
        except TreadleError:
            if not started:
                raise  # RunFailed told of every later error.

    async def forget_thread(self, thread_id: str) -> dict[str, int]:
        """Remove a thread and all that came of it; return how many of each kind.

        What was said, summaries, vectors, facts kept of the thread, its runs and their journals.

        Raises:
            UnknownNameError: there is no such thread.
        """
        return await self._forgetting.thread(thread_id)

    async def forget_user(self, user: str) -> dict[str, int]:
        """Remove a user: the facts about them, and every thread they asked on with all of it.

        Raises:
            UnknownNameError: nothing is kept of that user.
        """
        return await self._forgetting.user(user)

    def graph(self, agent: str | Agent) -> Graph:
        """Return an agent's compiled LangGraph graph, with its memory attached.

        Raises:
            UserError: an unknown name or a wrong definition.
        """
        return self._load(agent)[1]

    def _load(self, agent: str | Agent) -> tuple[Agent, Graph]:
        """Return an agent and its graph, which is made once for each definition."""
        if isinstance(agent, str) and agent in self._loaded:
            return self._loaded[agent]
        found = find_agent(agent, self.project) if isinstance(agent, str) else agent
        key = agent if isinstance(agent, str) else found.model_dump_json()
        if key not in self._loaded:
            self._check_budget(found)
            graph = build_agent(found, self._context, self._models, self._memory)
            if len(self._loaded) >= MAX_LOADED:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[key] = found, graph
        return self._loaded[key]

    async def _begin(
        self, agent: str | Agent, text: str, thread: str | None, user: str | None
    ) -> Work:
        loaded, graph = self._load(agent)
        thread_id = check_thread_id(thread if thread is not None else _new_id())
        run = self._new_run(loaded, text, thread_id, user)
        given = _asking(text)
        await self.threads.note_question(thread_id, loaded.name, text)
        if user:
            await self._forgetting.note_user(user, thread_id)
        await uninterrupted(self._store.create(run, given))
        return Work(run, loaded, graph, given, learning_model=self._learning_model(loaded))

    def _learning_model(self, agent: Agent) -> BaseChatModel | None:
        if not agent.memory.learn:
            return None
        return self._models.resolve(agent.model or self.settings.model).chat

    def _new_run(
        self,
        agent: Agent,
        text: str,
        thread_id: str,
        user: str | None,
        *,
        mode: RunMode = RunMode.LIVE,
        parent: str = "",
    ) -> Run:
        return Run(
            _new_id(),
            thread_id,
            agent.name,
            question=self._redact(check_question(text)),
            user=user or "",
            mode=mode,
            parent=parent,
        )

    async def _forked(
        self,
        source: str | JournalFile,
        agent: Agent | None,
        question: str | None,
        at: int | None,
        outcomes: Mapping[int, str] | None,
    ) -> Work:
        file = source if isinstance(source, JournalFile) else await self.runs.export(source)
        recording = self.runs.recording(file, at=at, outcomes=outcomes)
        parent = Run.from_dict(file.journal.run)
        loaded, graph = self._load(agent or definition_of(file.journal))
        text = parent.question if question is None else question
        thread_id = f"{parent.thread_id[:150]}~{_new_id()[:12]}"
        run = self._new_run(
            loaded, text, thread_id, parent.user, mode=RunMode.FORK, parent=parent.id
        )
        given = recorded_input(file.journal) if question is None else _asking(question)
        await put_state(self._memory.saver, thread_id, file.before)
        await self.threads.note_question(thread_id, loaded.name, text)
        await uninterrupted(self._store.create(run, given))
        return Work(run, loaded, graph, given, source=recording)

    async def _take_up(self, run_id: str, answers: object, agent: Agent | None) -> Work:
        run = await self._store.get(run_id)
        if run.status is RunStatus.SUCCESS:
            raise RunStateError(f"The run {run_id} came to its end already.")
        loaded, graph = self._load(agent or run.agent)
        return Work(
            run,
            loaded,
            graph,
            answers=await self._by_interrupt(run, answers),
            learning_model=self._learning_model(loaded),
        )

    async def _by_interrupt(self, run: Run, answers: object) -> Mapping[str, Any]:
        """Return what the run's graph is answered: as given, and as approvals were answered."""
        if run.status is not RunStatus.INTERRUPTED:
            return {}
        waiting = {str(one["id"]): one["value"] for one in await self._store.interrupts(run)}
        asked = {id_: value for id_, value in waiting.items() if is_approval(value)}
        approved = await self.approvals.answers(run.thread_id, run.id, asked)
        if answers is None:
            return approved
        others = [id_ for id_ in waiting if id_ not in asked]
        if isinstance(answers, Mapping) and answers and set(answers) <= set(others):
            given = {str(name): answer_to(waiting[name], one) for name, one in answers.items()}
            return {**approved, **given}
        if len(others) == 1 and len(waiting) == 1:
            return {others[0]: answer_to(waiting[others[0]], answers)}
        if not others:
            raise InputError(
                f"The run {run.id} waits for approvals, which are not answered by resuming it.",
                hint="Answer them through 'approvals', or with 'treadle approvals'.",
            )
        raise InputError(
            f"The run {run.id} waits at {len(waiting)} interrupts, and the answer does not say "
            "which.",
            hint=f"Give a mapping by the interrupts' ids: {', '.join(others)}.",
        )

    async def _check_arguments(self, approval: Approval, arguments: Mapping[str, Any]) -> None:
        if approval.agent in self.agents():
            agent, graph = self._load(approval.agent)
        else:  # It was made in Python.
            run = await self._store.get(approval.run_id)
            agent, graph = self._load(definition_of(await self._store.journal(run)))
        tools = [build_tool(name, self._context) for name in agent.tools]
        check_arguments([*tools, *tools_in(graph)], approval.tool, arguments)

    async def _events(
        self, prepare: Callable[[], Coroutine[Any, Any, Work]], *, is_watched: bool = False
    ) -> AsyncGenerator[Event, None]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        running = asyncio.create_task(self._execute(prepare, queue.put_nowait, is_watched))
        running.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _execute(
        self, prepare: Callable[[], Coroutine[Any, Any, Work]], emit: Emit, is_watched: bool
    ) -> Reply:
        work = replace(await prepare(), is_watched=is_watched)
        return await self._executor.execute(work, emit)

    def _find(self, name: str) -> Agent:
        return find_agent(name, self.project)

    def _offline_graph(self, agent: Agent, saver: BaseCheckpointSaver[Any]) -> Graph:
        context = ToolContext(self.project, self.settings, NoRedis())
        models = Models(self.settings, AnyKey())
        return build_agent(agent, context, models, OfflineMemory(saver))

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


async def _reply(events: AsyncGenerator[Event, None]) -> Reply:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, RunFinished):
                return event.reply
    raise RunError("The run ended without a reply.")


def _asking(question: str) -> dict[str, Any]:
    message = stamped(HumanMessage(question, id=_new_id()), datetime.now(UTC))
    return {"messages": [message]}


def _new_id() -> str:
    return uuid.uuid4().hex
