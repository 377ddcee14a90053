"""An open boundary: whose gate is asked, and what place in the run each call has."""

import asyncio
import itertools
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from langchain_core.runnables.config import var_child_runnable_config

from treadle.core.calls import Call, CallSpec, Gate, Position, Purpose
from treadle.core.errors import BoundaryError
from treadle.core.model_settings import ModelSettings

T = TypeVar("T")

LOOP_PATIENCE_SECONDS = 30.0
"""How long a call in a thread waits for the event loop to begin with it."""

current_scope: ContextVar["Scope | None"] = ContextVar("treadle_boundary", default=None)
current_purpose: ContextVar[Purpose] = ContextVar("treadle_purpose", default=Purpose.ANSWER)
acting_agent: ContextVar[str] = ContextVar("treadle_agent", default="")
enclosing_call: ContextVar[str] = ContextVar("treadle_enclosing_call", default="")
"""What marks the places of calls made inside a call, such as ``"~0"``; empty outside one."""


@dataclass(slots=True)
class _Execution:
    """One execution of a LangGraph task, and the calls it made so far."""

    info: object
    attempt: int
    ordinals: Iterator[int] = field(default_factory=itertools.count)


@dataclass(slots=True)
class Scope:
    """A boundary while it is open."""

    gate: Gate
    loop: asyncio.AbstractEventLoop
    thread_id: str
    run_id: str
    is_watched: bool
    model_settings: ModelSettings
    is_closed: bool = False
    _executions: dict[str, _Execution] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, spec: CallSpec) -> Call:
        """Return the call with its place in the run.

        Raises:
            BoundaryError: the run has ended; a thread of it is still at work.
        """
        if self.is_closed:
            raise BoundaryError(
                f"The {spec.kind} {spec.name!r} was called after its run had ended.",
                hint="A node or tool left a thread or task behind: wait for it before returning.",
            )
        return Call(
            position=self._next_position(spec.key),
            kind=spec.kind,
            name=spec.name,
            effect=spec.effect,
            request=spec.request,
            purpose=current_purpose.get(),
            limits=spec.limits,
            agent=acting_agent.get(),
        )

    def _next_position(self, key: str) -> Position:
        config = var_child_runnable_config.get() or {}
        configurable = config.get("configurable", {})
        namespace = str(configurable.get("checkpoint_ns", ""))
        inside = enclosing_call.get()
        info = getattr(configurable.get("__pregel_runtime"), "execution_info", None)
        task = f"{namespace}{inside}@{key}" if key else namespace + inside
        attempt, ordinal = self._count(task, info)
        path = "|".join(part.partition(":")[0] for part in namespace.split("|")) + inside
        metadata = config.get("metadata", {})
        return Position(
            self.thread_id,
            self.run_id,
            task,
            path,
            _branch(metadata.get("langgraph_path", ())),
            int(metadata.get("langgraph_step", 0)),
            ordinal,
            attempt,
        )

    def _count(self, task: str, info: object) -> tuple[int, int]:
        """Return which execution of the task this is, and which of its calls.

        LangGraph makes a new ``execution_info`` each time it executes a task, also when a retry
        policy runs it, or a node around it, again.
        """
        with self._lock:  # parallel branches run in threads too
            known = self._executions.get(task)
            if known is None or known.info is not info:
                known = _Execution(info, known.attempt + 1 if known else 1)
                self._executions[task] = known
            return known.attempt, next(known.ordinals)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine on the boundary's loop and wait for it in this thread.

        Raises:
            BoundaryError: the loop does not begin with it, because something blocks the loop.
        """
        has_begun = threading.Event()

        async def run() -> T:
            has_begun.set()
            return await coroutine

        try:
            future = asyncio.run_coroutine_threadsafe(run(), self.loop)
        except RuntimeError:
            coroutine.close()
            raise BoundaryError("The event loop of the run is closed.") from None
        if not has_begun.wait(LOOP_PATIENCE_SECONDS):
            future.cancel()
            coroutine.close()
            raise BoundaryError(
                f"The run's event loop was blocked for {LOOP_PATIENCE_SECONDS:g} seconds.",
                hint="Look for 'graph.invoke(...)' or other blocking calls in an async node.",
            )
        return future.result()

    def is_here(self) -> bool:
        """Tell whether this is the boundary's event loop, which must not be waited for."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False


def _branch(path: Sequence[Any]) -> int:
    """Return the index among the tasks sent in one step that LangGraph's task path holds."""
    return next((part for part in path[1:] if type(part) is int), 0)
