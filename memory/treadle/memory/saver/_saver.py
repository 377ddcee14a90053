"""The saver: both faces of the operations, and how it comes by a connection."""

from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import redis
import redis.asyncio
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from treadle.core.errors import ConfigError, InputError
from treadle.memory.saver._cache import SaverCache
from treadle.memory.saver._cipher import AesGcmCipher
from treadle.memory.saver._codec import Codec
from treadle.memory.saver._drivers import AsyncClient, Driver, SyncClient, driver_of
from treadle.memory.saver._keys import KeySpace
from treadle.memory.saver._listing import Listing
from treadle.memory.saver._operations import Operations, next_version
from treadle.memory.saver._scripts import Request
from treadle.memory.saver._serde import StrictSerializer

T = TypeVar("T")
DEFAULT_PREFIX = "treadle:main:"
CACHE_BYTES = 64 << 20


class RedisSaver(BaseCheckpointSaver[str]):
    """Keeps the checkpoints of LangGraph threads in Redis (6.2 or later, or Valkey; no modules).

    ::

        with RedisSaver.from_conn_string("redis://localhost:6379") as saver:
            graph = builder.compile(checkpointer=saver)

    ``async with`` does the same for ``await graph.ainvoke(...)``. Both faces work on both kinds of
    client; the matching one is the faster.

    What a turn writes, the round trips it takes and the work of the client stay the same however
    long the thread grows. A checkpoint is written by one script, all or nothing, and any number of
    processes may write to one thread.

    Args:
        client: a redis-py client: ``redis.Redis``, ``redis.asyncio.Redis``, or a ``RedisCluster``
            of either kind. An asyncio client belongs to one event loop. It is not closed.
        prefix: what every key begins with. Two savers with different prefixes never meet.
        ttl: how long a thread lives after it was last written to, all its keys together. ``None``
            is for ever.
        cipher: encrypts messages, values and metadata. Thread, checkpoint, run and task ids and
            the names of channels stay readable.
        serde: the serialisation; a `StrictSerializer` when ``None``. Another one decides for
            itself what a record may do when it is read.

    Raises:
        InputError: ``client`` is not a redis-py client.
        ConfigError: the prefix or the ttl cannot be used.

    All methods raise:
        InputError: an id or a value cannot be stored; the message names it.
        RecordError: a stored record is damaged, forged, or of a type that is not allowed.
        RedisError: Redis could not be reached, is too old, or refused the command.
    """

    def __init__(
        self,
        client: SyncClient | AsyncClient,
        *,
        prefix: str = DEFAULT_PREFIX,
        ttl: timedelta | None = None,
        cipher: AesGcmCipher | None = None,
        serde: SerializerProtocol | None = None,
    ) -> None:
        self._set_up(prefix=prefix, ttl=ttl, cipher=cipher, serde=serde)
        self._driver: Driver | None = driver_of(client)

    @classmethod
    def from_conn_string(
        cls,
        url: str,
        *,
        prefix: str = DEFAULT_PREFIX,
        ttl: timedelta | None = None,
        cipher: AesGcmCipher | None = None,
        serde: SerializerProtocol | None = None,
    ) -> Self:
        """Return a saver that connects to ``url`` on ``with`` or ``async with``, and closes after.

        Args:
            url: ``redis://``, ``rediss://`` or ``unix://``.
            prefix: as for the class; so are ``ttl``, ``cipher`` and ``serde``.

        Raises:
            ConfigError: the URL, the prefix or the ttl cannot be used.
        """
        saver = cls.__new__(cls)
        saver._set_up(prefix=prefix, ttl=ttl, cipher=cipher, serde=serde)
        saver._url = url
        return saver

    def _set_up(
        self,
        *,
        prefix: str,
        ttl: timedelta | None,
        cipher: AesGcmCipher | None,
        serde: SerializerProtocol | None,
    ) -> None:
        BaseCheckpointSaver.__init__(self, serde=serde or StrictSerializer())
        if ttl is not None and ttl <= timedelta(0):
            raise ConfigError(f"The ttl of {ttl} is not positive.", hint="Use None for ever.")
        self._space = KeySpace(prefix)
        self._ttl = ttl
        self._cipher = cipher
        self._cache = SaverCache(CACHE_BYTES)
        self._url: str | None = None
        self._driver = None
        self._closing: ExitStack | None = None
        self._aclosing: AsyncExitStack | None = None

    # --- connection ---

    def __enter__(self) -> Self:
        if self._url is not None:
            self._closing = ExitStack()
            client = redis.Redis.from_url(self._url)
            self._closing.callback(client.close)
            self._driver = driver_of(client)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._closing is not None:
            self._driver = None
            self._closing.close()

    async def __aenter__(self) -> Self:
        if self._url is not None:
            self._aclosing = AsyncExitStack()
            client = redis.asyncio.Redis.from_url(self._url)
            self._aclosing.push_async_callback(client.aclose)
            self._driver = driver_of(client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._aclosing is not None:
            self._driver = None
            await self._aclosing.aclose()

    def _run(self, operation: Generator[Request, Any, T]) -> T:
        return self._connected().run(operation)

    async def _arun(self, operation: Generator[Request, Any, T]) -> T:
        return await self._connected().arun(operation)

    def _connected(self) -> Driver:
        if self._driver is None:
            raise InputError(
                "This RedisSaver is not connected.",
                hint="Use it inside 'with' or 'async with'.",
            )
        return self._driver

    @property
    def _operations(self) -> Operations:
        # LangGraph replaces ``serde`` on copies of the saver, so nothing may keep it.
        return Operations(self._space, Codec(self.serde, self._cipher), self._ttl, self._cache)

    # --- writing ---

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return the version after ``current``, different on every branch of a thread."""
        return next_version(current)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and return the config that names it."""
        return self._run(self._operations.put(config, checkpoint, metadata, new_versions))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and return the config that names it."""
        return await self._arun(self._operations.put(config, checkpoint, metadata, new_versions))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote, before the checkpoint that will hold it."""
        self._run(self._operations.put_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote, before the checkpoint that will hold it."""
        await self._arun(self._operations.put_writes(config, writes, task_id, task_path))

    # --- reading ---

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that ``config`` names, or the latest; ``None`` if there is none."""
        return self._run(self._operations.get_tuple(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that ``config`` names, or the latest; ``None`` if there is none."""
        return await self._arun(self._operations.get_tuple(config))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the ancestors of a checkpoint wrote to ``channels``, in one round trip."""
        return self._run(self._operations.history(config, channels))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the ancestors of a checkpoint wrote to ``channels``, in one round trip."""
        return await self._arun(self._operations.history(config, channels))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield checkpoints, newest first within a thread, reading a page at a time.

        Args:
            config: the thread, and the namespace or checkpoint in it; ``None`` for every thread,
                which searches the whole of Redis.
            filter: metadata that must be equal.
            before: a checkpoint that all must precede.
            limit: the greatest number.
        """
        listing = Listing(config, filter, before, limit)
        threads = listing.threads or self._run(self._operations.find_threads())
        for thread_id in threads:
            fields = self._run(listing.find(self._operations, thread_id))
            for page in listing.pages(fields):
                yield from listing.take(self._run(listing.read(self._operations, thread_id, page)))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield checkpoints as `list` does."""
        listing = Listing(config, filter, before, limit)
        threads = listing.threads or await self._arun(self._operations.find_threads())
        for thread_id in threads:
            fields = await self._arun(listing.find(self._operations, thread_id))
            for page in listing.pages(fields):
                found = await self._arun(listing.read(self._operations, thread_id, page))
                for item in listing.take(found):
                    yield item

    # --- removing and copying ---

    def delete_thread(self, thread_id: str) -> None:
        """Remove a thread: checkpoints, values, messages and pending writes."""
        self._run(self._operations.delete(thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """Remove a thread: checkpoints, values, messages and pending writes."""
        await self._arun(self._operations.delete(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints that these runs made, in every thread.

        Searches the whole of Redis. A ``DeltaChannel`` of a later checkpoint that was built on a
        removed one loses what the removed run wrote.
        """
        self._run(self._operations.delete_runs(run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints that these runs made, as `delete_for_runs` does."""
        await self._arun(self._operations.delete_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with its whole history; the copy is seen when it is complete.

        Raises:
            InputError: the target exists already.
        """
        self._run(self._operations.copy(source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread, as `copy_thread` does."""
        await self._arun(self._operations.copy(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Remove the past of threads, or the threads.

        Args:
            thread_ids: the threads.
            strategy: ``"keep_latest"`` keeps the latest checkpoint of each namespace, and the
                ancestors that its delta channels are rebuilt from; ``"delete"`` keeps nothing.
        """
        self._run(self._operations.prune(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Remove the past of threads, or the threads, as `prune` does."""
        await self._arun(self._operations.prune(thread_ids, strategy))
