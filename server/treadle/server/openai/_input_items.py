"""What a response or a conversation was told, as items; and pages of them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import Query

from treadle.core.errors import UnknownNameError

Item = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=200)]
Include = Annotated[list[str] | None, Query(alias="include[]", max_length=0)]
"""Nothing more is told than what is: whatever is to be included is refused."""
Order = Literal["asc", "desc"]


def input_items(asked: Mapping[str, Any], marks: str) -> list[Item]:
    """Return what a request brought, the first item first.

    Args:
        asked: the request, as JSON.
        marks: what the ids of its items begin with.
    """
    given = asked["input"]
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    return [_shown(item, f"{marks}_{at}") for at, item in enumerate(given)]


def _shown(item: Mapping[str, Any], mark: str) -> Item:
    kind = str(item["type"])
    about = {"id": f"{_PREFIXES[kind]}_{mark}", "type": kind, "status": "completed"}
    if kind == "message":
        return {**about, "role": item["role"], "content": _content(item["role"], item["content"])}
    if kind == "function_call":
        return {**about, **{name: item[name] for name in ("call_id", "name", "arguments")}}
    if kind == "function_call_output":
        output = item["output"]
        shown = output if isinstance(output, str) else _content("user", output)
        return {**about, "call_id": item["call_id"], "output": shown}
    return {**about, "summary": item["summary"], "content": item.get("content")}


def _content(role: str, content: str | Sequence[Mapping[str, Any]]) -> list[Item]:
    pieces = [{"text": content}] if isinstance(content, str) else content
    return [_piece(role, piece) for piece in pieces]


def _piece(role: str, piece: Mapping[str, Any]) -> Item:
    if piece.get("type") == "refusal":
        return {"type": "refusal", "refusal": piece["refusal"]}
    if role == "assistant":
        return {"type": "output_text", "text": piece["text"], "annotations": []}
    return {"type": "input_text", "text": piece["text"]}


_PREFIXES = {
    "message": "msg_in",
    "reasoning": "rs_in",
    "function_call": "fc_in",
    "function_call_output": "fco_in",
}


def page_of(items: Sequence[Item], *, after: str | None, limit: int, order: Order) -> Item:
    """Return a page of items as OpenAI lists them.

    Args:
        items: all of them, the first one first.
        after: the id of the item that the page follows, in the page's order.
        limit: how many at most.
        order: which way.

    Raises:
        UnknownNameError: there is no item ``after``.
    """
    ordered = list(items) if order == "asc" else list(reversed(items))
    if after is not None:
        places = [at for at, item in enumerate(ordered) if item["id"] == after]
        if not places:
            raise UnknownNameError("item", after, None)
        ordered = ordered[places[0] + 1 :]
    page = ordered[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": len(ordered) > limit,
    }
