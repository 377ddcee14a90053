"""Runs as the protocol's clients know them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from urllib.parse import quote

from fastapi import HTTPException

from treadle.core.errors import RunError, UnknownNameError
from treadle.core.json_text import as_json
from treadle.core.shareable import shareable
from treadle.runtime import Runtime
from treadle.runtime.events import END, FEEDBACK
from treadle.runtime.queue import StreamedEvent
from treadle.runtime.runs import Run, RunOptions, RunStateError, RunStatus, dry_thread
from treadle.server._sse import sse
from treadle.server.langgraph._assistants import Assistants, agent_id
from treadle.server.langgraph._records import Record
from treadle.server.langgraph._run_bodies import RunCreate, is_wanted
from treadle.server.langgraph._threads import ProtocolThreads
from treadle.server.security import Ownership

STATUS = {RunStatus.CANCELLED: "interrupted"}
"""The protocol has no word of its own for a run that was stopped."""
FAILED = (RunStatus.ERROR, RunStatus.TIMEOUT)


class ProtocolRuns:
    """The runs of a tenant.

    Args:
        runtime: the tenant's runtime.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._threads = ProtocolThreads(runtime)
        self._ownership = Ownership(runtime)
        self._assistants = Assistants(runtime)

    async def create(
        self, body: RunCreate, thread_id: str | None, *, stream: bool = False, values: bool = False
    ) -> tuple[Run, str]:
        """Queue a run; return it, and the id of the event that what it streams comes after.

        Args:
            body: the run.
            thread_id: its thread; ``None`` for one of its own.
            stream: whether it streams.
            values: whether the state at its end is kept.

        Raises:
            UnknownNameError: there is no such assistant.
            HTTPException: there is no such thread.
            RunError: the thread is busy, or nothing on it can be resumed.
        """
        if thread_id is None:
            assistant, known = await self._assistants.get(body.assistant_id), None
        else:
            assistant, known = await asyncio.gather(
                self._assistants.get(body.assistant_id), self._threads.find(thread_id)
            )
        _check_fits(body, thread_id)
        check_webhook(self._runtime, body.webhook)
        # Whoever joins a dry run later finds its state nowhere else.
        options = body.options(assistant, stream=stream, keep_values=values or body.config.dry_run)
        if body.is_answer and thread_id is not None:
            thread = known or await self._threads.record(thread_id)
            return await self._answer(body, thread["thread_id"], assistant, options)
        if thread_id is not None and not body.config.dry_run:  # That takes no checkpoint at all.
            await self._threads.check_place(thread_id, {"checkpoint_id": options.checkpoint_id})
        record = await self._thread(body, thread_id, assistant, known)
        keep = thread_id is not None or body.on_completion == "keep"
        request = body.request(assistant, record["thread_id"], options, keep_thread=keep)
        first = [self._threads.keeping(record)] if thread_id is None else []
        queued = await self._runtime.queue.submit(request, first)
        return queued.run, "0"

    async def get(self, thread_id: str, run_id: str) -> Run:
        """Return a run of a thread.

        Raises:
            HTTPException: 404 when there is no such thread or run.
        """
        await self._threads.record(thread_id)
        with suppress(UnknownNameError):
            run = await self._runtime.runs.get(run_id)
            if run.thread_id in {thread_id, dry_thread(thread_id)}:
                return run
        raise HTTPException(404, f"The thread {thread_id!r} has no run {run_id!r}.")

    async def of_thread(self, thread_id: str, status: str | None) -> list[Run]:
        """Return the runs of a thread, newest first.

        Raises:
            HTTPException: 404 when there is no such thread.
        """
        await self._threads.record(thread_id)
        runs = await self._runtime.runs.recent(100_000, thread=thread_id)
        return [run for run in runs if status is None or status_of(run) == status]

    async def unfinished(self, status: str) -> list[Run]:
        """Return the runs that wait or are at work, of the threads that the caller sees."""
        wanted = ["pending", "running"] if status == "all" else [status]
        runs = self._runtime.runs
        found = [run for n in wanted for run in await runs.recent(1_000, status=RunStatus(n))]
        return [run for run in found if await self._is_seen(run)]

    async def _is_seen(self, run: Run) -> bool:
        thread_id = await self._ownership.thread_of(run)
        return await self._threads.find(thread_id) is not None

    async def described(self, run: Run) -> Record:
        """Return a run as clients are shown it."""
        about = await self._runtime.runs.metadata(run)
        return {
            "run_id": run.id,
            "thread_id": about.get("thread_id", run.thread_id),
            "assistant_id": about.get("assistant_id", agent_id(run.agent)),
            "created_at": run.created.isoformat(),
            "updated_at": (run.ended or run.created).isoformat(),
            "status": status_of(run),
            "metadata": about.get("metadata", {}),
            "multitask_strategy": about.get("multitask_strategy", "enqueue"),
        }

    async def joined(self, run: Run) -> bytes:
        """Wait for a run's end, and return the state it left, or how it failed, as JSON."""
        run, latest = await self._runtime.queue.outcome(run, 2)
        if run.status in FAILED:
            return as_json({"__error__": error_of(run)})
        for event in latest:
            if event.name == "values":
                return event.data
        snapshot = await self._threads.snapshot(await self._threads.record(run.thread_id))
        return as_json(snapshot.values if snapshot else {})

    async def cancel(self, run: Run, action: str, *, wait: bool) -> None:
        """Stop a run; one that is at its end stays as it is.

        Raises:
            RunError: it is at work outside the queue.
        """
        await self._runtime.queue.cancel(run.id, rollback=action == "rollback")
        if wait:
            await self._runtime.queue.wait(run.id)

    async def stream(
        self, run: Run, after: str, modes: Sequence[str] | None, base: str
    ) -> AsyncGenerator[bytes]:
        """Yield what a run streams after an event, as it goes over the wire, in pages.

        Args:
            run: the run.
            after: the id of the last event the client knows.
            modes: the stream modes it wants; all that the run streams when ``None``.
            base: the address that the client asked the server by.
        """
        try:
            async with aclosing(self._runtime.queue.event_pages(run, after)) as pages:
                async for page in pages:
                    wanted = [one for one in page if modes is None or is_wanted(one.name, modes)]
                    if wanted:
                        yield b"".join([await self.wired(run, event, base) for event in wanted])
        except (RunError, UnknownNameError) as gone:
            yield sse({"error": "NotFound", "message": gone.message}, event="error")

    async def wired(self, run: Run, event: StreamedEvent, base: str) -> bytes:
        """Return an event of a run as it goes over the wire."""
        if event.name == FEEDBACK:
            place = f"{base}/runs/{run.id}/feedback"
            where = {key: f"{place}/{quote(key, safe='')}" for key in json.loads(event.data)}
            return sse(where, event=FEEDBACK, id_=event.id)
        if event.name != END:
            return sse(event.data, event=event.name, id_=event.id)
        if RunStatus(json.loads(event.data)["status"]) not in FAILED:
            return sse(None, event=END, id_=event.id)
        ended = await self._runtime.runs.get(run.id)
        return sse(error_of(ended), event="error", id_=event.id)

    async def _thread(
        self, body: RunCreate, thread_id: str | None, assistant: Record, known: Record | None
    ) -> Record:
        """Return the run's thread, which says what it is used with; a new one is yet to be kept."""
        used = {name: assistant[name] for name in ("graph_id", "assistant_id")}
        if thread_id is None:
            return await self._threads.begin_new(used)
        if known is None and body.if_not_exists == "create":
            made = await self._threads.create(thread_id, used)
            if made is not None:
                return made
        record = known or await self._threads.record(thread_id)
        if any(record["metadata"].get(name) != value for name, value in used.items()):
            await self._threads.update(thread_id, used)
        return record

    async def _answer(
        self, body: RunCreate, thread_id: str, assistant: Record, options: RunOptions
    ) -> tuple[Run, str]:
        """Let the run of a thread go on that waits for an answer."""
        run = await self._waiting(thread_id)
        if run.agent != assistant["graph_id"]:
            raise HTTPException(
                422,
                f"'assistant_id' is of the graph {assistant['graph_id']!r}; what the thread "
                f"{thread_id!r} waits for was asked by {run.agent!r}.",
            )
        latest = await self._runtime.queue.latest_events(run)
        answer = body.command.resume if body.command else None
        run = await self._runtime.queue.resume(run.id, answer, options=options)
        return run, latest[0].id if latest else "0"

    async def _waiting(self, thread_id: str) -> Run:
        for run in await self._runtime.runs.recent(20, thread=thread_id):
            if run.status is RunStatus.INTERRUPTED:
                return run
        raise RunStateError(
            f"No run of the thread {thread_id!r} waits for an answer.",
            hint="Where its state waits (it was copied, or the run that asked is gone), run it "
            "without an input: what is asked then can be answered.",
        )


