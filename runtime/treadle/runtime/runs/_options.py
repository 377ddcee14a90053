"""How a run's graph is executed, where that was asked for with the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, Literal

from treadle.core.model_settings import ModelSettings

StreamMode = Literal[
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "custom",
    "tasks",
    "checkpoints",
    "debug",
    "events",
]
"""What can be streamed of a run, in the words of LangGraph's protocol."""
All = Literal["*"]
Durability = Literal["sync", "async"]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run's graph is executed; the words are LangGraph's.

    Attributes:
        stream: what is streamed while it runs, beside its beginning and end; nothing by default.
        stream_subgraphs: whether what happens in subgraphs is streamed as well.
        interrupt_before: nodes that the graph stops in front of, or ``"*"``.
        interrupt_after: nodes that it stops behind, or ``"*"``.
        recursion_limit: the most supersteps; Treadle's own limit when not given.
        configurable: what nodes find in their config.
        tags: names that calls and their events carry.
        metadata: what its checkpoints and what it streams carry; texts, numbers and truth values.
        context: what nodes find as their runtime's context.
        checkpoint_id: the checkpoint of the thread to go on from; the latest when not given.
        update: changes to the state, as a node would return them.
        goto: the nodes to go on with; a mapping with ``node`` and ``input`` gives one an input.
        keep_values: whether the state at the end is kept with the run's events.
        webhook: an address that is told how the run ended, or that it waits for a person.
        feedback_keys: what people are asked to say about the run; streamed with where to say it.
        model_settings: what its models are given with every call.
        durability: ``sync`` keeps each checkpoint before the next step begins; with ``async`` it is
            on its way by then, and kept before the step calls a model or a tool.
    """

    stream: Sequence[StreamMode] = ()
    stream_subgraphs: bool = False
    interrupt_before: Sequence[str] | All = ()
    interrupt_after: Sequence[str] | All = ()
    recursion_limit: int | None = None
    configurable: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] | None = None
    checkpoint_id: str | None = None
    update: Any = None
    goto: Sequence[str | Mapping[str, Any]] = ()
    keep_values: bool = False
    webhook: str | None = None
    feedback_keys: Sequence[str] = ()
    model_settings: ModelSettings = field(default_factory=ModelSettings)
    durability: Durability = "async"

    @property
    def is_watched(self) -> bool:
        """Whether anybody is to see what happens while it runs."""
        return bool(self.stream)

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, as plain data."""
        return {
            name: value.given() if isinstance(value, ModelSettings) else value
            for name, value, usual in zip(_NAMES, _VALUES(self), _USUAL, strict=True)
            if value is not usual and value != usual
        }

    def after(self, earlier: Mapping[str, Any]) -> "RunOptions":
        """Return them for a run that went by ``earlier`` ones until now, as `to_dict` gave those.

        What its models are given stays: what the run did by now rests on it.

        Raises: as `from_dict`.
        """
        return replace(self, model_settings=self.from_dict(earlier).model_settings)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RunOptions":
        """Return the options that `to_dict` made ``data`` of.

        Raises:
            TypeError: one of them is unknown.
            ModelSettingError: a model setting is.
        """
        return cls(**{**data, "model_settings": ModelSettings.read(data.get("model_settings", {}))})


_NAMES = tuple(one.name for one in fields(RunOptions))
_VALUES = attrgetter(*_NAMES)
_USUAL = _VALUES(RunOptions())
