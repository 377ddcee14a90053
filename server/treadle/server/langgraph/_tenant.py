"""Whose agents and threads a request is about."""

from typing import Annotated

from fastapi import Depends, Request

from treadle.runtime import Runtime


async def tenant_runtime(request: Request) -> Runtime:
    """Return the runtime of the request's tenant, by the application's ``state.runtime_of``."""
    # FastAPI's own way, an override, looks at the signatures again for every request.
    found: Runtime = await request.app.state.runtime_of(request)
    return found


Rt = Annotated[Runtime, Depends(tenant_runtime)]
"""The runtime of the request's tenant, as a parameter of a route."""
