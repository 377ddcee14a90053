"""The protocol's operations on the runs of an agent."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from a2a.types.a2a_pb2 import (
    Artifact,
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskArtifactUpdateEvent,
    TaskStatusUpdateEvent,
)
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from treadle.agents import Agent
from treadle.core.errors import InputError, UnknownNameError
from treadle.runtime import Runtime
from treadle.runtime.approvals import is_approval
from treadle.runtime.journal import EntryType
from treadle.runtime.questions import answered
from treadle.runtime.queue import StreamedEvent
from treadle.runtime.runs import (
    ENDS,
    Run,
    RunOptions,
    RunRequest,
    RunStateError,
    RunStatus,
    StreamMode,
)
from treadle.server._telling import is_live
from treadle.server.a2a._messages import (
    ANSWER,
    JSON,
    TEXT,
    answer_event,
    answer_of,
    said_in,
    status_event,
    status_of,
    task_of,
)
from treadle.server.security import Ownership

_MAX_LISTED = 10_000
Event = Task | TaskStatusUpdateEvent | TaskArtifactUpdateEvent


class Tasks:
    """The runs of an agent that the caller sees, as tasks.

    Every method raises `A2AError` or `TreadleError`.

    Args:
        runtime: the caller's runtime.
        agent: the agent.
    """

    def __init__(self, runtime: Runtime, agent: Agent) -> None:
        self._runtime = runtime
        self._agent = agent
        # As elsewhere: what tools or a schema may still change is told when it was checked.
        self._stream: Sequence[StreamMode] = ("messages-tuple",) if is_live(agent) else ()

    async def send(self, params: SendMessageRequest) -> Task:
        """Answer a message; wait for the end unless told to return immediately."""
        run, _ = await self._begin(params, stream=())
        if not params.configuration.return_immediately:
            run = await self._runtime.queue.wait(run)
        return await self._task(run, _history(params.configuration))

    async def send_streaming(self, params: SendMessageRequest) -> AsyncGenerator[Event]:
        """Answer a message and yield what happens."""
        run, after = await self._begin(params, stream=self._stream)
        async with aclosing(self._events(run, after, _history(params.configuration))) as events:
            async for event in events:
                yield event

    async def subscribe(self, params: SubscribeToTaskRequest) -> AsyncGenerator[Event]:
        """Yield a task that is not at its end, and what happens from now on."""
        run = await self._run(params.id)
        if run.status in ENDS - {RunStatus.INTERRUPTED}:
            raise UnsupportedOperationError(f"The task {run.id} is at its end: {run.status}.")
        latest = await self._runtime.queue.latest_events(run)
        async with aclosing(self._events(run, latest[0].id if latest else "0")) as events:
            async for event in events:
                yield event

    async def get(self, params: GetTaskRequest) -> Task:
        """Return a task as it stands."""
        return await self._task(await self._run(params.id), _history(params))

    async def cancel(self, params: CancelTaskRequest) -> Task:
        """Stop a task."""
        run = await self._run(params.id)
        try:
            await self._runtime.queue.cancel(run.id)
        except RunStateError as error:
            raise TaskNotCancelableError(str(error)) from error
        return await self._task(await self._runtime.queue.wait(run.id))

    async def find(self, run_id: str) -> Run | None:
        """Return a run of the agent that the caller sees, if there is one."""
        try:
            run = await self._runtime.runs.get(run_id)
        except UnknownNameError:
            return None
        if run.agent != self._agent.name or not await Ownership(self._runtime).sees(run.thread_id):
            return None
        return run

    async def described(self, run: Run, history: int | None, *, with_answer: bool) -> Task:
        """Return a run as a task.

        Args:
            run: the run.
            history: how many messages are told at most.
            with_answer: whether its artifact is told.
        """
        reply = await self._reply(run) if with_answer else None
        waits_for = await self._runtime.runs.interrupts(run.id)
        return task_of(run, waits_for=waits_for, reply=reply, history=history)

    async def newest(self, thread_id: str) -> AsyncIterator[Run]:
        """Yield the agent's runs that the caller sees, newest first.

        Args:
            thread_id: of this thread only, where it is not empty.
        """
        runs = self._runtime.runs
        found = await runs.recent(_MAX_LISTED, thread=thread_id or None)

        async def of_agent() -> AsyncIterator[Run]:
            for run in found:
                if run.agent == self._agent.name:
                    yield run

        async for run in Ownership(self._runtime).seen(of_agent(), lambda run: run.thread_id):
            yield run

    async def _begin(
        self, params: SendMessageRequest, *, stream: Sequence[StreamMode]
    ) -> tuple[Run, str]:
        """Queue what answers a message; return it, and the event that what follows comes after."""
        _check(params)
        message, options = params.message, RunOptions(stream=stream)
        if message.task_id:
            return await self._go_on(message, options)
        said = said_in(message)
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        thread_id = message.context_id or self._runtime.threads.new_id()
        if not await Ownership(self._runtime).begin(thread_id):
            raise TaskNotFoundError(f"There is no context {thread_id!r}.")
        if not text.strip():
            raise InputError("The message is empty.")
        if message.context_id:
            await self._check_waits_for_nothing(thread_id)
        request = RunRequest(self._agent.name, text, thread_id=thread_id, options=options)
        return (await self._runtime.queue.submit(request)).run, "0"

    async def _check_waits_for_nothing(self, thread_id: str) -> None:
        """Refuse a new task where it would take the place of one that waits for an answer.

        The protocol has the answer name its task, and a thread waits at one place at a time.
        """
        waiting = await self._runtime.runs.waiting_on(thread_id)
        if waiting is not None and waiting.agent == self._agent.name:
            raise UnsupportedOperationError(
                f"The task {waiting.id} of this context waits for input: answer it with "
                f"message.taskId {waiting.id!r}, cancel it, or leave contextId out."
            )

    async def _go_on(self, message: Message, options: RunOptions) -> tuple[Run, str]:
        run = await self._run(message.task_id)
        if message.context_id not in ("", run.thread_id):
            raise InvalidParamsError(
                f"The task {run.id} is of the context {run.thread_id!r}, not "
                f"{message.context_id!r}."
            )
        if run.status is not RunStatus.INTERRUPTED:
            raise UnsupportedOperationError(
                f"The task {run.id} waits for nothing: it is {run.status}. Leave the task out to "
                "ask something new."
            )
        waiting = await self._runtime.runs.interrupts(run.id)
        said = said_in(message)
        # Data may answer several questions, by their ids.
        answers = answered(waiting, said) if isinstance(said, str) else said
        if waits_for_approval := all(is_approval(one["value"]) for one in waiting):
            answers = None  # A person gives leave, not whoever asked.
        latest = await self._runtime.queue.latest_events(run)
        try:
            run = await self._runtime.queue.resume(run.id, answers, options=options)
        except RunStateError as error:
            raise UnsupportedOperationError(_why_waits(error, waits_for_approval)) from error
        return run, latest[0].id if latest else "0"

    async def _run(self, run_id: str) -> Run:
        run = await self.find(run_id)
        if run is None:
            raise TaskNotFoundError(f"There is no task {run_id!r}.")
        return run

    async def _task(self, run: Run, history: int | None = None) -> Task:
        return await self.described(run, history, with_answer=True)

    async def _reply(self, run: Run) -> Mapping[str, Any] | None:
        if run.status is not RunStatus.SUCCESS:
            return None
        journal = await self._runtime.runs.journal(run.id)
        finished = journal.of_type(EntryType.RUN_FINISHED)
        return finished[-1].data["reply"] if finished else None

    async def _events(
        self, run: Run, after: str, history: int | None = None
    ) -> AsyncGenerator[Event]:
        yield await self._task(run, history)
        if run.status not in ENDS:
            telling = _Telling(run)
            async with aclosing(self._runtime.queue.event_pages(run, after)) as pages:
                async for page in pages:
                    for event in page:
                        for told in telling.events(event):
                            yield told
            run = await self._runtime.runs.get(run.id)
            if reply := await self._reply(run):
                # It takes the place of what was told as it grew: its sources are checked now.
                yield answer_event(run, answer_of(reply), is_last=True)
            yield status_event(run, status_of(run, await self._runtime.runs.interrupts(run.id)))


class _Telling:
    """Tells of a run under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._is_working = run.status is RunStatus.RUNNING
        self._message_id: Any = None

    def events(self, event: StreamedEvent) -> list[Event]:
        found: list[Event] = []
        if not self._is_working:
            self._is_working = True
            working = replace(self._run, status=RunStatus.RUNNING)
            found.append(status_event(self._run, status_of(working)))
        if event.name == "messages":
            found += self._piece(*json.loads(event.data))
        return found

    def _piece(self, message: Mapping[str, Any], _: Any) -> list[Event]:
        text = message.get("content")
        if message.get("type") != "AIMessageChunk" or not isinstance(text, str) or not text:
            return []
        is_more = self._message_id is not None and message.get("id") == self._message_id
        self._message_id = message.get("id")
        piece = Artifact(artifact_id=ANSWER, name=ANSWER, parts=[Part(text=text, media_type=TEXT)])
        return [answer_event(self._run, piece, append=is_more)]


