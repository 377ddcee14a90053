"""Supervisor: an agent that gives tasks to other agents, or lets one of them answer."""

from dataclasses import replace
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import Field

from treadle.graphs._colleagues import (
    asking,
    check_colleagues,
    going_on,
    handing_over,
    inside,
    roster,
    successor,
)
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._prompts import join
from treadle.graphs._reasoning import PatternState, ThoughtState
from treadle.graphs.react import ReactOptions, react
from treadle.memory.window import since_last_question


class SupervisorOptions(ReactOptions):
    """Options of the `supervisor` graph.

    Attributes:
        max_steps: rounds of tool calls and tasks before it must answer.
        repeat_limit: identical calls in one turn before it must answer.
        tool_calls: how the model calls tools, as with `react`.
        hand_over: whether it may let an agent answer the person in its place.
    """

    hand_over: bool = Field(default=True)


def supervisor(parts: GraphParts, options: SupervisorOptions | None = None) -> Graph:
    """Return a graph whose model gives tasks to other agents until it can answer.

    Agents that are asked at once work side by side, each on its task alone. A turn makes at most
    ``max_steps + 1`` model calls, and those of the agents that work for it; where it lets an agent
    answer in its place, as many as rounds of calls, and those of that agent.

    Args:
        parts: the model, the agents, tools of its own and the rest.
        options: its bounds.

    Raises:
        ConfigError: there are no agents.
    """
    check_colleagues(parts, "supervisor")
    bounds = options or SupervisorOptions()
    names = [one.name for one in parts.colleagues]
    tools = [*parts.tools, *map(asking, parts.colleagues)]
    if bounds.hand_over:
        tools.append(handing_over(parts.colleagues))
    leading = react(
        replace(
            parts,
            tools=tools,
            colleagues=(),
            prompt=join(parts.prompt, parts.prompts("supervise"), roster(parts.colleagues)),
            checkpointer=None,  # It is kept with the graph around it.
        ),
        ReactOptions(**bounds.model_dump(exclude={"hand_over"})),
    )

    async def supervise(state: PatternState) -> Command[Any]:
        update = await inside(leading, state)
        turn = since_last_question([*state["messages"], *update["messages"]])
        chosen = successor(turn)
        return Command(update=update, goto=chosen if chosen in names else END)

    graph = StateGraph(PatternState, output_schema=ThoughtState)
    ends = (*names, END) if bounds.hand_over else (END,)
    graph.add_node("supervise", supervise, destinations=ends)
    graph.add_edge(START, "supervise")
    if bounds.hand_over:
        for colleague in parts.colleagues:
            graph.add_node(colleague.name, going_on(colleague))
            graph.add_edge(colleague.name, END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)
