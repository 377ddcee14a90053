"""The runtime: agents, their tools and memory, opened together and closed together."""

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.messages import AnyMessage

from treadle.agents import Agent, agent_files
from treadle.agents.models import Models
from treadle.core.events import Event, Reply
from treadle.core.model_settings import ModelSettings
from treadle.core.redaction import Redactor
from treadle.core.settings import Settings, checked_tenant, project_folder
from treadle.graphs import Graph
from treadle.memory import connect
from treadle.memory.bundle import Memory
from treadle.runtime._documents import Documents
from treadle.runtime._editing import Editing, editing
from treadle.runtime._execution import Executor
from treadle.runtime._forgetting import Forgetting
from treadle.runtime._graphs import AgentGraphs
from treadle.runtime._kept_in import memory_of
from treadle.runtime._learning import Learner
from treadle.runtime._locks import is_locked, thread_lock
from treadle.runtime._neighbours import Neighbour, neighbour
from treadle.runtime._preparing import Preparation
from treadle.runtime._rollback import Rollback
from treadle.runtime._threads import Threads
from treadle.runtime._unattended import unattended
from treadle.runtime._watching import Watching
from treadle.runtime.approvals import Approval, Approvals, ApprovalStore
from treadle.runtime.approvals.arguments import check_arguments
from treadle.runtime.budget import Ledger
from treadle.runtime.events import Bells, KeptStates
from treadle.runtime.notifications import Notifications
from treadle.runtime.queue import DEFAULT_QUEUE, Queue, Worker
from treadle.runtime.runs import JournalFile, Plan, Replayer, RunOptions, Runs, RunStore, plan_with
from treadle.runtime.runs.replay import definition_of
from treadle.runtime.schedules import QueueLauncher, Scheduler, Schedules, ScheduleStore
from treadle.tools import ToolContext
from treadle.tools.mcp import McpServers


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
        queue: the runs that wait for a worker.
        schedules: the tasks that run by themselves.
        notifications: what is told to others.
        memory: what the conversations are kept in.
        redis: the connection to Redis.
    """

    def __init__(self, context: ToolContext, models: Models, memory: Memory) -> None:
        self.project = context.project
        self.settings = context.settings
        prefix = context.settings.prefix
        self.threads = Threads(context.redis, prefix, memory, context.settings.threads.keep)
        self.documents = Documents(context)
        self.memory = memory
        self.redis = context.redis
        self._context = context
        self._models = models
        self._tenants: dict[str, Runtime] = {}
        self._graphs = AgentGraphs(context, models, memory)
        redactor = Redactor.from_settings(context.settings, os.environ)
        redact = redactor.redact
        keep = timedelta(days=context.settings.runs.keep_days)
        self.notifications = Notifications(context.redis, prefix, keep, self.settings)
        store = RunStore(context.redis, prefix, keep, self.notifications.telling)
        self.runs = Runs(store, memory.saver, Replayer(self.project, self.settings), redact)
        approvals = ApprovalStore(context.redis, prefix, keep)
        self.approvals = Approvals(approvals, self._check_arguments, redact)
        self._schedule_store = ScheduleStore(context.redis, prefix, keep)
        self.schedules = Schedules(
            self._schedule_store, self.project, self.settings, self._graphs.unpriced_model
        )
        self._learner = Learner(memory.store, context.redis, prefix)
        self._executor = Executor(
            context.redis,
            context.settings,
            runs=store,
            memory=memory,
            learner=self._learner,
            approvals=approvals,
            redactor=redactor,
            prompts=self._graphs.prompts,
        )
        self._watching = Watching(self._executor)
        self._forgetting = Forgetting(
            context.redis,
            prefix,
            memory=memory,
            threads=self.threads,
            runs=store,
            approvals=approvals,
        )
        rollback = Rollback(memory, store)
        bells = self._bells = Bells(context.redis, f"{prefix}bells")
        self._preparation = Preparation(
            graphs=self._graphs,
            memory=memory,
            threads=self.threads,
            runs=self.runs,
            store=store,
            approvals=self.approvals,
            forgetting=self._forgetting,
            redact=redact,
        )
        self.queue = Queue(
            context.redis,
            prefix,
            store=store,
            preparation=self._preparation,
            rollback=rollback,
            bells=bells,
            states=KeptStates(memory.saver),
            keep=keep,
        )
        self._make_worker = partial(
            Worker,
            queue=self.queue,
            store=store,
            preparation=self._preparation,
            executor=self._executor,
            rollback=rollback,
            forgetting=self._forgetting,
            bells=bells,
            settings=context.settings,
        )

    def worker(
        self, queues: Sequence[str] = (DEFAULT_QUEUE,), *, concurrency: int | None = None
    ) -> Worker:
        """Return a worker that executes queued runs; ``await worker.run()`` works until its stop.

        Args:
            queues: the named queues it serves, the first ones first (`InputError` for no name).
            concurrency: how many runs it works on at once; ``runs.concurrent`` when not given, and
                never more.
        """
        return self._make_worker(queues=queues, concurrency=concurrency)

    def scheduler(self) -> Scheduler:
        """Return a scheduler; ``await scheduler.run()`` fires what is due until its stop.

        Each process that has workers may have one: what is due is fired once.
        """
        ledger = Ledger(self.redis, prefix=self.settings.prefix)
        launcher = QueueLauncher(self.queue, ledger, self.threads)
        return Scheduler(self._schedule_store, launcher, self.schedules.serves)

    @asynccontextmanager
    async def unattended(self, serves: Callable[[str], bool] | None = None) -> AsyncGenerator[None]:
        """Fire schedules and tell others while the context is open, beside a worker.

        The schedules in the project's files are reconciled first. It is done for all it ``serves``.

        Raises:
            UserError: a file, a schedule or a notification cannot be used.
        """
        await self.schedules.reconcile()
        async with unattended(self.redis, self.settings.tenant, self.of_tenant, serves):
            yield

    async def neighbour(self) -> Neighbour | None:
        """Note that this project uses the tenant; return the other one that used it last, if any.

        Projects that share a tenant share its conversations, runs and memory.
        """
        files = agent_files(self.project).items()
        own = [name for name, file in files if file.is_relative_to(self.project)]
        return await neighbour(self.redis, self.settings.prefix, self.project, own)

    async def _check_arguments(self, approval: Approval, arguments: Mapping[str, Any]) -> None:
        agent: str | Agent = approval.agent
        if approval.agent not in self.agents():  # It was made in Python.
            agent = definition_of(await self.runs.journal(approval.run_id))
        check_arguments(self._graphs.tools(agent), approval.tool, arguments)

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
        if url:  # Its password is a secret as well.
            at = chosen.redis.model_copy(update={"url": url})
            chosen = chosen.model_copy(update={"redis": at})
        async with (
            connect(chosen.redis.url) as redis,
            aclosing(Models(chosen)) as models,
            aclosing(McpServers(chosen.mcp, folder)) as servers,
        ):
            context = ToolContext(folder, chosen, redis, servers)
            runtime = cls(context, models, memory_of(redis, chosen))
            async with aclosing(runtime._learner), aclosing(runtime._bells):
                try:
                    yield runtime
                finally:
                    for tenant in runtime._tenants.values():
                        await tenant._learner.aclose()
                        await tenant._bells.aclose()

    def of_tenant(self, tenant: str) -> "Runtime":
        """Return the runtime of another tenant: the same agents, and none of this one's data.

        It is closed with this one.

        Raises:
            InputError: no tenant can have that name.
        """
        if tenant == self.settings.tenant:
            return self
        if tenant not in self._tenants:
            settings = self.settings.model_copy(update={"tenant": checked_tenant(tenant)})
            context = replace(self._context, settings=settings)
            memory = memory_of(self.redis, settings)
            self._tenants[tenant] = Runtime(context, self._models, memory)
        return self._tenants[tenant]

    async def redis_version(self) -> str:
        """Return the name and version of the Redis behind this runtime, such as ``redis 7.2``."""
        hello = await self._context.redis.execute_command("HELLO")
        pairs = (
            hello if isinstance(hello, dict) else dict(zip(hello[::2], hello[1::2], strict=True))
        )
        return f"{pairs[b'server'].decode()} {pairs[b'version'].decode()}"

    def agents(self) -> list[str]:
        """Return the names of the agents that are offered; `Settings.shipped_agents` says which.

        Others that come with Treadle can be asked from Python and on the command line.
        """
        return list(agent_files(self.project, with_shipped=self.settings.shipped_agents))

    async def ask(
        self,
        agent: str | Agent,
        text: str,
        *,
        thread: str | None = None,
        user: str | None = None,
        model_settings: ModelSettings | None = None,
    ) -> Reply:
        """Ask an agent and wait for its reply.

        Args:
            agent: its name, or a definition made in Python.
            text: the question.
            thread: the conversation to go on with; a new one when not given.
            user: whose long-term memory the agent uses; the thread's own when not given.
            model_settings: what its models are given with every call of this run, in place of what
                their profiles say.

        Raises:
            UserError: an unknown name, a wrong setting, an unusable question.
            RunError: the run failed; what was said stays on the thread.
        """
        prepare, options = self._preparation.question, _options(model_settings)
        return await self._watching.reply(lambda: prepare(agent, text, thread, user, options))

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
        prepare = self._preparation.resumed
        return await self._watching.reply(lambda: prepare(run_id, answers, agent))

    async def fork(
        self,
        source: str | JournalFile,
        *,
        agent: Agent | None = None,
        question: str | None = None,
        at: int | None = None,
        outcomes: Mapping[int, str] | None = None,
        model_settings: ModelSettings | None = None,
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
            model_settings: what its models are given; as for the run itself when not given.

        Raises:
            UserError: there is no such run or call.
            RunError: the run failed.
        """
        return await self._watching.reply(
            lambda: self._preparation.forked(
                source,
                agent,
                question=question,
                at=at,
                outcomes=outcomes,
                model_settings=model_settings,
            )
        )

    async def dry_run(
        self,
        agent: str | Agent,
        text: str,
        *,
        thread: str | None = None,
        user: str | None = None,
        model_settings: ModelSettings | None = None,
    ) -> Plan:
        """Find out what an agent would do, without doing it.

        What only reads is done; an effect is described instead. Models are called and cost money.
        The thread and its memory stay as they are.

        Args: as for `ask`.

        Raises:
            UserError: an unknown name, a wrong setting, an unusable question.
            RunError: the run failed.
        """
        prepare, options = self._preparation.dry_run, _options(model_settings)
        reply = await self._watching.reply(lambda: prepare(agent, text, thread, user, options))
        return plan_with(reply, await self.runs.journal(reply.run_id))

    async def stream(
        self,
        agent: str | Agent,
        text: str | Sequence[AnyMessage],
        *,
        thread: str | None = None,
        user: str | None = None,
        pieces: bool = True,
        model_settings: ModelSettings | None = None,
    ) -> AsyncGenerator[Event]:
        """Ask an agent and yield each event of the run as it happens.

        The last event is `RunFinished` or `RunFailed`. Leaving the loop early cancels the run, at
        once where ``contextlib.aclosing`` is around it; what was said until then stays on the
        thread.

        Args:
            agent: as for `ask`.
            text: the question, or messages that end with one: what was said before on a new thread.
            thread: as for `ask`.
            user: as for `ask`.
            pieces: whether answers are told as they grow.
            model_settings: as for `ask`.

        Raises:
            UserError: before the first event, when the run cannot begin.
        """
        options = _options(model_settings)
        begin = partial(self._preparation.question, agent, text, thread, user, options)
        async with aclosing(self._watching.told(begin, pieces=pieces)) as events:
            async for event in events:
                yield event

    async def stream_resumed(
        self,
        run_id: str,
        answers: object = None,
        *,
        agent: Agent | None = None,
        pieces: bool = True,
    ) -> AsyncGenerator[Event]:
        """Go on with a run as `resume` does, and yield its events as `stream` does.

        Args: as for `resume` and `stream`.

        Raises:
            UserError: before the first event, when the run cannot be resumed.
            RunStateError: likewise.
        """
        begin = partial(self._preparation.resumed, run_id, answers, agent)
        async with aclosing(self._watching.told(begin, pieces=pieces)) as events:
            async for event in events:
                yield event

    async def forget_thread(self, thread_id: str) -> dict[str, int]:
        """Remove a thread and all that came of it; return how many of each kind.

        What was said, summaries, vectors, facts kept of the thread, its runs and their journals.
        What a question under way meanwhile still writes stays until it is forgotten again.

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

    async def is_busy(self, thread_id: str) -> bool:
        """Return whether a run, or whoever holds it, uses the thread at the moment."""
        return await is_locked(self.redis, self.settings.prefix, thread_id)

    def held(self, thread_id: str) -> AbstractAsyncContextManager[object]:
        """Keep runs off a thread while its state is changed; waits for a run that is under way."""
        lease = timedelta(seconds=self.settings.runs.lease_seconds)
        return thread_lock(self.redis, self.settings.prefix, thread_id, lease)

    def editing(self, thread_id: str) -> AbstractAsyncContextManager[Editing]:
        """Keep runs off a thread while what was said on it is changed.

        Raises:
            RunStateError: a run uses the thread, or waits on it for an answer.
        """
        return editing(self.memory, self.runs, thread_id, is_busy=self.is_busy, held=self.held)

    def agent(self, name: str) -> Agent:
        """Return an agent's definition.

        Raises:
            UserError: an unknown name or a wrong definition.
        """
        return self._graphs.load(name)[0]

    def settings_taken(self, agent: str | Agent) -> frozenset[str]:
        """Return the names of the model settings that runs of an agent can be given.

        Raises:
            UserError: an unknown name or a wrong definition.
        """
        return self._graphs.settings_taken(agent)

    def graph(self, agent: str | Agent) -> Graph:
        """Return an agent's compiled LangGraph graph, with its memory attached.

        Raises:
            UserError: an unknown name or a wrong definition.
        """
        return self._graphs.load(agent)[1]


def _options(model_settings: ModelSettings | None) -> RunOptions:
    return RunOptions(model_settings=model_settings or ModelSettings())
