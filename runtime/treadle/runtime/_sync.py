"""The runtime for programs without an event loop."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from treadle.agents import Agent
from treadle.core.events import Event, Reply
from treadle.core.model_settings import ModelSettings
from treadle.core.settings import Settings
from treadle.runtime._runtime import Runtime

T = TypeVar("T")


class SyncRuntime:
    """A `Runtime` for scripts: asks and streams while the caller waits; `call` does the rest.

    Its event loop runs in a thread of its own, so it may be used from any thread.

    Attributes:
        runtime: the runtime behind it.
    """

    def __init__(self, portal: BlockingPortal, runtime: Runtime) -> None:
        self._portal = portal
        self.runtime = runtime

    @classmethod
    @contextmanager
    def open(
        cls,
        url: str | None = None,
        project: str | Path = ".",
        *,
        settings: Settings | None = None,
    ) -> "Iterator[SyncRuntime]":
        """Open a project's runtime; see `Runtime.open`."""
        with start_blocking_portal() as portal:
            opening = Runtime.open(url, project, settings=settings)
            with portal.wrap_async_context_manager(opening) as runtime:
                yield cls(portal, runtime)

    def ask(
        self,
        agent: str | Agent,
        text: str,
        *,
        thread: str | None = None,
        user: str | None = None,
        model_settings: ModelSettings | None = None,
    ) -> Reply:
        """Ask an agent and wait for its reply; see `Runtime.ask`."""
        ask = partial(self.runtime.ask, thread=thread, user=user, model_settings=model_settings)
        return self.call(lambda: ask(agent, text))

    def stream(
        self,
        agent: str | Agent,
        text: str,
        *,
        thread: str | None = None,
        user: str | None = None,
        pieces: bool = True,
        model_settings: ModelSettings | None = None,
    ) -> Iterator[Event]:
        """Ask an agent and yield each event of the run as it happens; see `Runtime.stream`."""
        stream = partial(self.runtime.stream, thread=thread, user=user, pieces=pieces)
        events = stream(agent, text, model_settings=model_settings)
        try:
            while True:
                try:
                    event = self.call(events.__anext__)
                except StopAsyncIteration:
                    return
                yield event
        finally:
            self.call(events.aclose)

    def call(self, method: Callable[[], Awaitable[T]]) -> T:
        """Await what ``method`` returns on the runtime's event loop.

        For the rest of the runtime: ``rt.call(lambda: rt.runtime.threads.recent())``. Ctrl-C
        cancels it there, so a run ends and its thread is free again.
        """
        future = self._portal.start_task_soon(method)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise
