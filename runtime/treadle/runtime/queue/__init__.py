"""Runs that wait for a worker, in any process that shares the Redis."""

from treadle.runtime.events import StreamedEvent
from treadle.runtime.queue._queue import Queue
from treadle.runtime.queue._records import Place, QueueStats
from treadle.runtime.queue._worker import Worker
from treadle.runtime.runs import (
    DEFAULT_QUEUE,
    Change,
    Multitask,
    Queued,
    RunOptions,
    RunRequest,
    StreamMode,
    ThreadBusyError,
)

__all__ = [
    "DEFAULT_QUEUE",
    "Change",
    "Multitask",
    "Place",
    "Queue",
    "QueueStats",
    "Queued",
    "RunOptions",
    "RunRequest",
    "StreamMode",
    "StreamedEvent",
    "ThreadBusyError",
    "Worker",
]
