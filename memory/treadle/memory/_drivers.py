"""How operations reach Redis: through a synchronous client, or an asyncio one.

Either driver serves both faces. A synchronous client serves the asynchronous face from worker
threads; an asyncio client, which belongs to one event loop, serves the synchronous face from every
thread but that loop's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakSet

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError, NoScriptError
from redis.exceptions import RedisError as DriverError

from treadle.core.errors import InputError, RedisError
from treadle.memory._batching import BatchingRedis
from treadle.memory._lua import FindKeys, Pipeline, Request, Script, ScriptCall
from treadle.memory._storage_errors import explained, redis_errors_explained

T = TypeVar("T")
SyncClient = redis.Redis | redis.RedisCluster
AsyncClient = redis.asyncio.Redis | redis.asyncio.RedisCluster
OLDEST = (6, 2)
_CHECKED: WeakSet[Any] = WeakSet()
"""The clients whose server is known to be new enough."""


class Driver(Protocol):
    """Runs operations against one Redis."""

    @property
    def is_cluster(self) -> bool:
        """Whether keys lie on several nodes, so that a script reaches those of one hash tag."""
        ...

    def run(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation and return its result."""
        ...

    async def arun(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation and return its result, without blocking the event loop."""
        ...

    async def ask(self, request: Request) -> Any:
        """Make one request and return the reply, without blocking the event loop."""
        ...


def driver_of(client: SyncClient | AsyncClient, owner: str) -> Driver:
    """Return the driver for a redis-py client of any kind.

    Args:
        client: the client.
        owner: the name of the class it works for, as messages call it.

    Raises:
        InputError: it is not a redis-py client.
    """
    if _is_one(type(client), redis.asyncio.Redis, redis.asyncio.RedisCluster):
        return AsyncDriver(cast("AsyncClient", client), owner)
    if _is_one(type(client), redis.Redis, redis.RedisCluster):
        return SyncDriver(cast("SyncClient", client))
    raise InputError(
        f"{owner} got a {type(client).__module__}.{type(client).__qualname__}.",
        hint="Pass a redis-py client: redis.Redis, redis.asyncio.Redis or a RedisCluster.",
    )


@cache
def _is_one(kind: type, *of: type) -> bool:
    """Tell whether a class is one of others, asked once: these have many bases."""
    return issubclass(kind, of)


class SyncDriver:
    """Drives operations through a synchronous client, which threads may share."""

    def __init__(self, client: SyncClient) -> None:
        self._client = client
        self.is_cluster = isinstance(client, redis.RedisCluster)
        self._execute: Callable[..., Any] = client.execute_command

    def run(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation in this thread."""
        try:
            request = next(operation)
            with redis_errors_explained():
                self._check_version()
            while True:
                with redis_errors_explained():
                    reply = self._perform(request)
                request = operation.send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    async def arun(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation in a worker thread."""
        return await asyncio.to_thread(self.run, operation)

    async def ask(self, request: Request) -> Any:
        """Make one request in a worker thread."""
        return await self.arun(asking(request))

    def _perform(self, request: Request) -> Any:
        if isinstance(request, FindKeys):
            return [_text(key) for key in self._client.scan_iter(match=request.pattern, count=1000)]
        if isinstance(request, Pipeline):
            if _goes_one_by_one(request, self.is_cluster):
                return [self._perform(call) for call in request.calls]
            pipeline = self._client.pipeline(transaction=False)
            for call in request.calls:
                pipeline.execute_command(*_evalsha(call), NEVER_DECODE=True)
            replies = _to_ask_again(request, pipeline.execute(raise_on_error=False))
            return [
                self._perform(call) if isinstance(reply, NoScriptError) else _checked(reply)
                for call, reply in zip(request.calls, replies, strict=True)
            ]
        try:
            return self._execute(*_evalsha(request), NEVER_DECODE=True)
        except NoScriptError:
            return self._execute(*_eval(request), NEVER_DECODE=True)

    def _check_version(self) -> None:
        if self._client in _CHECKED:
            return
        with suppress(NoPermissionError):  # a user that may not ask is believed
            check_version(self._client.info("server"))
        _CHECKED.add(self._client)


class AsyncDriver:
    """Drives operations through an asyncio client, on the event loop it belongs to."""

    def __init__(self, client: AsyncClient, owner: str) -> None:
        self._client = client
        self.is_cluster = _is_one(type(client), redis.asyncio.RedisCluster)
        self._batching = client if isinstance(client, BatchingRedis) else None
        self._owner = owner
        self._loaded: set[str] = set()
        self._loop = running_loop()

    def run(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation on the client's event loop, from another thread.

        Raises:
            InputError: this is the loop's own thread, or there is no loop yet.
        """
        if self._loop is None or self._loop.is_closed():
            raise InputError(
                f"This {self._owner} has an asyncio client that no event loop is running.",
                hint="Use its asynchronous methods, or give it a redis.Redis client.",
            )
        if running_loop() is self._loop:
            operation.close()
            raise InputError(
                f"A synchronous method of {self._owner} was called "
                "on the event loop of its client.",
                hint="Use the asynchronous one ('await graph.ainvoke(...)', 'aget…').",
            )
        return asyncio.run_coroutine_threadsafe(self.arun(operation), self._loop).result()

    async def arun(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation on the running event loop."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        try:
            request = next(operation)
            while True:
                request = operation.send(await self.ask(request))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    async def ask(self, request: Request) -> Any:
        """Make one request and return the reply."""
        try:
            if self._client not in _CHECKED:
                await self._check_version()
            return await self._perform(request)
        except DriverError as problem:
            raise explained(problem) from problem

    async def _perform(self, request: Request) -> Any:
        if isinstance(request, FindKeys):
            found = self._client.scan_iter(match=request.pattern, count=1000)
            return [_text(key) async for key in found]
        if isinstance(request, Pipeline):
            if _goes_one_by_one(request, self.is_cluster):
                return [await self._perform(call) for call in request.calls]
            replies = _to_ask_again(request, await self._together(request))
            return [
                await self._perform(call) if isinstance(reply, NoScriptError) else _checked(reply)
                for call, reply in zip(request.calls, replies, strict=True)
            ]
        try:
            return await self._client.execute_command(*_evalsha(request), NEVER_DECODE=True)
        except NoScriptError:
            return await self._client.execute_command(*_eval(request), NEVER_DECODE=True)

    async def _together(self, request: Pipeline) -> list[Any]:
        commands = [self._command(call, request.in_order) for call in request.calls]
        replies: list[Any]
        if self._batching is not None:
            replies = await self._batching.execute_together(commands)
        else:
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command, NEVER_DECODE=True)
            replies = await pipeline.execute(raise_on_error=False)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            self._loaded.clear()
        elif request.in_order:
            self._loaded.update(call.script.sha for call in request.calls)
        return replies

    def _command(self, call: ScriptCall, in_order: bool) -> tuple[Any, ...]:
        """Return what is sent for a call: in order, a script whole that Redis may not have yet.

        What follows an unknown script would be carried out before it otherwise.
        """
        is_whole = in_order and call.script.sha not in self._loaded
        return _eval(call) if is_whole else _evalsha(call)

    async def _check_version(self) -> None:
        with suppress(NoPermissionError):  # a user that may not ask is believed
            check_version(await self._client.info("server"))
        _CHECKED.add(self._client)


def asking(request: Request) -> Generator[Request, Any, Any]:
    """Make an operation of one request."""
    return (yield request)


def script_of(
    driver: Driver, source: str
) -> Callable[[Sequence[str], Sequence[Any]], Awaitable[Any]]:
    """Return what calls a Lua script with its keys and arguments, in one round trip."""
    script = Script.of(source)

    def call(keys: Sequence[str], arguments: Sequence[Any]) -> Awaitable[Any]:
        return driver.ask(ScriptCall(script, tuple(keys), tuple(arguments)))

    return call


def check_version(info: Mapping[str, Any]) -> None:
    """Refuse a server, or a cluster with a server, older than `OLDEST`.

    Args:
        info: the reply to ``INFO server``, or such replies by node.

    Raises:
        RedisError: the server is too old.
    """
    if "redis_version" not in info:
        for of_node in info.values():
            if isinstance(of_node, Mapping):
                check_version(of_node)
        return
    version = str(info["redis_version"])
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        raise RedisError(
            f"The Redis server is version {version}; Treadle needs 6.2 or later.",
            hint="Upgrade it, or use Valkey.",
        )


def _evalsha(call: ScriptCall) -> tuple[Any, ...]:
    return ("EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.args)


def _eval(call: ScriptCall) -> tuple[Any, ...]:
    return ("EVAL", call.script.source, len(call.keys), *call.keys, *call.args)


def _goes_one_by_one(request: Pipeline, is_cluster: bool) -> bool:
    return len(request.calls) == 1 or (request.in_order and is_cluster)


def _to_ask_again(request: Pipeline, replies: list[Any]) -> list[Any]:
    """Return the replies as they are to be taken.

    In order, whatever follows a script that Redis did not have is asked again with it.
    """
    if request.in_order:
        for place, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                return replies[:place] + [reply] * (len(replies) - place)
    return replies


def _checked(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise reply
    return reply


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
