"""What happens in a run, as typed events in the order it happens."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from treadle.core.calls import CallKind, Effect, Purpose
from treadle.core.errors import ModelError, ModelUnavailableError
from treadle.core.sources import Citation, Source, Unverified
from treadle.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent answered.

    Attributes:
        text: the answer; sources are cited as ``[1]``, ``[2]``.
        citations: the sources, by number.
        usage: what the run cost.
        run_id: the run.
        thread_id: the conversation; ask with it again to go on.
        data: the answer as the agent's ``output`` schema has it, or ``None`` without one.
        stopped: why the answer is not whole: why the run ended early with what it knew, such as
            ``"budget: 12 model calls"``, or why the model's answer did, beginning with
            ``length:``, ``content_filter:`` or ``refusal:`` (the text is then what it declined
            with). What begins with ``interrupt:`` is what the run asks. Empty otherwise.
        thought: the reasoning that was kept apart from the answer; may be empty.
        unverified: links, quotations and numbers of the answer that its sources do not bear out.
    """

    text: str
    citations: tuple[Citation, ...]
    usage: Usage
    run_id: str
    thread_id: str
    data: Any = None
    stopped: str = ""
    thought: str = ""
    unverified: tuple[Unverified, ...] = ()

    @property
    def is_question(self) -> bool:
        """Whether the run waits for a person, and this is what it asks."""
        return self.stopped.startswith("interrupt:")

    @property
    def is_refusal(self) -> bool:
        """Whether the model declined to answer, and the text is what it said to that."""
        return self.stopped.startswith("refusal:")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run.

    Attributes:
        type: the event's name, for programs that read events as JSON.
        run_id: the run it happened in.
    """

    type: ClassVar[str]
    run_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, with its ``type``."""
        return {"type": self.type, **asdict(self)}


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began.

    Attributes:
        thread_id: the conversation.
        agent: the agent's name.
        question: what was asked.
    """

    type: ClassVar[str] = "run.started"
    thread_id: str
    agent: str
    question: str


@dataclass(frozen=True, slots=True)
class CallStarted(Event):
    """A model or tool is about to be called.

    Attributes:
        call_id: unique in the run; the call's other events carry it.
        kind: model or tool.
        name: the model's or tool's name.
        effect: what repeating it would do.
        arguments: a tool's arguments by name; empty for a model.
        path: where in the graph, such as ``"tools"``.
    """

    type: ClassVar[str] = "call.started"
    call_id: str
    kind: CallKind
    name: str
    effect: Effect
    arguments: Mapping[str, Any]
    path: str


@dataclass(frozen=True, slots=True)
class CallDelta(Event):
    """A piece of a model's answer arrived.

    Attributes:
        call_id: the call.
        text: the piece.
        purpose: whether it belongs to the answer or to the reasoning.
    """

    type: ClassVar[str] = "call.delta"
    call_id: str
    text: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class CallFinished(Event):
    """A call ended.

    Attributes:
        call_id: the call.
        kind: model or tool.
        name: the model's or tool's name.
        usage: what it cost.
        seconds: how long it took.
        text: what a tool returned, or a model said to the person; empty when it failed.
        thought: what a model said to itself.
        sources: where a tool's result comes from.
        error: why it failed, in one line; empty when it did not.
    """

    type: ClassVar[str] = "call.finished"
    call_id: str
    kind: CallKind
    name: str
    usage: Usage
    seconds: float
    text: str = ""
    thought: str = ""
    sources: tuple[Source, ...] = field(default=())
    error: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The run came to its end and answered."""

    type: ClassVar[str] = "run.finished"
    reply: Reply


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a model's provider did in place of answering.

    Attributes:
        status: the HTTP status that it answered with; ``None`` where it could not be reached.
        param: the field of the request that it named; may be empty.
        code: its own name of what was wrong; may be empty.
    """

    status: int | None
    param: str = ""
    code: str = ""

    @classmethod
    def of(cls, error: Exception) -> Self | None:
        """Return what the provider did that an error tells of; ``None`` where it tells of none."""
        if not isinstance(error, ModelError):
            return None
        if error.status is None and not isinstance(error, ModelUnavailableError):
            return None
        return cls(error.status, error.param, error.code)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_data` gave."""
        return cls(data.get("status"), data.get("param", ""), data.get("code", ""))

    def to_data(self) -> dict[str, Any]:
        """Return it as a journal holds it."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class RunFailed(Event):
    """The run ended without an answer.

    Attributes:
        error: what was wrong and what to do, in a sentence or two.
        usage: what it cost up to then.
        refusal: what a model's provider did, where the run failed for that.
    """

    type: ClassVar[str] = "run.failed"
    error: str
    usage: Usage
    refusal: Refusal | None = None
