"""How ``POST /v1/chat/completions`` answers: whole, or in chunks."""

from collections.abc import Iterator
from typing import Any

from treadle.runtime.testing._exchange import Exchange, pieces
from treadle.runtime.testing._tokens import Tokens

Json = dict[str, Any]


def completion(exchange: Exchange) -> Json:
    """Return the ``chat.completion`` object."""
    answer = exchange.answer
    message: Json = {
        "role": "assistant",
        "content": answer.text or (None if answer.tool_calls or answer.refusal else ""),
        "refusal": answer.refusal or None,
        "annotations": [],
    }
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            _tool_call(exchange, at, call.arguments) for at, call in enumerate(answer.tool_calls)
        ]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(exchange),
    }
    return {
        **_head(exchange, "chat.completion"),
        "choices": [choice],
        "usage": _usage(exchange.tokens),
    }


def completion_chunks(exchange: Exchange) -> Iterator[Json]:
    """Yield the ``chat.completion.chunk`` objects, in order."""
    options = exchange.body.get("stream_options") or {}
    with_usage = options.get("include_usage") is True
    head = _head(exchange, "chat.completion.chunk")
    if with_usage:
        head["usage"] = None
    for delta in _deltas(exchange):
        yield {**head, "choices": [_chunk_choice(delta, None)]}
    yield {**head, "choices": [_chunk_choice({}, _finish_reason(exchange))]}
    if with_usage:
        yield {**head, "choices": [], "usage": _usage(exchange.tokens)}


def _deltas(exchange: Exchange) -> Iterator[Json]:
    answer = exchange.answer
    opening = None if answer.tool_calls and not answer.text else ""
    yield {"role": "assistant", "content": opening, "refusal": None}
    for piece in pieces(answer.reasoning):
        yield {"reasoning_content": piece}
    for piece in pieces(answer.refusal):
        yield {"refusal": piece}
    for piece in pieces(answer.text):
        yield {"content": piece}
    for at, call in enumerate(answer.tool_calls):
        yield {"tool_calls": [{"index": at, **_tool_call(exchange, at, "")}]}
        for piece in pieces(call.arguments):
            yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}


def _tool_call(exchange: Exchange, at: int, arguments: str) -> Json:
    name = exchange.answer.tool_calls[at].name
    function = {"name": name, "arguments": arguments}
    return {"id": exchange.call_id(at), "type": "function", "function": function}


def _chunk_choice(delta: Json, finish_reason: str | None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _finish_reason(exchange: Exchange) -> str:
    answer = exchange.answer
    return "tool_calls" if answer.tool_calls and answer.finish == "stop" else answer.finish


def _head(exchange: Exchange, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{exchange.serial}",
        "object": kind,
        "created": exchange.created,
        "model": exchange.body["model"],
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _usage(tokens: Tokens) -> Json:
    return {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached_input_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
