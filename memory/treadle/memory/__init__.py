"""Where conversations live: the connection to Redis and everything kept in it.

``connect`` and ``connect_sync`` open Redis from a URL, or the embedded server when there is none.
"""

from treadle.memory._connect import connect, connect_sync
from treadle.memory._embedded import EmbeddedRedis

__all__ = ["EmbeddedRedis", "connect", "connect_sync"]
