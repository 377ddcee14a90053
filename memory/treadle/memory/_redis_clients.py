"""Building redis-py clients, sync and asyncio, for every kind of address.

They differ from redis-py's defaults in this: a pool that is used up makes callers wait instead
of failing; a command that got no answer in time is not sent again; and the clients of the
embedded server start it again when it died.
"""

# mypy: allow-untyped-calls
# (of redis-py, which leaves most of its constructors without annotations)

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import hiredis
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.connection
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.cluster
import redis.retry
import redis.sentinel
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff

from treadle.core.errors import RedisError
from treadle.memory._batching import BatchingRedis
from treadle.memory._embedded import EmbeddedRedis
from treadle.memory._fair_pool import FairPool
from treadle.memory._redis_url import Cluster, SentinelService, Server

AsyncRedis: TypeAlias = redis.asyncio.Redis | redis.asyncio.RedisCluster
"""What ``connect`` opens: a client of one server, or of a cluster."""
SyncRedis: TypeAlias = redis.Redis | redis.RedisCluster
"""What ``connect_sync`` opens: a client of one server, or of a cluster."""
Options: TypeAlias = dict[str, Any]

SERVER_IS_GONE = (ConnectionRefusedError, FileNotFoundError)

# What a URL's options may override.
DEFAULTS: Mapping[str, Any] = {
    "socket_connect_timeout": 5.0,
    "socket_timeout": 15.0,
    "max_connections": 50,
}
SENT_AGAIN = tuple(
    kind for kind in redis.RedisCluster.ERRORS_ALLOW_RETRY if kind is not redis.TimeoutError
)
WAIT_FOR_CONNECTION_SECONDS = 20.0
IDLE_CHECK_SECONDS = 30
# redis-py's asyncio cluster client fails when it needs more; ours makes its callers wait before.
CONNECTIONS_PER_NODE = 10_000
RETRIES = 6
BACKOFF = ExponentialWithJitterBackoff(base=0.02, cap=1.0)
# Version 2 of the protocol is spoken by every server and proxy, with the same Python types.
PROTOCOL = 2


@contextmanager
def sync_client(
    address: Server | SentinelService | Cluster,
    *,
    retries: int = RETRIES,
    embedded: EmbeddedRedis | None = None,
) -> Iterator[SyncRedis]:
    """Give a client of ``address`` and close it, with every connection it made.

    Args:
        address: which server or servers.
        retries: how often a command is sent again when its connection breaks.
        embedded: the server at ``address``, if it is ours to start again.

    Raises:
        redis.RedisError: a cluster or service could not be asked where its servers are.
    """
    retry = redis.retry.Retry(BACKOFF, retries, (redis.ConnectionError,))
    with ExitStack() as stack:
        match address:
            case Server():
                client = _sync_server(address, retry, embedded)
            case SentinelService():
                client = _sync_service(address, retry, stack)
            case Cluster():
                client = _sync_cluster(address, retry)
        stack.callback(client.close)
        yield client


@asynccontextmanager
async def async_client(
    address: Server | SentinelService | Cluster, *, embedded: EmbeddedRedis | None = None
) -> AsyncIterator[AsyncRedis]:
    """Give the asyncio counterpart of ``sync_client``, with the same arguments and errors."""
    retry = redis.asyncio.retry.Retry(BACKOFF, RETRIES, (redis.ConnectionError,))
    async with AsyncExitStack() as stack:
        match address:
            case Server():
                client = _async_server(address, retry, embedded)
            case SentinelService():
                client = _async_service(address, retry, stack)
            case Cluster():
                client = _async_cluster(address, retry)
        stack.push_async_callback(client.aclose)
        yield await client.initialize()


def _sync_server(
    address: Server, retry: redis.retry.Retry, embedded: EmbeddedRedis | None
) -> SyncRedis:
    options = _pool_options(address, retry)
    if embedded is not None:
        options |= {"connection_class": _SyncEmbeddedConnection, "embedded": embedded}
    elif "path" in options:
        options["connection_class"] = redis.UnixDomainSocketConnection
    elif address.tls:
        options["connection_class"] = redis.SSLConnection
    return redis.Redis.from_pool(redis.BlockingConnectionPool(**options))


def _async_server(
    address: Server, retry: redis.asyncio.retry.Retry, embedded: EmbeddedRedis | None
) -> AsyncRedis:
    options = _pool_options(address, retry)
    if embedded is not None:
        options |= {"connection_class": _AsyncEmbeddedConnection, "embedded": embedded}
    elif "path" in options:
        options["connection_class"] = _AsyncSocketConnection
    elif address.tls:
        options |= {"connection_class": _AsyncTlsConnection, "contexts": {}}
    else:
        options["connection_class"] = _AsyncConnection
    # All of them together stay within what was allowed, and one is left for what blocks.
    has_line = options["max_connections"] > 1
    options["max_connections"] -= has_line
    return BatchingRedis(FairPool(**options), has_line=has_line, retries=RETRIES)


