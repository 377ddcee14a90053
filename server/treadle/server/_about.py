"""``/ok``, ``/health``, ``/info``, ``/metrics`` and ``/docs``: about the server itself."""

import asyncio
from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from redis.exceptions import RedisError as DriverError

from treadle.server._docs_page import docs_page
from treadle.server._problems import Problem, ProblemError
from treadle.server._serving import Serving, of_request

_READY_SECONDS = 2.0
Served = Annotated[Serving, Depends(of_request)]


class Ok(BaseModel):
    """The server answers."""

    ok: Literal[True] = True


class Health(BaseModel):
    """How the server is."""

    status: Literal["live", "ready"]


class Info(BaseModel):
    """What is served.

    Attributes:
        version: Treadle's version.
        langgraph_py_version: LangGraph's version.
        agents: the agents that can be asked.
        failed: why others cannot be, by their names.
        wordless: why some are served to clients of LangGraph's protocol alone, by their names.
        flags: which parts of LangGraph's protocol there are.
    """

    version: str
    langgraph_py_version: str
    agents: list[str]
    failed: dict[str, str]
    wordless: dict[str, str]
    flags: dict[str, bool]


about_router = APIRouter(tags=["server"])


@about_router.get("/ok")
async def ok() -> Ok:
    """Say that the server answers."""
    return Ok()


@about_router.get("/health/live")
async def live() -> Health:
    """Say that the process is alive."""
    return Health(status="live")


@about_router.get("/health/ready", responses={503: {"model": Problem}})
async def ready(served: Served) -> Health:
    """Say whether questions can be answered: whether Redis is reached."""
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await served.runtime.redis.ping()
    except (DriverError, OSError, TimeoutError):
        raise ProblemError(503, "Redis cannot be reached.") from None
    return Health(status="ready")


@about_router.get("/info")
async def info(served: Served) -> Info:
    """Say what is served, and why something is not."""
    return Info(
        version=version("treadle"),
        langgraph_py_version=version("langgraph"),
        agents=served.agents,
        failed=served.failed,
        wordless=served.wordless,
        flags={"assistants": True, "langsmith": False},
    )


@about_router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}},
)
async def metrics(served: Served) -> Response:
    """Return the counts that Prometheus collects."""
    served.metrics.queued(await served.queues())
    return Response(generate_latest(served.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@about_router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """Return a page that lists what can be asked for."""
    return HTMLResponse(docs_page(request.app.openapi()))
