"""``/v1/conversations``: threads, as OpenAI's clients know them."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from treadle.server.langgraph import ProtocolThreads, Rt, remove_thread
from treadle.server.openai._editing_items import NewItem, NewItems, add_items, remove_item
from treadle.server.openai._fields import Asking
from treadle.server.openai._input_items import After, Include, Limit, Order, page_of
from treadle.server.openai._said_items import item_named, items_page

ConversationId = Annotated[str, Path(min_length=1, max_length=200)]
ItemId = Annotated[str, Path(min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(max_length=512)]
router = APIRouter(prefix="/v1", tags=["openai"])


class ConversationCreate(Asking):
    """A new conversation, with what was said on it already."""

    metadata: dict[str, Words] | None = None
    items: Annotated[list[NewItem], Field(max_length=20)] | None = None


class ItemsCreate(Asking):
    """What is to be added to a conversation; no response is made."""

    items: NewItems


class ConversationUpdate(Asking):
    """What is to be noted about a conversation, beside what was noted before."""

    metadata: dict[str, Words] | None


@router.post("/conversations")
async def create(rt: Rt, body: ConversationCreate | None = None) -> Response:
    """Begin a conversation."""
    begun = body or ConversationCreate()
    async with ProtocolThreads(rt).made(str(uuid.uuid4()), begun.metadata or {}) as record:
        if begun.items:
            await add_items(rt, record["thread_id"], begun.items)
        return JSONResponse(_shown(record))


@router.get("/conversations/{conversation_id}")
async def read(rt: Rt, conversation_id: ConversationId) -> Response:
    """Return a conversation, however it was begun."""
    return JSONResponse(_shown(await ProtocolThreads(rt).record(conversation_id)))


@router.post("/conversations/{conversation_id}")
async def update(rt: Rt, conversation_id: ConversationId, body: ConversationUpdate) -> Response:
    """Note something about a conversation; what was noted under other names stays."""
    threads = ProtocolThreads(rt)
    await threads.record(conversation_id)
    return JSONResponse(_shown(await threads.update(conversation_id, body.metadata or {})))


@router.delete("/conversations/{conversation_id}")
async def delete(rt: Rt, conversation_id: ConversationId) -> dict[str, Any]:
    """Forget a conversation with all that was said on it, and its responses."""
    await remove_thread(rt, conversation_id)
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


@router.get("/conversations/{conversation_id}/items")
async def list_items(  # noqa: PLR0917 - the words of the protocol
    rt: Rt,
    conversation_id: ConversationId,
    after: After = None,
    limit: Limit = 20,
    order: Order = "desc",
    include: Include = None,
) -> Response:
    """List what was said on a conversation, what tools returned included."""
    del include
    await ProtocolThreads(rt).record(conversation_id)
    page = await items_page(rt, conversation_id, after=after, limit=limit, order=order)
    return JSONResponse(page)


@router.post("/conversations/{conversation_id}/items")
async def create_items(
    rt: Rt, conversation_id: ConversationId, body: ItemsCreate, include: Include = None
) -> Response:
    """Put messages onto a conversation, which its agent is shown when it is asked next."""
    del include
    threads = ProtocolThreads(rt)
    await threads.record(conversation_id)
    items = await add_items(rt, conversation_id, body.items)
    await threads.touch(conversation_id)
    return JSONResponse(page_of(items, after=None, limit=len(items), order="asc"))


@router.get("/conversations/{conversation_id}/items/{item_id}")
async def read_item(
    rt: Rt, conversation_id: ConversationId, item_id: ItemId, include: Include = None
) -> Response:
    """Return something that was said on a conversation."""
    del include
    await ProtocolThreads(rt).record(conversation_id)
    return JSONResponse(await item_named(rt, conversation_id, item_id))


@router.delete("/conversations/{conversation_id}/items/{item_id}")
async def delete_item(rt: Rt, conversation_id: ConversationId, item_id: ItemId) -> Response:
    """Take an item from a conversation; a call goes with what it returned."""
    threads = ProtocolThreads(rt)
    await threads.record(conversation_id)
    await remove_item(rt, conversation_id, item_id)
    return JSONResponse(_shown(await threads.touch(conversation_id)))


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    created = int(datetime.fromisoformat(record["created_at"]).timestamp())
    about = {"id": record["thread_id"], "object": "conversation", "created_at": created}
    return {**about, "metadata": record["metadata"]}
