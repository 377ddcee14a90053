"""The state of a thread, as a graph sees it, in the protocol's form."""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt, StateSnapshot

from treadle.core.shareable import shareable

_PLACE = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")

EMPTY: dict[str, Any] = {
    "values": {},
    "next": [],
    "tasks": [],
    "metadata": None,
    "created_at": None,
    "checkpoint": None,
    "parent_checkpoint": None,
    "interrupts": [],
    "checkpoint_id": None,
    "parent_checkpoint_id": None,
}
"""The state of a thread on which nothing was run."""


def state_of(snapshot: StateSnapshot) -> dict[str, Any]:
    """Return a snapshot as the protocol describes a thread's state."""
    checkpoint = place_of(snapshot.config) if snapshot.created_at else None
    parent = place_of(snapshot.parent_config)
    return {
        "values": snapshot.values,
        "next": list(snapshot.next),
        "tasks": [_task(task) for task in snapshot.tasks],
        "metadata": snapshot.metadata,
        "created_at": snapshot.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [_interrupt(one) for one in snapshot.interrupts],
        "checkpoint_id": checkpoint["checkpoint_id"] if checkpoint else None,
        "parent_checkpoint_id": parent["checkpoint_id"] if parent else None,
    }


def place_of(config: RunnableConfig | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the checkpoint that a config names; ``None`` when it names none."""
    place = (config or {}).get("configurable") or {}
    return {name: place[name] for name in _PLACE if name in place} or None


def condition_of(snapshot: StateSnapshot) -> dict[str, Any]:
    """Return what a thread's answer says of its state: status, values and interrupts."""
    interrupts = {task.id: [_interrupt(i) for i in task.interrupts] for task in snapshot.tasks}
    waiting = {task_id: found for task_id, found in interrupts.items() if found}
    failed = [shareable(repr(task.error)) for task in snapshot.tasks if task.error]
    status = "error" if failed else "interrupted" if snapshot.next else "idle"
    return {
        "status": status,
        "values": snapshot.values or None,
        "interrupts": waiting,
        "error": failed[0] if failed else None,
    }


def _task(task: Any) -> dict[str, Any]:
    inner = task.state
    is_snapshot = isinstance(inner, StateSnapshot)
    return {
        "id": task.id,
        "name": task.name,
        "path": list(task.path),
        "error": None if task.error is None else shareable(repr(task.error)),
        "interrupts": [_interrupt(one) for one in task.interrupts],
        "checkpoint": None if is_snapshot else place_of(inner),
        "state": state_of(inner) if is_snapshot else None,
        "result": task.result,
    }


def _interrupt(one: Interrupt) -> dict[str, Any]:
    return {"value": one.value, "id": one.id}
