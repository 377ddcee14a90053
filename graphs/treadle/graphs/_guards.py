"""Middleware that keeps a tool-calling agent inside its bounds and gives what it has at the end."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langgraph.types import Command

from treadle.core.calls import MAYBE_DONE
from treadle.core.errors import BudgetExceededError, TreadleError
from treadle.core.functions import in_words
from treadle.core.headroom import Headroom, headroom
from treadle.graphs._cut_short import words_of
from treadle.graphs._prompts import Prompts
from treadle.graphs._sharing import side_by_side
from treadle.memory.window import READ_MORE, aside, since_last_question

STOPPED = "treadle_stopped"
"""The key in an answer's ``response_metadata`` that says why the agent stopped early."""

_NEAR_THE_END = 0.8
_NO_MORE_TOOLS = "tool_calls"
"""The unit of which a call of a tool that did not fit says that no other one will."""

_UNIT = "treadle_unit"
_Handler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
_ToolHandler = Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]


class LoopGuard(AgentMiddleware[Any, Any]):
    """Ends an agent that repeats itself, takes too many steps or meets its budget.

    Near the end of its budget it is told so. It is asked once more for an answer, without tools,
    also when it called one that the budget does not allow; if it still gives none, or the budget
    allows no further call, the answer is what its tools found.
    """

    def __init__(self, repeat_limit: int, max_steps: int, prompts: Prompts) -> None:
        super().__init__()
        self._prompts = prompts
        self._repeat_limit = repeat_limit
        self._max_steps = max_steps

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: _Handler
    ) -> ModelResponse[Any]:
        """Pass the call on, or make it the last one."""
        turn = since_last_question(request.messages)
        room = await headroom()
        refused = _refusals(turn)
        reason = self._reason_to_stop(turn) or refused.get(_NO_MORE_TOOLS, "")
        is_last = not reason and out_of_room(room) and await still_out_of_room()
        if is_last and _has_use_for_tools(request, turn):
            reason = is_last
        try:
            asked = (
                self._last(request, reason) if reason or is_last else self._warned(request, room)
            )
            response = await side_by_side(lambda: handler(asked))
        except BudgetExceededError as error:
            return await self._last_words(request, turn, handler, error)
        if not reason and not is_last:
            return _marked(response, next(iter(refused.values()), ""))
        answer = next((m for m in response.result if isinstance(m, AIMessage)), None)
        if answer is None or answer.tool_calls or not words_of(answer).strip():
            return _partial(turn, reason or str(is_last))
        return _marked(response, reason)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: _ToolHandler
    ) -> ToolMessage | Command[Any]:
        """Tell the model, rather than fail the run, that the budget allows no more tool calls."""
        try:
            return await handler(request)
        except BudgetExceededError as error:
            return not_called(request.tool_call, error)

    def _reason_to_stop(self, turn: Sequence[BaseMessage]) -> str:
        steps = [m for m in turn if isinstance(m, AIMessage) and m.tool_calls]
        if len(steps) >= self._max_steps:
            return f"steps: {len(steps)} rounds of tool calls"
        calls = Counter(
            (call["name"], json.dumps(call["args"], sort_keys=True, default=str))
            for step in steps
            for call in step.tool_calls
        )
        for (name, _), count in calls.most_common(1):
            if count >= self._repeat_limit:
                return f"loop: {name} was called {count} times with the same arguments"
        return ""

    def _warned(self, request: ModelRequest[Any], room: Headroom | None) -> ModelRequest[Any]:
        if room is None or room.used < _NEAR_THE_END:
            return request
        warning = aside(f"{room.about}. {self._prompts('hurry')}")
        return request.override(messages=[*request.messages, warning])

    async def _last_words(
        self,
        request: ModelRequest[Any],
        turn: Sequence[BaseMessage],
        handler: _Handler,
        error: BudgetExceededError,
    ) -> ModelResponse[Any]:
        """Ask once more with as little as can be sent, where the whole request was too much."""
        reason = f"budget: {error.message}"
        if error.unit in {"model_calls", "seconds"} or not turn:
            return _partial(turn, reason)
        question, known = turn[0], aside(f"{partial_answer(turn)}\n\n{self._prompts('finish')}")
        shortest = request.override(
            messages=[question, known],  # type: ignore[list-item]
            system_message=None,
            tools=[],
            tool_choice=None,
        )
        try:
            response = await handler(shortest)
        except BudgetExceededError:
            return _partial(turn, reason)
        answer = next((m for m in response.result if isinstance(m, AIMessage)), None)
        if answer is None or not words_of(answer).strip():
            return _partial(turn, reason)
        answer.response_metadata[STOPPED] = reason
        return response

    def _last(self, request: ModelRequest[Any], reason: str) -> ModelRequest[Any]:
        """Return the request without tools; with a reason, the model is told to do without."""
        told = [aside(self._prompts("finish"))] if reason else []
        choice = "none" if request.tools else None
        return request.override(messages=[*request.messages, *told], tool_choice=choice)


