"""The application: every protocol over one port."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.routing import Route

from treadle.runtime import Runtime
from treadle.server._about import about_router
from treadle.server._metrics import MeasuringMiddleware, Metrics
from treadle.server._openapi import describe
from treadle.server._opening import OpeningMiddleware
from treadle.server._problems import answer_problems
from treadle.server._routing import Shortcut, collected
from treadle.server._serving import Serving, runtime_of_request
from treadle.server._workers import Workers
from treadle.server.a2a import a2a_router
from treadle.server.agui import agui_router
from treadle.server.langgraph import langgraph_router
from treadle.server.mcp import McpEndpoint
from treadle.server.openai import openai_router
from treadle.server.runs import runs_router
from treadle.server.security import GuardMiddleware

TITLE = "Treadle"
"""The server's name, as its description gives it."""


def app(
    runtime: Runtime | AbstractAsyncContextManager[Runtime],
    *,
    requires_key: bool = True,
    hosts: Sequence[str] = (),
    workers: int = 1,
) -> FastAPI:
    """Return the ASGI application that serves a project's agents.

    Args:
        runtime: an open runtime, or what opens one: ``app(Runtime.open())`` opens it when the
            application starts and closes it when it stops.
        requires_key: whether whoever shows no key is refused. Say ``False`` only where no other
            machine can connect: everybody is the operator then.
        hosts: names by which the server may be asked, beside loopback and ``[server] hosts``.
        workers: how many workers execute queued runs of each tenant while the application runs;
            with 0 another process has to.

    Raises:
        TreadleError: when the application starts and the runtime cannot be opened.
    """
    metrics, mcp, working = Metrics(), McpEndpoint(), Workers(workers)

    def serving(opened: Runtime) -> Serving:
        return Serving(opened, metrics, requires_key=requires_key, hosts=hosts, workers=working)

    @asynccontextmanager
    async def lifespan(made: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = runtime
            if not isinstance(opened, Runtime):
                opened = await stack.enter_async_context(opened)
                made.state.serving = serving(opened)
            await stack.enter_async_context(working.open())
            await made.state.serving.start_workers()
            await stack.enter_async_context(mcp.open(made.state.serving))
            yield

    made = FastAPI(
        title=TITLE,
        version=version("treadle"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    if isinstance(runtime, Runtime):  # It is served as well where nobody runs the lifespan.
        made.state.serving = serving(runtime)
    parts = (about_router, langgraph_router, runs_router, openai_router, a2a_router, agui_router)
    routes = [*collected(*parts).routes, Route(mcp.path, mcp, methods=["POST"])]
    made.router.routes.extend([Shortcut(routes), *routes])
    made.state.runtime_of = runtime_of_request
    made.add_middleware(OpeningMiddleware)
    made.add_middleware(GuardMiddleware)
    made.add_middleware(MeasuringMiddleware, metrics=metrics)
    answer_problems(made)
    describe(made)
    return made
