"""The chat-model interface of the embedded reader."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    UsageMetadata,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from treadle.agents.embedded._conversation import arguments_text, read_conversation
from treadle.agents.embedded._decide import Step, decide
from treadle.agents.embedded._tools import CONFIGURE_A_MODEL, read_offer
from treadle.agents.embedded._words import UNSPACED
from treadle.core.calls import CAPS
from treadle.core.errors import ModelError

MODEL_NAME = "embedded"
MAX_ANSWER_TOKENS = 4_096
"""The most that an answer has, in the model's own tokens; ``max_tokens`` can ask for less."""


class EmbeddedChatModel(BaseChatModel):
    """A deterministic extractive reader behind LangChain's chat-model interface.

    It is not a language model. It answers from the conversation and from what the tools it is
    offered return: with whole sentences, table rows, list items or code, and the labels of their
    sources. The same messages give the same answer, byte for byte.

    Its tokens are words of up to 16 characters, punctuation marks and the characters of scripts
    without spaces; ``usage_metadata`` counts them in the messages and tools it is given and in
    what it says. An answer has at most `MAX_ANSWER_TOKENS`, or ``max_tokens`` where that is less.

    Raises:
        ModelError: when it is asked to fill a schema, must call a tool that it cannot call, or
            would ask a tool more than an answer may have.
    """

    @property
    def _llm_type(self) -> str:
        return MODEL_NAME

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": MODEL_NAME}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with tools it may call.

        Args:
            tools: the tools.
            tool_choice: ``"auto"``, ``"none"``, ``"required"`` or a tool's name.
            kwargs: what else to bind.

        Raises:
            ModelError: one of them is no tool but an output schema to fill.
        """
        if "ls_structured_output_format" in kwargs or any(map(_is_schema, tools)):
            raise _no_schemas()
        described = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=described, tool_choice=tool_choice, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Refuse: filling a schema takes a language model.

        Raises:
            ModelError: always.
        """
        raise _no_schemas()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_answer(messages, stop, options))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        answer = await asyncio.to_thread(_answer, messages, stop, options)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(_answer(messages, stop, options)):
            if run_manager and chunk.text:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(await asyncio.to_thread(_answer, messages, stop, options)):
            if run_manager and chunk.text:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def _is_schema(tool: object) -> bool:
    """Tell whether something given as a tool is an output schema: a tool that does nothing."""
    return isinstance(tool, StructuredTool) and tool.func is None and tool.coroutine is None


def _no_schemas() -> ModelError:
    return ModelError(
        "The embedded model cannot fill an output schema: it only quotes text.",
        hint=CONFIGURE_A_MODEL,
    )


def _answer(
    messages: Sequence[BaseMessage], stop: Sequence[str] | None, options: dict[str, Any]
) -> AIMessage:
    if options.get("response_format"):
        raise _no_schemas()
    tools = options.get("tools") or []
    step = decide(read_conversation(messages), read_offer(tools, options.get("tool_choice")))
    most = _most(options)
    called = _tokens(f"{step.tool} {arguments_text(step.arguments or {})}") if step.tool else 0
    if called > most:
        raise ModelError(
            f"The embedded model may say {most} tokens, and what it would ask the tool "
            f"{step.tool!r} has {called}.",
            hint="Ask for less at once, or allow longer answers.",
        )
    whole = _until_stop(step.text, stop)
    text = _cut(whole, most - called)
    identity = _identity(messages, step)
    calls = []
    if step.tool:
        call_id = f"call_{identity[:24]}"
        calls = [{"name": step.tool, "args": step.arguments or {}, "id": call_id}]
    return AIMessage(
        text,
        id=f"embedded-{identity}",
        tool_calls=calls,
        response_metadata={
            "model_name": MODEL_NAME,
            "finish_reason": "tool_calls" if calls else "stop" if text == whole else "length",
        },
        usage_metadata=_usage(messages, tools, _tokens(text) + called),
    )


def _most(options: Mapping[str, Any]) -> int:
    """Return how many tokens an answer may have."""
    asked: list[int] = [options[name] for name in CAPS if isinstance(options.get(name), int)]
    return min([MAX_ANSWER_TOKENS, *asked])


def _until_stop(text: str, stop: Sequence[str] | None) -> str:
    places = [text.find(word) for word in stop or () if word and word in text]
    return text[: min(places)] if places else text


def _identity(messages: Sequence[BaseMessage], step: Step) -> str:
    """Return a name for what is said next, which follows from all that was said before.

    The ids of the person's messages take part in it: in a graph they differ even where the words
    are the same, and two messages of one id would overwrite each other there.
    """
    digest = hashlib.sha256()
    for message in messages:
        own_id = message.id or "" if isinstance(message, HumanMessage) else ""
        digest.update(f"{message.type}\0{own_id}\0{message.text}\0".encode("utf-8", "replace"))
    digest.update(
        f"{len(messages)}\0{step.text}\0{step.tool}\0{arguments_text(step.arguments)}".encode(
            "utf-8", "replace"
        )
    )
    return digest.hexdigest()[:32]


_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]{{1,16}}|[^\w\s]")


def _tokens(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


def _cut(text: str, most: int) -> str:
    """Return a text's first tokens."""
    rest = next(islice(_TOKEN.finditer(text), most, None), None)
    return text if rest is None else text[: rest.start()].rstrip()


def _usage(messages: Sequence[BaseMessage], tools: Sequence[Any], received: int) -> UsageMetadata:
    sent = sum(_tokens(message.text) for message in messages)
    sent += sum(
        _tokens(arguments_text(call["args"]))
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    )
    sent += _tokens(json.dumps(tools, default=str)) if tools else 0
    return UsageMetadata(input_tokens=sent, output_tokens=received, total_tokens=sent + received)


def _chunks(answer: AIMessage) -> Iterator[ChatGenerationChunk]:
    """Yield an answer word by word; the last chunk carries the calls and the usage."""
    for piece in re.findall(r"\s*\S+|\s+$", answer.text):
        yield ChatGenerationChunk(message=AIMessageChunk(content=piece, id=answer.id))
    yield ChatGenerationChunk(
        message=AIMessageChunk(
            content="",
            id=answer.id,
            response_metadata=answer.response_metadata,
            usage_metadata=answer.usage_metadata,
            tool_call_chunks=[
                {
                    "name": call["name"],
                    "args": json.dumps(call["args"], ensure_ascii=False),
                    "id": call["id"],
                    "index": index,
                    "type": "tool_call_chunk",
                }
                for index, call in enumerate(answer.tool_calls)
            ],
            chunk_position="last",
        )
    )
