"""The conversations of a tenant: listing, reading, exporting and forgetting them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.core.errors import InputError, UnknownNameError
from treadle.runtime.citations import Evidence, check

_TITLE_CHARS = 80
_MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation, as it is listed.

    Attributes:
        id: its id.
        agent: the agent that was asked last.
        title: the beginning of the first question.
        created: when it began, ISO 8601, UTC.
        updated: when it was last asked on.
        turns: how many questions were asked.
    """

    id: str
    agent: str
    title: str
    created: str
    updated: str
    turns: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    Attributes:
        role: ``user``, ``assistant`` or ``tool``.
        text: what was said; sources are cited by number.
        tool: the tool's name, for a tool's result.
        calls: the tools an assistant's message calls, each ``name(arguments)``.
        sources: what the text cites, each ``[1] title, place``.
    """

    role: str
    text: str
    tool: str = ""
    calls: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def check_thread_id(thread_id: str) -> str:
    """Return the id as it is.

    Raises:
        InputError: when it is empty, longer than 200 characters, or holds control characters.
    """
    if not thread_id.strip():
        raise InputError("The thread id is empty.", hint="Leave it out to begin a new thread.")
    if len(thread_id) > _MAX_ID_CHARS:
        raise InputError(
            f"The thread id has {len(thread_id)} characters; at most {_MAX_ID_CHARS} are allowed."
        )
    if not thread_id.isprintable():
        raise InputError(f"The thread id {thread_id!r} holds control characters.")
    return thread_id


class Threads:
    """The conversations of one tenant."""

    def __init__(self, redis: Any, prefix: str, saver: BaseCheckpointSaver[Any]) -> None:
        self._redis = redis
        self._saver = saver
        # One hash tag: the two keys change together, also on a cluster.
        self._order_key = f"{prefix}{{threads}}:order"
        self._info_key = f"{prefix}{{threads}}:info"

    async def note_question(self, thread_id: str, agent: str, question: str) -> None:
        """Record that the thread was asked something."""
        now = datetime.now(UTC)
        known = await self._redis.hget(self._info_key, thread_id)
        info: dict[str, Any] = (
            json.loads(known) if known else {"title": _title(question), "created": _iso(now)}
        )
        info |= {"agent": agent, "updated": _iso(now), "turns": info.get("turns", 0) + 1}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._info_key, thread_id, json.dumps(info))
            pipe.zadd(self._order_key, {thread_id: now.timestamp()})
            await pipe.execute()

    async def recent(self, limit: int = 50) -> list[Thread]:
        """Return the threads asked most recently, newest first."""
        ids = await self._redis.zrevrange(self._order_key, 0, limit - 1)
        if not ids:
            return []
        infos = await self._redis.hmget(self._info_key, ids)
        return [
            Thread(id=key.decode(), **json.loads(info))
            for key, info in zip(ids, infos, strict=True)
            if info
        ]

    async def show(self, thread_id: str) -> list[Turn]:
        """Return what was said on the thread, oldest first.

        Raises:
            UnknownNameError: there is no such thread.
        """
        return _turns(await self.messages(thread_id))

    async def messages(self, thread_id: str) -> Sequence[BaseMessage]:
        """Return the thread's messages as LangChain holds them, oldest first.

        Raises:
            UnknownNameError: there is no such thread.
        """
        config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
        found = await self._saver.aget_tuple(config)
        if found is None:
            raise await self._unknown(thread_id)
        messages: Sequence[BaseMessage] = found.checkpoint["channel_values"].get("messages", ())
        return messages

    async def export(self, thread_id: str) -> dict[str, Any]:
        """Return the whole thread as plain data, for JSON.

        Raises:
            UnknownNameError: there is no such thread.
        """
        turns = await self.show(thread_id)
        info = await self._redis.hget(self._info_key, thread_id)
        about = json.loads(info) if info else {}
        return {"id": thread_id, **about, "messages": [asdict(turn) for turn in turns]}

    async def export_markdown(self, thread_id: str) -> str:
        """Return the whole thread as Markdown.

        Raises:
            UnknownNameError: there is no such thread.
        """
        parts = [f"# Thread {thread_id}"]
        for turn in await self.show(thread_id):
            heading = f"Tool {turn.tool}" if turn.role == "tool" else turn.role.capitalize()
            body = "\n".join((turn.text, *(f"- calls `{call}`" for call in turn.calls)))
            parts.append(f"## {heading}\n\n{body.strip()}")
            if turn.sources:
                parts.append("\n".join(turn.sources))
        return "\n\n".join(parts) + "\n"

    async def forget(self, thread_id: str) -> dict[str, int]:
        """Remove the thread and all that was kept of it; return how many of each kind.

        Raises:
            UnknownNameError: there is no such thread.
        """
        turns = await self.show(thread_id)
        await self._saver.adelete_thread(thread_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(self._info_key, thread_id)
            pipe.zrem(self._order_key, thread_id)
            await pipe.execute()
        return {"threads": 1, "messages": len(turns)}

    async def _unknown(self, thread_id: str) -> UnknownNameError:
        known = [thread.id for thread in await self.recent(10)]
        return UnknownNameError("thread", thread_id, known)


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _TITLE_CHARS else f"{line[: _TITLE_CHARS - 1]}…"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _turns(messages: Sequence[BaseMessage]) -> list[Turn]:
    turns = []
    for message in messages:
        if isinstance(message, HumanMessage):
            turns.append(Turn("user", message.text))
        elif isinstance(message, ToolMessage):
            turns.append(Turn("tool", message.text, tool=message.name or ""))
        elif isinstance(message, AIMessage):
            checked = check(message.text, Evidence.of(messages, message))
            calls = tuple(
                f"{call['name']}({_arguments(call['args'])})" for call in message.tool_calls
            )
            listed = tuple(
                f"[{c.number}] {c.source.title}, {c.source.uri} {c.source.locator}".rstrip()
                for c in checked.citations
            )
            turns.append(Turn("assistant", checked.text, calls=calls, sources=listed))
    return turns


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items())
