"""Giving work to another agent: a task whose answer comes back, or the whole conversation."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool

from treadle.core.boundary import acting, thinking
from treadle.core.calls import Effect
from treadle.core.errors import ConfigError
from treadle.core.sources import Source
from treadle.graphs._parts import Colleague, Graph, GraphParts
from treadle.graphs._reasoning import PatternState
from treadle.tools import Found, ToolResult, tool

HAND_OVER = "hand_over"
"""The tool that lets a colleague answer in one's place."""

_PATIENCE = timedelta(hours=1)
"""How long an agent may work on one task; the run's budget limits it further."""
_MAX_FOUND = 50
_CONVERSATION = ("messages", "window_summary", "window_notes")


def check_colleagues(parts: GraphParts, pattern: str) -> None:
    """Refuse a pattern that gives work to nobody.

    Raises:
        ConfigError: there are no colleagues.
    """
    if not parts.colleagues:
        raise ConfigError(
            f"the graph {pattern!r} gives work to other agents, and there are none.",
            hint="List agents of the project under 'agents'.",
        )


def roster(colleagues: Sequence[Colleague]) -> str:
    """Return the colleagues' names with what each is for."""
    return "\n".join(f"- {one.name}: {one.description or 'an agent'}" for one in colleagues)


def asking(colleague: Colleague) -> BaseTool:
    """Return a tool that gives a colleague a task and brings back its answer.

    Repeating it repeats nothing by itself: what the colleague calls has effects of its own.
    """

    async def ask(task: str) -> ToolResult:
        with acting(colleague.name), thinking():
            state = await colleague.alone.ainvoke({"messages": [HumanMessage(task)]})
        messages = state["messages"]
        answer = next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)
        text = answer.text.strip() if answer is not None else ""
        return ToolResult(text or "It gave no answer.", found=_found(messages))

    about = colleague.description or "It is an agent."
    ask.__doc__ = (
        f"Ask the agent {colleague.name} and get its answer. {about}\n\nArgs:\n"
        "    task: what to do, so that it can be understood alone: it sees nothing else.\n"
    )
    name = f"ask_{colleague.name}".replace("-", "_")
    return tool(name=name, effect=Effect.CALLS, time_limit=_PATIENCE)(ask)


def handing_over(colleagues: Sequence[Colleague]) -> BaseTool:
    """Return the tool that ends one's own work and lets a colleague answer."""

    async def hand_over(to: str) -> str:
        return f"{to} answers now."

    hand_over.__doc__ = (
        "Let another agent answer the person in your place, and end your own work. It sees the "
        f"whole conversation.\n\nThe agents:\n{roster(colleagues)}\n\nArgs:\n"
        "    to: the agent's name.\n"
    )
    hand_over.__annotations__["to"] = Literal[tuple(one.name for one in colleagues)]
    made = tool(name=HAND_OVER, effect=Effect.READ)(hand_over)
    made.return_direct = True
    return made


def successor(turn: Sequence[BaseMessage]) -> str | None:
    """Return whom the turn's last message hands the conversation over to, if anybody."""
    last = turn[-1] if turn else None
    if not isinstance(last, ToolMessage) or last.name != HAND_OVER or last.status == "error":
        return None
    for message in reversed(turn):
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            if call["id"] == last.tool_call_id:
                return str(call["args"].get("to"))
    return None


def going_on(colleague: Colleague) -> RunnableLambda[PatternState, dict[str, Any]]:
    """Return a node in which a colleague goes on with the conversation."""

    async def answer(state: PatternState) -> dict[str, Any]:
        with acting(colleague.name):  # LangGraph finds the graph here, and draws it.
            return await inside(colleague.graph, state)

    return RunnableLambda(answer, name=colleague.name)


async def inside(graph: Graph, state: Mapping[str, Any]) -> dict[str, Any]:
    """Let a graph go on with a conversation, and return what that changes in the state around it.

    What left the inner graph's state leaves the outer one too, so that it stays small.
    """
    given = {name: state[name] for name in _CONVERSATION if name in state}
    found = await graph.ainvoke(given)
    before = {message.id: message for message in state["messages"]}
    after = found["messages"]
    kept = {message.id for message in after}
    changed = [message for message in after if before.get(message.id) != message]
    gone = [RemoveMessage(id_) for id_ in before if id_ is not None and id_ not in kept]
    shared = ("window_summary", "window_notes", "reasoning", "structured_response")
    return {
        "messages": [*gone, *changed],
        **{name: found[name] for name in shared if name in found},
    }


def _found(messages: Sequence[BaseMessage]) -> list[Found]:
    """Return what an agent's tools returned, those of agents it asked itself among them."""
    found: list[Found] = []
    for message in messages:
        artifact = message.artifact if isinstance(message, ToolMessage) else None
        if not isinstance(message, ToolMessage) or not isinstance(artifact, dict):
            continue
        entries = artifact.get("found") or [
            {
                "call_id": message.tool_call_id,
                "tool": message.name or "",
                "text": message.text,
                "sources": artifact.get("sources", ()),
            }
        ]
        found += [
            Found(one["call_id"], one["tool"], one["text"], _sources(one["sources"]))
            for one in entries
        ]
    return [one for one in found if one.sources][-_MAX_FOUND:]


def _sources(entries: Sequence[dict[str, Any]]) -> list[Source]:
    return [Source.from_dict(entry) for entry in entries]
