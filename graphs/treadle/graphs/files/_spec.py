"""What a graph file may say: its fields, nodes and edges."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from treadle.core.yaml_files import Place
from treadle.graphs.files._conditions import Condition

FieldType = Literal["string", "integer", "number", "boolean", "array", "object"]
Reduce = Literal["replace", "append", "add", "merge"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Names = Name | Annotated[tuple[Name, ...], Field(min_length=1)]

START, END = "start", "end"
"""Where the edges of a graph file begin, and where they end."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Part):
    """A field of the state.

    Attributes:
        type: of its values, as JSON Schema names them.
        reduce: what becomes of a write: it replaces what was there, is appended to a list, added
            to a number, or merged into an object.
        default: what it begins with; empty, zero or false without one.
        keep: whether it is kept from turn to turn.
    """

    type: FieldType = "string"
    reduce: Reduce = "replace"
    default: JsonValue = None
    keep: bool = False


class NodeSpec(_Part):
    """A node: one of ``prompt``, ``tool``, ``agent``, ``python`` and ``interrupt``.

    Attributes:
        prompt: what the model is told.
        output: a JSON schema of what the model says.
        conversation: whether the model is shown the conversation.
        model: the name of the model that is asked; the agent's own without one.
        tool: the tool that is called.
        arguments: of the tool.
        agent: the agent that works.
        task: what the agent is to do; it goes on with the conversation without one.
        python: the function that is called, as ``path.py:name``.
        interrupt: what a person is asked.
        to: the field that the result goes to.
        max_runs: how often in a turn a choice may lead to it.
    """

    prompt: Text | None = None
    output: dict[str, JsonValue] | None = None
    conversation: bool = True
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    tool: str | None = None
    arguments: Mapping[str, JsonValue] = Field(default_factory=dict)
    agent: str | None = None
    task: Text | None = None
    python: str | None = None
    interrupt: Text | None = None
    to: str | None = None
    max_runs: int | None = Field(default=None, ge=1, le=1_000)

    @property
    def kinds(self) -> list[str]:
        """What it does; a good node does one thing."""
        return [kind for kind in KINDS if kind in self.model_fields_set]

    @property
    def answers(self) -> bool:
        """Whether what it says is the answer."""
        is_agent = self.agent is not None and self.task is None
        return is_agent or (self.prompt is not None and self.to is None)


KINDS: dict[str, frozenset[str]] = {
    "prompt": frozenset({"output", "conversation", "model", "to"}),
    "tool": frozenset({"arguments", "to"}),
    "agent": frozenset({"task", "to"}),
    "python": frozenset(),
    "interrupt": frozenset({"to"}),
}
"""What a node can do, and the fields that belong to it."""


class ChoiceSpec(_Part):
    """One way an edge may go.

    Attributes:
        if_: what must hold.
        to: the node, or several that then run side by side.
    """

    if_: Condition = Field(alias="if")
    to: Names


class EdgeSpec(_Part):
    """An edge: one of ``to``, ``choose`` and ``each``.

    Attributes:
        from_: the node it begins at, or several that are waited for.
        to: the node it leads to, or several that run side by side; with ``each`` the node that
            each item is sent to.
        choose: the first choice that holds is taken.
        else_: where to go when no choice holds, or there are no items.
        each: the list whose items are sent to the node, all at once.
        as_: the name under which the node finds its item.
        most: how many items at most.
    """

    from_: Names = Field(alias="from")
    to: Names | None = None
    choose: Annotated[tuple[ChoiceSpec, ...], Field(min_length=1)] | None = None
    else_: Names | None = Field(default=None, alias="else")
    each: str | None = None
    as_: Name | None = Field(default=None, alias="as")
    most: int = Field(default=20, ge=1, le=1_000)

    @property
    def sources(self) -> tuple[str, ...]:
        """The nodes it begins at."""
        return names_of(self.from_)


class GraphSpec(_Part):
    """A graph file.

    Attributes:
        description: what the graph is for, in a sentence.
        state: its fields, beside the conversation.
        nodes: what is done.
        edges: in which order.
        answer: what the answer is made of, with places for fields; without it the answer is what
            a node without ``to`` says.
    """

    description: str = ""
    state: Mapping[Name, FieldSpec] = Field(default_factory=dict)
    nodes: Mapping[Name, NodeSpec] = Field(min_length=1)
    edges: tuple[EdgeSpec, ...]
    answer: Text | None = None

    def targets(self) -> list[tuple[str, str, Place, bool]]:
        """Return every way from a node to another.

        Returns:
            From where, to where, the place in the file, and whether the way is bounded: a choice
            that leads to a node with ``max_runs``.
        """
        return [
            (source, target, place, bounded and self._is_bounded(target))
            for number, edge in enumerate(self.edges)
            for source in edge.sources
            for target, place, bounded in _ways(edge, ("edges", number))
        ]

    def _is_bounded(self, name: str) -> bool:
        return name in self.nodes and self.nodes[name].max_runs is not None


def _ways(
    edge: EdgeSpec, place: tuple[str | int, ...]
) -> "list[tuple[str, tuple[str | int, ...], bool]]":
    ways = [(name, (*place, "to"), False) for name in names_of(edge.to)]
    for number, choice in enumerate(edge.choose or ()):
        inner = (*place, "choose", number, "to")
        ways += [(name, inner, True) for name in names_of(choice.to)]
    return ways + [(name, (*place, "else"), False) for name in names_of(edge.else_)]


def names_of(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return one name or several as several."""
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else names
