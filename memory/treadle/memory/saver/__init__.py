"""Checkpoints of LangGraph threads in Redis, at a flat cost per turn.

`RedisSaver` is a LangGraph checkpointer, synchronous and asynchronous in one class. The bodies of
messages are stored once, in an append-only log per thread; a checkpoint refers to them by
intervals. What is read back is data only: a record of a type that was not allowed is refused with
a `RecordError`, never executed. `AesGcmCipher` encrypts what is stored. `fenced` and `fence_key`
keep a worker that lost its thread from writing to it.
"""

from treadle.memory._cipher import AesGcmCipher
from treadle.memory._storage_errors import RecordError
from treadle.memory.saver._behind import WriteBehind, writing_behind
from treadle.memory.saver._fence import fence_key, fenced, unfenced
from treadle.memory.saver._keys import index_key
from treadle.memory.saver._saver import RedisSaver
from treadle.memory.saver._serde import StrictSerializer

__all__ = [
    "AesGcmCipher",
    "RecordError",
    "RedisSaver",
    "StrictSerializer",
    "WriteBehind",
    "fence_key",
    "fenced",
    "index_key",
    "unfenced",
    "writing_behind",
]
