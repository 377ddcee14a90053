"""``/v1/chat/completions``."""

import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import Field, field_validator

from treadle.agents import Agent, ClientTool
from treadle.core.errors import InputError
from treadle.core.model_settings import (
    Effort,
    ModelSettings,
    Penalty,
    Probability,
    Seed,
    StopWords,
    Temperature,
    Verbosity,
)
from treadle.runtime import Runtime
from treadle.server._asked_settings import AskedSettings
from treadle.server._serving import Served
from treadle.server._sse import EventStream, sse
from treadle.server._telling import Ended, Said, Started, kind_of
from treadle.server._turn import ClientCall, Turn, adapted, arguments_of
from treadle.server.langgraph import Rt
from treadle.server.openai._answering import (
    Told,
    annotations_of,
    cut_by,
    ending_of,
    places,
    told,
    usage_of,
    while_connected,
)
from treadle.server.openai._failures import FailedRequestError, without_answer
from treadle.server.openai._fields import (
    AnswerContent,
    Asking,
    Content,
    Function,
    Name,
    ObjectSchema,
    Part,
    answer_of,
    text_of,
)
from treadle.server.security import memory_user


class CalledFunction(Part):
    """What a call names."""

    name: Name
    arguments: str

    @field_validator("arguments")
    @classmethod
    def _is_object(cls, text: str) -> str:
        arguments_of(text)
        return text


class Called(Part):
    """A call that the model made before."""

    id: Name
    type: Literal["function"] = "function"
    function: CalledFunction


class Instruction(Part):
    """What the client tells the model, beside the agent's own instructions."""

    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class Question(Part):
    """What a person said."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class Answer(Asking):
    """What the model said."""

    role: Literal["assistant"]
    content: AnswerContent | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    name: str | None = None
    tool_calls: list[Called] | None = None
    neutral: ClassVar = {"annotations": ([],)}


class Result(Part):
    """What a tool of the client returned."""

    role: Literal["tool"]
    content: Content
    tool_call_id: Name


Message = Annotated[Instruction | Question | Answer | Result, Field(discriminator="role")]


class Tool(Part):
    """A tool of the client."""

    type: Literal["function"]
    function: Function


class Schema(Part):
    """A schema that the answer must fit."""

    name: str | None = None
    description: str | None = None
    schema_: Annotated[ObjectSchema, Field(alias="schema")]
    strict: bool | None = None


class TextFormat(Part):
    """The answer is text."""

    type: Literal["text"]


class SchemaFormat(Part):
    """The answer is JSON of a schema."""

    type: Literal["json_schema"]
    json_schema: Schema


Format = Annotated[TextFormat | SchemaFormat, Field(discriminator="type")]


class StreamOptions(Asking):
    """How the answer is streamed."""

    include_usage: bool = False
    neutral: ClassVar = {"include_obfuscation": (False, True)}


class ChatRequest(Asking):
    """A chat completion; the thread is named by ``metadata.thread_id`` or ``X-Thread-Id``."""

    model: Name
    messages: Annotated[list[Message], Field(min_length=1, max_length=2_000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    response_format: Format | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Seed | None = None
    stop: StopWords | None = None
    reasoning_effort: Effort | None = None
    verbosity: Verbosity | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    user: Name | None = None
    neutral: ClassVar = {
        "n": (1,),
        "logprobs": (False,),
        "parallel_tool_calls": (True,),
        "service_tier": ("auto", "default"),
        "modalities": (["text"],),
        "logit_bias": ({},),
    }

    def model_settings(self) -> ModelSettings:
        """Return what the agent's models are to be given."""
        return ModelSettings(
            temperature=self.temperature,
            top_p=self.top_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            seed=self.seed,
            stop=self.stop or (),
            reasoning_effort=self.reasoning_effort,
            verbosity=self.verbosity,
        )


router = APIRouter(prefix="/v1", tags=["openai"])
ThreadHeader = Annotated[str | None, Header(max_length=200)]


@router.post("/chat/completions")
async def complete(
    rt: Rt, served: Served, request: Request, body: ChatRequest, x_thread_id: ThreadHeader = None
) -> Response:
    """Ask an agent, and go on with a thread where one is named."""
    agent = served.agent_to_talk_with(rt, body.model, "model")
    turn = _turn(rt, agent, body, x_thread_id)
    source = told(rt, turn, pieces=bool(body.stream))
    try:
        if not body.stream:
            whole = await while_connected(request, _whole(rt, body, source))
            return JSONResponse(whole, headers=places(**whole["metadata"]))
        started = await anext(source)
        assert isinstance(started, Started)  # noqa: S101 - it is what every run begins with
        head = _Head(body.model, started)
        chunks = _chunks(rt, body, head, source)
        return EventStream(chunks, places(**head.metadata))
    except FailedRequestError as error:
        return error.answer()


class _Head:
    """What every part of an answer says."""

    def __init__(self, model: str, started: Started) -> None:
        self.metadata = {"thread_id": started.thread_id, "run_id": started.run_id}
        self.fields = {
            "id": f"chatcmpl-{started.run_id}",
            "created": int(time.time()),
            "model": model,
            "metadata": self.metadata,
        }