def _check_fits(body: RunCreate, thread_id: str | None) -> None:
    """Refuse what says nothing about a run of this kind.

    Raises:
        HTTPException: 422, with what to leave out.
    """
    if thread_id is not None and body.on_completion is not None:
        raise HTTPException(422, "'on_completion' is for runs without a thread; leave it out.")
    if body.is_answer and thread_id is None:
        raise HTTPException(422, "'resume' in 'command' answers a run of a thread; name that.")
    if body.is_answer and (body.checkpoint or body.checkpoint_id):
        raise HTTPException(
            422,
            "'resume' in 'command' answers what the thread waits for; leave the checkpoint out, or "
            "run from it without an input, and answer what is asked then.",
        )
    if body.config.dry_run and thread_id is None:
        raise HTTPException(422, "'dry_run' in 'config' is for runs on a thread; make one.")
    if body.checkpoint and body.checkpoint.thread_id not in (None, thread_id):
        raise HTTPException(422, "'checkpoint' names another thread than the run's.")


def check_webhook(runtime: Runtime, url: str | None) -> None:
    """Refuse an address that could not be told anything.

    Raises:
        HTTPException: 422, with what to do.
    """
    if url is not None and not runtime.notifications.has_webhooks:
        raise HTTPException(
            422,
            "'webhook': the server has no secret to sign with. Name the environment variable that "
            "holds one in treadle.toml: [server] webhook_secret_env.",
        )


def status_of(run: Run) -> str:
    """Return a run's status in the protocol's words."""
    return STATUS.get(run.status, run.status.value)


def error_of(run: Run) -> Record:
    """Return how a run failed."""
    return {
        "error": "TimeoutError" if run.status is RunStatus.TIMEOUT else "RunError",
        "message": shareable(run.error),
    }
