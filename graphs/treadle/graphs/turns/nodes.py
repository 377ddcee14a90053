"""What the nodes of a `TurnGraph` do."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.types import interrupt

from treadle.core.errors import BudgetExceededError, ConfigError, TreadleError
from treadle.core.files import load_object
from treadle.core.functions import call_function
from treadle.graphs._guards import STOPPED, failed, not_called
from treadle.graphs._prompts import join
from treadle.graphs._reasoning import Reasoner, Shown, so_far
from treadle.graphs.turns.fields import Field, check_update
from treadle.graphs.turns.templates import Template

State = Mapping[str, Any]
Into = Callable[[Any], dict[str, Any]]
"""Returns the update that puts an answer into a field."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Asks the model.

    Attributes:
        reasoner: asks it within the budget.
        template: the instructions.
        output: a JSON schema of what is said.
        shows_all: whether it is shown the conversation.
    """

    reasoner: Reasoner
    template: Template
    output: dict[str, Any] | None
    shows_all: bool

    def thinking(self, node: str, into: Into) -> Callable[[State], Awaitable[dict[str, Any]]]:
        """Return a node whose answer is a thought that goes into a field."""

        async def think(state: State) -> dict[str, Any]:
            shown = await self._shown(state, self.output)
            said = await self.reasoner.think(shown.prompt, output=self.output)
            if said["stopped"] or not said["text"]:
                return {"stopped": said["stopped"]}
            answer = said["text"] if self.output is None else json.loads(said["text"])
            return {**into(answer), "thoughts": [f"{node}: {said['text']}"]}

        return think

    async def answer(self, state: State) -> dict[str, Any]:
        """Answer the question of the turn."""
        shown = await self._shown(state, self.reasoner.parts.output)
        best = so_far(state.get("thoughts", ()))
        update = await self.reasoner.answer_to(
            shown, state, best=best, stopped=state.get("stopped", "")
        )
        (reply,) = update["messages"]
        found = {"messages": [reply], "stopped": reply.response_metadata.get(STOPPED, "")}
        if self.reasoner.parts.output is not None:
            found["structured_response"] = update["structured_response"]
        return found

    async def _shown(self, state: State, output: dict[str, Any] | None) -> Shown:
        """Return what the model is shown; it changes nothing, as other nodes work beside this."""
        parts = self.reasoner.parts
        text = self.template.filled(state, self.reasoner.room)
        if not self.shows_all:
            return Shown(SystemMessage(parts.prompt), [HumanMessage(text)], {})
        system = SystemMessage(join(parts.prompt, text))
        shown = await self.reasoner.composed(state, system, output=output)
        return Shown(system, shown.messages, {})


@dataclass(frozen=True, slots=True)
class ToolCalling:
    """Calls a tool as the model would: call and result go into the conversation.

    Attributes:
        node: the node's name.
        tool: what is called.
        arguments: of the call; texts in them are templates.
        into: puts the result's text into a field.
    """

    node: str
    tool: BaseTool
    arguments: Mapping[str, Any]
    into: Into

    @property
    def fields(self) -> set[str]:
        """The fields of the state that the arguments show."""
        return {field for template in templates_in(self.arguments) for field in template.fields}

    async def call(self, state: State) -> dict[str, Any]:
        """Make the call."""
        arguments = filled(self.arguments, state)
        called = ToolCall(
            type="tool_call",
            name=self.tool.name,
            args=arguments,
            id=self._call_id(state, arguments),
        )
        stopped = ""
        try:
            result = await self.tool.ainvoke(called)
        except BudgetExceededError as error:
            result, stopped = not_called(called, error), f"budget: {error.message}"
        except TreadleError:
            raise
        except Exception as error:
            if type(error).__module__.startswith("langgraph."):
                raise  # It waits for a person, and has not failed.
            result = failed(called, error)
        if not isinstance(result, ToolMessage):
            result = ToolMessage(str(result), tool_call_id=called["id"], name=called["name"])
        messages = [AIMessage("", tool_calls=[called]), result]
        return {**self.into(result.text), "messages": messages, "stopped": stopped}

    def _call_id(self, state: State, arguments: object) -> str:
        """Return an id that no other call of the thread has, and a replay finds again."""
        visits = state.get("visits", {}).get(self.node, 0)
        place = [self.node, state.get("turn"), visits, state.get("branch", 0), arguments]
        text = json.dumps(place, sort_keys=True, default=str)
        return f"call_{hashlib.sha256(text.encode()).hexdigest()[:20]}"


@dataclass(frozen=True, slots=True)
class Python:
    """Calls a function with the state.

    Attributes:
        node: the node's name.
        function: takes the state and returns the fields that it changes, or nothing.
        fields: the fields there are.
    """

    node: str
    function: Callable[[dict[str, Any]], Any]
    fields: Mapping[str, Field]

    async def run(self, state: State) -> dict[str, Any]:
        """Call it; a plain function in a thread.

        Raises:
            ConfigError: it gives back something else than fields, or a value that does not fit.
        """
        update = await call_function(self.function, dict(state))
        writer = f"the function of the node {self.node!r}"
        if update is not None and not isinstance(update, Mapping):
            raise ConfigError(
                f"{writer} returned {update!r}.", hint="Return a dict of the fields it changes."
            )
        check_update(self.fields, update or {}, writer)
        return dict(update or {})


@dataclass(frozen=True, slots=True)
class Question:
    """Waits for what a person says.

    Attributes:
        template: what the person is asked.
        field: what the answer must fit.
        into: puts it into the field.
    """

    template: Template
    field: Field
    into: Into

    async def ask(self, state: State) -> dict[str, Any]:
        """Ask until the answer fits."""
        text = asked = self.template.filled(state)
        while True:
            answer = interrupt(asked)
            update = self.into(answer)
            if all(map(self.field.takes, update.values())):
                return update
            asked = f"{text}\n({answer!r} does not fit: a value of type {self.field.type!r} does.)"


def function_of(reference: str, project: Path) -> Callable[[dict[str, Any]], Any]:
    """Load a function of the project.

    Raises:
        ConfigError: the file cannot be loaded, or what it names is no function.
        UnknownNameError: the file holds nothing of that name.
    """
    found = load_object(reference, project)
    if not callable(found):
        raise ConfigError(f"{reference} is a {type(found).__name__}, not a function.")
    return found  # type: ignore[no-any-return]


def templates_in(value: object) -> list[Template]:
    """Return the templates among the values of arguments."""
    if isinstance(value, str):
        return [Template(value)]
    inner = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, (Mapping, list, tuple)):
        return []
    return [template for part in inner for template in templates_in(part)]  # type: ignore[attr-defined]


def filled(value: Any, state: State) -> Any:
    """Return arguments with the state's values in the places of their templates."""
    if isinstance(value, str):
        return Template(value).value(state)
    if isinstance(value, Mapping):
        return {name: filled(part, state) for name, part in value.items()}
    return [filled(part, state) for part in value] if isinstance(value, (list, tuple)) else value
