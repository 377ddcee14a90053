"""Where conversations live: the connection to Redis and everything kept in it.

``connect`` and ``connect_sync`` open Redis from a URL, or the embedded server when there is none;
``AsyncRedis`` and ``SyncRedis`` are the types of what they give.
"""

from treadle.memory._connect import connect, connect_sync
from treadle.memory._embedded import EmbeddedRedis
from treadle.memory._redis_clients import AsyncRedis, SyncRedis

__all__ = ["AsyncRedis", "EmbeddedRedis", "SyncRedis", "connect", "connect_sync"]
