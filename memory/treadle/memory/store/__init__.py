"""What is known across threads, in Redis: a LangGraph store, and facts that supersede each other.

`RedisStore` is LangGraph's ``BaseStore``, synchronous and asynchronous in one class, with search
by meaning, times to live, and forgetting.
"""

from treadle.memory._cipher import AesGcmCipher
from treadle.memory._storage_errors import RecordError
from treadle.memory.store._directory import Forgotten
from treadle.memory.store._store import RedisStore

__all__ = ["AesGcmCipher", "Forgotten", "RecordError", "RedisStore"]
