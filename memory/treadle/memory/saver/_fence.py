"""Keeping a worker that lost its thread from writing to it.

Whoever hands out work sets the key of `fence_key` to the token of the current attempt before that
attempt begins. A saver compares it in the script that writes: no further round trip, and no moment
between looking and writing. A worker that was paused, cut off or believed dead, and comes back
when another attempt has begun, gets a `FencedError` and changes nothing
(https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig

from treadle.core.errors import FencedError
from treadle.memory._keys import thread_root
from treadle.memory.saver._keys import FENCE, ThreadKeys, checked_id

_HOLD_CONFIGS = {"payload", "config", "parent_config", "configurable", "tasks", "state"}
"""Where a checkpoint that a graph streams has configs; values are not searched."""


def fence_key(prefix: str, thread_id: str) -> str:
    """Return the key that holds the token of a thread's current attempt, as a string.

    It shares the thread's hash tag. No saver writes, expires or removes it. While it does not
    exist every write is accepted, so let it live longer than an attempt can.

    Args:
        prefix: the saver's.
        thread_id: the thread.
    """
    return ThreadKeys(thread_id, thread_root(prefix, thread_id)).fence


def fenced(config: RunnableConfig, token: str) -> RunnableConfig:
    """Return ``config`` for one attempt: what runs with it writes only while the token is current.

    Subgraphs inherit it. A config without a token is never refused.

    Args:
        config: what the graph would be invoked with.
        token: different for every attempt at the thread, such as ``"<run>/<attempt>"``.

    Raises:
        InputError: the token is empty, longer than 512 characters or not text.
    """
    configurable: dict[str, Any] = config.get("configurable") or {}
    token = checked_id("fence token", token)
    return {**config, "configurable": {**configurable, FENCE: token}}


def unfenced(told: Any) -> Any:
    """Return what a graph tells of its checkpoints, their configs without the attempt's token."""
    if isinstance(told, Mapping):
        return {
            name: unfenced(value) if name in _HOLD_CONFIGS else value
            for name, value in told.items()
            if name != FENCE
        }
    return [unfenced(one) for one in told] if isinstance(told, list | tuple) else told


def refusal(thread_id: str, token: str, current: bytes) -> FencedError:
    """Return the error for a write with ``token`` while the thread's is ``current``."""
    return FencedError(
        f"Nothing was written to the thread {thread_id!r}: the attempt {token!r} is "
        f"over, {current.decode(errors='replace')!r:.80} has taken its place.",
        hint="Stop this attempt; the other one carries on.",
    )
