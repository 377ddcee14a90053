"""``/assistants``: the agents, and what clients made of them."""

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BeforeValidator, Field, model_validator

from treadle.core.errors import UnknownNameError
from treadle.graphs import Graph
from treadle.runtime import Runtime
from treadle.server.langgraph._answers import (
    Body,
    Id,
    IfExists,
    Limit,
    Metadata,
    Offset,
    Order,
    Route,
    answered,
    chosen,
    no_content,
    sorted_page,
)
from treadle.server.langgraph._assistants import Assistants
from treadle.server.langgraph._records import Record, contains
from treadle.server.langgraph._schemas import schemas_of
from treadle.server.langgraph._tenant import Rt
from treadle.server.security import current_principal

SortBy = Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"]
Selected = Literal[SortBy, "description", "config", "context", "metadata", "version"]


def _stay(value: str) -> str:
    """Refuse what clients may ask beside; they say that they do not want it, too.

    Raises:
        ValueError: threads are to be removed with their assistant.
    """
    if value != "false":
        raise ValueError("threads do not go with an assistant; remove them with /threads/prune")
    return value


ThreadsStay = Annotated[Literal["false"], BeforeValidator(_stay), Query()]


class Described(Body):
    """What an assistant is made of; a field that is not given stays as it is."""

    graph_id: Annotated[str, Field(min_length=1)] | None = None
    config: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    metadata: Metadata | None = None
    name: str | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _runs_live(self) -> "Described":
        if "dry_run" in (self.config or {}):
            raise ValueError("'dry_run' is asked for with a run, not of an assistant")
        return self

    def given(self) -> Record:
        """Return the fields that were given."""
        names = Described.model_fields.keys()
        return {k: v for k in names if (v := getattr(self, k)) is not None}


class Create(Described):
    """A new assistant."""

    graph_id: Annotated[str, Field(min_length=1)]
    assistant_id: uuid.UUID | None = None
    if_exists: IfExists = "raise"


class Filter(Body):
    """Which assistants are wanted."""

    metadata: Metadata | None = None
    graph_id: str | None = None
    name: str | None = None

    def fits(self, record: Record) -> bool:
        """Return whether an assistant is wanted."""
        return (
            contains(record["metadata"], self.metadata or {})
            and self.graph_id in (None, record["graph_id"])
            and (self.name or "").lower() in record["name"].lower()
        )


class Search(Filter):
    """Which assistants are wanted, and how many of them."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: SortBy = "created_at"
    sort_order: Order = "desc"
    select: list[Selected] | None = None


class Versions(Body):
    """Which versions are wanted."""

    metadata: Metadata | None = None
    limit: Limit = 10
    offset: Offset = 0


class Latest(Body):
    """The version to use."""

    version: Annotated[int, Field(ge=1)]


router = APIRouter(prefix="/assistants", tags=["assistants"], route_class=Route)


@router.post("")
async def create(rt: Rt, body: Create) -> Response:
    """Make an assistant of an agent."""
    _check_agent(rt, body.graph_id)
    key = str(body.assistant_id or uuid.uuid4())
    made = await Assistants(rt).create(key, body.given())
    if made is None and body.if_exists == "raise":
        raise HTTPException(409, f"The assistant {key!r} exists already.")
    return answered(made or await Assistants(rt).get(key))


@router.post("/search")
async def search(rt: Rt, body: Search) -> Response:
    """Find assistants."""
    found = [record async for record in Assistants(rt).all() if body.fits(record)]
    page = sorted_page(found, body.sort_by, body.sort_order, limit=body.limit, offset=body.offset)
    answer = answered([chosen(record, body.select) for record in page])
    if body.offset + body.limit < len(found):
        answer.headers["X-Pagination-Next"] = str(body.offset + body.limit)
    return answer


@router.post("/count")
async def count(rt: Rt, body: Filter) -> int:
    """Count assistants."""
    return len([record async for record in Assistants(rt).all() if body.fits(record)])


@router.get("/{assistant_id}")
async def get(rt: Rt, assistant_id: Id) -> Response:
    """Return an assistant."""
    return answered(await Assistants(rt).get(assistant_id))


@router.patch("/{assistant_id}")
async def update(rt: Rt, assistant_id: Id, body: Described) -> Response:
    """Make a new version of an assistant."""
    if body.graph_id is not None:
        _check_agent(rt, body.graph_id)
    return answered(await Assistants(rt).update(assistant_id, body.given()))


@router.delete("/{assistant_id}", status_code=204)
async def delete(rt: Rt, assistant_id: Id, delete_threads: ThreadsStay | None = None) -> Response:
    """Remove an assistant that a client made."""
    await Assistants(rt).get(assistant_id)
    if not await Assistants(rt).delete(assistant_id):
        raise HTTPException(403, "An agent of the project cannot be deleted by a client.")
    return no_content()


@router.post("/{assistant_id}/versions")
async def versions(rt: Rt, assistant_id: Id, body: Versions) -> Response:
    """Return the versions of an assistant, newest first."""
    found = await Assistants(rt).versions(assistant_id)
    fitting = [v for v in found if contains(v["metadata"], body.metadata or {})]
    return answered(fitting[body.offset : body.offset + body.limit])


@router.post("/{assistant_id}/latest")
async def latest(rt: Rt, assistant_id: Id, body: Latest) -> Response:
    """Make a version the one in use."""
    return answered(await Assistants(rt).set_latest(assistant_id, body.version))


@router.get("/{assistant_id}/graph")
async def graph(rt: Rt, assistant_id: Id, xray: int | bool = False) -> Response:
    """Return an assistant's graph, to be drawn."""
    drawn = await (await _graph(rt, assistant_id)).aget_graph(xray=xray)
    described = drawn.to_json()
    for node in described["nodes"]:  # Which class a node is of is nobody's business outside.
        if isinstance(node.get("data"), dict):
            node["data"].pop("id", None)
    return answered(described)


@router.get("/{assistant_id}/schemas")
async def schemas(rt: Rt, assistant_id: Id) -> Response:
    """Return the JSON schemas of an assistant's graph."""
    assistant = await Assistants(rt).get(assistant_id)
    graph = rt.graph(assistant["graph_id"])
    return answered({"graph_id": assistant["graph_id"], **schemas_of(graph)})


@router.get("/{assistant_id}/subgraphs")
@router.get("/{assistant_id}/subgraphs/{namespace}")
async def subgraphs(
    rt: Rt, assistant_id: Id, namespace: str | None = None, recurse: bool = False
) -> Response:
    """Return the JSON schemas of the graphs in an assistant's graph."""
    graph = await _graph(rt, assistant_id)
    found = graph.aget_subgraphs(namespace=namespace, recurse=recurse)
    return answered({name: schemas_of(subgraph) async for name, subgraph in found})


async def _graph(rt: Runtime, assistant_id: str) -> Graph:
    return rt.graph((await Assistants(rt).get(assistant_id))["graph_id"])


def _check_agent(rt: Runtime, name: str) -> None:
    known = current_principal().askable(rt.agents())
    if name not in known:
        raise UnknownNameError("agent", name, known)
