"""Workers in the server's own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context

from treadle.runtime import Runtime
from treadle.runtime.queue import Worker


class Workers:
    """Executes queued runs of every tenant that is served, while it is `open`.

    Args:
        count: how many workers each tenant has here; none leaves runs to other processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._working: list[tuple[Worker, asyncio.Task[None]]] = []
        self._served: set[str] = set()
        self._is_open = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Let workers work inside; at the end they hand over what they have not finished."""
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False
            for worker, _ in self._working:
                worker.stop()
            await asyncio.gather(*(task for _, task in self._working))
            self._working.clear()

    def serve(self, runtime: Runtime) -> None:
        """Work for a tenant from now on."""
        tenant = runtime.settings.tenant
        if not self._is_open or tenant in self._served:
            return
        self._served.add(tenant)
        for _ in range(self._count):
            worker = runtime.worker()
            # It outlives the request that it may be started by, and knows nothing of it.
            working = asyncio.create_task(worker.run(), context=Context())
            self._working.append((worker, working))
