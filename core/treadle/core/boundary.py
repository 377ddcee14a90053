"""The door that every model call and every tool call goes through.

Inside ``with boundary(gate, ...)`` the calls made by the models and tools of Treadle go through
that gate. Outside it they pass straight through, so a Treadle graph is an ordinary LangGraph graph
that anyone can compile and run without the runtime.
"""

import asyncio
import uuid
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import partial
from typing import Any, TypeVar

from treadle.core._measured import Measured
from treadle.core._scope import (
    Scope,
    acting_agent,
    current_purpose,
    current_scope,
    enclosing_call,
)
from treadle.core.calls import Call, CallKind, CallSpec, Effect, Gate, Outcome, Permit, Purpose
from treadle.core.errors import BoundaryError, BudgetExceededError
from treadle.core.model_settings import ModelSettings
from treadle.core.usage import Usage

T = TypeVar("T")

_NO_SETTINGS = ModelSettings()


@contextmanager
def boundary(
    gate: Gate,
    *,
    thread_id: str,
    run_id: str,
    is_watched: bool = True,
    model_settings: ModelSettings = _NO_SETTINGS,
) -> Iterator[None]:
    """Send every call made in this context, and in tasks and threads it starts, through ``gate``.

    Tasks and threads that are still at work when it ends can make no further calls.

    Args:
        gate: is asked and told.
        thread_id: the conversation.
        run_id: the execution on it.
        is_watched: whether anybody wants to see answers grow. Receiving one in pieces costs
            several times the CPU of receiving it whole.
        model_settings: what the run's models are given with every call.

    Raises:
        RuntimeError: when no event loop is running.
    """
    loop = asyncio.get_running_loop()
    scope = Scope(gate, loop, thread_id, run_id, is_watched, model_settings)
    token = current_scope.set(scope)
    try:
        yield
    finally:
        scope.is_closed = True
        current_scope.reset(token)


@contextmanager
def thinking() -> Iterator[None]:
    """Mark the model calls made inside as reasoning, kept apart from the answer."""
    token = current_purpose.set(Purpose.THOUGHT)
    try:
        yield
    finally:
        current_purpose.reset(token)


@contextmanager
def acting(agent: str) -> Iterator[None]:
    """Mark the calls made inside as those of an agent that works for the run's own."""
    token = acting_agent.set(agent)
    try:
        yield
    finally:
        acting_agent.reset(token)


class _Suspended:
    """No generator: this is entered for every piece of every stream."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = current_scope.set(None)

    def __exit__(self, *_: object) -> None:
        current_scope.reset(self._token)


def suspended() -> AbstractContextManager[None]:
    """Let calls made inside pass straight through: they are the insides of a call being made."""
    return _Suspended()


def is_open() -> bool:
    """Tell whether calls made here go through a gate."""
    return current_scope.get() is not None


def model_settings() -> ModelSettings:
    """Return what models are given with calls made here; nothing outside a boundary."""
    scope = current_scope.get()
    return _NO_SETTINGS if scope is None else scope.model_settings


class Execution:
    """A call while it is being made, as the code that makes it sees it.

    Attributes:
        idempotency_key: the key for `Effect.KEYED` tools: the same whenever this call is
            repeated; random outside a boundary, where nothing can repeat it.
        is_watched: whether somebody listens, so that streaming an answer is worth its cost.
        purpose: what a model's text is for.
        permit: the terms on which the call may be made.
    """

    def __init__(
        self, scope: Scope | None, call: Call | None, permit: Permit | None = None
    ) -> None:
        self._scope = scope
        self._call = call
        self.permit = permit or Permit()
        self.is_watched = scope is not None and scope.is_watched
        self.purpose = call.purpose if call else Purpose.ANSWER
        self.idempotency_key = call.idempotency_key if call else f"treadle-{uuid.uuid4().hex[:20]}"

    def delta(self, text: str, purpose: Purpose) -> None:
        """Tell the gate, on the boundary's loop, of a piece of the answer being received."""
        if self._scope is None or self._call is None or not text:
            return
        tell = partial(self._scope.gate.delta, self._call, text, purpose)
        if self._scope.is_here():
            tell()
        else:  # A model without an asynchronous stream is read in a thread.
            with suppress(RuntimeError):  # The loop is closed: nobody is there to be told.
                self._scope.loop.call_soon_threadsafe(tell)


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
    scope = current_scope.get()
    if scope is None:
        return await execute(Execution(None, None))
    call = scope.call(spec)
    known = await scope.gate.before(call)
    if isinstance(known, Outcome):
        return _unwrap(await _tell(scope, call, known))  # type: ignore[no-any-return]
    measured = Measured(call)
    try:
        with measured, _inside(call):
            _check_not_stopped()
            async with _cut_off(call, _deadline(known)):
                value = await execute(Execution(scope, call, known))
            measured.returned(value, usage(value))
    finally:
        seen = await _tell(scope, call, measured.outcome)
    return _unwrap(seen)  # type: ignore[no-any-return]


def call(spec: CallSpec, execute: Callable[[Execution], T], usage: Callable[[T], Usage]) -> T:
    """Make a call from a plain function, as `acall` does from a coroutine.

    Raises:
        BoundaryError: when it is made on the event loop itself, where waiting for the gate would
            block for ever, or in a thread while something else blocks the event loop.
        BaseException: as `acall`.
    """
    scope = current_scope.get()
    if scope is None:
        return execute(Execution(None, None))
    call, known = _ask(scope, spec)
    if isinstance(known, Outcome):
        return _unwrap(scope.wait(_tell(scope, call, known)))  # type: ignore[no-any-return]
    measured = Measured(call)
    try:
        with measured, _inside(call):
            value = execute(Execution(scope, call, known))
            measured.returned(value, usage(value))
    finally:
        seen = scope.wait(_tell(scope, call, measured.outcome))
    return _unwrap(seen)  # type: ignore[no-any-return]


