"""The state a thread was in before a run, carried from one saver to another."""

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.runtime.journal import JournalError, from_data, to_data


async def state_before(
    saver: BaseCheckpointSaver[Any], thread_id: str, run_id: str
) -> dict[str, Any] | None:
    """Return the checkpoint that a run went on from, as data; ``None`` on a new thread.

    Raises:
        JournalError: the checkpoints of the run are no longer kept.
    """
    oldest = None
    config: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    async for found in saver.alist(config, filter={"run_id": run_id}):
        oldest = found
    if oldest is None:
        return await latest_state(saver, thread_id)
    if oldest.parent_config is None:
        return None
    before = await saver.aget_tuple(oldest.parent_config)
    if before is None:
        raise JournalError(
            f"The state of the thread {thread_id!r} before the run {run_id} is no longer kept."
        )
    return _to_data(before.checkpoint, before.metadata)


async def latest_state(saver: BaseCheckpointSaver[Any], thread_id: str) -> dict[str, Any] | None:
    """Return the thread's latest checkpoint, as data; ``None`` on a new thread."""
    config: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    latest = await saver.aget_tuple(config)
    return None if latest is None else _to_data(latest.checkpoint, latest.metadata)


async def put_state(
    saver: BaseCheckpointSaver[Any], thread_id: str, before: Mapping[str, Any] | None
) -> None:
    """Begin a thread with a state that `state_before` returned.

    Raises:
        JournalError: it is no such state.
    """
    if before is None:
        return
    checkpoint, metadata = from_data(before["checkpoint"]), from_data(before["metadata"])
    if not isinstance(checkpoint, dict) or "channel_versions" not in checkpoint:
        raise JournalError("The state before a run is no checkpoint.")
    config: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    _renumber(saver, checkpoint)
    await saver.aput(config, cast("Any", checkpoint), metadata, checkpoint["channel_versions"])


def _renumber(saver: BaseCheckpointSaver[Any], checkpoint: dict[str, Any]) -> None:
    """Write the versions of channels as the saver does: each compares its own as text."""
    written: dict[Any, Any] = {}

    def as_written(version: Any) -> Any:
        if version not in written:
            number = int(str(version).partition(".")[0])
            written[version] = saver.get_next_version(f"{number - 1}.0", None)
        return written[version]

    versions = checkpoint["channel_versions"]
    checkpoint["channel_versions"] = {name: as_written(one) for name, one in versions.items()}
    checkpoint["versions_seen"] = {
        node: {name: as_written(one) for name, one in seen.items()}
        for node, seen in checkpoint["versions_seen"].items()
    }


def _to_data(checkpoint: Any, metadata: Any) -> dict[str, Any]:
    return {"checkpoint": to_data(dict(checkpoint)), "metadata": to_data(dict(metadata or {}))}
