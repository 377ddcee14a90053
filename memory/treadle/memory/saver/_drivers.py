"""How operations reach Redis: through a synchronous client, or an asyncio one.

Either driver serves both faces. A synchronous client serves the asynchronous face from worker
threads; an asyncio client, which belongs to one event loop, serves the synchronous face from every
thread but that loop's.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import redis
import redis.asyncio
from redis.exceptions import NoPermissionError, NoScriptError

from treadle.core.errors import InputError, RedisError
from treadle.memory.saver._errors import redis_errors_explained
from treadle.memory.saver._scripts import FindKeys, Request, ScriptCall

T = TypeVar("T")
SyncClient = redis.Redis | redis.RedisCluster
AsyncClient = redis.asyncio.Redis | redis.asyncio.RedisCluster
OLDEST = (6, 2)


class Driver(Protocol):
    """Runs operations against one Redis."""

    def run(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation and return its result."""
        ...

    async def arun(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation and return its result, without blocking the event loop."""
        ...


def driver_of(client: SyncClient | AsyncClient) -> Driver:
    """Return the driver for a redis-py client of any kind.

    Raises:
        InputError: it is not a redis-py client.
    """
    if isinstance(client, redis.asyncio.Redis | redis.asyncio.RedisCluster):
        return AsyncDriver(client)
    if isinstance(client, redis.Redis | redis.RedisCluster):
        return SyncDriver(client)
    raise InputError(
        f"RedisSaver got a {type(client).__module__}.{type(client).__qualname__}.",
        hint="Pass a redis-py client: redis.Redis, redis.asyncio.Redis or a RedisCluster.",
    )


class SyncDriver:
    """Drives operations through a synchronous client, which threads may share."""

    def __init__(self, client: SyncClient) -> None:
        self._client = client
        self._execute: Callable[..., Any] = client.execute_command
        self._is_checked = False

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

    def _perform(self, request: Request) -> Any:
        if isinstance(request, FindKeys):
            return [_text(key) for key in self._client.scan_iter(match=request.pattern, count=1000)]
        try:
            return self._execute(*_evalsha(request), NEVER_DECODE=True)
        except NoScriptError:
            return self._execute(*_eval(request), NEVER_DECODE=True)

    def _check_version(self) -> None:
        if self._is_checked:
            return
        with suppress(NoPermissionError):  # a user that may not ask is believed
            check_version(self._client.info("server"))
        self._is_checked = True


class AsyncDriver:
    """Drives operations through an asyncio client, on the event loop it belongs to."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._is_checked = False
        self._loop = _running_loop()

    def run(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation on the client's event loop, from another thread.

        Raises:
            InputError: this is the loop's own thread, or there is no loop yet.
        """
        if self._loop is None or self._loop.is_closed():
            raise InputError(
                "This RedisSaver has an asyncio client that no event loop is running.",
                hint="Use its asynchronous methods, or give it a redis.Redis client.",
            )
        if _running_loop() is self._loop:
            operation.close()
            raise InputError(
                "A synchronous method of RedisSaver was called on the event loop of its client.",
                hint="Use the asynchronous one ('await graph.ainvoke(...)', 'aget_tuple').",
            )
        return asyncio.run_coroutine_threadsafe(self.arun(operation), self._loop).result()

    async def arun(self, operation: Generator[Request, Any, T]) -> T:
        """Run an operation on the running event loop."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        try:
            request = next(operation)
            with redis_errors_explained():
                await self._check_version()
            while True:
                with redis_errors_explained():
                    reply = await self._perform(request)
                request = operation.send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    async def _perform(self, request: Request) -> Any:
        if isinstance(request, FindKeys):
            found = self._client.scan_iter(match=request.pattern, count=1000)
            return [_text(key) async for key in found]
        try:
            return await self._client.execute_command(*_evalsha(request), NEVER_DECODE=True)
        except NoScriptError:
            return await self._client.execute_command(*_eval(request), NEVER_DECODE=True)

    async def _check_version(self) -> None:
        if self._is_checked:
            return
        with suppress(NoPermissionError):  # a user that may not ask is believed
            check_version(await self._client.info("server"))
        self._is_checked = True


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
            f"The Redis server is version {version}; the saver needs 6.2 or later.",
            hint="Upgrade it, or use Valkey.",
        )


def _evalsha(call: ScriptCall) -> tuple[Any, ...]:
    return ("EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.args)


def _eval(call: ScriptCall) -> tuple[Any, ...]:
    return ("EVAL", call.script.source, len(call.keys), *call.keys, *call.args)


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
