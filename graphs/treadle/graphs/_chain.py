"""Several middleware as one, for a graph whose every step passes through all of them."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ExtendedModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command

from treadle.graphs._parts import Middleware

_Ask = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
_Execute = Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]


class Chain(AgentMiddleware[Any, Any]):
    """Wraps model and tool calls in middleware, the first one outermost.

    ``create_agent`` goes to another thread and back twice for each coroutine function among its
    hooks, whether it is traced or not, which costs more CPU than all that they do. The hooks of a
    chain are plain functions that return what is to be awaited, and one for all.

    Args:
        layers: middleware that wraps calls; other hooks of theirs are not asked.
        state_schema: what they keep in the state.
    """

    def __init__(self, layers: Sequence[Middleware], state_schema: type) -> None:
        super().__init__()
        self.state_schema = state_schema
        base = AgentMiddleware
        self._of_models = [
            one for one in layers if type(one).awrap_model_call is not base.awrap_model_call
        ]
        self._of_tools = [
            one for one in layers if type(one).awrap_tool_call is not base.awrap_tool_call
        ]

    def awrap_model_call(
        self, request: ModelRequest[Any], handler: _Ask
    ) -> Coroutine[Any, Any, ModelResponse[Any] | ExtendedModelResponse[Any]]:
        """Ask the model through every layer; what they write to the state goes with the answer."""
        return _ask(self._of_models, request, handler)

    def awrap_tool_call(
        self, request: ToolCallRequest, handler: _Execute
    ) -> Coroutine[Any, Any, ToolMessage | Command[Any]]:
        """Call the tool through every layer."""
        return _execute(self._of_tools, request, handler)


async def _ask(
    layers: Sequence[Middleware], request: ModelRequest[Any], handler: _Ask
) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
    if not layers:
        return await handler(request)
    written: dict[str, Any] = {}

    async def behind(asked: ModelRequest[Any]) -> ModelResponse[Any]:
        response = await _ask(layers[1:], asked, handler)
        written.clear()  # of an attempt before this one
        return _split(response, written)

    own: dict[str, Any] = {}
    response = _split(await layers[0].awrap_model_call(request, behind), own)
    update = {**written, **own}
    return ExtendedModelResponse(response, Command(update=update)) if update else response


def _split(
    response: ModelResponse[Any] | ExtendedModelResponse[Any] | AIMessage, written: dict[str, Any]
) -> ModelResponse[Any]:
    if isinstance(response, ExtendedModelResponse):
        if response.command is not None:
            written.update(response.command.update or {})
        return response.model_response
    return ModelResponse([response]) if isinstance(response, AIMessage) else response


async def _execute(
    layers: Sequence[Middleware], request: ToolCallRequest, handler: _Execute
) -> ToolMessage | Command[Any]:
    if not layers:
        return await handler(request)

    async def behind(asked: ToolCallRequest) -> ToolMessage | Command[Any]:
        return await _execute(layers[1:], asked, handler)

    return await layers[0].awrap_tool_call(request, behind)
