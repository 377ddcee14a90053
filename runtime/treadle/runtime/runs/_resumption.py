"""What a run is taken up again with, and where its thread stood when that was said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langgraph.types import Command, Send

from treadle.runtime.journal import to_data
from treadle.runtime.runs._options import RunOptions


@dataclass(frozen=True, slots=True)
class Change:
    """What a command does beside answering: it changes the state, and says which nodes come next.

    Attributes:
        update: changes to the state, as a node would return them; by name, or pairs in order.
        goto: nodes to go on with; a mapping with ``node`` and ``input`` gives one an input.
    """

    update: Any = None
    goto: Sequence[str | Mapping[str, Any]] = ()

    @classmethod
    def of(cls, options: RunOptions) -> "Change":
        """Return what a run's options change."""
        return cls(options.update, options.goto)

    def __bool__(self) -> bool:
        return self.update is not None or bool(self.goto)

    def command(self, answers: Mapping[str, Any] | None = None) -> Command[Any]:
        """Return the command that does it, and gives answers to interrupts by their ids."""
        return Command(
            resume=answers or None, update=_pairs(self.update), goto=[_node(n) for n in self.goto]
        )

    def command_anew(self, answers: Sequence[Any]) -> Command[Any] | None:
        """Return the command that does it where the state was changed after something was asked.

        What was asked stands nowhere any more, so that the one answer goes to what asks next.
        """
        if not answers and not self:
            return None
        return replace(self.command(), resume=answers[0] if answers else None)

    def to_data(self) -> dict[str, Any]:
        """Return what is said, as data."""
        return {
            **({} if self.update is None else {"update": to_data(self.update)}),
            **({"goto": to_data(list(self.goto))} if self.goto else {}),
        }


def _pairs(update: Any) -> Any:
    """Return pairs as LangGraph knows them: JSON has no tuples."""
    is_pairs = isinstance(update, list) and all(
        isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[0], str)
        for one in update
    )
    return [tuple(one) for one in update] if is_pairs else update


def _node(name: str | Mapping[str, Any]) -> str | Send:
    return name if isinstance(name, str) else Send(name["node"], name.get("input"))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a thread stands.

    Attributes:
        checkpoint_id: its latest checkpoint; empty on a new thread.
        commanded: how many writes of commands wait there for the next step.
        asked: what its interrupts ask, in digests, by their ids.
    """

    checkpoint_id: str = ""
    commanded: int = 0
    asked: Mapping[str, str] = field(default_factory=dict)

    def is_untouched(self, now: "Standing") -> bool:
        """Return whether no command was taken from here until now."""
        return (self.checkpoint_id, self.commanded) == (now.checkpoint_id, now.commanded)

    def to_data(self) -> dict[str, Any]:
        """Return it as data, without what is asked."""
        return {"checkpoint_id": self.checkpoint_id, "commanded": self.commanded}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Standing":
        """Return what `to_data` made data of."""
        return cls(str(data.get("checkpoint_id", "")), int(data.get("commanded", 0)))


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a run is taken up again with.

    Attributes:
        answers: to the interrupts it waits at, by their ids.
        at: where its thread stood; an answer counts while its question stands so, a change until
            it was taken.
        change: what happens beside.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    at: Standing = field(default_factory=Standing)
    change: Change = field(default_factory=Change)

    def to_data(self) -> dict[str, Any]:
        """Return it as data."""
        about = {"given": to_data(dict(self.answers)), "asked": dict(self.at.asked)}
        return {**about, "at": self.at.to_data(), "change": self.change.to_data()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Resumption":
        """Return what `to_data` made data of, its values already read."""
        at = Standing.from_data(data.get("at", {}))
        at = Standing(at.checkpoint_id, at.commanded, data.get("asked", {}))
        return cls(data.get("given", {}), at, Change(**data.get("change", {})))
