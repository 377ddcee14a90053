"""Route: find out who should answer, and let that agent answer."""

import re
from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict

from treadle.core.errors import ConfigError, nearest
from treadle.graphs._colleagues import check_colleagues, going_on, roster
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._reasoning import PatternState, Reasoner, ThoughtState


class RouteOptions(BaseModel):
    """Options of the `route` graph.

    Attributes:
        otherwise: the agent that answers when the model names none; the first one when not set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    otherwise: str | None = None


def route(parts: GraphParts, options: RouteOptions | None = None) -> Graph:
    """Return a graph that lets one of several agents answer, whichever is right for the question.

    A turn makes one model call, and those of the agent that answers. With one agent, or where the
    budget has no call left for the choice, nothing is asked.

    Args:
        parts: the model, the agents and the rest.
        options: who answers otherwise.

    Raises:
        ConfigError: there are no agents, or ``otherwise`` is not one of them.
    """
    check_colleagues(parts, "route")
    names = [one.name for one in parts.colleagues]
    otherwise = (options or RouteOptions()).otherwise or names[0]
    if otherwise not in names:
        close = nearest(otherwise, names)
        raise ConfigError(
            f"option 'otherwise' of the graph 'route' names {otherwise!r}, which is not among its "
            f"agents: {', '.join(names)}.",
            hint=f"Did you mean {close!r}?" if close else "",
        )
    reasoner = Reasoner(parts)

    async def choose(state: PatternState) -> Command[Any]:
        if len(names) == 1:
            return Command(goto=names[0])
        shown = await reasoner.shown(state, "route", roster(parts.colleagues))
        said = await reasoner.think(shown.prompt)
        return Command(update=shown.update, goto=_named(said["text"], names) or otherwise)

    graph = StateGraph(PatternState, output_schema=ThoughtState)
    graph.add_node("choose", choose, destinations=tuple(names))
    graph.add_edge(START, "choose")
    for colleague in parts.colleagues:
        graph.add_node(colleague.name, going_on(colleague))
        graph.add_edge(colleague.name, END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


def _named(text: str, names: Sequence[str]) -> str | None:
    """Return the agent that a text names last: models reason first, where they do."""
    either = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    found = re.findall(rf"(?<![\w-])(?:{either})(?![\w-])", text.casefold())
    return found[-1] if found else None
