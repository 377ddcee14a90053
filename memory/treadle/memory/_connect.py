"""``connect``: from a URL to a client that is known to work."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from typing import TypeVar

from treadle.memory._embedded import EmbeddedRedis
from treadle.memory._redis_check import check, explained
from treadle.memory._redis_clients import AsyncRedis, SyncRedis, async_client, sync_client
from treadle.memory._redis_url import Address, Cluster, Embedded, SentinelService, Server, parse

T = TypeVar("T")


@asynccontextmanager
async def connect(url: str | None = None) -> AsyncIterator[AsyncRedis]:
    """Open Redis, check that it will do, and give an asyncio client of it.

    The client answers in bytes and may be shared by any number of coroutines of one event
    loop: they wait for each other when its connections are used up. A command whose
    connection broke is sent again, up to six times within seconds, also when the server may
    have run it already: write it so that repeating it does no harm. One that got no answer in
    15 seconds raises ``redis.TimeoutError``; a blocking command must block for less than that.

    Leaving the context closes every connection, and stops the embedded server if nobody else
    uses it.

    Args:
        url: ``redis://``, ``rediss://`` (TLS), ``unix://``, ``redis+sentinel://`` or
            ``redis+cluster://`` (the client is a ``RedisCluster`` then), or ``embedded://``
            for a server that is started and stopped as needed, with its data in the user's
            data folder, or in the folder named by ``embedded:///absolute/folder``. ``None``
            means ``TREADLE_REDIS_URL`` or, where that is not set, ``embedded://``.

    Raises:
        ConfigError: the URL has none of these forms.
        RedisError: the server cannot be started or reached, let nobody in, is older than 6.2
            or is not what the URL says. No password is part of the message.
    """
    given_up = threading.Event()
    async with AsyncExitStack() as stack:
        checked = _ready(parse(url), given_up)
        ready = await stack.enter_async_context(_in_threads(checked, given_up))
        client = async_client(ready.address, embedded=ready.embedded)
        with explained(ready.address):
            opened = await stack.enter_async_context(client)
        yield opened


@contextmanager
def connect_sync(url: str | None = None) -> Iterator[SyncRedis]:
    """Open Redis as ``connect`` does, and give a client for threads instead of coroutines.

    Arguments and errors are those of ``connect``.
    """
    with _ready(parse(url), threading.Event()) as ready, ExitStack() as stack:
        client = sync_client(ready.address, embedded=ready.embedded)
        with explained(ready.address):
            opened = stack.enter_context(client)
        yield opened


@dataclass(frozen=True, slots=True)
class _Ready:
    """Servers that will do, and the embedded one if it is meant."""

    address: Server | SentinelService | Cluster
    embedded: EmbeddedRedis | None = None


@contextmanager
def _ready(address: Address, given_up: threading.Event) -> Iterator[_Ready]:
    """Check the servers, or start the embedded one, which needs no check."""
    if not isinstance(address, Embedded):
        check(address, given_up)
        yield _Ready(address)
        return
    with EmbeddedRedis(address.folder, given_up=given_up) as embedded:
        server = Server(address.shown, tls=False, options={"path": str(embedded.socket)})
        yield _Ready(server, embedded)


@asynccontextmanager
async def _in_threads(
    context: AbstractContextManager[T], given_up: threading.Event
) -> AsyncIterator[T]:
    """Enter and leave a blocking context in threads, completely also when cancelled."""
    entering = asyncio.ensure_future(asyncio.to_thread(context.__enter__))
    try:
        entered = await asyncio.shield(entering)
    except asyncio.CancelledError:
        given_up.set()
        await asyncio.wait([entering])
        if entering.exception() is None:
            await _leave(context)
        raise
    try:
        yield entered
    finally:
        await _leave(context)


async def _leave(context: AbstractContextManager[object]) -> None:
    leaving = asyncio.ensure_future(asyncio.to_thread(context.__exit__, None, None, None))
    try:
        await asyncio.shield(leaving)
    except asyncio.CancelledError:
        await asyncio.wait([leaving])
        raise
