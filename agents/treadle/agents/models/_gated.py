"""Sending a LangChain chat model's calls through the boundary."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from treadle.agents.models._clean_pieces import CleanPieces
from treadle.agents.models._failures import Attempt, explained
from treadle.agents.models._limits import foreign_limits
from treadle.agents.models._retries import Retries
from treadle.agents.models._settings import settings_taken, with_settings
from treadle.agents.models._telling import AsyncTelling, Telling
from treadle.core import boundary
from treadle.core.boundary import Execution
from treadle.core.calls import CAPS, CallKind, CallSpec, Effect, ModelLimits, Purpose
from treadle.core.errors import ModelUnavailableError
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
        is_foreign: whether it was made by a graph not written for Treadle, which knows its
            provider's errors and must get them as they are.
        limits: what bounds the cost of a call, beside the price.
        max_retries: how often an attempt that failed is repeated.
        calls_in_text: whether it writes its tool calls as text, because it cannot call tools.
        takes: the model settings that it can be given, where the operator says so.
    """

    name: str
    price: Price | None = None
    key_variable: str = ""
    base_url: str = ""
    is_foreign: bool = False
    limits: ModelLimits = field(default_factory=ModelLimits)
    max_retries: int = 0
    calls_in_text: bool = False
    takes: tuple[str, ...] | None = None


def through_boundary(model: M, info: ModelInfo) -> M:
    """Return a copy of the model whose every generation goes through the call boundary.

    The copy is of a subclass of the model's own class, so that code which asks for the provider's
    class, or uses its extras, finds them.
    """
    copy = model.model_copy()
    copy.__class__ = cast("type[M]", _gated(type(model)))
    copy.__dict__["treadle_info"] = info
    return copy


def send_through_boundary(model: BaseChatModel) -> None:
    """Let every generation of this very model go through the call boundary from now on.

    It stays the same object, because a model may hold state, and its class stays a subclass of
    what it was. Errors stay those of its provider. A model that goes through already is left.
    """
    if isinstance(model, _Generates):
        return
    known = model._get_ls_params()
    name = known.get("ls_model_name") or ""
    kind = type(model).__name__
    model.__dict__["treadle_info"] = ModelInfo(
        f"{known.get('ls_provider') or kind}:{name}" if name else kind,
        is_foreign=True,
        limits=foreign_limits(model),
    )
    model.__class__ = _gated(type(model))


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
    members: dict[str, Any] = {"__module__": base.__module__}
    if len(doors) > 1:
        # A provider's own events would go past the doors; LangChain makes them of the stream.
        members |= {"_stream_chat_model_events": None, "_astream_chat_model_events": None}
    return cast("type[BaseChatModel]", type(base.__name__, (*doors, base), members))


if TYPE_CHECKING:
    _Door = BaseChatModel
else:
    _Door = object  # A plain mixin: the model's own class brings pydantic and the fields.


