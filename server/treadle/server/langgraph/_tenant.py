"""Whose agents and threads a request is about."""

from typing import Annotated

from fastapi import Depends

from treadle.runtime import Runtime


async def tenant_runtime() -> Runtime:
    """Stand for the runtime of the request's tenant; the application that serves says which.

    Raises:
        NotImplementedError: it did not, by ``app.dependency_overrides``.
    """
    raise NotImplementedError("app.dependency_overrides does not say whose runtime is served")


Rt = Annotated[Runtime, Depends(tenant_runtime)]
"""The runtime of the request's tenant, as a parameter of a route."""
