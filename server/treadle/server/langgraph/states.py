"""``/threads/{id}/state`` and ``/history``: what a thread's graph holds and held."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from langgraph.types import StateUpdate

from treadle.runtime import Runtime
from treadle.server.langgraph._answers import (
    Body,
    Flag,
    Id,
    Limit,
    Metadata,
    Route,
    answered,
    chosen,
)
from treadle.server.langgraph._states import EMPTY, state_of
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads, config_at

Selected = Literal[
    "values",
    "next",
    "tasks",
    "metadata",
    "created_at",
    "checkpoint",
    "parent_checkpoint",
    "interrupts",
]
Select = Annotated[list[Selected] | None, Query()]


class Place(Body):
    """A checkpoint of a thread."""

    thread_id: str | None = None
    checkpoint_ns: str = ""
    checkpoint_id: str | None = None
    checkpoint_map: dict[str, Any] | None = None

    def given(self) -> dict[str, Any]:
        """Return the fields that name something."""
        return self.model_dump(exclude_none=True)


class AtCheckpoint(Body):
    """Which state is wanted."""

    checkpoint: Place
    subgraphs: Flag = False
    select: list[Selected] | None = None


class Update(Body):
    """New values, as if a node had returned them."""

    values: Any = None
    as_node: str | None = None
    checkpoint_id: str | None = None
    checkpoint: Place | None = None

    def place(self) -> dict[str, Any]:
        """Return the checkpoint to begin at, or nothing for the latest."""
        place = self.checkpoint.given() if self.checkpoint else {}
        return place | ({"checkpoint_id": self.checkpoint_id} if self.checkpoint_id else {})


class History(Body):
    """Which states are wanted."""

    limit: Limit = 10
    before: str | Place | None = None
    metadata: Metadata | None = None
    checkpoint: Place | None = None
    select: list[Selected] | None = None

    def earlier_than(self) -> dict[str, Any] | None:
        """Return the checkpoint that the wanted states precede."""
        if isinstance(self.before, str):
            return {"checkpoint_id": self.before}
        return self.before.given() if self.before else None


router = APIRouter(prefix="/threads/{thread_id}", tags=["threads"], route_class=Route)


@router.get("/state")
async def get(rt: Rt, thread_id: Id, subgraphs: bool = False, select: Select = None) -> Response:
    """Return a thread's latest state."""
    return answered(await _state(rt, thread_id, {}, subgraphs, select))


@router.post("/state/checkpoint")
async def get_at(rt: Rt, thread_id: Id, body: AtCheckpoint) -> Response:
    """Return a thread's state at a checkpoint."""
    place = body.checkpoint.given()
    return answered(await _state(rt, thread_id, place, body.subgraphs, body.select))


@router.get("/state/{checkpoint_id}")
async def get_at_id(
    rt: Rt, thread_id: Id, checkpoint_id: str, subgraphs: bool = False, select: Select = None
) -> Response:
    """Return a thread's state at a checkpoint, by its id."""
    place = {"checkpoint_id": checkpoint_id}
    return answered(await _state(rt, thread_id, place, subgraphs, select))


@router.post("/state")
async def update(rt: Rt, thread_id: Id, body: Update) -> Response:
    """Change a thread's state."""
    threads = ProtocolThreads(rt)
    record = await threads.record(thread_id)
    change = StateUpdate(body.values, body.as_node)
    place = await threads.update_state(record, [change], body.place())
    named = {"checkpoint": place, "configurable": place, "checkpoint_id": place["checkpoint_id"]}
    return answered(named)


@router.post("/history")
async def history(rt: Rt, thread_id: Id, body: History) -> Response:
    """Return a thread's states, newest first."""
    return answered(await _history(rt, thread_id, body))


@router.get("/history")
async def get_history(
    rt: Rt, thread_id: Id, limit: Limit = 10, before: str | None = None
) -> Response:
    """Return a thread's states, newest first."""
    return answered(await _history(rt, thread_id, History(limit=limit, before=before)))


async def _state(
    rt: Runtime,
    thread_id: str,
    place: Mapping[str, Any],
    subgraphs: bool,
    select: list[Selected] | None,
) -> dict[str, Any]:
    threads = ProtocolThreads(rt)
    snapshot = await threads.snapshot(await threads.record(thread_id), place, subgraphs=subgraphs)
    named = place.get("checkpoint_id")
    if named and (snapshot is None or snapshot.created_at is None):
        raise HTTPException(404, f"The thread {thread_id!r} has no checkpoint {named!r}.")
    return chosen(state_of(snapshot) if snapshot else EMPTY, select)


async def _history(rt: Runtime, thread_id: str, wanted: History) -> list[dict[str, Any]]:
    threads = ProtocolThreads(rt)
    record = await threads.record(thread_id)
    graph = threads.graph(record)
    if graph is None:
        return []
    before = wanted.earlier_than()
    place = wanted.checkpoint.given() if wanted.checkpoint else None
    snapshots = graph.aget_state_history(
        config_at(record, place),
        filter=wanted.metadata,
        before=config_at(record, before) if before else None,
        limit=wanted.limit,
    )
    return [chosen(state_of(snapshot), wanted.select) async for snapshot in snapshots]