def _turn(rt: Runtime, asked: Agent, body: ChatRequest, header: str | None) -> Turn:
    named = (body.metadata or {}).get("thread_id")
    if named and header and named != header:
        raise InputError(f"metadata.thread_id is {named!r} and X-Thread-Id {header!r}.")
    instructions = [text_of(m.content) for m in body.messages if isinstance(m, Instruction)]
    tools = body.tools if body.tool_choice != "none" else None
    chosen = body.response_format
    schema = chosen.json_schema.schema_ if isinstance(chosen, SchemaFormat) else None
    agent = adapted(
        asked,
        instructions="\n\n".join(instructions),
        tools=[_tool(tool.function) for tool in tools or ()],
        output=schema,
        max_tokens=body.max_completion_tokens or body.max_tokens,
    )
    settings = AskedSettings(body.model_settings()).taken_by(rt, body.model)
    messages = [_message(m) for m in body.messages if not isinstance(m, Instruction)]
    thread_id = named or header
    keep = body.store is not False or thread_id is not None
    return Turn(agent, messages, thread_id, memory_user(body.user), keep, settings=settings)


def _tool(function: Function) -> ClientTool:
    return ClientTool(
        name=function.name,
        description=function.description or "",
        parameters=function.parameters or {"type": "object", "properties": {}},
    )


def _message(said: Question | Answer | Result) -> AnyMessage:
    if isinstance(said, Question):
        return HumanMessage(text_of(said.content))
    if isinstance(said, Result):
        return ToolMessage(text_of(said.content), tool_call_id=said.tool_call_id)
    calls = [
        {"name": c.function.name, "args": arguments_of(c.function.arguments), "id": c.id}
        for c in said.tool_calls or ()
    ]
    answer = answer_of(said.content, said.refusal)
    return AIMessage(answer.content, additional_kwargs=answer.additional_kwargs, tool_calls=calls)


async def _whole(rt: Runtime, body: ChatRequest, source: AsyncGenerator[Told]) -> dict[str, Any]:
    head: _Head | None = None
    thought: list[str] = []
    async for one in source:
        if isinstance(one, Started):
            head = _Head(body.model, one)
        elif isinstance(one, Said) and one.kind == "reasoning":
            thought.append(one.text)
        elif isinstance(one, Ended):
            ending = await ending_of(rt, one.reply)
            message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
            message[_DELTAS[kind_of(one.reply)]] = ending.text or None
            message["annotations"] = _annotations(ending.text, one)
            if thought:
                message["reasoning_content"] = "".join(thought).strip()
            if ending.calls:
                message["tool_calls"] = _calls(ending.calls)
            choice = {"index": 0, "message": message, "logprobs": None}
            choice["finish_reason"] = _reason(one, ending.calls)
            assert head is not None  # noqa: S101 - every run begins
            usage = usage_of(one.reply.usage)
            about = {"object": "chat.completion", "choices": [choice], "usage": usage}
            return {**head.fields, **about}
    raise without_answer()


async def _chunks(
    rt: Runtime, body: ChatRequest, head: _Head, source: AsyncGenerator[Told]
) -> AsyncGenerator[bytes]:
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    base = {**head.fields, "object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if with_usage else {}
        return sse({**base, "choices": [choice], **usage})

    yield chunk({"role": "assistant", "content": ""})
    has_text = False
    try:
        async with aclosing(source):
            async for one in source:
                if isinstance(one, Said):
                    has_text = has_text or one.kind != "reasoning"
                    yield chunk({_DELTAS[one.kind]: one.text})
                elif isinstance(one, Ended):
                    for piece in await _last_deltas(rt, one, has_text=has_text):
                        yield chunk(*piece)
                    if with_usage:
                        yield sse({**base, "choices": [], "usage": usage_of(one.reply.usage)})
    except FailedRequestError as error:
        yield sse({"error": error.details()})
    yield sse("[DONE]")


async def _last_deltas(
    rt: Runtime, ended: Ended, *, has_text: bool
) -> list[tuple[dict[str, Any], str | None]]:
    """Return the deltas at the end, each with the reason it is one."""
    ending = await ending_of(rt, ended.reply)
    text = ending.after(has_answer=has_text)
    deltas: list[tuple[dict[str, Any], str | None]] = []
    if text:
        deltas.append(({_DELTAS[kind_of(ended.reply)]: text}, None))
    for index, call in enumerate(_calls(ending.calls)):
        deltas.append(({"tool_calls": [{"index": index, **call}]}, None))
    return [*deltas, ({}, _reason(ended, ending.calls))]


_DELTAS = {"reasoning": "reasoning_content", "text": "content", "refusal": "refusal"}


def _annotations(text: str, ended: Ended) -> list[dict[str, Any]]:
    found = annotations_of(text, ended.reply)
    return [{"type": "url_citation", "url_citation": one} for one in found]


def _reason(ended: Ended, calls: Sequence[ClientCall]) -> str:
    if calls:
        return "tool_calls"
    return cut_by(ended.reply) or "stop"


def _calls(calls: Sequence[ClientCall]) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            },
        }
        for call in calls
    ]