def _check(params: SendMessageRequest) -> None:
    """Refuse by name what is not supported."""
    if params.configuration.HasField("task_push_notification_config"):
        raise PushNotificationNotSupportedError(
            "configuration.taskPushNotificationConfig: nobody is notified; subscribe to the task."
        )
    if params.message.reference_task_ids:
        raise UnsupportedOperationError("message.referenceTaskIds: other tasks are not looked at.")
    if params.message.role != Role.ROLE_USER:
        raise InvalidParamsError("message.role: a message to an agent is of ROLE_USER.")
    modes = set(params.configuration.accepted_output_modes)
    if modes and not modes & {TEXT, JSON, "text/*", "*/*"}:
        raise ContentTypeNotSupportedError(
            f"configuration.acceptedOutputModes: answers are {TEXT} or {JSON}."
        )


def _history(asked: SendMessageConfiguration | GetTaskRequest) -> int | None:
    if not asked.HasField("history_length"):
        return None
    if asked.history_length < 0:
        raise InvalidParamsError(f"historyLength is {asked.history_length}; it is 0 or more.")
    return asked.history_length


def _why_waits(error: RunStateError, waits_for_approval: bool) -> str:
    if not waits_for_approval:
        return str(error)
    return (
        "The task waits for approvals, which a person gives with 'treadle approvals'; send a "
        "message to the task afterwards."
    )
