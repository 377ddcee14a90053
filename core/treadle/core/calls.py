"""The words of the call boundary: a call, its outcome, and the gate between them.

`treadle.core.boundary` is the door itself. What is shown in a terminal, what a reply says it cost
and what a budget allows all come from gates; nothing else watches a run.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel

from treadle.core.characters import whole
from treadle.core.redaction import Redactor
from treadle.core.usage import Price, Usage


class Effect(StrEnum):
    """What repeating a call would do to the world."""

    READ = "read"
    """Nothing: it may be repeated freely."""
    KEYED = "keyed"
    """Nothing more, when it is repeated with the same idempotency key."""
    ONCE = "once"
    """Something that must not happen twice: it is never repeated."""
    CALLS = "calls"
    """Nothing by itself: it is made of other calls, each with an effect of its own, as an agent is
    that works for another. A replay makes it anew out of these."""


MAYBE_DONE = "It may have been done all the same: look before you ask for it again."
"""What a model is told of a call whose outcome is not known, where repeating it could do harm."""


class CallKind(StrEnum):
    """What is called."""

    MODEL = "model"
    TOOL = "tool"
    DECISION = "decision"
    """Something a run read or chose that a repetition must find again: what memory held, a random
    number, how much of the budget was left. It costs nothing and is told to nobody."""
    EMBEDDING = "embedding"
    """Texts that a service makes vectors of. It costs tokens, and is told to nobody: what a run
    finds with them is a decision, so that a replay asks for none."""

    @property
    def is_told(self) -> bool:
        """Whether those who watch or read a run are told of it as a call of its own."""
        return self in (CallKind.MODEL, CallKind.TOOL)


CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""The options of a model call that say how long its answer may be."""


