"""A real server of the protocol, over a real Redis, with graphs of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

from treadle.core.settings import Settings
from treadle.runtime import Runtime
from treadle.server.langgraph import langgraph_router

OWN_GRAPH = """
from operator import add
from typing import Annotated

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    said: Annotated[list[str], add]
    number: int


def first(state):
    return {"said": ["first"]}


def deep(state):
    return {"number": 1}


def ask(state):
    return {"said": [str(interrupt("Sure?"))]}


inner = StateGraph(State).add_node("deep", deep).add_edge(START, "deep").compile()
graph = StateGraph(State).add_node("first", first).add_node("inner", inner).add_node("ask", ask)
graph.add_edge(START, "first").add_edge("first", "inner").add_edge("inner", "ask")
choosy = StateGraph(State).add_node("choose", deep).add_edge(START, "choose")
choosy.add_conditional_edges("choose", lambda state: str(1 // state["number"]), {"1": "choose"})
"""


def make_project(folder: Path) -> Path:
    """Make a project with graphs that ask and choose, and one of Treadle's own."""
    (folder / "agents").mkdir()
    (folder / "own.py").write_text(OWN_GRAPH)
    (folder / "agents" / "own.yaml").write_text("graph: own.py:graph\n")
    (folder / "agents" / "choosy.yaml").write_text("graph: own.py:choosy\n")
    (folder / "agents" / "plain.yaml").write_text("prompt: You help.\n")
    return folder


@asynccontextmanager
async def running(
    redis_url: str, project: Path, settings: Settings | None = None
) -> AsyncIterator[tuple[str, Runtime]]:
    """Serve the project on loopback; give the address and the runtime behind it."""
    async with Runtime.open(redis_url, project, settings=settings or Settings()) as runtime:
        app = FastAPI()
        app.include_router(langgraph_router)

        async def runtime_of(_: Request) -> Runtime:
            return runtime

        app.state.runtime_of = runtime_of
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        config = server.config
        config.load()
        serving = asyncio.create_task(server.serve(sockets=[config.bind_socket()]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells in no other way
            await asyncio.sleep(0)
        worker = runtime.worker()
        working = asyncio.create_task(worker.run())
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}", runtime
        finally:
            server.should_exit = True
            await serving
            worker.stop()
            await working
