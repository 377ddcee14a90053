"""What the tests of the patterns share: a graph on a scripted server, and a tool."""

from langchain_core.messages import HumanMessage

from tests.support.models import resolved
from tests.support.recording import Recording
from treadle.core.boundary import boundary
from treadle.core.calls import Effect
from treadle.graphs import GraphParts, Prompts
from treadle.tools import Passage, Source, ToolResult, tool

SOURCE = Source("Looms", "docs/looms.md", "lines 1-3")
SCHEMA = {
    "title": "sum",
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
}


@tool(effect=Effect.READ)
def look_up(topic: str) -> ToolResult:
    """Look a topic up.

    Args:
        topic: what to look up.
    """
    return ToolResult(passages=[Passage(f"{topic} has four shafts.", SOURCE)])


def is_asked(request, name):
    """Tell whether that shipped prompt is in the request."""
    return Prompts()(name) in request.system_text


def graph_of(pattern, server, options=None, **parts):
    model = resolved(server)
    return pattern(GraphParts(model=model.chat, fallbacks=model.fallbacks, **parts), options)


async def ask(graph, text="What is 2 and 2?", gate=None, thread="1"):
    config = {"configurable": {"thread_id": thread}}
    with boundary(gate or Recording(), thread_id=thread, run_id="run"):
        return await graph.ainvoke({"messages": [HumanMessage(text)]}, config)


def numbered(items):
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))
