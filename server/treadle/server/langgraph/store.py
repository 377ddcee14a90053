"""``/store``: what is known across threads."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from langgraph.store.base import Item
from pydantic import Field

from treadle.server.langgraph._answers import (
    Body,
    Depth,
    Flag,
    Limit,
    No,
    Offset,
    Route,
    answered,
    no_content,
)
from treadle.server.langgraph._tenant import Rt
from treadle.server.security import check_namespace

Label = Annotated[str, Field(min_length=1, pattern=r"^[^.\x00]+$")]
Key = Annotated[str, Field(min_length=1)]
Namespace = Annotated[list[Label], Field(min_length=1)]


class Put(Body):
    """An item to keep; ``ttl`` in minutes."""

    namespace: Namespace
    key: Key
    value: dict[str, Any]
    index: list[str] | No | None = None
    ttl: Annotated[float, Field(gt=0)] | None = None


class Remove(Body):
    """An item to remove."""

    namespace: Namespace
    key: Key


class Search(Body):
    """Which items are wanted."""

    namespace_prefix: Annotated[list[Label], Field(default_factory=list)]
    filter: dict[str, Any] | None = None
    limit: Limit = 10
    offset: Offset = 0
    query: str | None = None
    refresh_ttl: Flag | None = None


class Namespaces(Body):
    """Which namespaces are wanted."""

    prefix: list[Label] | None = None
    suffix: list[Label] | None = None
    max_depth: Depth | None = None
    limit: Limit = 100
    offset: Offset = 0


router = APIRouter(prefix="/store", tags=["store"], route_class=Route)


@router.put("/items", status_code=204)
async def put_item(rt: Rt, body: Put) -> Response:
    """Keep an item."""
    keep = {"ttl": body.ttl} if body.ttl is not None else {}
    namespace = tuple(body.namespace)
    check_namespace(namespace)
    await rt.memory.store.aput(namespace, body.key, body.value, index=body.index, **keep)
    return no_content()


@router.get("/items")
async def get_item(
    rt: Rt,
    namespace: Annotated[str, Query(min_length=1)],
    key: Annotated[str, Query(min_length=1)],
    refresh_ttl: bool | None = None,
) -> Response:
    """Return an item."""
    labels = tuple(namespace.split("."))
    check_namespace(labels)
    item = await rt.memory.store.aget(labels, key, refresh_ttl=refresh_ttl)
    return answered(_item(item) if item else None)


@router.delete("/items", status_code=204)
async def delete_item(rt: Rt, body: Remove) -> Response:
    """Remove an item."""
    check_namespace(tuple(body.namespace))
    await rt.memory.store.adelete(tuple(body.namespace), body.key)
    return no_content()


@router.post("/items/search")
async def search_items(rt: Rt, body: Search) -> Response:
    """Find items."""
    check_namespace(tuple(body.namespace_prefix))
    found = await rt.memory.store.asearch(
        tuple(body.namespace_prefix),
        query=body.query,
        filter=body.filter,
        limit=body.limit,
        offset=body.offset,
        refresh_ttl=body.refresh_ttl,
    )
    return answered({"items": [{**_item(item), "score": item.score} for item in found]})


@router.post("/namespaces")
async def list_namespaces(rt: Rt, body: Namespaces) -> Response:
    """List namespaces."""
    check_namespace(tuple(body.prefix or ()))
    found = await rt.memory.store.alist_namespaces(
        prefix=tuple(body.prefix) if body.prefix else None,
        suffix=tuple(body.suffix) if body.suffix else None,
        max_depth=body.max_depth,
        limit=body.limit,
        offset=body.offset,
    )
    return answered({"namespaces": [list(namespace) for namespace in found]})


def _item(item: Item) -> dict[str, Any]:
    return {**item.dict(), "namespace": list(item.namespace)}
