"""Sending a LangChain chat model's calls through the boundary."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from treadle.agents.models._failures import explained
from treadle.core import boundary
from treadle.core.boundary import Execution
from treadle.core.calls import CallKind, CallSpec, Effect, Purpose
from treadle.core.usage import Price, Usage, model_call_usage

M = TypeVar("M", bound=BaseChatModel)


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model beside what its provider says.

    Attributes:
        name: ``provider:model``, or ``embedded``.
        price: what its tokens cost, or ``None`` when that is not known.
        key_variable: the environment variable its key was read from; empty without one.
        base_url: the address it is asked at, where that was configured.
    """

    name: str
    price: Price | None = None
    key_variable: str = ""
    base_url: str = ""


def through_boundary(model: M, info: ModelInfo) -> M:
    """Return a copy of the model whose every generation goes through the call boundary.

    The copy is of a subclass of the model's own class, so that code which asks for the provider's
    class, or uses its extras, finds them.
    """
    copy = model.model_copy()
    copy.__class__ = cast("type[M]", _gated(type(model)))
    copy.__dict__["treadle_info"] = info
    return copy


def info_of(model: BaseChatModel) -> ModelInfo:
    """Return what `through_boundary` was told of the model, or its class's name."""
    known = model.__dict__.get("treadle_info")
    return known if isinstance(known, ModelInfo) else ModelInfo(type(model).__name__)


@cache
def _gated(base: type[BaseChatModel]) -> type[BaseChatModel]:
    """Return a subclass of ``base`` whose doors to the provider lead through the boundary.

    A door that ``base`` does not have is not added: LangChain takes its presence for the ability
    to stream.
    """
    doors: list[type] = [_Generates]
    if base._stream is not BaseChatModel._stream:
        doors.append(_Streams)
    if base._astream is not BaseChatModel._astream:
        doors.append(_StreamsAsync)
    return cast(
        "type[BaseChatModel]",
        type(base.__name__, (*doors, base), {"__module__": base.__module__}),
    )


if TYPE_CHECKING:
    _Door = BaseChatModel
else:
    _Door = object  # A plain mixin: the model's own class brings pydantic and the fields.


class _Generates(_Door):
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        def execute(_: Execution) -> AIMessage:
            with explained(info_of(self)), boundary.suspended():
                whole = super(_Generates, self)._generate(  # type: ignore[safe-super]
                    messages, stop, **options
                )
                return _message(whole)

        return _result(boundary.call(_spec(self, messages, stop, options), execute, _usage(self)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        async def execute(execution: Execution) -> AIMessage:
            with explained(info_of(self)), boundary.suspended():
                if execution.is_watched and isinstance(self, _StreamsAsync):
                    pieces = self._astream(messages, stop, **options)
                    return _message(await agenerate_from_stream(_watched(pieces, execution)))
                whole = super(_Generates, self)._agenerate(messages, stop, **options)
                return _message(await whole)

        spec = _spec(self, messages, stop, options)
        return _result(await boundary.acall(spec, execute, _usage(self)))


class _Streams(_Door):
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if boundary.is_open():
            yield _piece(_message(self._generate(messages, stop, run_manager, **options)))
            return
        with explained(info_of(self)):
            yield from super()._stream(messages, stop, **options)


class _StreamsAsync(_Door):
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        def stream(execution: Execution) -> AsyncIterator[ChatGenerationChunk]:
            pieces = super(_StreamsAsync, self)._astream(messages, stop, **options)
            return _watched(pieces, execution)

        spec = _spec(self, messages, stop, options)
        with explained(info_of(self)) as attempt:
            async for piece in boundary.astream(spec, stream, _joined, _piece, _usage(self)):
                attempt.has_begun = True
                yield piece


def _spec(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    stop: list[str] | None,
    options: dict[str, Any],
) -> CallSpec:
    sent = {"messages": messages, "options": {**options, **({"stop": stop} if stop else {})}}
    return CallSpec(CallKind.MODEL, info_of(model).name, Effect.READ, sent)


def _usage(model: BaseChatModel) -> Any:
    price = info_of(model).price

    def usage(message: AIMessage) -> Usage:
        return model_call_usage(message, price)

    return usage


async def _watched(
    pieces: AsyncIterator[ChatGenerationChunk], execution: Execution
) -> AsyncIterator[ChatGenerationChunk]:
    async for piece in pieces:
        message = piece.message
        if text := message.text:
            execution.delta(text, execution.purpose)
        for block in message.content_blocks if not text else ():
            if block["type"] == "reasoning":
                execution.delta(str(block.get("reasoning", "")), Purpose.THOUGHT)
        yield piece


def _message(result: ChatResult) -> AIMessage:
    generation = result.generations[0]
    message = generation.message
    assert isinstance(message, AIMessage)  # noqa: S101 - LangChain's contract of a chat model
    known = {**(result.llm_output or {}), **(generation.generation_info or {})}
    message.response_metadata = {**known, **message.response_metadata}
    return message


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _joined(pieces: Sequence[ChatGenerationChunk]) -> AIMessage:
    return _message(generate_from_stream(iter(pieces)))


def _piece(message: AIMessage) -> ChatGenerationChunk:
    chunk = AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        id=message.id,
        usage_metadata=message.usage_metadata,
        tool_call_chunks=[
            {
                "name": call["name"],
                "args": json.dumps(call["args"]),
                "id": call["id"],
                "index": index,
                "type": "tool_call_chunk",
            }
            for index, call in enumerate(message.tool_calls)
        ],
        chunk_position="last",
    )
    return ChatGenerationChunk(message=chunk)
