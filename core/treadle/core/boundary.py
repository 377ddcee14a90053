"""The door that every model call and every tool call goes through.

Inside ``with boundary(gate, ...)`` the calls made by the models and tools of Treadle go through
that gate. Outside it they pass straight through, so a Treadle graph is an ordinary LangGraph graph
that anyone can compile and run without the runtime.
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from langchain_core.runnables.config import var_child_runnable_config

from treadle.core.calls import (
    Call,
    CallKind,
    CallSpec,
    Effect,
    Gate,
    Outcome,
    Permit,
    Position,
    Purpose,
)
from treadle.core.errors import BoundaryError
from treadle.core.usage import Usage

T = TypeVar("T")


@dataclass(slots=True)
class _Scope:
    gate: Gate
    loop: asyncio.AbstractEventLoop
    thread_id: str
    run_id: str
    ordinals: dict[str, Iterator[int]] = field(default_factory=dict)

    def call(self, spec: CallSpec) -> Call:
        return Call(
            position=self._next_position(),
            kind=spec.kind,
            name=spec.name,
            effect=spec.effect,
            request=spec.request,
            purpose=_purpose.get(),
            limits=spec.limits,
        )

    def _next_position(self) -> Position:
        config = var_child_runnable_config.get() or {}
        task = str(config.get("configurable", {}).get("checkpoint_ns", ""))
        # setdefault is atomic, and so is next() on a count: parallel branches run in threads too.
        ordinal = next(self.ordinals.setdefault(task, itertools.count()))
        path = "|".join(part.partition(":")[0] for part in task.split("|"))
        metadata = config.get("metadata", {})
        step = int(metadata.get("langgraph_step", 0))
        branch = _branch(metadata.get("langgraph_path", ()))
        return Position(self.thread_id, self.run_id, task, path, branch, step, ordinal)


_scope: ContextVar[_Scope | None] = ContextVar("treadle_boundary", default=None)
_purpose: ContextVar[Purpose] = ContextVar("treadle_purpose", default=Purpose.ANSWER)


@contextmanager
def boundary(gate: Gate, *, thread_id: str, run_id: str) -> Iterator[None]:
    """Send every call made in this context, and in tasks and threads it starts, through ``gate``.

    Raises:
        RuntimeError: when no event loop is running.
    """
    token = _scope.set(_Scope(gate, asyncio.get_running_loop(), thread_id, run_id))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def thinking() -> Iterator[None]:
    """Mark the model calls made inside as reasoning, kept apart from the answer."""
    token = _purpose.set(Purpose.THOUGHT)
    try:
        yield
    finally:
        _purpose.reset(token)


@contextmanager
def suspended() -> Iterator[None]:
    """Let calls made inside pass straight through: they are the insides of a call being made."""
    token = _scope.set(None)
    try:
        yield
    finally:
        _scope.reset(token)


def is_open() -> bool:
    """Tell whether calls made here go through a gate."""
    return _scope.get() is not None


class Execution:
    """A call while it is being made, as the code that makes it sees it.

    Attributes:
        idempotency_key: the key for `Effect.KEYED` tools: the same whenever this call is
            repeated; random outside a boundary, where nothing can repeat it.
        is_watched: whether a gate listens, so that streaming an answer is worth its cost.
        purpose: what a model's text is for.
        permit: the terms on which the call may be made.
    """

    def __init__(
        self, scope: _Scope | None, call: Call | None, permit: Permit | None = None
    ) -> None:
        self._scope = scope
        self._call = call
        self.permit = permit or Permit()
        self.is_watched = scope is not None
        self.purpose = call.purpose if call else Purpose.ANSWER
        self.idempotency_key = call.idempotency_key if call else f"treadle-{uuid.uuid4().hex[:20]}"

    def delta(self, text: str, purpose: Purpose) -> None:
        """Tell the gate of a piece of the answer that is being received."""
        if self._scope is not None and self._call is not None and text:
            self._scope.gate.delta(self._call, text, purpose)


async def acall(
    spec: CallSpec, execute: Callable[[Execution], Awaitable[T]], usage: Callable[[T], Usage]
) -> T:
    """Make a call through the boundary, or directly where none is open.

    Args:
        spec: what is called.
        execute: makes the call.
        usage: tells from the returned value what the call cost.

    Returns:
        What ``execute`` returned, or the value of the outcome the gate gave instead.

    Raises:
        BaseException: what ``execute`` or the gate raised, or the error of the gate's outcome.
    """
    scope = _scope.get()
    if scope is None:
        return await execute(Execution(None, None))
    call = scope.call(spec)
    known = await scope.gate.before(call)
    if isinstance(known, Outcome):
        return _unwrap(await scope.gate.after(call, known))  # type: ignore[no-any-return]
    measured = _Measured(call)
    try:
        with measured:
            value = await execute(Execution(scope, call, known))
            measured.returned(value, usage(value))
    finally:
        seen = await scope.gate.after(call, measured.outcome)
    return _unwrap(seen)  # type: ignore[no-any-return]


def call(spec: CallSpec, execute: Callable[[Execution], T], usage: Callable[[T], Usage]) -> T:
    """Make a call from a plain function, as `acall` does from a coroutine.

    Raises:
        BoundaryError: when it is made on the event loop itself, where waiting for the gate would
            block for ever.
        BaseException: as `acall`.
    """
    scope = _scope.get()
    if scope is None:
        return execute(Execution(None, None))
    if _running_loop() is scope.loop:
        raise BoundaryError(
            f"The {spec.kind} {spec.name!r} was called synchronously on the event loop.",
            hint="In an async node use 'await model.ainvoke(...)', or make the node a plain def.",
        )
    call = scope.call(spec)
    known = _wait(scope, scope.gate.before(call))
    if isinstance(known, Outcome):
        return _unwrap(_wait(scope, scope.gate.after(call, known)))  # type: ignore[no-any-return]
    measured = _Measured(call)
    try:
        with measured:
            value = execute(Execution(scope, call, known))
            measured.returned(value, usage(value))
    finally:
        seen = _wait(scope, scope.gate.after(call, measured.outcome))
    return _unwrap(seen)  # type: ignore[no-any-return]


async def astream(
    spec: CallSpec,
    stream: Callable[[Execution], AsyncIterator[T]],
    join: Callable[[Sequence[T]], Any],
    split: Callable[[Any], T],
    usage: Callable[[Any], Usage],
) -> AsyncIterator[T]:
    """Make a streamed call through the boundary, or directly where none is open.

    Args:
        spec: what is called.
        stream: starts the call and yields its pieces.
        join: makes the call's value of all its pieces.
        split: makes one piece of a recorded value.
        usage: tells from the value what the call cost.

    Raises:
        BaseException: what ``stream`` or the gate raised.
    """
    scope = _scope.get()
    if scope is None:
        async for piece in stream(Execution(None, None)):
            yield piece
        return
    call = scope.call(spec)
    known = await scope.gate.before(call)
    if isinstance(known, Outcome):
        yield split(_unwrap(await scope.gate.after(call, known)))
        return
    measured = _Measured(call)
    pieces: list[T] = []
    try:
        with measured:
            async for piece in stream(Execution(scope, call, known)):
                pieces.append(piece)
                yield piece
            value = join(pieces)
            measured.returned(value, usage(value))
    finally:
        await scope.gate.after(call, measured.outcome)


async def decide(
    name: str, execute: Callable[[], Awaitable[T]], about: Mapping[str, Any] | None = None
) -> T:
    """Read or choose something that a repetition of the run must find again.

    Without a boundary it is simply executed.

    Args:
        name: what is decided, such as ``"memory.recall"``.
        execute: decides; returns what JSON can hold.
        about: what the decision depends on, to tell when a repetition went another way.
    """
    spec = CallSpec(CallKind.DECISION, name, Effect.READ, about or {})
    return await acall(spec, lambda _: execute(), lambda _: Usage())


class GateChain:
    """Several gates as one: asked in order until one answers, told in the reverse order.

    When a gate refuses or answers, the gates behind it are neither asked nor told.
    """

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = tuple(gates)
        self._asked: dict[str, int] = {}

    async def before(self, call: Call) -> Outcome | Permit:
        """Ask each gate; when one refuses, those before it are told so."""
        permit = Permit()
        for count, gate in enumerate(self._gates):
            try:
                known = await gate.before(call)
            except BaseException as error:
                await self._tell(call, Outcome(error=error), count)
                raise
            if isinstance(known, Outcome):
                self._asked[call.id] = count + 1
                return known
            if known is not None:
                permit &= known
        return permit

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Tell the gates that were asked, last asked first."""
        return await self._tell(call, outcome, self._asked.pop(call.id, len(self._gates)))

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Pass the piece on to every gate."""
        for gate in self._gates:
            gate.delta(call, text, purpose)

    async def _tell(self, call: Call, outcome: Outcome, count: int) -> Outcome:
        for gate in reversed(self._gates[:count]):
            outcome = await gate.after(call, outcome)
        return outcome


class _Measured:
    """Makes the outcome of what runs inside it, whichever way that ends."""

    def __init__(self, call: Call) -> None:
        self._kind = call.kind
        self._started = time.perf_counter()
        self._value: Any = None
        self._usage = Usage()
        self.outcome = Outcome()

    def __enter__(self) -> None:
        return None

    def returned(self, value: object, usage: Usage) -> None:
        self._value = value
        self._usage = usage

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._started
        usage = self._usage if error is None else _FAILED.get(self._kind, Usage())
        self.outcome = Outcome(value=self._value, error=error, usage=usage, seconds=seconds)


_FAILED = {
    CallKind.MODEL: Usage(model_calls=1, unpriced_calls=1),
    CallKind.TOOL: Usage(tool_calls=1),
}


def _unwrap(outcome: Outcome) -> Any:
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def _branch(path: Sequence[Any]) -> int:
    """Return the index among the tasks sent in one step that LangGraph's task path holds."""
    return next((part for part in path[1:] if type(part) is int), 0)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _wait(scope: _Scope, coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, scope.loop).result()
