"""Changing what was said on a thread, between its runs."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import ChannelVersions, copy_checkpoint, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from treadle.core.errors import InputError
from treadle.memory.bundle import Memory
from treadle.memory.transcript import Said
from treadle.runtime.runs import Runs, RunStateError

_MESSAGES, _SUMMARY = "messages", "window_summary"


class Editing:
    """A thread that is kept from runs while what was said on it is changed.

    Args:
        memory: where threads are kept.
        thread_id: the thread.
    """

    def __init__(self, memory: Memory, thread_id: str) -> None:
        self._memory = memory
        self._thread_id = thread_id
        self._config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}

    async def add(self, messages: Sequence[BaseMessage]) -> list[Said]:
        """Say messages, each with an id, as if a run had; its agent's next turn is shown them.

        Raises:
            InputError: the thread's graph keeps its messages in a way of its own.
        """
        held = await self._change(lambda said: [*said, *messages], {})
        await self._memory.note(self._thread_id, held)
        read = self._memory.transcript.read
        found = await asyncio.gather(*(read(self._thread_id, one.id or "") for one in messages))
        return [said for said in found if said is not None]

    async def change(self, removed: Sequence[str], replaced: Sequence[BaseMessage] = ()) -> None:
        """Take messages out of the state, the transcript and recall, or put others in their place.

        Earlier checkpoints and the journals of runs hold them until the thread is forgotten.

        Args:
            removed: the ids of those that go.
            replaced: those that take the place of what has their ids.

        Raises:
            InputError: as for `add`.
        """
        gone, new = frozenset(removed), {one.id: one for one in replaced}
        held = await self._values()
        known = {message.id for message in held.get(_MESSAGES, ())}
        # A summary quotes what has left the state, and nobody can tell which words are whose.
        summary = held.get(_SUMMARY) if {*gone, *new} - known else None
        others = {_SUMMARY: {**summary, "text": ""}} if summary else {}
        await self._change(
            lambda said: [new.get(one.id, one) for one in said if one.id not in gone], others
        )
        await self._memory.rewrite(self._thread_id, removed, replaced)

    async def _values(self) -> Mapping[str, Any]:
        found = await self._memory.saver.aget_tuple(self._config)
        return found.checkpoint["channel_values"] if found is not None else {}

    async def _change(
        self,
        change: Callable[[Sequence[BaseMessage]], list[BaseMessage]],
        others: Mapping[str, Any],
    ) -> list[BaseMessage]:
        """Write a checkpoint in which the state is changed, and return its messages.

        No graph is needed, and none goes a step further by it: what was to be done next still is.
        """
        saver = self._memory.saver
        found = await saver.aget_tuple(self._config)
        checkpoint = empty_checkpoint() if found is None else copy_checkpoint(found.checkpoint)
        values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
        before = values.get(_MESSAGES, None if _MESSAGES in versions else [])
        if not isinstance(before, list) or not all(isinstance(m, BaseMessage) for m in before):
            raise InputError(
                f"The graph of the thread {self._thread_id!r} keeps its messages in a way of its "
                "own: single ones cannot be changed."
            )
        after = change(before)
        if after == before and not others:
            return before
        version = saver.get_next_version(max(map(str, versions.values()), default=None), None)
        checkpoint["id"], checkpoint["ts"] = str(uuid6()), datetime.now(UTC).isoformat()
        checkpoint["updated_channels"] = None
        values.update({_MESSAGES: after, **others})
        changed: ChannelVersions = dict.fromkeys((_MESSAGES, *others), version)
        versions.update(changed)
        step = (found.metadata or {}).get("step", -1) + 1 if found is not None else -1
        metadata: Any = {"source": "update", "step": step, "parents": {}}
        place = self._config if found is None else found.config
        await saver.aput(place, checkpoint, metadata, changed)
        return after


@asynccontextmanager
async def editing(
    memory: Memory,
    runs: Runs,
    thread_id: str,
    *,
    is_busy: Callable[[str], Awaitable[bool]],
    held: Callable[[str], AbstractAsyncContextManager[object]],
) -> AsyncGenerator[Editing]:
    """Keep runs off a thread while what was said on it is changed.

    Raises:
        RunStateError: a run uses the thread, or waits on it for an answer.
    """
    if await is_busy(thread_id):
        raise RunStateError(
            f"The thread {thread_id!r} is busy with a run.", hint="Wait for its end, or stop it."
        )
    async with held(thread_id):
        if (waiting := await runs.waiting_on(thread_id)) is not None:
            raise RunStateError(
                f"The run {waiting.id} waits for an answer on the thread {thread_id!r}.",
                hint="Answer it, or stop it.",
            )
        yield Editing(memory, thread_id)
