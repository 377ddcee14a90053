"""Where conversations live: the connection to Redis and everything kept in it.

``connect`` and ``connect_sync`` open Redis from a URL, or the embedded server when there is none;
``AsyncRedis`` and ``SyncRedis`` are the types of what they give. ``encoded`` and ``thread_root``
say how ids become keys; ``said_at``, ``said_by`` and ``stamped`` are about who said a message and
when.
"""

from treadle.memory._connect import connect, connect_sync
from treadle.memory._embedded import EmbeddedRedis
from treadle.memory._keys import encoded, thread_root
from treadle.memory._redis_clients import AsyncRedis, SyncRedis
from treadle.memory._said import SAID_AT, said_at, said_by, stamped

__all__ = [
    "SAID_AT",
    "AsyncRedis",
    "EmbeddedRedis",
    "SyncRedis",
    "connect",
    "connect_sync",
    "encoded",
    "said_at",
    "said_by",
    "stamped",
    "thread_root",
]
