"""What a request for a run may hold, in the words of LangGraph's protocol."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from treadle.core.errors import InputError
from treadle.runtime.queue import Change, Multitask, RunOptions, RunRequest, StreamMode
from treadle.server.langgraph._answers import Body, Flag, Limit, Metadata, Offset
from treadle.server.langgraph._records import Record
from treadle.server.security import memory_user

MAX_DELAY_SECONDS = 29 * 24 * 3_600
_RESERVED = frozenset({"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "run_id"})
Nodes = list[str] | Literal["*"]
Webhook = Annotated[str, Field(pattern=r"^https?://", max_length=2_000)]
FeedbackKey = Annotated[str, Field(min_length=1, max_length=200)]
Status = Literal["pending", "running", "error", "success", "timeout", "interrupted"]
Selected = Literal[
    "run_id",
    "thread_id",
    "assistant_id",
    "created_at",
    "updated_at",
    "status",
    "metadata",
    "multitask_strategy",
]


class RunConfig(Body):
    """What the nodes of a run find in their config.

    ``user_id`` says whose long-term memory is used. What LangGraph and Treadle put there themselves
    is refused: it is no caller's to say.
    """

    configurable: dict[str, Any] = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list, max_length=100)
    recursion_limit: Annotated[int, Field(ge=1, le=100_000)] | None = None

    @model_validator(mode="after")
    def _holds_nothing_reserved(self) -> "RunConfig":
        for name in self.configurable:
            if name in _RESERVED or name.startswith("__"):
                raise ValueError(f"'configurable' cannot hold {name!r}: the server sets it")
        if not isinstance(self.configurable.get("user_id", ""), str):
            raise ValueError("'user_id' in 'configurable' is no text")
        return self


class OneRunConfig(RunConfig):
    """What one run is executed with beside; crons and assistants do not have it.

    Attributes:
        dry_run: whether it only finds out what it would do: what reads is done, effects are
            described, and the thread stays as it is. ``GET /runs/{run_id}/plan`` tells what it
            found.
    """

    dry_run: Flag = False


class Sent(Body):
    """A node to go on with, and what it is given."""

    node: str
    input: Any = None


class Changing(Body):
    """What becomes of a thread's state: what changes in it, and the nodes that come next."""

    update: Any = None
    goto: str | Sent | Annotated[list[str | Sent], Field(max_length=1_000)] | None = None

    @property
    def change(self) -> Change:
        """What is done, as the queue takes it."""
        goto = self.goto if isinstance(self.goto, list) else [self.goto] if self.goto else []
        return Change(self.update, [n if isinstance(n, str) else n.model_dump() for n in goto])


class Command(Changing):
    """How to go on: an answer to an interrupt, a change of the state, the next nodes."""

    resume: Any = None


class Place(Body):
    """The checkpoint to go on from."""

    checkpoint_id: str | None = None
    checkpoint_ns: Literal[""] | None = None
    thread_id: str | None = None
    checkpoint_map: None = None


_SAID_EVERYWHERE = ("assistant_id", "graph_id")


class RunFields(Body):
    """What runs of all kinds hold.

    A run whose ``durability`` is ``exit`` keeps its checkpoints as with ``async``, so that it can
    be taken up again; and its stream can be resumed whether ``stream_resumable`` is said or not.
    """

    assistant_id: str
    input: dict[str, Any] | list[Any] | str | None = None
    stream_mode: StreamMode | list[StreamMode] = "values"
    stream_subgraphs: bool = False
    stream_resumable: bool = True
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    config: RunConfig = Field(default_factory=RunConfig)
    context: dict[str, Any] | None = None
    webhook: Webhook | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    multitask_strategy: Multitask = "enqueue"
    durability: Literal["sync", "async", "exit"] = "async"

    @property
    def modes(self) -> list[StreamMode]:
        """What is streamed."""
        return self.stream_mode if isinstance(self.stream_mode, list) else [self.stream_mode]

    def options(self, assistant: Record, *, stream: bool, keep_values: bool) -> RunOptions:
        """Return how the run's graph is executed: as its assistant says, and the request."""
        usual = _usual(assistant)
        context = {**(assistant["context"] or {}), **(self.context or {})}
        return RunOptions(
            stream=self.modes if stream else (),
            stream_subgraphs=self.stream_subgraphs,
            interrupt_before=self.interrupt_before or (),
            interrupt_after=self.interrupt_after or (),
            recursion_limit=self.config.recursion_limit or usual.recursion_limit,
            configurable={k: v for k, v in self._configurable(assistant).items() if k != "user_id"},
            tags=[*usual.tags, *self.config.tags],
            metadata={**self.metadata, **{name: assistant[name] for name in _SAID_EVERYWHERE}},
            context=context or None,
            keep_values=keep_values,
            webhook=self.webhook,
            durability="sync" if self.durability == "sync" else "async",
        )

    def _configurable(self, assistant: Record) -> dict[str, Any]:
        return {**_usual(assistant).configurable, **self.config.configurable}

    def request(
        self, assistant: Record, thread_id: str | None, options: RunOptions, *, keep_thread: bool
    ) -> RunRequest:
        """Return the run as the queue takes it."""
        metadata = {**assistant["metadata"], **self.metadata}
        about = {
            "assistant_id": assistant["assistant_id"],
            "multitask_strategy": self.multitask_strategy,
            "metadata": metadata,
        }
        given = {"messages": self.input} if isinstance(self.input, list) else self.input
        return RunRequest(
            assistant["graph_id"],
            given,
            thread_id=thread_id,
            user=memory_user(self._configurable(assistant).get("user_id")),
            multitask=self.multitask_strategy,
            keep_thread=keep_thread,
            metadata=about,
            options=options,
        )


