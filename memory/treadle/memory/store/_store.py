"""The store: both faces of the operations, and how it comes by a connection."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Self, TypeVar

from langgraph.store.base import (
    BaseStore,
    IndexConfig,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    TTLConfig,
)

from treadle.core.errors import ConfigError
from treadle.memory._cipher import AesGcmCipher
from treadle.memory._codec import Codec
from treadle.memory._connection import Connection
from treadle.memory._drivers import AsyncClient, SyncClient
from treadle.memory.store import _directory as directory
from treadle.memory.store import _operations as operations
from treadle.memory.store._directory import Forgotten
from treadle.memory.store._keys import Group, Namespace, StoreKeys, checked_key, checked_namespace
from treadle.memory.store._operations import Context, Operation, Plan
from treadle.memory.store._records import PlainSerializer, microseconds
from treadle.memory.store._scripts import Expected
from treadle.memory.store._search import search
from treadle.memory.store._vectors import Embedded, VectorIndex

T = TypeVar("T")
DEFAULT_PREFIX = "treadle:main:"


class RedisStore(BaseStore):
    """A LangGraph store in Redis (6.2 or later, or Valkey; no modules).

    ::

        with RedisStore.from_conn_string("redis://localhost:6379") as store:
            graph = builder.compile(store=store)

    ``async with`` does the same for the asynchronous methods. Both faces work on both kinds of
    client; the matching one is the faster.

    Reading, writing and listing the newest items take one round trip and the same work however
    many items there are. Namespaces that share their first two labels lie together on one node of
    a cluster; writes to them in one batch (up to 500 items) happen all or not at all. A search
    gives the items written last first; one with a query gives the nearest first, by comparing the
    vectors of all items under the prefix, and then those without vectors. In a batch, reads see
    what was there before its writes.

    Values are plain data: text, numbers, booleans, ``None``, lists and dicts with text as keys. A
    search passes over a record that is damaged or forged and names it in the log; `get` raises.

    Args:
        client: a redis-py client: ``redis.Redis``, ``redis.asyncio.Redis``, or a ``RedisCluster``
            of either kind. An asyncio client belongs to one event loop. It is not closed.
        prefix: what every key begins with. Two stores with different prefixes never meet.
        index: how items are found by meaning, as LangGraph's stores take it; queries are ignored
            without it.
        ttl: how long items live unless `put` says otherwise (``default_ttl``, minutes), and
            whether reading one starts its time anew (``refresh_on_read``, yes by default). Redis
            itself removes what has expired; there is no sweeping.
        cipher: encrypts values and vectors. Namespaces and keys stay readable.

    Raises:
        InputError: ``client`` is not a redis-py client.
        ConfigError: the prefix, the index or the ttl cannot be used.

    All methods raise:
        InvalidNamespaceError: a namespace breaks LangGraph's rules.
        InputError: a namespace, a key or a value cannot be stored; the message names it.
        RecordError: a stored record is damaged or forged.
        RedisError: Redis could not be reached, is too old, or refused the command.
    """

    supports_ttl = True

    def __init__(
        self,
        client: SyncClient | AsyncClient,
        *,
        prefix: str = DEFAULT_PREFIX,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        cipher: AesGcmCipher | None = None,
    ) -> None:
        connection = Connection.over(client, "RedisStore")
        self._set_up(connection, prefix=prefix, index=index, ttl=ttl, cipher=cipher)

    @classmethod
    def from_conn_string(
        cls,
        url: str | None = None,
        *,
        prefix: str = DEFAULT_PREFIX,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        cipher: AesGcmCipher | None = None,
    ) -> Self:
        """Return a store that connects to ``url`` on ``with`` or ``async with``, and closes after.

        Args:
            url: as for `treadle.memory.connect`; the embedded server when nothing is set.
            prefix: as for the class; so are ``index``, ``ttl`` and ``cipher``.

        Raises:
            ConfigError: the URL, the prefix, the index or the ttl cannot be used.
        """
        store = cls.__new__(cls)
        connection = Connection.to(url, "RedisStore")
        store._set_up(connection, prefix=prefix, index=index, ttl=ttl, cipher=cipher)
        return store

    def _set_up(
        self,
        connection: Connection,
        *,
        prefix: str,
        index: IndexConfig | None,
        ttl: TTLConfig | None,
        cipher: AesGcmCipher | None,
    ) -> None:
        default_ttl = (ttl or {}).get("default_ttl")
        if default_ttl is not None and default_ttl <= 0:
            raise ConfigError(
                f"The default_ttl of {default_ttl} minutes is not positive.",
                hint="Use None for ever.",
            )
        self.ttl_config = ttl
        self._connection = connection
        self._index = VectorIndex(index) if index else None
        self._context = Context(StoreKeys(prefix), Codec(PlainSerializer(), cipher), self._index)

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
    def finds_by_meaning(self) -> bool:
        """Whether queries are answered, which takes an ``index``."""
        return self._index is not None

    # --- LangGraph's operations ---

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do many operations and return their results in order; reads before writes."""
        plan = Plan.of(self._context, ops)
        return self._run(_batch(self._context, plan, self._embed(plan)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do many operations and return their results in order; reads before writes."""
        plan = Plan.of(self._context, ops)
        return await self._arun(_batch(self._context, plan, await self._aembed(plan)))

    def _embed(self, plan: Plan) -> Embedded:
        if self._index is None:
            return Embedded()
        return self._index.embed(plan.all_texts, plan.queries)

    async def _aembed(self, plan: Plan) -> Embedded:
        if self._index is None:
            return Embedded()
        return await self._index.aembed(plan.all_texts, plan.queries)

    # --- what LangGraph's stores do not have ---

    def put_unless_changed(
        self, puts: Sequence[PutOp], namespace: Namespace, key: str, updated_at: datetime | None
    ) -> bool:
        """Write several items, all or nothing, unless another item was written meanwhile.

        Args:
            puts: what to write, and with ``None`` as value what to remove. Their namespaces share
                their first two labels with ``namespace``.
            namespace: where the item is that must not have changed.
            key: its key.
            updated_at: when it was last written, as it was read; ``None`` where there was none.

        Returns:
            Whether anything was written.
        """
        plan = Plan.of(self._context, puts)
        group, expected = self._expected(namespace, key, updated_at)
        embedded = self._embed(plan)
        return self._run(operations.put_together(self._context, plan, embedded, group, expected))

    async def aput_unless_changed(
        self, puts: Sequence[PutOp], namespace: Namespace, key: str, updated_at: datetime | None
    ) -> bool:
        """Write several items as `put_unless_changed` does."""
        plan = Plan.of(self._context, puts)
        group, expected = self._expected(namespace, key, updated_at)
        embedded = await self._aembed(plan)
        operation = operations.put_together(self._context, plan, embedded, group, expected)
        return await self._arun(operation)

    def _expected(
        self, namespace: Namespace, key: str, updated_at: datetime | None
    ) -> tuple[Group, Expected]:
        group, path = self._context.keys.located(checked_namespace(namespace))
        moment = "" if updated_at is None else str(microseconds(updated_at))
        return group, Expected(path, checked_key(namespace, key), moment)

    def forget(self, prefix: Namespace) -> Forgotten:
        """Remove everything in the namespaces under a prefix, and say how much it was.

        What is written there meanwhile may stay.

        Raises:
            InputError: the prefix is empty.
        """
        return self._run(directory.forget(self._context, prefix))

    async def aforget(self, prefix: Namespace) -> Forgotten:
        """Remove everything in the namespaces under a prefix, as `forget` does."""
        return await self._arun(directory.forget(self._context, prefix))


def _batch(context: Context, plan: Plan, embedded: Embedded) -> Operation[list[Result]]:
    read = yield from operations.get(context, plan.gets)
    got = {number: record and record.item for number, record in read.items()}
    found: dict[int, list[SearchItem]] = {}
    for number, op in plan.searches:
        query = embedded.queries[op.query] if op.query and embedded.queries else None
        found[number] = yield from search(context, op, query)
    listed = yield from _listings(context, plan.listings)
    if plan.writes:
        yield from operations.put(context, plan, embedded)
    return operations.in_order(plan.size, got, found, listed)


def _listings(
    context: Context, listings: Sequence[tuple[int, ListNamespacesOp]]
) -> Operation[dict[int, list[Namespace]]]:
    listed: dict[int, list[Namespace]] = {}
    for number, op in listings:
        listed[number] = yield from directory.list_namespaces(context, op)
    return listed
