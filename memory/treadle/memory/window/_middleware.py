"""The window for LangChain's ``create_agent``."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.middleware.types import (
    AgentState,
    ExtendedModelResponse,
    PrivateStateAttr,
)
from langchain_core.messages import AIMessage
from langgraph.config import get_config
from langgraph.types import Command

from treadle.memory.window._summary import Summary
from treadle.memory.window._window import ContextWindow, Notes

_Handler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


class _State(AgentState[Any]):
    window_summary: NotRequired[Annotated[Summary, PrivateStateAttr]]
    window_notes: NotRequired[Annotated[Notes, PrivateStateAttr]]


class WindowMiddleware(AgentMiddleware[Any, Any]):
    """Shows the model of ``create_agent`` the conversation through a `ContextWindow`.

    Put it behind middleware that adds messages or tools to the request, which are then counted.
    It takes no step of the graph: what leaves the state does so with the model's answer.

    Args:
        window: the window.
    """

    state_schema = _State

    def __init__(self, window: ContextWindow) -> None:
        super().__init__()
        self._window = window

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: _Handler
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """Compose what is shown, ask the model, and let go what has left the window."""
        state: dict[str, Any] = {**request.state, "messages": request.messages}
        composed = await self._window.compose(
            state,
            thread_id=running_thread(),
            system=request.system_message,
            tools=request.tools,
            output=getattr(request.response_format, "schema", request.response_format),
        )
        response = await handler(request.override(messages=composed.messages))
        # Another middleware may show messages that the state does not hold.
        held = {message.id for message in request.state["messages"]}
        goes_on = any(isinstance(m, AIMessage) and m.tool_calls for m in response.result)
        update = composed.update(goes_on=goes_on, held=held)
        return ExtendedModelResponse(response, Command(update=update)) if update else response


def running_config() -> dict[str, Any]:
    """Return what the running graph was configured with, such as its thread; nothing outside."""
    try:
        return dict(get_config().get("configurable", {}))
    except RuntimeError:  # what LangGraph raises outside a run
        return {}


def running_thread() -> str | None:
    """Return the id of the thread that the running graph works on, if it has one."""
    thread_id = running_config().get("thread_id")
    return None if thread_id is None else str(thread_id)
