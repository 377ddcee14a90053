"""A LangGraph graph whose nodes answer one question a turn."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from treadle.core.boundary import acting
from treadle.core.errors import UnknownNameError
from treadle.core.json_schemas import object_schema
from treadle.graphs._colleagues import asking, inside
from treadle.graphs._parts import Colleague, GraphParts
from treadle.graphs._prompts import join
from treadle.graphs._reasoning import Reasoner
from treadle.graphs.turns import nodes
from treadle.graphs.turns._ending import Cut, Ending
from treadle.graphs.turns.fields import fields_of
from treadle.graphs.turns.templates import QUESTION, Template, looked_up
from treadle.memory.window import ContextWindow

BEGIN = "begin"
"""The node at which the edges of every such graph begin."""
FINISH = "finish"
"""The node at which they end."""

BRANCH = "branch"
"""Where a node that was sent an item finds which one it is, from 0."""

State = Mapping[str, Any]
Work = Callable[[State], Awaitable[dict[str, Any]]]

_CONVERSATION = {"messages", "window_summary", "window_notes"}


class TurnGraph(StateGraph[Any, None, Any, Any]):
    """A ``StateGraph`` with nodes that prompt the model, call tools and agents, and ask a person.

    In every turn ``begin`` empties the fields of the state, and ``finish`` sees to it that there is
    an answer. Where the budget is used up, nodes that do not answer are passed over.

    Args:
        parts: the model, the tools, the agents and the rest.
        state: a subclass of `TurnState`; its fields are str, int, float, bool, list or dict.
        defaults: what fields begin with, where that is not empty.
        keep: the fields that are kept from turn to turn.
        answer: a text with places for fields, which is the answer; without one the answer is what
            a node that names no field says.

    Raises:
        ConfigError: a field is of another type.
    """

    def __init__(
        self,
        parts: GraphParts,
        state: type,
        *,
        defaults: Mapping[str, Any] | None = None,
        keep: Sequence[str] = (),
        answer: str = "",
    ) -> None:
        super().__init__(state)
        self._parts = parts
        self._reasoner = Reasoner(parts)
        self._state_fields = fields_of(state)
        self._reads: dict[str, set[str] | None] = {}
        self._prompts: list[str] = []
        self._cuts: list[Cut] = []
        self._defaults = {
            name: (defaults or {}).get(name, None if field.is_reduced else field.empty)
            for name, field in self._state_fields.items()
        }
        self._keep = frozenset(keep)
        self._add(BEGIN, self._begin)
        self.add_edge(START, BEGIN)
        ending = Ending(Template(answer) if answer else None, self._cuts)
        self._add(FINISH, ending.finish, defer=True)
        self.add_edge(FINISH, END)

    def prompt(
        self,
        node: str,
        text: str,
        *,
        to: str = "",
        output: dict[str, Any] | None = None,
        conversation: bool = True,
        model: str = "",
    ) -> None:
        """Add a node that asks the model.

        Args:
            node: its name.
            text: the instructions, with places for fields.
            to: the field that what is said goes to, as a thought; without one it is the answer.
            output: a JSON schema of what is said.
            conversation: whether the model is shown the conversation.
            model: the name of the model that is asked; the graph's own without one.

        Raises:
            UnknownNameError: there is no such model.
            ConfigError: it cannot be used.
            ValueError: no object fits the schema.
        """
        output = None if output is None else object_schema(output, "answer")
        reasoner = Reasoner(_with_model(self._parts, model)) if model else self._reasoner
        said = nodes.Prompt(reasoner, Template(text), output, shows_all=conversation)
        self._prompts.append(text)
        work = said.thinking(node, self._into(to)) if to else said.answer
        self._node(node, work, said.template.fields, conversation=conversation, answers=not to)

    def tool(self, node: str, name: str, arguments: Mapping[str, Any], *, to: str = "") -> None:
        """Add a node that calls a tool; call and result go into the conversation.

        Args:
            node: its name.
            name: the tool's.
            arguments: of the call; texts in them have places for fields.
            to: the field that the result's text goes to, too.

        Raises:
            UnknownNameError: the agent has no such tool.
        """
        tools = {tool.name: tool for tool in self._parts.tools}
        if name not in tools:
            hint = "List it under 'tools' in the agent's file."
            raise UnknownNameError("tool of the agent", name, tools, hint=hint)
        self._call(node, tools[name], arguments, to)

    def agent(self, node: str, name: str, *, task: str = "", to: str = "") -> None:
        """Add a node in which another agent works.

        Args:
            node: its name.
            name: the agent's.
            task: what it is to do, with places for fields; without one it goes on with the
                conversation, and answers.
            to: the field that its answer to the task goes to.

        Raises:
            UnknownNameError: no such agent works for this one.
        """
        colleagues = {one.name: one for one in self._parts.colleagues}
        if name not in colleagues:
            hint = "List it under 'agents' in the agent's file."
            raise UnknownNameError("agent that works for this one", name, colleagues, hint=hint)
        if task:
            self._call(node, asking(colleagues[name]), {"task": task}, to)
        else:
            self._node(node, _going_on(colleagues[name]), set(), conversation=True, answers=True)

    def python(self, node: str, reference: str) -> None:
        """Add a node that calls a function with the state; it returns the fields that it changes.

        Args:
            node: its name.
            reference: ``path.py:name`` in the project. A plain function runs in a thread.

        Raises:
            ConfigError: the file cannot be loaded, or the name is no function.
            UnknownNameError: the file holds nothing of that name.
        """
        function = nodes.function_of(reference, self._parts.project)
        self._node(node, nodes.Python(node, function, self._state_fields).run, None)

    def interrupt(self, node: str, text: str, *, to: str) -> None:
        """Add a node that waits for what a person says.

        Args:
            node: its name.
            text: what the person is asked, with places for fields.
            to: the field that the answer goes to; the person is asked again until it fits.
        """
        asked = nodes.Question(Template(text), self._state_fields[to], self._into(to))
        self._node(node, asked.ask, asked.template.fields)

    def fan_out(
        self, source: str, each: str, *, item: str, to: str, most: int, otherwise: str
    ) -> None:
        """Send every item of a list to a node, all at once.

        Args:
            source: the node after which.
            each: the field that holds the list.
            item: the name under which the node finds its item.
            to: the node.
            most: how many items at most; the reply's ``stopped`` says how many were left out.
            otherwise: where to go on when the list is empty.
        """

        def send(state: State) -> Any:
            items = state[each][:most]
            if not items:
                return otherwise
            reads = self._reads[to]
            known = {name: value for name, value in state.items() if reads is None or name in reads}
            known |= {name: state[name] for name in ("turn", "visits", "stopped") if name in state}
            known[QUESTION] = looked_up(state, QUESTION)
            return [
                Send(to, {**known, item: value, BRANCH: index}) for index, value in enumerate(items)
            ]

        self._cuts.append(Cut(each, most))
        self.add_conditional_edges(source, send, [to, otherwise])

    def _call(self, node: str, tool: BaseTool, arguments: Mapping[str, Any], to: str) -> None:
        call = nodes.ToolCalling(node, tool, arguments, self._into(to))
        self._node(node, call.call, call.fields)

    def _into(self, to: str) -> nodes.Into:
        if not to:
            return lambda answer: {}
        return lambda answer: {to: self._state_fields[to].read(answer)}

    def _node(
        self,
        name: str,
        work: Work,
        reads: set[str] | None,
        *,
        conversation: bool = False,
        answers: bool = False,
    ) -> None:
        """Add a node that does that work, and notes that it did.

        Args:
            name: its name.
            work: returns what changes in the state.
            reads: the fields that it reads; ``None`` for all.
            conversation: whether it reads the conversation too.
            answers: whether it works although the budget is used up.
        """
        if reads is not None and conversation:
            reads = reads | _CONVERSATION
        self._reads[name] = reads

        async def run(state: State) -> dict[str, Any]:
            goes_on = answers or not state.get("stopped")
            return {**(await work(state) if goes_on else {}), "visits": {name: 1}}

        self._add(name, run)

    def _add(self, name: str, work: Work, *, defer: bool = False) -> None:
        node: Any = work  # LangGraph's types know no state that is made while the program runs.
        self.add_node(name, node, defer=defer, input_schema=self.state_schema)

    async def _begin(self, state: State) -> dict[str, Any]:
        """Empty what belongs to one turn, and let what no longer fits leave the conversation."""
        longest = max(self._prompts, key=len, default="")
        system = SystemMessage(join(self._parts.prompt, longest))
        shown = await self._reasoner.composed(state, system)
        kept = {name for name in self._keep if name in state}
        fresh = {name: value for name, value in self._defaults.items() if name not in kept}
        return {
            **shown.update,
            **fresh,
            "turn": state.get("turn", 0) + 1,
            "visits": None,
            "thoughts": None,
            "stopped": None,
            "reasoning": "",
            "structured_response": None,
        }


def _with_model(parts: GraphParts, name: str) -> GraphParts:
    """Return the parts with another model, and a window that fits into it."""
    found = parts.model_named(name)
    window = parts.window
    if found.context_tokens is not None and found.context_tokens * 3 // 4 < window.tokens:
        # The conversation is kept by the graph's own window; this one only shows less of it.
        window = ContextWindow(found.context_tokens * 3 // 4)
    return replace(parts, model=found.chat, fallbacks=found.fallbacks, window=window)


def _going_on(colleague: Colleague) -> Work:
    async def work(state: State) -> dict[str, Any]:
        with acting(colleague.name):
            return await inside(colleague.graph, state)

    return work