class Purpose(StrEnum):
    """What the text of a model call is for."""

    ANSWER = "answer"
    """The text is meant for the person who asked."""
    THOUGHT = "thought"
    """The text is the model's reasoning, kept apart from the answer."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a run a call stands.

    Attributes:
        thread_id: the conversation.
        run_id: the execution on it.
        task: LangGraph's checkpoint namespace with task ids. A step that is run again from the
            same checkpoint carries the same one. Calls made inside the task's first call, such as
            those of an agent that is a tool, end in ``~0``.
        path: ``task`` without the ids, such as ``"research|tools"``: the same in a replay that
            starts from the input.
        branch: which of the tasks that were sent to the same node in one step, from 0.
        step: LangGraph's superstep, counted from the thread's first input.
        ordinal: how many calls the task made before this one, from 0.
        attempt: which execution of the task in this process it belongs to, from 1: a retry policy
            may run a task again, whose calls then stand in the same places.
    """

    thread_id: str
    run_id: str
    task: str
    path: str
    branch: int
    step: int
    ordinal: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What bounds the cost of one call of a model.

    Attributes:
        price: what its tokens cost; ``None`` when that is not known.
        max_output_tokens: how long its answer may be as configured; ``None`` when nothing says so.
        caps_output: whether it can be told, call by call, how long its answer may be.
        attempts: how often its client may send a request, where it repeats it by itself.
    """

    price: Price | None = None
    max_output_tokens: int | None = None
    caps_output: bool = False
    attempts: int = 1


@dataclass(frozen=True)
class Call:
    """One call of a model or a tool, about to be made.

    Attributes:
        position: where in the run it stands.
        kind: whether a model or a tool is called.
        name: the model's or the tool's name.
        effect: what repeating it would do; a model call is a read.
        request: what is sent. For a tool its arguments by name; for a model ``messages`` (a list
            of LangChain messages) and ``options`` (tools, stop words and the like).
        purpose: what a model's text is for.
        limits: what is known of the model called, to bound what the call can cost.
        agent: the agent that makes it, where that is not the run's own: one that works for it.
    """

    position: Position
    kind: CallKind
    name: str
    effect: Effect
    request: Mapping[str, Any]
    purpose: Purpose = Purpose.ANSWER
    limits: ModelLimits | None = None
    agent: str = ""

    @cached_property
    def id(self) -> str:
        """A short id, unique in the run and equal for the same position in a repeated step."""
        place = self.position
        parts = (place.thread_id, place.run_id, place.task, str(place.step), str(place.ordinal))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

    @property
    def idempotency_key(self) -> str:
        """The key handed to `Effect.KEYED` tools: the same each time this call is repeated."""
        return f"treadle-{self.id}"

    @cached_property
    def pieces(self) -> Mapping[str, tuple[str, ...]]:
        """The request as JSON that leaves random ids out: each message by itself, the rest by name.

        Most messages of a call were sent with the call before it too; as pieces they can be told
        apart and kept once.
        """
        return {
            name: tuple(map(_json, value)) if name == "messages" else (_json(value),)
            for name, value in self.request.items()
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended.

    Attributes:
        value: what it returned: an ``AIMessage`` from a model, ``(content, artifact)`` from a
            tool; ``None`` when it failed. What was received, where nobody read a stream on.
        error: what it raised, or ``None``; ``GeneratorExit`` where nobody read a stream on.
        usage: what it cost.
        seconds: how long it took, by a monotonic clock; 0 when it was not executed.
    """

    value: Any = None
    error: BaseException | None = None
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    @property
    def is_paused(self) -> bool:
        """Whether the call waits for a person: it has not failed, and is to be made again.

        A tool pauses by LangGraph's ``interrupt()``.
        """
        if self.error is None:
            return False
        from langgraph.errors import GraphBubbleUp  # noqa: PLC0415 - only failures need it

        return isinstance(self.error, GraphBubbleUp)


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make a call, on terms.

    Attributes:
        arguments: a tool's arguments, where a person changed them; ``None`` leaves them as they
            are.
        max_output_tokens: how long a model's answer may be; ``None`` where nothing limits it.
        seconds: how long the call may take before it is cut off; ``None`` where nothing limits it.
        redactor: takes secrets out of what is told of an answer while it is received; ``None``
            tells of it as it is.
    """

    arguments: Mapping[str, Any] | None = None
    max_output_tokens: int | None = None
    seconds: float | None = None
    redactor: Redactor | None = None

    def __and__(self, other: "Permit") -> "Permit":
        """Return leave on the terms of both; later arguments replace earlier ones."""
        tokens = [n for n in (self.max_output_tokens, other.max_output_tokens) if n is not None]
        seconds = [n for n in (self.seconds, other.seconds) if n is not None]
        arguments = self.arguments if other.arguments is None else other.arguments
        limits = min(tokens, default=None), min(seconds, default=None)
        return Permit(arguments, *limits, other.redactor or self.redactor)


class Gate(Protocol):
    """What is asked before every call and told after it.

    Methods are called on the event loop the boundary was opened on, for calls from worker threads
    too. `after` is called once for every `before` that returned, also when the call failed or was
    cancelled.
    """

    async def before(self, call: Call) -> Outcome | Permit | None:
        """Return leave to make the call, or an outcome to use instead of making it.

        ``None`` is leave without terms.

        Raises:
            TreadleError: to refuse the call; it is not made and `after` is not called.
        """
        ...

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Take note of how the call ended, and return the outcome the graph is to see."""
        ...

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Take note of a piece of a streamed answer; must not block."""
        ...


@dataclass(frozen=True, slots=True)
class CallSpec:
    """What a model or tool says of the call it is about to make; the boundary adds the rest.

    Attributes: as those of `Call`, and
        key: what names the call within its task, where something does, such as the id of the
            model's tool call. Calls made side by side then keep their identity in any order.
    """

    kind: CallKind
    name: str
    effect: Effect
    request: Mapping[str, Any]
    limits: ModelLimits | None = None
    key: str = ""


def _json(value: object) -> str:
    text = json.dumps(
        value, sort_keys=True, default=_plain, separators=(",", ":"), ensure_ascii=False
    )
    return whole(text)


_MESSAGE_FIELDS = ("content", "tool_calls", "tool_call_id", "name")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def _plain(value: object) -> object:
    """Reduce what JSON does not know to what identifies it, leaving random ids out."""
    from langchain_core.messages import BaseMessage  # noqa: PLC0415 - it takes a second to load

    if isinstance(value, BaseMessage):
        fields = vars(value)
        kept = {name: fields[name] for name in _MESSAGE_FIELDS if fields.get(name)}
        return {"type": value.type, **kept}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return _ADDRESS.sub("", repr(value))
