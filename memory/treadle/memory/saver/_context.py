"""What the operations of a saver share."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig

from treadle.memory._codec import Codec
from treadle.memory._lua import Request
from treadle.memory.saver._cache import SaverCache
from treadle.memory.saver._keys import KeySpace, Place, ThreadKeys, place_of

T = TypeVar("T")
Operation = Generator[Request, Any, T]
"""Yields what it asks of Redis, is sent the replies, and returns its result."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every operation of a saver works with.

    Attributes:
        space: the keys.
        codec: how values become bytes.
        ttl: how long a thread lives after it was last written to; ``None`` for ever.
        cache: what this client remembers.
    """

    space: KeySpace
    codec: Codec
    ttl: timedelta | None
    cache: SaverCache

    @property
    def ttl_ms(self) -> int:
        """The time to live in milliseconds, 0 for ever."""
        return 0 if self.ttl is None else max(1, int(self.ttl / timedelta(milliseconds=1)))

    def located(self, config: RunnableConfig) -> tuple[ThreadKeys, Place]:
        """Return the keys of the thread that ``config`` names, and the place in it.

        Raises:
            InputError: an id cannot be used.
        """
        place = place_of(config)
        return self.space.thread(place.thread_id), place