def _sync_service(
    address: SentinelService, retry: redis.retry.Retry, stack: ExitStack
) -> SyncRedis:
    asked_once = redis.retry.Retry(NoBackoff(), 0)
    sentinel = redis.sentinel.Sentinel(
        address.hosts, sentinel_kwargs=_sentinel_options(address, asked_once)
    )
    stack.callback(sentinel.close)
    client: redis.Redis = sentinel.master_for(
        address.service,
        connection_pool_class=_SyncSentinelPool,
        connection_class=_SyncSentinelTlsConnection if address.tls else _SyncSentinelConnection,
        **_pool_options(address, retry),
    )
    return client


def _async_service(
    address: SentinelService, retry: redis.asyncio.retry.Retry, stack: AsyncExitStack
) -> AsyncRedis:
    asked_once = redis.asyncio.retry.Retry(NoBackoff(), 0)
    sentinel = redis.asyncio.sentinel.Sentinel(
        address.hosts, sentinel_kwargs=_sentinel_options(address, asked_once)
    )
    stack.push_async_callback(sentinel.aclose)
    options = _pool_options(address, retry)
    if address.tls:
        options |= {"connection_class": _AsyncSentinelTlsConnection, "contexts": {}}
    else:
        options["connection_class"] = _AsyncSentinelConnection
    client: redis.asyncio.Redis = sentinel.master_for(
        address.service, connection_pool_class=_AsyncSentinelPool, **options
    )
    return client


def _sync_cluster(address: Cluster, retry: redis.retry.Retry) -> SyncRedis:
    return _SyncCluster(
        startup_nodes=[redis.cluster.ClusterNode(host, port) for host, port in address.hosts],
        ssl=address.tls,
        retry=retry,
        connection_pool_class=redis.BlockingConnectionPool,
        protocol=PROTOCOL,
        **{**DEFAULTS, **address.options},
    )


def _async_cluster(address: Cluster, retry: redis.asyncio.retry.Retry) -> AsyncRedis:
    nodes = [redis.asyncio.cluster.ClusterNode(host, port) for host, port in address.hosts]
    options = {**DEFAULTS, **address.options}
    return _AsyncCluster(
        turns=options.pop("max_connections"),
        startup_nodes=nodes,
        ssl=address.tls,
        retry=retry,
        protocol=PROTOCOL,
        health_check_interval=IDLE_CHECK_SECONDS,
        max_connections=CONNECTIONS_PER_NODE,
        **options,
    )


def _pool_options(address: Server | SentinelService, retry: object) -> Options:
    return {
        **DEFAULTS,
        "timeout": WAIT_FOR_CONNECTION_SECONDS,
        "health_check_interval": IDLE_CHECK_SECONDS,
        "retry": retry,
        "protocol": PROTOCOL,
        **address.options,
    }


def _sentinel_options(address: SentinelService, retry: object) -> Options:
    same = {
        name: value
        for name, value in {**DEFAULTS, **address.options}.items()
        if name.startswith(("socket_", "ssl_"))
    }
    return {
        **same,
        "ssl": address.tls,
        "retry": retry,
        "protocol": PROTOCOL,
        **address.sentinel_options,
    }


class _SyncEmbeddedConnection(redis.UnixDomainSocketConnection):
    """A connection that starts the embedded server again when nobody listens any more."""

    def __init__(self, *, embedded: EmbeddedRedis, **options: Any) -> None:
        super().__init__(**options)
        self._embedded = embedded

    def _connect(self) -> Any:
        try:
            return super()._connect()
        except SERVER_IS_GONE:
            _start_again(self._embedded)
            return super()._connect()


@contextmanager
def _cut_lines_told() -> Iterator[None]:
    """Raise what redis-py connects again for, where a line was cut.

    asyncio's own transports raise an `OSError` then. uvloop's raise a `RuntimeError` when they are
    written to, or asked to read on after a pause, although they are closed.
    """
    try:
        yield
    except RuntimeError as error:
        raise redis.ConnectionError(str(error)) from error


class _Packing(redis.asyncio.connection.AbstractConnection):
    """Packs commands in C, as redis-py does for its synchronous connections alone, on any loop."""

    def pack_command(self, *args: Any) -> list[bytes]:
        name = args[0].encode() if isinstance(args[0], str) else args[0]
        try:  # The name may be of several words.
            return [hiredis.pack_command((*name.split(), *args[1:]))]
        except TypeError:  # An argument of another kind, which redis-py refuses by name.
            return super().pack_command(*args)

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        with _cut_lines_told():
            await super().send_packed_command(command, check_health)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        with _cut_lines_told():
            return await super().read_response(*args, **options)


class _AsyncConnection(_Packing, redis.asyncio.Connection):
    """A connection over TCP."""