def _has_use_for_tools(request: ModelRequest[Any], turn: Sequence[BaseMessage]) -> bool:
    """Tell whether an answer without tools may be less than one with them."""
    tools = {getattr(tool, "name", None) for tool in request.tools} - {READ_MORE}
    return bool(tools) or any(isinstance(m, ToolMessage) for m in turn)


def _refusals(turn: Sequence[BaseMessage]) -> dict[str, str]:
    """Return why the budget refused calls of tools in the turn, by what it limits."""
    marks = [m.response_metadata for m in turn if isinstance(m, ToolMessage)]
    return {mark[_UNIT]: mark[STOPPED] for mark in reversed(marks) if STOPPED in mark}


def _marked(response: ModelResponse[Any], reason: str) -> ModelResponse[Any]:
    """Say in the answer, if it is one, why it was made with less than it called for."""
    answer = next((m for m in response.result if isinstance(m, AIMessage)), None)
    if reason and answer is not None and not answer.tool_calls:
        answer.response_metadata[STOPPED] = reason
    return response


class ToolFailures(AgentMiddleware[Any, Any]):
    """Turns an exception of a tool that is not Treadle's own into a message to the model."""

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: _ToolHandler
    ) -> ToolMessage | Command[Any]:
        """Pass the call on; GraphInterrupt and the like are no failures and pass through."""
        try:
            return await handler(request)
        except TreadleError:
            raise
        except Exception as error:
            if type(error).__module__.startswith("langgraph."):
                raise
            return failed(request.tool_call, error)


def not_called(called: ToolCall, error: BudgetExceededError) -> ToolMessage:
    """Return what the model is told where the budget allows no more tool calls, or cut one off."""
    if error.is_cut_off:
        return _told(called, f"{called['name']} failed: {error.message} {MAYBE_DONE}")
    told = _told(called, f"Not called: {error.message} Answer with what you have.")
    told.response_metadata = {STOPPED: f"budget: {error.message}", _UNIT: error.unit}
    return told


def failed(called: ToolCall, error: Exception) -> ToolMessage:
    """Return what the model is told of an exception of a tool."""
    return _told(called, f"{called['name']} failed: {in_words(error)}")


def _told(called: ToolCall, text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=called["id"], name=called["name"], status="error")


def out_of_room(room: Headroom | None) -> str:
    """Return why the next model call must be the last; nothing when it need not."""
    if room is None or room.model_calls is None or room.model_calls > 1:
        return ""
    return f"budget: no call fits after this one; {room.about}"


async def still_out_of_room() -> str:
    """Return why the next call must be the last, once calls beside it gave back what they hold."""
    try:
        await side_by_side(leave_one)
    except BudgetExceededError as error:
        return f"budget: {error.message}"
    return ""


async def leave_one() -> None:
    """Make sure that a call for the answer fits after the next one.

    Raises:
        BudgetExceededError: none does.
    """
    room = await headroom()
    if room is not None and (reason := out_of_room(room)):
        raise BudgetExceededError(reason.removeprefix("budget: "), unit=room.unit)


def _partial(turn: Sequence[BaseMessage], reason: str) -> ModelResponse[Any]:
    answer = AIMessage(partial_answer(turn), response_metadata={STOPPED: reason})
    return ModelResponse(result=[answer])


def partial_answer(turn: Sequence[BaseMessage], *, max_chars: int = 1_500) -> str:
    """Return what a turn's tools found, in their own words, as an answer of last resort."""
    found = [m.text.strip() for m in turn if isinstance(m, ToolMessage) and m.status != "error"]
    unique = list(dict.fromkeys(text for text in found if text))
    if not unique:
        return "I had to stop before I found anything."
    room = max_chars // len(unique)
    shown = [text if len(text) <= room else f"{text[:room]} …" for text in unique]
    return "I had to stop before I was done. This is what I found:\n\n" + "\n\n".join(shown)
