"""Transcripts as text: one form for people, one for programs, both written page by page."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage

from treadle.memory.transcript._transcript import Said, Transcript


@dataclass(frozen=True, slots=True)
class Turn:
    """A message as it is shown to a person.

    Attributes:
        role: ``user``, ``assistant``, ``tool`` or another type of message.
        text: what was said.
        tool: the tool's name, for a tool's result.
        calls: the tools an assistant's message calls, each ``name(arguments)``.
        sources: what the text cites, each ``[1] title, place``.
        at: when it was said, ISO 8601, UTC.
        number: its place in the transcript, from 0.
    """

    role: str
    text: str
    tool: str = ""
    calls: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    at: str = ""
    number: int = 0


Render = Callable[[Sequence[Said]], Sequence[Turn]]
"""Makes turns of the messages of a page; called for page after page in order."""

_ROLES = {"human": "user", "ai": "assistant"}


def plain_turn(said: Said) -> Turn:
    """Return a message as a turn, its text as it stands."""
    message = said.message
    calls = message.tool_calls if isinstance(message, AIMessage) else ()
    return Turn(
        role=_ROLES.get(message.type, message.type),
        text=message.text,
        tool=(message.name or "") if isinstance(message, ToolMessage) else "",
        calls=tuple(f"{call['name']}({_arguments(call['args'])})" for call in calls),
        at=said.at.isoformat(timespec="seconds"),
        number=said.number,
    )


def plain_turns(messages: Sequence[Said]) -> list[Turn]:
    """Return messages as turns, their texts as they stand."""
    return [plain_turn(said) for said in messages]


async def export_json(
    transcript: Transcript,
    thread_id: str,
    *,
    about: Mapping[str, Any] | None = None,
    render: Render = plain_turns,
) -> AsyncIterator[str]:
    """Yield pieces of a JSON object: ``id``, what is said ``about`` the thread, ``messages``.

    Raises:
        RecordError: a message is damaged or was forged.
    """
    head = json.dumps({"id": thread_id, **(about or {})}, ensure_ascii=False, indent=1)
    yield head.removesuffix("\n}") + ',\n "messages": ['
    separator = "\n  "
    async for page in transcript.pages(thread_id):
        for turn in render(page.messages):
            yield separator + json.dumps(asdict(turn), ensure_ascii=False)
            separator = ",\n  "
    yield "\n ]\n}\n"


async def export_markdown(
    transcript: Transcript, thread_id: str, *, render: Render = plain_turns
) -> AsyncIterator[str]:
    """Yield pieces of a Markdown page with a section for each message.

    Raises:
        RecordError: a message is damaged or was forged.
    """
    yield f"# Thread {thread_id}\n"
    async for page in transcript.pages(thread_id):
        for turn in render(page.messages):
            yield "\n" + to_markdown(turn) + "\n"


def to_markdown(turn: Turn) -> str:
    """Return a turn as a section of a Markdown page."""
    heading = f"Tool {turn.tool}" if turn.role == "tool" else turn.role.capitalize()
    body = "\n".join((turn.text, *(f"- calls `{call}`" for call in turn.calls)))
    parts = (f"## {heading}", body.strip(), "\n".join(turn.sources))
    return "\n\n".join(part for part in parts if part)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items())
