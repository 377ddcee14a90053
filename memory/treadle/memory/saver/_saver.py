"""The saver: both faces of the operations, and how it comes by a connection."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from inspect import signature
from typing import Any, Self, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from treadle.core.errors import ConfigError
from treadle.memory._cipher import AesGcmCipher
from treadle.memory._codec import Codec
from treadle.memory._connection import Connection
from treadle.memory._drivers import AsyncClient, SyncClient
from treadle.memory.saver import _operations as operations
from treadle.memory.saver import _upkeep as upkeep
from treadle.memory.saver._batch import new_values
from treadle.memory.saver._behind import current, write_behind_of
from treadle.memory.saver._cache import SaverCache
from treadle.memory.saver._context import Context, Operation
from treadle.memory.saver._entries import Entries
from treadle.memory.saver._keys import KeySpace, place_of
from treadle.memory.saver._listing import Listing
from treadle.memory.saver._operations import next_version
from treadle.memory.saver._reading import config_of
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
        FencedError: another attempt has taken the thread over from the one with this config's
            token (see `fenced`).
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
        connection = Connection.over(client, "RedisSaver")
        self._set_up(connection, prefix=prefix, ttl=ttl, cipher=cipher, serde=serde)

    @classmethod
    def from_conn_string(
        cls,
        url: str | None = None,
        *,
        prefix: str = DEFAULT_PREFIX,
        ttl: timedelta | None = None,
        cipher: AesGcmCipher | None = None,
        serde: SerializerProtocol | None = None,
    ) -> Self:
        """Return a saver that connects to ``url`` on ``with`` or ``async with``, and closes after.

        Args:
            url: as for `treadle.memory.connect`; the embedded server when nothing is set.
            prefix: as for the class; so are ``ttl``, ``cipher`` and ``serde``.

        Raises:
            ConfigError: the URL, the prefix or the ttl cannot be used.
        """
        saver = cls.__new__(cls)
        connection = Connection.to(url, "RedisSaver")
        saver._set_up(connection, prefix=prefix, ttl=ttl, cipher=cipher, serde=serde)
        return saver

    def _set_up(
        self,
        connection: Connection,
        *,
        prefix: str,
        ttl: timedelta | None,
        cipher: AesGcmCipher | None,
        serde: SerializerProtocol | None,
    ) -> None:
        BaseCheckpointSaver.__init__(self, serde=serde or StrictSerializer())
        if ttl is not None and ttl <= timedelta(0):
            raise ConfigError(f"The ttl of {ttl} is not positive.", hint="Use None for ever.")
        self._connection = connection
        self._space = KeySpace(prefix)
        self._ttl = ttl
        self._cipher = cipher
        self._cache = SaverCache(CACHE_BYTES)

    # --- connection ---

    def __enter__(self) -> Self:
        self._connection.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    async def __aenter__(self) -> Self:
        await self._connection.aopen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.aclose()

    def _run(self, operation: Operation[T]) -> T:
        return self._connection.driver.run(operation)

    async def _arun(self, operation: Operation[T]) -> T:
        return await self._connection.driver.arun(operation)

    @property
    def _context(self) -> Context:
        # LangGraph replaces ``serde`` on copies of the saver, so nothing may keep it.
        return Context(self._space, Codec(self.serde, self._cipher), self._ttl, self._cache)

    @property
    def entries(self) -> Entries:
        """The messages of threads' states, for keeping and telling them without a second copy."""
        return Entries(self._context, self._arun)

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
        operation = operations.put(self._context, config, checkpoint, metadata, new_versions)
        return self._run(operation)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and return the config that names it."""
        behind, context = write_behind_of(config), self._context
        if behind is None:
            operation = operations.put(context, config, checkpoint, metadata, new_versions)
            return await self._arun(operation)
        thread, place = context.located(config)
        if not behind.holds(thread):
            values = new_values(checkpoint, new_versions)
            await self._arun(operations.warm(context, thread, place, values))
        batch = await behind.batch(context, thread, self._arun)
        batch.put(place, checkpoint, get_checkpoint_metadata(config, metadata), new_versions)
        return config_of(thread, place.root_namespace, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote, before the checkpoint that will hold it."""
        self._run(operations.put_writes(self._context, config, writes, task_id, task_path))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote, before the checkpoint that will hold it."""
        behind, context = write_behind_of(config), self._context
        if behind is None:
            operation = operations.put_writes(context, config, writes, task_id, task_path)
            await self._arun(operation)
            return
        thread, place = context.located(config)
        batch = await behind.batch(context, thread, self._arun)
        batch.put_writes(place, writes, task_id, task_path)

    # LangGraph looks at a signature with every run, and making one took as long as a checkpoint.
    put_writes.__signature__ = signature(put_writes)  # type: ignore[attr-defined]
    aput_writes.__signature__ = signature(aput_writes)  # type: ignore[attr-defined]

    # --- reading ---

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that ``config`` names, or the latest; ``None`` if there is none."""
        _settle()
        return self._run(operations.get_tuple(self._context, config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that ``config`` names, or the latest; ``None`` if there is none."""
        behind = current()
        if behind is not None:
            if behind.is_blank(place_of(config).thread_id):
                return None
            await behind.settled()
        return await self._arun(operations.get_tuple(self._context, config))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the ancestors of a checkpoint wrote to ``channels``, in one round trip."""
        _settle()
        return self._run(operations.history(self._context, config, channels))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the ancestors of a checkpoint wrote to ``channels``, in one round trip."""
        await _settled()
        return await self._arun(operations.history(self._context, config, channels))

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
        _settle()
        listing = Listing(self._context, config, filter, before, limit)
        for thread_id in self._run(listing.threads()):
            for page in listing.pages(self._run(listing.find(thread_id))):
                yield from listing.take(self._run(listing.read(thread_id, page)))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield checkpoints as `list` does."""
        await _settled()
        listing = Listing(self._context, config, filter, before, limit)
        for thread_id in await self._arun(listing.threads()):
            for page in listing.pages(await self._arun(listing.find(thread_id))):
                for item in listing.take(await self._arun(listing.read(thread_id, page))):
                    yield item

    # --- removing and copying ---

    def delete_thread(self, thread_id: str) -> None:
        """Remove a thread: checkpoints, values, messages and pending writes."""
        self._run(upkeep.delete(self._context, thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """Remove a thread: checkpoints, values, messages and pending writes."""
        await self._arun(upkeep.delete(self._context, thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints that these runs made, in every thread.

        Searches the whole of Redis. A ``DeltaChannel`` of a later checkpoint that was built on a
        removed one loses what the removed run wrote.
        """
        self._run(upkeep.delete_runs(self._context, run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints that these runs made, as `delete_for_runs` does."""
        await self._arun(upkeep.delete_runs(self._context, run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with its whole history; the copy is seen when it is complete.

        Raises:
            InputError: the target exists already.
        """
        self._run(upkeep.copy(self._context, source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread, as `copy_thread` does."""
        await self._arun(upkeep.copy(self._context, source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Remove the past of threads, or the threads.

        Args:
            thread_ids: the threads.
            strategy: ``"keep_latest"`` keeps the latest checkpoint of each namespace, and the
                ancestors that its delta channels are rebuilt from; ``"delete"`` keeps nothing.
        """
        self._run(upkeep.prune(self._context, thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Remove the past of threads, or the threads, as `prune` does."""
        await self._arun(upkeep.prune(self._context, thread_ids, strategy))


async def _settled() -> None:
    """Let an attempt read what it wrote itself."""
    if (behind := current()) is not None:
        await behind.settled()


def _settle() -> None:
    """Do so for a node in a thread of its own."""
    if (behind := current()) is not None:
        behind.settle()
