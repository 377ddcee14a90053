"""``/threads``: conversations, as clients create, find, copy and remove them."""

import asyncio
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Response
from langgraph.types import StateUpdate
from pydantic import Field

from treadle.server.langgraph._answers import (
    Body,
    Id,
    IfExists,
    Limit,
    Metadata,
    Offset,
    Order,
    Route,
    answered,
    chosen,
    jsonable,
    no_content,
    sorted_page,
)
from treadle.server.langgraph._crons import remove_crons_of
from treadle.server.langgraph._records import Record, contains
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads

Status = Literal["idle", "busy", "interrupted", "error"]
SortBy = Literal["thread_id", "created_at", "updated_at", "state_updated_at"]
Selected = Literal[
    "thread_id", "created_at", "updated_at", "metadata", "config", "status", "values", "interrupts"
]
ThreadId = Annotated[str, Field(min_length=1, max_length=200)]


class Update(Body):
    """One update of a state, as if a node had made it."""

    values: Any
    command: None = None
    as_node: str


class Superstep(Body):
    """Updates that become one state after the other."""

    updates: list[Update]


class Create(Body):
    """A new thread."""

    thread_id: ThreadId | None = None
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    if_exists: IfExists = "raise"
    supersteps: Annotated[list[Superstep], Field(default_factory=list)]


class Patch(Body):
    """Metadata to merge into a thread's."""

    metadata: Metadata


class Filter(Body):
    """Which threads are wanted."""

    metadata: Metadata | None = None
    values: dict[str, Any] | None = None
    status: Status | None = None


class Search(Filter):
    """Which threads are wanted, and how many of them."""

    ids: list[str] | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: SortBy = "created_at"
    sort_order: Order = "desc"
    select: list[Selected] | None = None


class Prune(Body):
    """Threads to remove, or to remove all of but their latest state."""

    thread_ids: list[str]
    strategy: Literal["delete", "keep_latest"] = "delete"


router = APIRouter(prefix="/threads", tags=["threads"], route_class=Route)


@router.post("")
async def create(rt: Rt, body: Create) -> Response:
    """Begin a thread."""
    threads = ProtocolThreads(rt)
    key = body.thread_id or str(uuid.uuid4())
    if body.if_exists == "do_nothing":
        found = await threads.find(key)
        if found is not None:
            return answered(await threads.described(found))
    updates = [StateUpdate(u.values, u.as_node) for s in body.supersteps for u in s.updates]
    async with threads.made(key, body.metadata) as record:
        if updates:
            await threads.begin_state(record, updates)
        return answered(await threads.described(record))


@router.post("/search")
async def search(rt: Rt, body: Search) -> Response:
    """Find threads."""
    threads = ProtocolThreads(rt)
    found = await _fitting(threads, body, body.ids)
    page = sorted_page(found, body.sort_by, body.sort_order, limit=body.limit, offset=body.offset)
    shown = await asyncio.gather(*(threads.described(record) for record in page))
    return answered([chosen(thread, body.select) for thread in shown])


@router.post("/count")
async def count(rt: Rt, body: Filter) -> int:
    """Count threads."""
    return len(await _fitting(ProtocolThreads(rt), body, None))


@router.post("/prune")
async def prune(rt: Rt, body: Prune) -> Response:
    """Remove threads, or all of them but their latest state."""
    threads = ProtocolThreads(rt)
    pruned = 0
    for thread_id in dict.fromkeys(body.thread_ids):
        if await threads.find(thread_id) is None:
            continue
        if body.strategy == "delete":
            await remove_thread(rt, thread_id)
        else:
            await rt.memory.saver.aprune([thread_id], strategy="keep_latest")
        pruned += 1
    return answered({"pruned_count": pruned})


@router.get("/{thread_id}")
async def get(rt: Rt, thread_id: Id) -> Response:
    """Return a thread."""
    threads = ProtocolThreads(rt)
    return answered(await threads.described(await threads.record(thread_id)))


@router.patch("/{thread_id}")
async def update(rt: Rt, thread_id: Id, body: Patch) -> Response:
    """Merge metadata into a thread's."""
    threads = ProtocolThreads(rt)
    return answered(await threads.described(await threads.update(thread_id, body.metadata)))


@router.delete("/{thread_id}", status_code=204)
async def delete(rt: Rt, thread_id: Id) -> Response:
    """Remove a thread and all that came of it."""
    await remove_thread(rt, thread_id)
    return no_content()


@router.post("/{thread_id}/copy")
async def copy(rt: Rt, thread_id: Id) -> Response:
    """Copy a thread with its history."""
    threads = ProtocolThreads(rt)
    record = await threads.record(thread_id)
    if await rt.is_busy(thread_id):
        raise HTTPException(409, f"The thread {thread_id!r} is busy with a run.")
    return answered(await threads.described(await threads.copy(record)))


async def remove_thread(rt: Rt, thread_id: str) -> None:
    """Remove a thread that the caller sees, with its crons and all that came of it.

    Raises:
        HTTPException: 404 when there is no such thread; 409 while a run uses it.
    """
    threads = ProtocolThreads(rt)
    await threads.record(thread_id)  # Whoever does not see it removes no cron of it either.
    await remove_crons_of(rt, thread_id)
    await threads.delete(thread_id)


async def _fitting(threads: ProtocolThreads, wanted: Filter, ids: list[str] | None) -> list[Record]:
    """Return the records of the threads that are wanted; reads states only where they decide."""
    found: list[Record] = []
    async for record in threads.all():
        if ids is not None and record["thread_id"] not in ids:
            continue
        if not contains(record["metadata"], wanted.metadata or {}):
            continue
        if wanted.status or wanted.values:
            thread = await threads.described(record)
            values = jsonable(thread["values"]) or {}
            if wanted.status not in (None, thread["status"]):
                continue
            if not contains(values, wanted.values or {}):
                continue
        found.append(record)
    return found