async def astream(
    spec: CallSpec,
    stream: Callable[[Execution], AsyncIterator[T]],
    join: Callable[[Sequence[T]], Any],
    split: Callable[[Any], T],
    usage: Callable[[Any], Usage],
) -> AsyncGenerator[T]:
    """Make a streamed call through the boundary, or directly where none is open.

    Calls made while a piece is fetched pass straight through.

    Args:
        spec: what is called.
        stream: starts the call and yields its pieces.
        join: makes the call's value of all its pieces.
        split: makes one piece of a recorded value.
        usage: tells from the value what the call cost.

    Raises:
        BaseException: what ``stream`` or the gate raised.
    """
    scope = current_scope.get()
    if scope is None:
        async for piece in stream(Execution(None, None)):
            yield piece
        return
    call = scope.call(spec)
    known = await scope.gate.before(call)
    if isinstance(known, Outcome):
        yield split(_unwrap(await _tell(scope, call, known)))
        return
    pieces: list[T] = []
    measured = Measured(call, lambda: join(pieces) if pieces else None)
    try:
        with measured:
            _check_not_stopped()
            source, deadline = stream(Execution(scope, call, known)), _deadline(known)
            while True:
                # Piece by piece: what the receiver does in between must not be cut off.
                async with _cut_off(call, deadline):
                    piece = await _anext(source)
                if piece is _END:
                    break
                pieces.append(piece)
                yield piece
            value = join(pieces)
            measured.returned(value, usage(value))
    finally:
        await _tell(scope, call, measured.outcome)


def stream(
    spec: CallSpec,
    stream: Callable[[Execution], Iterator[T]],
    join: Callable[[Sequence[T]], Any],
    split: Callable[[Any], T],
    usage: Callable[[Any], Usage],
) -> Iterator[T]:
    """Make a streamed call from a plain function, as `astream` does from a coroutine.

    Raises:
        BoundaryError: as `call`.
        BaseException: what ``stream`` or the gate raised.
    """
    scope = current_scope.get()
    if scope is None:
        yield from stream(Execution(None, None))
        return
    call, known = _ask(scope, spec)
    if isinstance(known, Outcome):
        yield split(_unwrap(scope.wait(_tell(scope, call, known))))
        return
    pieces: list[T] = []
    measured = Measured(call, lambda: join(pieces) if pieces else None)
    try:
        with measured:
            source = stream(Execution(scope, call, known))
            while (piece := _next(source)) is not _END:
                pieces.append(piece)
                yield piece
            value = join(pieces)
            measured.returned(value, usage(value))
    finally:
        telling = _tell(scope, call, measured.outcome)
        if scope.is_here():  # A stream nobody reads on is closed wherever it is collected.
            _last_words.add(task := scope.loop.create_task(telling))
            task.add_done_callback(_last_words.discard)
        else:
            scope.wait(telling)


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


def _check_not_stopped() -> None:
    """Begin no call in a task that was cancelled while the gate was asked.

    Until Python 3.12 ``asyncio.wait_for``, with which redis-py sends its commands, loses a
    cancellation that comes as the command is sent (https://github.com/python/cpython/issues/81839).

    Raises:
        CancelledError: the task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _deadline(permit: Permit | None) -> float | None:
    """Return until when the call may take, by the event loop's clock."""
    if permit is None or permit.seconds is None:
        return None
    return asyncio.get_running_loop().time() + permit.seconds


def _cut_off(call: Call, deadline: float | None) -> AbstractAsyncContextManager[None]:
    """End what runs inside when its time is up, if ever.

    Raises:
        BudgetExceededError: it was cut off.
    """
    return nullcontext() if deadline is None else _limited(call, deadline)


@asynccontextmanager
async def _limited(call: Call, deadline: float) -> AsyncIterator[None]:
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise BudgetExceededError(
            f"the run's time was up while {call.name!r} was called, so the call was cut off.",
            unit="seconds",
            hint="Raise 'seconds' in the agent's budget.",
            is_cut_off=True,
        ) from error


def _unwrap(outcome: Outcome) -> Any:
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


_END: Any = object()
_last_words: set[asyncio.Task[Outcome]] = set()


async def _anext(source: AsyncIterator[T]) -> T:
    with suspended():  # around each piece: what a generator sets would leak to who reads it
        return await anext(source, _END)


def _next(source: Iterator[T]) -> T:
    with suspended():
        return next(source, _END)


@contextmanager
def _inside(call: Call) -> Iterator[None]:
    """Give the calls made inside this one places of their own, found again only with it."""
    token = enclosing_call.set(f"{enclosing_call.get()}~{call.position.ordinal}")
    try:
        yield
    finally:
        enclosing_call.reset(token)


def _ask(scope: Scope, spec: CallSpec) -> tuple[Call, Outcome | Permit | None]:
    if scope.is_here():
        raise BoundaryError(
            f"The {spec.kind} {spec.name!r} was called synchronously on the event loop.",
            hint="In an async node use 'await model.ainvoke(...)', or make the node a plain def.",
        )
    call = scope.call(spec)
    return call, scope.wait(scope.gate.before(call))


async def _tell(scope: Scope, call: Call, outcome: Outcome) -> Outcome:
    """Tell the gate how the call ended, to the end, even when the caller is cancelled meanwhile."""
    telling = asyncio.ensure_future(scope.gate.after(call, outcome))
    try:
        return await asyncio.shield(telling)
    except asyncio.CancelledError:
        await asyncio.wait([telling])
        raise