class RunCreate(RunFields):
    """A run."""

    config: OneRunConfig = Field(default_factory=OneRunConfig)
    command: Command | None = None
    checkpoint: Place | None = None
    checkpoint_id: str | None = None
    if_not_exists: Literal["reject", "create"] = "reject"
    on_disconnect: Literal["cancel", "continue"] = "continue"
    on_completion: Literal["delete", "keep"] | None = None
    after_seconds: Annotated[float, Field(ge=0, le=MAX_DELAY_SECONDS)] = 0
    feedback_keys: list[FeedbackKey] | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "RunCreate":
        if self.input is not None and self.command is not None:
            raise ValueError("a run has an input or a command, not both")
        if self.config.dry_run and self.command is not None:
            raise ValueError("a dry run is asked something: it has an input, and no command")
        return self

    @property
    def is_answer(self) -> bool:
        """Whether it answers what a run of the thread waits for."""
        return self.command is not None and "resume" in self.command.model_fields_set

    def options(self, assistant: Record, *, stream: bool, keep_values: bool) -> RunOptions:
        """Return how the run's graph is executed: as its assistant says, and the request."""
        change = (self.command or Command()).change
        place = self.checkpoint.checkpoint_id if self.checkpoint else None
        return replace(
            super().options(assistant, stream=stream, keep_values=keep_values),
            checkpoint_id=self.checkpoint_id or place,
            update=change.update,
            goto=change.goto,
            feedback_keys=self.feedback_keys or () if stream else (),
        )

    def request(
        self, assistant: Record, thread_id: str | None, options: RunOptions, *, keep_thread: bool
    ) -> RunRequest:
        """Return the run as the queue takes it."""
        made = super().request(assistant, thread_id, options, keep_thread=keep_thread)
        made = replace(made, after=timedelta(seconds=self.after_seconds))
        if not self.config.dry_run:
            return made
        return replace(made, is_dry=True, metadata={**made.metadata, "thread_id": thread_id})


class BatchedRun(RunCreate):
    """A run of a batch; LangGraph's client for JavaScript names its assistant twice."""

    @model_validator(mode="before")
    @classmethod
    def _named_once(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("assistantId") == given.get("assistant_id"):
            return {name: value for name, value in given.items() if name != "assistantId"}
        return given


class CancelNamed(Body):
    """Runs of a thread to stop, by their ids."""

    thread_id: str
    run_ids: Annotated[list[str], Field(min_length=1, max_length=1_000)]


class CancelStanding(Body):
    """Runs to stop, by how they stand."""

    status: Literal["pending", "running", "all"]


_NOTHING_USUAL = RunConfig()


def _usual(assistant: Record) -> RunConfig:
    if not assistant["config"]:
        return _NOTHING_USUAL
    known = {k: v for k, v in assistant["config"].items() if k in RunConfig.model_fields}
    try:
        return RunConfig.model_validate(known)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InputError(
            f"The config of the assistant {assistant['assistant_id']} cannot be used: {reason}.",
            hint="Update the assistant.",
        ) from None


class RunQuery(BaseModel):
    """Which runs of a thread are listed, and which of their fields."""

    limit: Limit = 10
    offset: Offset = 0
    status: Status | None = None
    select: list[Selected] | None = None


class JoinQuery(BaseModel):
    """How a run is joined.

    Pages say at which ``checkpoint_id`` they stand; a run is streamed from an event on, whatever
    the thread held before it.
    """

    stream_mode: list[StreamMode | Literal[""]] | None = None
    cancel_on_disconnect: bool = False
    checkpoint_id: str | None = None

    @property
    def modes(self) -> list[StreamMode] | None:
        """What is to be told; all that the run streams when ``None``."""
        return [mode for mode in self.stream_mode or () if mode] or None  # '' is none, to a client.


def is_wanted(name: str, modes: Sequence[str]) -> bool:
    """Return whether an event of that name is of one of the stream modes."""
    kind = name.split("|", maxsplit=1)[0]
    if kind == "messages":
        return "messages-tuple" in modes
    return kind.split("/")[0] in modes or kind in ("metadata", "error", "end", "feedback")
