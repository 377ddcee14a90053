"""What happens on a thread, over all of its runs, as one stream."""

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Literal

from treadle.runtime.events import END
from treadle.runtime.queue import StreamedEvent
from treadle.runtime.runs import Run
from treadle.server._sse import sse
from treadle.server.langgraph._runs import FAILED, ProtocolRuns, error_of
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads

ThreadMode = Literal["run_modes", "lifecycle", "state_update"]
_STATES = frozenset({"values", "updates"})
_CLOCKS_MS = 60_000
"""How far the clocks of the machines may lie apart."""


class ThreadStream:
    """Follows a thread's runs, one after the other as they are at work, until it is removed.

    Args:
        runtime: the tenant's runtime.
        thread_id: the thread.
        modes: ``run_modes`` tells all that runs stream, ``lifecycle`` that they begin and end,
            ``state_update`` how the state changes.
        base: the address that the client asked the server by.
    """

    def __init__(
        self, runtime: Rt, thread_id: str, modes: Collection[ThreadMode], base: str
    ) -> None:
        self._runtime = runtime
        self._thread_id = thread_id
        self._modes = modes
        self._base = base
        self._threads = ProtocolThreads(runtime)
        self._runs = ProtocolRuns(runtime)
        self._read: dict[str, int] = {}

    async def now(self) -> str:
        """Return the id that whatever happens from now on comes after."""
        seconds, us = await self._runtime.redis.time()
        return str(int(seconds) * 1_000 + int(us) // 1_000)

    async def pages(self, after: str) -> AsyncGenerator[bytes]:
        """Yield what happens after an event, as it goes over the wire."""
        async with self._runtime.queue.beginnings(self._thread_id) as bell:
            while await self._threads.find(self._thread_id) is not None:
                runs = await self._runtime.runs.recent(100_000, thread=self._thread_id)
                for run in reversed(runs):
                    if not self._may_tell(run, after):
                        continue
                    async with aclosing(self._runtime.queue.event_pages(run, after)) as pages:
                        async for page in pages:
                            after = page[-1].id
                            yield b"".join([await self._wired(run, event) for event in page])
                    self._read[run.id] = run.attempt
                await bell.wait()

    def _may_tell(self, run: Run, after: str) -> bool:
        """Return whether a run may have events that come after one, and were not read."""
        if not run.attempt or self._read.get(run.id) == run.attempt:
            return False
        known = int(after.partition("-")[0])
        # Its end was noted by another clock than Redis's, and a moment before its last event.
        return run.ended is None or run.ended.timestamp() * 1_000 + _CLOCKS_MS >= known

    async def _wired(self, run: Run, event: StreamedEvent) -> bytes:
        if event.name == END:
            ended = await self._runtime.runs.get(run.id)
            failure = sse(error_of(ended), event="error") if ended.status in FAILED else b""
            done = {"status": "run_done", "run_id": run.id}
            return failure + sse(done, event="metadata", id_=event.id)
        kind = event.name.split("|", maxsplit=1)[0]
        is_wanted = (
            "run_modes" in self._modes
            or kind == "metadata"
            or ("state_update" in self._modes and kind in _STATES)
        )
        return await self._runs.wired(run, event, self._base) if is_wanted else b""
