"""What a page holds of a thread, told whole: its messages, and what its agent's graph shares."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from ag_ui.core import (
    AssistantMessage,
    BaseEvent,
    FunctionCall,
    Message,
    MessagesSnapshotEvent,
    RunFinishedEvent,
    RunStartedEvent,
    StateSnapshotEvent,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages import SystemMessage as Instruction
from langchain_core.messages import ToolMessage as ToolResult
from pydantic_core import to_jsonable_python

from treadle.agents import Agent
from treadle.core.errors import InputError
from treadle.graphs import pattern_names
from treadle.runtime import Runtime
from treadle.runtime.runs import Run
from treadle.server._turn import Ending, left_at
from treadle.server.agui._messages import RunInput
from treadle.server.agui._wording import left_calls, outcome_of

MAX_MESSAGES = 1_000
"""How many of a thread's latest messages are told whole; fewer where they are large."""
_OURS = frozenset({"messages", "structured_response", "window_summary", "window_notes"})


async def restored(
    rt: Runtime, agent: Agent, asked: RunInput, waiting: Run | None, warning: str = ""
) -> AsyncGenerator[BaseEvent]:
    """Yield what a page shows of a thread as it stands, without asking the agent anything.

    Args:
        rt: the caller's runtime.
        agent: the agent.
        asked: the request, whose thread and run the events name.
        waiting: the run that waits on the thread, if one does.
        warning: what of the request was passed over.
    """
    places: dict[str, Any] = {"thread_id": asked.thread_id, "run_id": asked.run_id}
    about = {"runId": waiting.id} if waiting is not None else {}
    about |= {"warning": warning} if warning else {}
    yield RunStartedEvent(**places, protocol_version="1.0", metadata={"treadle": about})
    for event in await shared_state(rt, agent, asked):
        yield event
    yield MessagesSnapshotEvent(messages=await _messages(rt, asked.thread_id))
    run_id, ending = "", Ending("")
    if waiting is not None:
        run_id, ending = waiting.id, await left_at(rt, waiting.id)
    for event in left_calls(run_id, ending):
        yield event
    yield RunFinishedEvent(**places, outcome=outcome_of(run_id, ending))


async def shared_state(rt: Runtime, agent: Agent, asked: RunInput) -> list[BaseEvent]:
    """Return the snapshot of what an agent's graph shares with pages, where it shares anything."""
    state = await _shared(rt, agent, asked.thread_id)
    return [StateSnapshotEvent(snapshot=state)] if state or asked.state else []


async def check_state(rt: Runtime, agent: Agent, asked: RunInput) -> None:
    """Take a page's state where it is what the page was told, as clients send it back.

    Raises:
        InputError: it is something else, which the agent would not see.
    """
    if asked.state in (None, {}, []):
        return
    if asked.state != await _shared(rt, agent, asked.thread_id):
        raise InputError(
            "state: it is not what the agent's graph holds, and pages cannot change that.",
            hint="Send it as the last STATE_SNAPSHOT told it, or {} to be told it anew.",
        )


async def _shared(rt: Runtime, agent: Agent, thread_id: str) -> dict[str, Any]:
    """Return the values that a graph of the project's own gives out beside its messages."""
    if agent.graph in pattern_names():
        return {}
    graph = rt.graph(agent)
    names = graph.output_channels
    config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    values = (await graph.aget_state(config)).values
    if not isinstance(values, Mapping) or isinstance(names, str):
        return {}
    shared = {name: values[name] for name in names if name in values and name not in _OURS}
    found: dict[str, Any] = to_jsonable_python(shared, fallback=str, inf_nan_mode="null")
    return found


async def _messages(rt: Runtime, thread_id: str) -> list[Message]:
    page = await rt.threads.page(thread_id, limit=MAX_MESSAGES)
    turns = await rt.threads.show(thread_id, limit=MAX_MESSAGES)
    texts = {turn.number: turn.text for turn in turns}  # With what they cite.
    said = [(one.message, texts.get(one.number, one.message.text)) for one in page.messages]
    answered = {one.tool_call_id for one, _ in said if isinstance(one, ToolResult)}
    called = {
        call["id"] for one, _ in said if isinstance(one, AIMessage) for call in one.tool_calls
    }
    return [found for one, text in said for found in _told(one, text, called & answered)]


def _told(message: BaseMessage, text: str, whole: set[str | None]) -> Sequence[Message]:
    """Return a message as a page holds it; a call is told with its result, or by what waits."""
    id_ = message.id or ""
    if isinstance(message, HumanMessage):
        return [UserMessage(id=id_, content=message.text)]
    if isinstance(message, Instruction):
        return [SystemMessage(id=id_, content=message.text)]
    if isinstance(message, ToolResult):
        content, call_id = message.text, message.tool_call_id
        is_whole = call_id in whole
        return [ToolMessage(id=id_, content=content, tool_call_id=call_id)] if is_whole else []
    if not isinstance(message, AIMessage):
        return []
    calls = [
        ToolCall(
            id=str(call["id"]),
            function=FunctionCall(
                name=call["name"], arguments=json.dumps(call["args"], ensure_ascii=False)
            ),
        )
        for call in message.tool_calls
        if call["id"] in whole
    ]
    if not text and not calls:
        return []
    return [AssistantMessage(id=id_, content=text or None, tool_calls=calls or None)]
