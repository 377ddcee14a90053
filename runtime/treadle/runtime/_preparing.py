"""What a run needs before it can be executed: checked, found, made and written down."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from langchain_core.messages import AnyMessage
from langgraph.checkpoint.memory import InMemorySaver

from treadle.agents import Agent, Budget
from treadle.core.characters import check_whole
from treadle.core.errors import InputError
from treadle.core.model_settings import ModelSettings
from treadle.graphs import Graph
from treadle.memory.bundle import Memory
from treadle.memory.saver import StrictSerializer
from treadle.memory.scripts import ScriptCall
from treadle.runtime._forgetting import Forgetting
from treadle.runtime._graphs import AgentGraphs
from treadle.runtime._inputs import asking, check_question, given_of, last_question, new_id, saying
from treadle.runtime._starting import check_is_one
from treadle.runtime._tasks import uninterrupted
from treadle.runtime._threads import Threads, check_thread_id
from treadle.runtime._work import Work
from treadle.runtime.approvals import Approvals, for_the_graph, is_approval, is_for_gate
from treadle.runtime.budget import Account
from treadle.runtime.journal import answer_to
from treadle.runtime.questions import all_in_words
from treadle.runtime.runs import (
    Accepted,
    Change,
    JournalFile,
    Resumption,
    Run,
    RunMode,
    RunOptions,
    RunRequest,
    Runs,
    RunStateError,
    RunStatus,
    RunStore,
    check_change,
    check_stops,
    dry_thread,
)
from treadle.runtime.runs.before import latest_state, put_state
from treadle.runtime.runs.invoking import begun_with, config_of
from treadle.runtime.runs.replay import definition_of, recorded_input, recorded_options
from treadle.runtime.runs.standing import Place, place_of, standing_at, still_open

_GIVE_LEAVE = "A person gives leave with 'treadle approvals'."


class Preparation:
    """Prepares runs: of a question, of a run to go on with, of a fork, of a dry run.

    Args:
        graphs: the agents' graphs.
        memory: what is remembered.
        threads: the conversations.
        runs: the runs, to read their journals.
        store: where runs are kept.
        approvals: how calls that waited for leave were answered.
        forgetting: notes whose a thread is.
        redact: takes secrets out of what is recorded.
    """

    def __init__(
        self,
        *,
        graphs: AgentGraphs,
        memory: Memory,
        threads: Threads,
        runs: Runs,
        store: RunStore,
        approvals: Approvals,
        forgetting: Forgetting,
        redact: Callable[[Any], Any],
    ) -> None:
        self._graphs = graphs
        self._memory = memory
        self._threads = threads
        self._runs = runs
        self._store = store
        self._approvals = approvals
        self._forgetting = forgetting
        self._redact = redact

    async def question(
        self,
        agent: str | Agent,
        asked: str | Sequence[AnyMessage],
        thread: str | None,
        user: str | None,
        options: RunOptions,
    ) -> Work:
        """Accept a question; arguments and errors as for `Runtime.stream`."""
        text = asked if isinstance(asked, str) else last_question(asked)
        await self._graphs.ready(agent)
        loaded, graph = self._graphs.load(agent)
        self._graphs.check_settings(loaded, options.model_settings)
        thread_id = check_thread_id(thread if thread is not None else new_id())
        run = self._new_run(loaded, text, thread_id, user)
        given = asking(text) if isinstance(asked, str) else saying(asked)
        await self._threads.note_question(thread_id, loaded.name, text)
        if user:
            await self._forgetting.note_user(user, thread_id)
        await uninterrupted(self._store.create(run, given, request=_recorded(options)))
        return Work(
            run,
            loaded,
            graph,
            given,
            learning_model=self._graphs.learning_model(loaded),
            policies=self._graphs.policies(loaded),
            options=options,
        )

    async def ready(self, agent: str) -> None:
        """Load an agent's graph off the event loop; errors as for `requested`."""
        await self._graphs.ready(agent)

    def requested(self, request: RunRequest, prefix: str, keep: timedelta) -> tuple[Run, Any]:
        """Return the run that a request makes, and what its graph is to be given.

        Raises:
            UserError: an unknown agent, a question or a setting that cannot be used.
        """
        request.checked(keep)
        loaded, graph = self._changed(request.agent, request.changes)
        self._graphs.check_settings(loaded, request.options.model_settings)
        check_change(graph, Change.of(request.options))
        check_stops(graph, request.options)
        run_id = request.run_id(prefix)
        given, text = given_of(request.input)
        run = Run(
            run_id,
            _thread_of(request, run_id),
            loaded.name,
            question=self._redact(text),
            user=request.user or "",
            mode=RunMode.DRY if request.is_dry else RunMode.LIVE,
        )
        return run, given

    async def accept(self, run: Run, given: Any, request: RunRequest) -> bool:
        """Write a requested run down; return whether it is new."""
        if not request.is_dry:
            await self._threads.note_question(run.thread_id, run.agent, run.question)
        await self._note_user(run)
        return await self._store.create(run, given, **self._about(request))

    async def accepting(
        self, run: Run, given: Any, request: RunRequest
    ) -> tuple[list[ScriptCall], Accepted]:
        """Return the calls that write a run down whose id is new, in order, and what they write."""
        await self._note_user(run)
        noting = self._threads.noting(run.thread_id, run.agent, run.question)
        about = self._about(request)
        calls = [
            *([] if request.is_dry else [noting]),
            *self._store.creating(run, given, **about),
        ]
        return calls, Accepted.new(run, given, about["request"])

    def _changed(self, agent: str | Agent, changes: Mapping[str, Any]) -> tuple[Agent, Graph]:
        """Return an agent as a run was asked for with it, and its graph."""
        if not changes:
            return self._graphs.load(agent)
        found = self._graphs.load(agent)[0]
        return self._graphs.load(Agent.model_validate({**found.model_dump(), **changes}))

    async def _note_user(self, run: Run) -> None:
        if run.user:
            await self._forgetting.note_user(run.user, run.thread_id)

    def _about(self, request: RunRequest) -> dict[str, Mapping[str, Any]]:
        redacted = self._redact(dict(request.metadata))
        return {"request": request.to_dict(), "metadata": redacted}

    async def answered(
        self, run: Run, answers: object, change: Change, options: RunOptions | None
    ) -> Resumption:
        """Return what a run goes on with that is answered.

        Raises:
            RunStateError: the run came to its end already, or its thread has moved on.
            InputError: the answers do not fit what it waits for, or the change or the options its
                graph.
        """
        if run.status is RunStatus.SUCCESS:
            raise RunStateError(f"The run {run.id} came to its end already.")
        if options is not None:
            check_stops(self._graphs.load(run.agent)[1], options)
        given = await self._by_interrupt(run, answers)
        if change:
            if not for_the_graph(given):
                raise InputError(
                    "An update or a node to go on with needs an answer to what the graph asks.",
                    hint="Update the thread's state, or leave them out.",
                )
            check_change(self._graphs.load(run.agent)[1], change)
        latest = await self._memory.saver.aget_tuple(config_of(run))
        if run.status is RunStatus.INTERRUPTED:
            place = await place_of(run, self._store, self._memory.saver, latest)
            if place is Place.CHANGED:
                check_is_one(run, list(for_the_graph(given).values()))
        return Resumption(given, standing_at(latest), change)

    async def claimed(self, accepted: Accepted) -> Work:
        """Prepare a run that a worker took from the queue.

        Raises:
            UserError: its agent is unknown here, or its definition is wrong.
            InputError: it was asked for in a way that this program does not know.
        """
        run, request = accepted.run, accepted.request
        await self._graphs.ready(run.agent)
        loaded, graph = self._changed(run.agent, request.get("changes", {}))
        loaded = _with_budget(loaded, request)
        options = RunOptions.from_dict(request.get("options", {}))
        self._graphs.check_settings(loaded, options.model_settings)
        answers, change = await self._still_open(accepted)
        return Work(
            run,
            loaded,
            await self._own_graph(run, loaded, request) or graph,
            begun_with(accepted.given, options) if not run.attempt else None,
            answers=answers,
            change=change,
            learning_model=self._graphs.learning_model(loaded),
            policies=self._graphs.policies(loaded),
            options=options,
            accounts=_accounts(request),
            is_watched=False,
            keeps_thread=request.get("keep_thread", True),
        )

    async def _still_open(self, accepted: Accepted) -> tuple[Mapping[str, Any], Change]:
        """Return what no earlier attempt has taken; answers for gates name their call."""
        resumption = accepted.resumption
        if resumption is None or not resumption.answers:
            return {}, Change()
        bound = {id_: one for id_, one in resumption.answers.items() if is_for_gate(one)}
        latest = await self._memory.saver.aget_tuple(config_of(accepted.run))
        answers, change = still_open(resumption, standing_at(latest))
        return {**answers, **bound}, change

    async def dry_run(
        self,
        agent: str | Agent,
        text: str,
        thread: str | None,
        user: str | None,
        options: RunOptions,
    ) -> Work:
        """Prepare a run that changes nothing; arguments and errors as for `Runtime.dry_run`."""
        await self._graphs.ready(agent)
        loaded, graph = self._graphs.load(agent)
        self._graphs.check_settings(loaded, options.model_settings)
        request = RunRequest(loaded.name, text, thread_id=thread, is_dry=True, options=options)
        thread_id = _thread_of(request, new_id())
        run = self._new_run(loaded, text, thread_id, user, mode=RunMode.DRY)
        given = asking(text)
        await self._note_user(run)
        await self._store.create(run, given, request=request.to_dict())
        graph = await self._own_graph(run, loaded, request.to_dict()) or graph
        policies = self._graphs.policies(loaded)
        return Work(run, loaded, graph, given, policies=policies, options=options)

    async def _own_graph(self, run: Run, agent: Agent, request: Mapping[str, Any]) -> Graph | None:
        """Return a dry run's graph: it remembers by itself, and begins where the thread stands."""
        if run.mode is not RunMode.DRY:
            return None
        thread = request.get("dry_run_of")
        if run.attempt:
            before = await self._store.before(run)
        else:
            before = await latest_state(self._memory.saver, thread) if thread else None
            await self._store.keep_before(run, self._redact(before))
        saver = InMemorySaver(serde=StrictSerializer())
        await put_state(saver, run.thread_id, before)
        return self._graphs.dry(agent, saver)

    async def forked(
        self,
        source: str | JournalFile,
        agent: Agent | None,
        *,
        question: str | None,
        at: int | None,
        outcomes: Mapping[int, str] | None,
        model_settings: ModelSettings | None,
    ) -> Work:
        """Prepare a fork; arguments and errors as for `Runtime.fork`."""
        file = source if isinstance(source, JournalFile) else await self._runs.export(source)
        recording = self._runs.recording(file, at=at, outcomes=outcomes)
        parent = Run.from_dict(file.journal.run)
        loaded, graph = self._graphs.load(agent or definition_of(file.journal))
        asked = model_settings or recorded_options(file.journal).model_settings
        options = RunOptions(model_settings=asked)
        self._graphs.check_settings(loaded, asked)
        text = parent.question if question is None else question
        thread_id = f"{parent.thread_id[:150]}~{new_id()[:12]}"
        run = self._new_run(
            loaded, text, thread_id, parent.user, mode=RunMode.FORK, parent=parent.id
        )
        given = recorded_input(file.journal) if question is None else asking(question)
        await put_state(self._memory.saver, thread_id, file.before)
        await self._threads.note_question(thread_id, loaded.name, text)
        await uninterrupted(self._store.create(run, given, request=_recorded(options)))
        policies = self._graphs.policies(loaded)
        return Work(run, loaded, graph, given, source=recording, policies=policies, options=options)

    async def resumed(self, run_id: str, answers: object, agent: Agent | None) -> Work:
        """Take a run up again; arguments and errors as for `Runtime.resume`."""
        run = await self._store.get(run_id)
        if run.status is RunStatus.SUCCESS:
            raise RunStateError(f"The run {run_id} came to its end already.")
        accepted = await self._store.accepted(run.id, run.thread_id)
        request = accepted.request if accepted is not None else {}
        changes = request.get("changes", {}) if agent is None else {}
        await self._graphs.ready(agent or run.agent)
        loaded, graph = self._changed(agent or run.agent, changes)
        options = RunOptions.from_dict(request.get("options", {}))
        self._graphs.check_settings(loaded, options.model_settings)
        return Work(
            run,
            _with_budget(loaded, request),
            await self._own_graph(run, loaded, request) or graph,
            answers=await self._by_interrupt(run, answers),
            options=options,
            accounts=_accounts(request),
            learning_model=self._graphs.learning_model(loaded),
            policies=self._graphs.policies(loaded),
        )

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
            new_id(),
            thread_id,
            agent.name,
            question=self._redact(check_question(text)),
            user=user or "",
            mode=mode,
            parent=parent,
        )

    async def _by_interrupt(self, run: Run, answers: object) -> Mapping[str, Any]:
        """Return what the run's graph is answered: as given, and as approvals were answered."""
        if run.status is not RunStatus.INTERRUPTED:
            return {}
        if run.mode is RunMode.DRY:
            raise RunStateError(
                f"The run {run.id} is a dry run, which ends where a person would be asked.",
                hint="'treadle runs plan' says what it found until there.",
            )
        waiting_for = await self._store.interrupts(run)
        waiting = {str(one["id"]): one["value"] for one in waiting_for}
        asked = {id_: value for id_, value in waiting.items() if is_approval(value)}
        approved = await self._approvals.answers(run.thread_id, run.id, asked)
        if answers is None and not approved:
            raise RunStateError(
                f"The run {run.id} waits for an answer: {all_in_words(waiting_for)}",
                hint=_GIVE_LEAVE if asked else "Give one to resume it.",
            )
        if answers is None:
            return approved
        check_whole("The answer", answers)
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


def _with_budget(agent: Agent, request: Mapping[str, Any]) -> Agent:
    """Return the agent with the budget that its run was asked for with, where it was."""
    budget = request.get("budget")
    return agent.model_copy(update={"budget": Budget.model_validate(budget)}) if budget else agent


def _recorded(options: RunOptions) -> Mapping[str, Any]:
    """Return what is kept of a run that nobody queued, so that it is taken up again alike."""
    told = options.to_dict()
    return {"options": told} if told else {}


def _accounts(request: Mapping[str, Any]) -> tuple[Account, ...]:
    return tuple(Account.from_dict(each) for each in request.get("accounts", ()))


def _thread_of(request: RunRequest, run_id: str) -> str:
    """Return the thread of a run, which for a dry run is another than the one it begins in.

    A thread of its own has the run's id, so that the same key makes the same one.
    """
    named = None if request.thread_id is None else check_thread_id(request.thread_id)
    if not request.is_dry:
        return run_id if named is None else named
    return dry_thread(run_id if named is None or not request.keep_thread else named)