class _Generates(_Door):
    def _should_stream(
        self,
        *,
        async_api: bool,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> bool:
        """Tell whether LangChain is to put a whole answer together itself, of its pieces.

        The graph would see the pieces then, and not what the gates make of the answer.
        """
        if run_manager is not None and self._tells_itself(async_api):
            return False
        return super()._should_stream(async_api=async_api, run_manager=run_manager, **options)

    def _tells_itself(self, is_async: bool) -> bool:
        door = _StreamsAsync if is_async else _Streams
        # LangChain numbers the blocks of its own form of messages as it puts them together.
        return boundary.is_open() and door in type(self).__mro__ and self.output_version != "v1"

    def _is_told(
        self,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        options: dict[str, Any],
        *,
        is_async: bool,
    ) -> bool:
        """Tell whether LangChain's handlers want the pieces of a whole answer."""
        if run_manager is None or not self._tells_itself(is_async):
            return False
        wanted = super()._should_stream
        return wanted(async_api=is_async, run_manager=run_manager, **options)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        stop, options = _as_asked(self, stop, options)
        spec = _spec(self, messages, stop, options)
        is_told = self._is_told(run_manager, options, is_async=False)
        telling = Telling(run_manager) if run_manager and is_told else None

        def execute(execution: Execution) -> AIMessage:
            with _explained(self), boundary.suspended():
                if isinstance(self, _Streams) and telling is not None:
                    return self._told(self._pieces(messages, stop, options, execution), telling)
                sent = _capped(options, execution)
                whole = super(_Generates, self)._generate(  # type: ignore[safe-super]
                    messages, stop, **sent
                )
                return _message(whole)

        retries = Retries(info_of(self).max_retries)
        while True:
            try:
                message = boundary.call(spec, execute, _usage(self))
            except ModelUnavailableError as error:
                if telling is not None and telling.has_told:
                    raise
                time.sleep(retries.next_wait(error))
            else:
                if telling is not None and not telling.has_told:
                    telling.tell(_piece(telling.named(message)))
                return _result(message)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        stop, options = _as_asked(self, stop, options)
        spec = _spec(self, messages, stop, options)
        is_told = self._is_told(run_manager, options, is_async=True)
        telling = AsyncTelling(run_manager) if run_manager and is_told else None

        async def execute(execution: Execution) -> AIMessage:
            with _explained(self), boundary.suspended():
                is_heard = telling is not None or _is_heard(self, execution)
                if isinstance(self, _StreamsAsync) and is_heard:
                    pieces = self._apieces(messages, stop, options, execution)
                    return await self._atold(pieces, telling)
                sent = _capped(options, execution)
                whole = super(_Generates, self)._agenerate(messages, stop, **sent)
                return _message(await whole)

        retries = Retries(info_of(self).max_retries)
        while True:
            try:
                message = await boundary.acall(spec, execute, _usage(self))
            except ModelUnavailableError as error:
                if telling is not None and telling.has_told:
                    raise
                await asyncio.sleep(retries.next_wait(error))
            else:
                if telling is not None and not telling.has_told:
                    await telling.tell(_piece(telling.named(message)))
                return _result(message)


class _Streams(_Door):
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> Iterator[ChatGenerationChunk]:
        stop, options = _as_asked(self, stop, options)
        spec = _spec(self, messages, stop, options)

        def stream(execution: Execution) -> Iterator[ChatGenerationChunk]:
            return self._pieces(messages, stop, options, execution)

        retries, has_begun = Retries(info_of(self).max_retries), False
        while True:
            try:
                with _explained(self):
                    for piece in boundary.stream(spec, stream, _joined, _piece, _usage(self)):
                        has_begun = True
                        yield piece
            except ModelUnavailableError as error:
                if has_begun:
                    raise
                time.sleep(retries.next_wait(error))
            else:
                return

    def _told(self, pieces: Iterator[ChatGenerationChunk], telling: Telling) -> AIMessage:
        received = []
        for piece in pieces:
            telling.tell(piece)
            received.append(piece)
        telling.end()
        return _joined(received)

    def _pieces(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        options: dict[str, Any],
        execution: Execution,
    ) -> Iterator[ChatGenerationChunk]:
        sent, pieces = _capped(options, execution), CleanPieces(execution.permit.redactor)
        with _explained(self) as attempt:
            for piece in super()._stream(messages, stop, **sent):
                attempt.has_begun = True
                yield _heard(pieces.clean(piece), execution)
            if (rest := pieces.rest()) is not None:
                yield _heard(rest, execution)


class _StreamsAsync(_Door):
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        stop, options = _as_asked(self, stop, options)
        spec = _spec(self, messages, stop, options)

        def stream(execution: Execution) -> AsyncIterator[ChatGenerationChunk]:
            return self._apieces(messages, stop, options, execution)

        retries, has_begun = Retries(info_of(self).max_retries), False
        while True:
            try:
                with _explained(self):
                    pieces = boundary.astream(spec, stream, _joined, _piece, _usage(self))
                    async with aclosing(pieces):  # whoever leaves early, the gate is told at once
                        async for piece in pieces:
                            has_begun = True
                            yield piece
            except ModelUnavailableError as error:
                if has_begun:
                    raise
                await asyncio.sleep(retries.next_wait(error))
            else:
                return

    async def _atold(
        self, pieces: AsyncIterator[ChatGenerationChunk], telling: AsyncTelling | None
    ) -> AIMessage:
        received = []
        async for piece in pieces:
            if telling is not None:
                await telling.tell(piece)
            received.append(piece)
        if telling is not None:
            await telling.end()
        return _joined(received)

    async def _apieces(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        options: dict[str, Any],
        execution: Execution,
    ) -> AsyncIterator[ChatGenerationChunk]:
        sent, pieces = _capped(options, execution), CleanPieces(execution.permit.redactor)
        with _explained(self) as attempt:
            async for piece in super()._astream(messages, stop, **sent):
                attempt.has_begun = True
                yield _heard(pieces.clean(piece), execution)
            if (rest := pieces.rest()) is not None:
                yield _heard(rest, execution)


def _spec(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    stop: list[str] | None,
    options: dict[str, Any],
) -> CallSpec:
    sent = {"messages": messages, "options": {**options, **({"stop": stop} if stop else {})}}
    info = info_of(model)
    limits = replace(info.limits, price=info.price)
    return CallSpec(CallKind.MODEL, info.name, Effect.READ, sent, limits)


def _as_asked(
    model: BaseChatModel, stop: list[str] | None, options: dict[str, Any]
) -> tuple[list[str] | None, dict[str, Any]]:
    """Return what a call is made with: what it says itself, and what its run was asked for with.

    A model that others made keeps to what it was made with.

    Raises:
        ModelSettingError: the model cannot be given what the run was asked for with.
    """
    settings, info = boundary.model_settings(), info_of(model)
    if info.is_foreign or not settings.given():
        return stop, options
    taken = settings_taken(model, info.name, info.takes)
    sent = with_settings(settings, taken, {**options, "stop": stop}, info.limits.max_output_tokens)
    return sent.pop("stop"), sent


def _capped(options: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Return the options with the answer's length as permitted; LangChain's name of it for OpenAI
    is the same for both of its APIs."""
    most = execution.permit.max_output_tokens
    if most is None:
        return options
    kept = {name: value for name, value in options.items() if name not in CAPS}
    return {**kept, "max_tokens": most}


def _usage(model: BaseChatModel) -> Any:
    price = info_of(model).price

    def usage(message: AIMessage) -> Usage:
        return model_call_usage(message, price)

    return usage


def _is_heard(model: BaseChatModel, execution: Execution) -> bool:
    """Tell whether an answer is received in pieces although it is asked for as a whole.

    A foreign model may not be told to report what a stream costs, and is called as it was meant.
    """
    return execution.is_watched and not info_of(model).is_foreign


def _explained(model: BaseChatModel) -> AbstractContextManager[Attempt]:
    info = info_of(model)
    return nullcontext(Attempt()) if info.is_foreign else explained(info)


def _heard(piece: ChatGenerationChunk, execution: Execution) -> ChatGenerationChunk:
    message = piece.message
    if text := message.text:
        execution.delta(text, execution.purpose)
    for block in message.content_blocks if not text else ():
        if block["type"] == "reasoning":
            execution.delta(str(block.get("reasoning", "")), Purpose.THOUGHT)
    return piece


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
    message = _message(generate_from_stream(iter(pieces)))
    if message.tool_calls:
        _read_whole(message, pieces)
    return message


def _read_whole(message: AIMessage, pieces: Sequence[ChatGenerationChunk]) -> None:
    """Tell a streamed tool call that broke off from a whole one.

    LangChain closes what is open in the arguments of a stream, and so makes another call of it.
    """
    parts = [
        AIMessageChunk(content="", tool_call_chunks=piece.message.tool_call_chunks)
        for piece in pieces
        if isinstance(piece.message, AIMessageChunk) and piece.message.tool_call_chunks
    ]
    if not parts:
        return
    whole = add_ai_message_chunks(parts[0], *parts[1:]) if len(parts) > 1 else parts[0]
    message.tool_calls, message.invalid_tool_calls = [], []
    for chunk in whole.tool_call_chunks:
        name, text, call_id = chunk["name"] or "", chunk["args"] or "{}", chunk["id"]
        try:
            arguments = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            arguments = None
        if isinstance(arguments, dict):
            message.tool_calls.append(tool_call(name=name, args=arguments, id=call_id))
        else:
            message.invalid_tool_calls.append(
                invalid_tool_call(name=name, args=text, id=call_id, error=None)
            )


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
