"""How ``POST /v1/responses`` answers: whole, or as a stream of typed events."""

from collections.abc import Iterator
from typing import Any

from treadle.runtime.testing._exchange import Exchange, pieces
from treadle.runtime.testing._tokens import Tokens

Json = dict[str, Any]
_ENCRYPTED = "reasoning.encrypted_content"


def response_id(exchange: Exchange) -> str:
    """Return the id under which the response can be continued."""
    return f"resp_{exchange.serial}"


def output_items(exchange: Exchange) -> list[Json]:
    """Return the finished items: reasoning, then the message, then the function calls."""
    answer = exchange.answer
    items: list[Json] = []
    if answer.reasoning:
        items.append(_reasoning_item(exchange))
    if answer.text or answer.refusal or not answer.tool_calls:
        items.append(_message_item(exchange))
    for at, call in enumerate(answer.tool_calls):
        items.append(
            {
                "id": f"fc_{exchange.serial}{at:02d}",
                "type": "function_call",
                "status": "completed",
                "call_id": exchange.call_id(at),
                "name": call.name,
                "arguments": call.arguments,
            }
        )
    return items


def response(exchange: Exchange) -> Json:
    """Return the finished ``response`` object."""
    cut_by = exchange.answer.finish
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(cut_by)
    return {
        **_head(exchange),
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output_items(exchange),
        "usage": _usage(exchange.tokens),
    }


def response_events(exchange: Exchange) -> Iterator[Json]:
    """Yield the events of the stream, numbered in order."""
    for number, event in enumerate(_events(exchange)):
        yield {**event, "sequence_number": number}


def _events(exchange: Exchange) -> Iterator[Json]:
    started = {**_head(exchange), "status": "in_progress", "output": [], "usage": None}
    started["incomplete_details"] = None
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for at, item in enumerate(output_items(exchange)):
        yield _item_event("added", at, _unfinished(item))
        yield from _inner_events(item, {"item_id": item["id"], "output_index": at})
        yield _item_event("done", at, item)
    finished = response(exchange)
    yield {"type": f"response.{finished['status']}", "response": finished}


def _item_event(what: str, at: int, item: Json) -> Json:
    return {"type": f"response.output_item.{what}", "output_index": at, "item": item}


def _unfinished(item: Json) -> Json:
    if item["type"] == "reasoning":
        return {**item, "summary": []}
    if item["type"] == "message":
        return {**item, "content": [], "status": "in_progress"}
    return {**item, "arguments": "", "status": "in_progress"}


def _inner_events(item: Json, at: Json) -> Iterator[Json]:
    if item["type"] == "reasoning":
        yield from _reasoning_events(item["summary"][0], {**at, "summary_index": 0})
    elif item["type"] == "message":
        yield from _content_events(item["content"][0], {**at, "content_index": 0})
    else:
        kind = "response.function_call_arguments"
        for piece in pieces(item["arguments"]):
            yield {"type": f"{kind}.delta", **at, "delta": piece}
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield {"type": f"{kind}.done", **at, **done}


def _reasoning_events(part: Json, at: Json) -> Iterator[Json]:
    kind = "response.reasoning_summary"
    yield {"type": f"{kind}_part.added", **at, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": f"{kind}_text.delta", **at, "delta": piece}
    yield {"type": f"{kind}_text.done", **at, "text": part["text"]}
    yield {"type": f"{kind}_part.done", **at, "part": part}


def _content_events(part: Json, at: Json) -> Iterator[Json]:
    field = "refusal" if part["type"] == "refusal" else "text"
    kind = "response.refusal" if field == "refusal" else "response.output_text"
    extra: Json = {} if field == "refusal" else {"logprobs": []}
    yield {"type": "response.content_part.added", **at, "part": {**part, field: ""}}
    for piece in pieces(part[field]):
        yield {"type": f"{kind}.delta", **at, "delta": piece, **extra}
    yield {"type": f"{kind}.done", **at, field: part[field], **extra}
    yield {"type": "response.content_part.done", **at, "part": part}


def _reasoning_item(exchange: Exchange) -> Json:
    item: Json = {
        "id": f"rs_{exchange.serial}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": exchange.answer.reasoning}],
    }
    if _ENCRYPTED in (exchange.body.get("include") or []):
        item["encrypted_content"] = f"encrypted-{exchange.serial}"
    return item


def _message_item(exchange: Exchange) -> Json:
    answer = exchange.answer
    part: Json = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
    if answer.refusal:
        part = {"type": "refusal", "refusal": answer.refusal}
    return {
        "id": f"msg_{exchange.serial}",
        "type": "message",
        "role": "assistant",
        "status": "completed" if answer.finish == "stop" else "incomplete",
        "content": [part],
    }


def _head(exchange: Exchange) -> Json:
    body = exchange.body
    return {
        "id": response_id(exchange),
        "object": "response",
        "created_at": exchange.created,
        "background": False,
        "error": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": body["model"],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": "default",
        "store": body.get("store") is not False,
        "temperature": 1.0 if body.get("temperature") is None else body["temperature"],
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0 if body.get("top_p") is None else body["top_p"],
        "truncation": body.get("truncation") or "disabled",
        "user": body.get("user"),
    }


def _usage(tokens: Tokens) -> Json:
    return {
        "input_tokens": tokens.input_tokens,
        "input_tokens_details": {
            "cached_tokens": tokens.cached_input_tokens,
            "cache_write_tokens": 0,
        },
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
        "total_tokens": tokens.total_tokens,
    }