class _SharedContexts(redis.asyncio.SSLConnection):
    """Connections with TLS; those of a client share what was read of the certificates.

    Reading them takes tens of milliseconds, in which the event loop does nothing else.
    """

    def __init__(self, *, contexts: dict[tuple[int, ...], ssl.SSLContext], **options: Any) -> None:
        super().__init__(**options)
        self._contexts = contexts

    async def _connect(self) -> None:
        made = self.ssl_context
        files = [name for name in (made.ca_certs, made.certfile, made.keyfile) if name]
        version = tuple(os.stat(name).st_mtime_ns for name in files)  # noqa: PTH116 - no path of it
        if version not in self._contexts:  # They were renewed, or are read for the first time.
            self._contexts.clear()
            made.context = None
            self._contexts[version] = made.get()
        made.context = self._contexts[version]
        await super()._connect()


class _AsyncTlsConnection(_Packing, _SharedContexts):
    """The same with TLS."""


class _AsyncSocketConnection(_Packing, redis.asyncio.UnixDomainSocketConnection):
    """A connection over a Unix socket."""


class _AsyncEmbeddedConnection(_AsyncSocketConnection):
    """The same for asyncio."""

    def __init__(self, *, embedded: EmbeddedRedis, **options: Any) -> None:
        super().__init__(**options)
        self._embedded = embedded

    async def _connect(self) -> None:
        try:
            await super()._connect()
        except SERVER_IS_GONE:
            await asyncio.to_thread(_start_again, self._embedded)
            await super()._connect()

    async def connect_check_health(self, *args: Any, **options: Any) -> None:
        try:
            await super().connect_check_health(*args, **options)
        except redis.ConnectionError as error:
            # redis-py wraps whatever _connect raises in an error that it then retries.
            if isinstance(error.__cause__, _CannotStartError):
                raise error.__cause__ from None
            raise


class _CannotStartError(redis.RedisError):
    """The embedded server cannot be started again, and it is no use to retry at once.

    Callers of a client expect an error of redis-py's.
    """


def _start_again(embedded: EmbeddedRedis) -> None:
    try:
        embedded.ensure_running()
    except RedisError as error:
        raise _CannotStartError(str(error)) from error


class _SyncCluster(redis.RedisCluster):
    """A cluster client that does not send a command again when its answer is late."""

    ERRORS_ALLOW_RETRY = SENT_AGAIN  # type: ignore[assignment]


class _AsyncCluster(redis.asyncio.RedisCluster):
    """The same for asyncio; its callers wait for their turn, and it closes completely."""

    ERRORS_ALLOW_RETRY = SENT_AGAIN  # type: ignore[assignment]

    def __init__(self, *, turns: int, **options: Any) -> None:
        super().__init__(**options)
        self._command_turns = asyncio.Semaphore(turns)
        self.pipeline_turns = asyncio.Semaphore(turns)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with self._command_turns:
            return await super().execute_command(*args, **options)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> "_AsyncClusterPipeline":
        return _AsyncClusterPipeline(self, transaction)  # type: ignore[abstract]

    async def aclose(self) -> None:
        await super().aclose()
        # redis-py skips these when the last command failed for want of a node.
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")


class _AsyncClusterPipeline(redis.asyncio.cluster.ClusterPipeline):
    """A pipeline that waits for its turn too."""

    async def execute(self, *args: Any, **options: Any) -> list[Any]:
        cluster: Any = self.cluster_client
        async with cluster.pipeline_turns:
            return await super().execute(*args, **options)


class _SyncSentinelConnection(redis.sentinel.SentinelManagedConnection):
    """A connection to the primary of the moment.

    redis-py asks the Sentinels once for each connection; a command that is sent again after a
    failover would go to the old primary. And it would keep a connection whose answer came too
    late, and give that answer to the next command.
    """

    def _connect_retry(self) -> None:
        if not self._sock:
            self.connect_check_health(check_health=False, retry_socket_connect=False)

    def _connect(self) -> Any:
        self.host, self.port = self.connection_pool.get_master_address()
        return super()._connect()

    def read_response(self, disable_decoding: bool = False, **options: Any) -> Any:
        options.setdefault("disconnect_on_error", True)
        return super().read_response(disable_decoding, **options)


class _SyncSentinelTlsConnection(_SyncSentinelConnection, redis.SSLConnection):
    """The same with TLS."""


class _AsyncSentinelConnection(_Packing, redis.asyncio.sentinel.SentinelManagedConnection):
    """The same for asyncio."""

    async def _connect_retry(self) -> None:
        if not self._reader:
            await self.connect_check_health(check_health=False, retry_socket_connect=False)

    async def _connect(self) -> None:
        self.host, self.port = await self.connection_pool.get_master_address()
        await super()._connect()


class _AsyncSentinelTlsConnection(_AsyncSentinelConnection, _SharedContexts):
    """The same for asyncio with TLS."""


class _SyncSentinelPool(redis.sentinel.SentinelConnectionPool, redis.BlockingConnectionPool):
    """Connections to the primary of the moment, for which callers wait."""


class _AsyncSentinelPool(redis.asyncio.sentinel.SentinelConnectionPool, FairPool):
    """The same for asyncio."""
