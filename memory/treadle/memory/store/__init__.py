"""What is known across threads, in Redis: a LangGraph store, and facts that supersede each other.

`RedisStore` is LangGraph's ``BaseStore``, synchronous and asynchronous in one class, with search
by meaning, times to live, and forgetting. `Facts` keeps on top of it what is true now and what was
true before: a new fact about the same thing closes the one before. `user_namespace` and
`thread_namespace` say where a person's and a conversation's facts are.
"""

from treadle.memory._cipher import AesGcmCipher
from treadle.memory._storage_errors import RecordError
from treadle.memory.store._directory import Forgotten
from treadle.memory.store._facts import Facts
from treadle.memory.store._keys import thread_namespace, user_namespace
from treadle.memory.store._store import RedisStore
from treadle.memory.store._timeline import Fact

__all__ = [
    "AesGcmCipher",
    "Fact",
    "Facts",
    "Forgotten",
    "RecordError",
    "RedisStore",
    "thread_namespace",
    "user_namespace",
]
