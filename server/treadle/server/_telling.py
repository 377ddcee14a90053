"""What a run's events tell whoever talks with an agent: reasoning and text, as they come."""

import json
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from treadle.agents import Agent
from treadle.core.calls import CallKind, Purpose
from treadle.core.errors import RunError
from treadle.core.events import (
    CallDelta,
    CallFinished,
    CallStarted,
    Event,
    Refusal,
    Reply,
    RunFailed,
    RunFinished,
    RunStarted,
)
from treadle.core.shareable import shareable

Kind = Literal["reasoning", "text", "refusal"]
_MAX_CHARS = 300
_PIECE_CHARS = 64


@dataclass(frozen=True, slots=True)
class Started:
    """The run began."""

    run_id: str
    thread_id: str
    number: int = 1
    """Which answer of the run follows: tools of the client part one run into several."""


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the answer, of what is said in its place, or of the way to it."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The run came to its end, or waits."""

    reply: Reply


class FailedError(RunError):
    """The run failed; the message says why.

    Attributes:
        refusal: what a model's provider did, where it failed for that.
    """

    def __init__(self, message: str, *, refusal: Refusal | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal


def hidden_of(agent: Agent) -> frozenset[str]:
    """Return the names of the tools that the client has itself."""
    return frozenset(tool.name for tool in agent.client_tools)


def is_live(agent: Agent) -> bool:
    """Return whether what an agent says can no longer change once it was said."""
    return not (agent.tools or agent.agents or agent.output)


class Teller:
    """Tells what happens in a run.

    Text is told as it grows where it can no longer change: by agents without tools of their own.
    Of others it is told when its sources were checked.

    Args:
        hidden: the client's own tools; what is done with them is no news to it.
        is_live: whether the text can no longer change once it was said.
    """

    def __init__(self, hidden: Collection[str], *, is_live: bool = False) -> None:
        self._hidden = hidden
        self._is_live = is_live
        self._told = ""
        self._has_labels = False
        self._thought: set[str] = set()

    @classmethod
    def of(cls, agent: Agent) -> "Teller":
        """Return one for a run of an agent that is under way."""
        return cls(hidden_of(agent), is_live=is_live(agent))

    async def tell(self, events: AsyncGenerator[Event]) -> AsyncGenerator[Started | Said | Ended]:
        """Yield what is told, in the order it happens.

        Raises:
            FailedError: the run failed.
        """
        async with aclosing(events):
            async for event in events:
                if isinstance(event, RunStarted):
                    yield Started(event.run_id, event.thread_id)
                elif isinstance(event, RunFailed):
                    raise FailedError(shareable(event.error), refusal=event.refusal)
                elif isinstance(event, RunFinished):
                    final = (
                        event.reply.text if event.reply.data is None else content_of(event.reply)
                    )
                    for piece in self._rest(final):
                        yield Said(kind_of(event.reply), piece)
                    yield Ended(event.reply)
                elif (said := self._said(event)) is not None and said.text:
                    yield said

    def _said(self, event: Event) -> Said | None:
        if isinstance(event, CallDelta):
            if event.purpose is Purpose.THOUGHT:
                self._thought.add(event.call_id)
                return Said("reasoning", event.text)
            return Said("text", self._live(event.text))
        if isinstance(event, CallStarted) and event.kind is CallKind.TOOL:
            return self._call(event)
        if isinstance(event, CallFinished) and event.name not in self._hidden:
            return self._outcome(event)
        return None

    def _call(self, event: CallStarted) -> Said | None:
        if event.name in self._hidden:
            return None
        given = ", ".join(f"{name}={value!r}" for name, value in event.arguments.items())
        return Said("reasoning", f"\n{event.name}({_short(given)})\n")

    def _outcome(self, event: CallFinished) -> Said | None:
        if event.kind is CallKind.TOOL:
            return Said("reasoning", f"→ {_short(event.error or event.text)}\n")
        thought = "" if event.call_id in self._thought else event.thought
        return Said("reasoning", f"{thought}\n") if thought else None

    def _live(self, piece: str) -> str:
        """Return what can be told of a piece of the answer at once."""
        if not self._is_live or self._has_labels:
            return ""
        self._has_labels = "[" in piece  # It may become a label, which the check replaces.
        piece = piece.partition("[")[0] if self._has_labels else piece
        piece = piece if self._told else piece.lstrip()
        self._told += piece
        return piece

    def _rest(self, final: str) -> list[str]:
        if not final.startswith(self._told.rstrip()):
            return []  # What was told stands.
        left = final[len(self._told) :]
        return [left[at : at + _PIECE_CHARS] for at in range(0, len(left), _PIECE_CHARS)]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS - 1]}…"


def kind_of(reply: Reply) -> Kind:
    """Return whether a reply's text is an answer, or what the model declined with."""
    return "refusal" if reply.is_refusal else "text"


def content_of(reply: Reply) -> str:
    """Return an answer's text: its data as JSON, or why there is none."""
    if reply.data is not None:
        return json.dumps(reply.data, ensure_ascii=False)
    return reply.text or reply.stopped
