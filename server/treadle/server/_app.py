"""The application: every protocol over one port."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from treadle.runtime import Runtime
from treadle.server._about import about_router
from treadle.server._metrics import MeasuringMiddleware, Metrics
from treadle.server._openapi import describe
from treadle.server._problems import answer_problems
from treadle.server._serving import Serving
from treadle.server.langgraph import langgraph_router, tenant_runtime

TITLE = "Treadle"
"""The server's name, as its description gives it."""


def app(runtime: Runtime | AbstractAsyncContextManager[Runtime]) -> FastAPI:
    """Return the ASGI application that serves a project's agents.

    Args:
        runtime: an open runtime, or what opens one: ``app(Runtime.open())`` opens it when the
            application starts and closes it when it stops.

    Raises:
        TreadleError: when the application starts and the runtime cannot be opened.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(made: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = runtime
            if not isinstance(opened, Runtime):
                opened = await stack.enter_async_context(opened)
            made.state.serving = Serving(opened, metrics)
            yield

    made = FastAPI(
        title=TITLE,
        version=version("treadle"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    if isinstance(runtime, Runtime):  # It is served as well where nobody runs the lifespan.
        made.state.serving = Serving(runtime, metrics)
    for router in (about_router, langgraph_router):
        made.include_router(router)
    made.dependency_overrides[tenant_runtime] = lambda: made.state.serving.runtime
    made.add_middleware(MeasuringMiddleware, metrics=metrics)
    answer_problems(made)
    describe(made)
    return made
