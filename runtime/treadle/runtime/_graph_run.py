"""Running a graph to its end, a stop or an interrupt, and passing on what it streams meanwhile."""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import RunControl

from treadle.core.redaction import Redactor
from treadle.graphs import Graph
from treadle.runtime.events import Encoder, EventWriter
from treadle.runtime.runs import RunOptions

_INTERRUPT = "__interrupt__"


async def run_graph(
    graph: Graph,
    given: Any,
    config: RunnableConfig,
    options: RunOptions,
    *,
    control: RunControl,
    events: EventWriter | None,
    redactor: Redactor,
) -> Any:
    """Run the graph and return its last state, with its interrupts where it stopped at some.

    Args:
        graph: the graph.
        given: its input, a command, or ``None`` to go on.
        config: what it is invoked with.
        options: how it is executed.
        control: how it is asked to stop after the superstep it is in.
        events: where what it streams is written; nowhere when ``None``.
        redactor: takes secrets out of what is written there.

    Raises:
        GraphDrained: it was asked to stop, and did.
        FencedError: the events could not be written: another attempt has the thread.
    """
    encoder = Encoder(options, redactor)
    state: Any = None
    interrupts: list[Any] = []
    modes: list[Any] = sorted({*encoder.modes, "updates", "values"})
    stream: Callable[..., AsyncIterator[Any]] = graph.astream
    if events is not None and encoder.has_events:
        stream = partial(_with_events, graph, encoder, events)
    pieces = stream(
        given,
        config,
        context=options.context,
        stream_mode=modes,
        subgraphs=options.stream_subgraphs,
        interrupt_before=options.interrupt_before or None,
        interrupt_after=options.interrupt_after or None,
        durability="sync",
        control=control,
    )
    async for piece in pieces:
        namespace, mode, payload = _taken_apart(piece)
        if not namespace and mode == "values":
            state = payload
        elif not namespace and mode == "updates" and _INTERRUPT in (payload or ()):
            interrupts += payload[_INTERRUPT]
        if events is not None:
            for name, data in encoder.events(namespace, mode, payload):
                events.add(name, data)
    if not interrupts:
        return state
    return {**(state if isinstance(state, Mapping) else {}), _INTERRUPT: interrupts}


async def _with_events(
    graph: Graph,
    encoder: Encoder,
    events: EventWriter,
    given: Any,
    config: RunnableConfig,
    **options: Any,
) -> AsyncIterator[Any]:
    """Yield what the graph streams, and write every event of its parts beside it."""
    root = ""
    async for event in graph.astream_events(given, config, version="v2", **options):
        root = root or event["run_id"]
        if event["event"] == "on_chain_stream" and event["run_id"] == root:
            yield event["data"]["chunk"]
        else:
            events.add(*encoder.happened(event))


def _taken_apart(piece: Any) -> tuple[tuple[str, ...], str, Any]:
    """Return a piece's namespace, which is only there with subgraphs, its mode and its payload."""
    *namespace, mode, payload = piece
    return (namespace[0] if namespace else ()), mode, payload
