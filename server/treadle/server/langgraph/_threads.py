"""Threads as the protocol's clients know them: their metadata, and the state of their graph."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import HTTPException
from langgraph.errors import InvalidUpdateError
from langgraph.types import StateSnapshot, StateUpdate
from redis.exceptions import RedisError as DriverError

from treadle.core.errors import InputError, TreadleError, UnknownNameError, UserError
from treadle.core.shareable import shareable
from treadle.graphs import Graph
from treadle.memory.scripts import ScriptCall
from treadle.runtime import Runtime, Thread
from treadle.server.langgraph._assistants import agent_id
from treadle.server.langgraph._records import Record, Records, now
from treadle.server.langgraph._states import condition_of, place_of
from treadle.server.security import Ownership

log = logging.getLogger("treadle.server")
_NOTHING: dict[str, Any] = {"status": "idle", "values": None, "interrupts": {}, "error": None}


class ProtocolThreads:
    """The threads of a tenant.

    Their state is read where the graphs keep it, so that it is true however it was made.

    Args:
        runtime: the tenant's runtime.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._records = Records(runtime.redis, runtime.settings.prefix, "threads")
        self._ownership = Ownership(runtime)

    async def record(self, thread_id: str) -> Record:
        """Return what is kept of a thread beside its state.

        Raises:
            HTTPException: 404 when there is no such thread; the answer names no other one.
        """
        record = await self.find(thread_id)
        if record is None:
            raise HTTPException(404, f"There is no thread {thread_id!r}.")
        return await self._with_graph(record)

    async def find(self, thread_id: str) -> Record | None:
        """Return what is kept of a thread beside its state, or ``None``."""
        record = await self._records.get(thread_id)
        if record is None and (thread := await self._runtime.threads.find(thread_id)):
            record = _begun_elsewhere(thread)
        return record if record and await self._ownership.sees(thread_id) else None

    async def _with_graph(self, record: Record) -> Record:
        """Return a thread with its graph, where another protocol or a schedule used it first."""
        if "graph_id" in record["metadata"]:
            return record
        thread = await self._runtime.threads.find(record["thread_id"])
        if thread is None:
            return record
        return {**record, "metadata": {**record["metadata"], **_used_with(thread)}}

    async def create(self, thread_id: str, metadata: Mapping[str, Any]) -> Record | None:
        """Keep a new thread; ``None`` when there is one of that id."""
        if await self._records.get(thread_id):
            return None
        if not await self._ownership.begin(thread_id):
            return None
        record = _made(thread_id, metadata)
        return record if await self.keep(record) else None

    async def create_new(self, metadata: Mapping[str, Any]) -> Record:
        """Keep a new thread under a new id."""
        record = await self.begin_new(metadata)
        await self.keep(record)
        return record

    async def begin_new(self, metadata: Mapping[str, Any]) -> Record:
        """Return a new thread under a new id, the caller's own, that is yet to be kept."""
        record = _made(str(uuid.uuid4()), metadata)
        await self._ownership.begin(record["thread_id"])
        return record

    async def keep(self, record: Record) -> bool:
        """Keep a thread; return whether there was none of its id."""
        return await self._records.add(record["thread_id"], record)

    def keeping(self, record: Record) -> ScriptCall:
        """Return the call that does as `keep`."""
        return self._records.adding(record["thread_id"], record)

    async def update(self, thread_id: str, metadata: Mapping[str, Any]) -> Record:
        """Merge metadata into a thread's.

        Raises:
            HTTPException: 404 when there is no such thread.
        """

        def change(record: Record) -> Record:
            merged = {**record["metadata"], **metadata}
            return {**record, "metadata": merged, "updated_at": now()}

        return await self._change(thread_id, change)

    async def touch(self, thread_id: str) -> Record:
        """Note that a thread's state was changed.

        Raises:
            HTTPException: 404 when there is no such thread.
        """
        return await self._change(thread_id, _state_updated)

    async def _change(self, thread_id: str, change: Callable[[Record], Record]) -> Record:
        changed = await self._records.change(thread_id, change)
        if changed is not None:
            return changed
        # It was begun in another way, and nothing was kept beside its state until now.
        await self._records.add(thread_id, await self.record(thread_id))
        return await self._records.change(thread_id, change) or await self.record(thread_id)

    def all(self) -> AsyncIterator[Record]:
        """Yield what is kept of each thread that the caller sees, however it was begun."""
        return self._ownership.seen(self._every(), lambda one: one["thread_id"])

    async def _every(self) -> AsyncIterator[Record]:
        known: set[str] = set()
        async for record in self._records.newest_first():
            known.add(record["thread_id"])
            yield await self._with_graph(record)
        async for thread in self._runtime.threads.newest_first():
            if thread.id not in known:
                yield _begun_elsewhere(thread)

    async def described(self, record: Record) -> Record:
        """Return a thread as clients are shown it, with its state's values.

        They are left out where its agent is served no more or is wrong: whoever lists threads is
        to have the others.
        """
        busy, snapshot = await asyncio.gather(
            self._runtime.is_busy(record["thread_id"]), self._readable(record)
        )
        condition = condition_of(snapshot) if snapshot else _NOTHING
        status = {"status": "busy"} if busy else {}
        return {**record, "config": {}, **condition, **status}

    async def _readable(self, record: Record) -> StateSnapshot | None:
        with suppress(UserError):
            return await self.snapshot(record)
        return None

    def graph(self, record: Record) -> Graph | None:
        """Return the graph that a thread was used with; ``None`` when with none yet."""
        name = record["metadata"].get("graph_id")
        return self._runtime.graph(name) if isinstance(name, str) else None

    async def snapshot(
        self, record: Record, place: Mapping[str, Any] | None = None, *, subgraphs: bool = False
    ) -> StateSnapshot | None:
        """Return a thread's state, at a checkpoint or the latest; ``None`` without a graph."""
        graph = self.graph(record)
        if graph is None:
            return None
        return await graph.aget_state(config_at(record, place), subgraphs=subgraphs)

    async def check_place(self, thread_id: str, place: Mapping[str, Any]) -> None:
        """See that a thread has the checkpoint that is named: it would seem to be empty there.

        Raises:
            HTTPException: 404 when it has not.
        """
        named = place.get("checkpoint_id")
        at = config_at({"thread_id": thread_id}, place)
        if named and await self._runtime.memory.saver.aget_tuple(at) is None:
            raise HTTPException(404, f"The thread {thread_id!r} has no checkpoint {named!r}.")

    async def update_state(
        self, record: Record, updates: Sequence[StateUpdate], place: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Apply updates to a thread's state, each as a step; return the checkpoint they made.

        Raises:
            HTTPException: 409 while a run uses the thread; 400 when it has no graph yet; 404 when
                it has no such checkpoint.
            InvalidUpdateError: no node of the graph could have made such an update.
            InputError: the graph's own reducers or edges cannot take it.
        """
        thread_id = record["thread_id"]
        graph = self.graph(record)
        if graph is None:
            raise HTTPException(
                400,
                f"The thread {thread_id!r} was not used with a graph yet. "
                "Name one in its metadata as 'graph_id'.",
            )
        if await self._runtime.is_busy(thread_id):
            raise HTTPException(409, f"The thread {thread_id!r} is busy with a run.")
        await self.check_place(thread_id, place or {})
        config = config_at(record, place)
        async with self._runtime.held(thread_id):
            for update in updates:
                config = await _updated(graph, config, update)
        await self.touch(thread_id)
        return place_of(config) or {}

    async def begin_state(self, record: Record, updates: Sequence[StateUpdate]) -> None:
        """Apply updates to a new thread's state, all of them or none; errors as `update_state`."""
        is_new = not await self._runtime.threads.exists(record["thread_id"])
        try:
            await self.update_state(record, updates)
        except BaseException:
            if is_new:
                await self._runtime.memory.saver.adelete_thread(record["thread_id"])
            raise

    async def copy(self, record: Record) -> Record:
        """Copy a thread with its whole history under a new id."""
        copied = await self.create_new(record["metadata"])
        await self._runtime.memory.saver.acopy_thread(record["thread_id"], copied["thread_id"])
        return copied

    async def delete(self, thread_id: str) -> None:
        """Remove a thread and all that came of it.

        Raises:
            HTTPException: 404 when there is no such thread; 409 while a run uses it.
        """
        await self.record(thread_id)
        if await self._runtime.is_busy(thread_id):
            raise HTTPException(409, f"The thread {thread_id!r} is busy with a run.")
        with suppress(UnknownNameError):  # Nothing was said on it.
            await self._runtime.forget_thread(thread_id)
        await self._remove(thread_id)

    @asynccontextmanager
    async def made(self, thread_id: str, metadata: Mapping[str, Any]) -> AsyncIterator[Record]:
        """Keep a new thread, unless what is done with it in the block fails.

        Raises:
            HTTPException: 409 when there is one of that id.
        """
        record = await self.create(thread_id, metadata)
        if record is None:
            raise HTTPException(409, f"The thread {thread_id!r} exists already.")
        try:
            yield record
        except BaseException:
            await self._remove(thread_id)
            raise

    async def _remove(self, thread_id: str) -> None:
        await self._records.remove(thread_id)
        await self._runtime.threads.disown(thread_id)


def _begun_elsewhere(thread: Thread) -> Record:
    """Return a thread that another protocol, a schedule or a program began."""
    moments = {"updated_at": thread.updated, "state_updated_at": thread.updated}
    return {
        "thread_id": thread.id,
        "metadata": _used_with(thread),
        "created_at": thread.created,
        **moments,
    }


def _used_with(thread: Thread) -> Record:
    return {"graph_id": thread.agent, "assistant_id": agent_id(thread.agent)}


async def _updated(graph: Graph, config: Any, update: StateUpdate) -> Any:
    """Apply an update to a state, and return the config of the checkpoint it makes."""
    try:
        return await graph.abulk_update_state(config, [[update]])
    except (InvalidUpdateError, TreadleError, DriverError):
        raise
    except Exception as error:  # A project's own reducers and edges may raise anything.
        log.info("The graph %r refused an update.", graph.name, exc_info=error)
        said = str(error).partition("\nFor troubleshooting")[0]  # An address of LangChain's pages.
        reason = " ".join(shareable(f"{type(error).__name__}: {said}").split())
        raise InputError(f"The graph cannot take this update: {reason:.500}") from None


def config_at(record: Record, place: Mapping[str, Any] | None) -> Any:
    """Return the config that names a thread's checkpoint, or its latest."""
    return {
        "configurable": {"checkpoint_ns": "", **(place or {}), "thread_id": record["thread_id"]}
    }


def _state_updated(record: Record) -> Record:
    return {**record, "updated_at": now(), "state_updated_at": now()}


def _made(thread_id: str, metadata: Mapping[str, Any]) -> Record:
    moment = now()
    moments = {"created_at": moment, "updated_at": moment, "state_updated_at": moment}
    return {"thread_id": thread_id, "metadata": dict(metadata), **moments}
