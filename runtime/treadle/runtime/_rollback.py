"""Undoing what a stopped run did to its thread."""

from typing import Any

from treadle.memory.bundle import Memory
from treadle.runtime.runs import Run, RunStore


class Rollback:
    """Puts threads back to where they were before a run.

    Args:
        memory: where the threads are kept.
        runs: where runs are kept.
    """

    def __init__(self, memory: Memory, runs: RunStore) -> None:
        self._memory = memory
        self._runs = runs

    async def undo(self, run: Run) -> None:
        """Remove the checkpoints that the run made, and what it said from the transcript.

        The run and its journal stay: what it cost was paid, and effects in the world are not
        undone.
        """
        before = await self._said(run.thread_id)
        await self._memory.saver.adelete_for_runs([run.id])
        after = {message.id for message in await self._said(run.thread_id)}
        gone = [m.id for m in before if m.id and m.id not in after]
        await self._memory.unsay(run.thread_id, gone)

    async def _said(self, thread_id: str) -> list[Any]:
        config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
        latest = await self._memory.saver.aget_tuple(config)
        values = latest.checkpoint["channel_values"] if latest is not None else {}
        return list(values.get("messages", ()))
