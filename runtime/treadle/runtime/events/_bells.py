"""Waiting for something in Redis without asking again and again: one connection listens for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import Any

from redis.exceptions import RedisError as DriverError

from treadle.core.tasks import stopped

CHECK_SECONDS = 5.0
"""How long a waiting reader trusts silence: a message can be lost with its connection."""
CONFIRM_SECONDS = 1.0
RECONNECT_SECONDS = 0.1
CROWD = 16
"""How many readers of one channel are woken at once; the others after a rest, in their turn."""
REST_SECONDS = 0.002


class Bell:
    """Rings when something was published on one of its channels."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits, or whoever will wait next."""
        self._event.set()

    async def wait(self, seconds: float = CHECK_SECONDS) -> None:
        """Return when it rang since the last wait, or after that time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class Bells:
    """The bells of a process: one subscription for any number of readers.

    Args:
        redis: the connection to Redis.
        always: a channel that is listened to at all times: a subscription is never empty.
    """

    def __init__(self, redis: Any, always: str) -> None:
        self._redis = redis
        self._always = always
        self._turn = asyncio.Lock()
        self._is_closed = False
        self._pubsub: Any = None
        self._listening: asyncio.Task[None] | None = None
        self._bells: dict[str, set[Bell]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._due: dict[Bell, None] = {}
        self._is_waking = False

    @asynccontextmanager
    async def on(self, *channels: str) -> AsyncIterator[Bell]:
        """Give a bell for the channels; what is published from now on rings it."""
        bell = Bell()
        for channel in channels:
            self._bells.setdefault(channel, set()).add(bell)
        try:
            await self._subscribe(channels)
            yield bell
        finally:
            for channel in channels:
                self._bells[channel].discard(bell)
            await self._unsubscribe(channels)

    async def aclose(self) -> None:
        """Stop listening."""
        self._is_closed = True
        if self._listening is not None:
            await stopped(self._listening)
        if self._pubsub is not None:
            with suppress(DriverError, OSError):
                await self._pubsub.aclose()

    async def _subscribe(self, channels: tuple[str, ...]) -> None:
        async with self._turn:
            if self._pubsub is None:
                self._pubsub = self._redis.pubsub()
                channels = (self._always, *channels)
            new = [channel for channel in channels if channel not in self._confirmed]
            for channel in new:
                self._confirmed[channel] = asyncio.Event()
            if new:
                with suppress(DriverError, OSError):  # It is subscribed when it connects again.
                    await self._pubsub.subscribe(*new)
            if self._listening is None:
                self._listening = asyncio.create_task(self._listen())
        waiting = [self._confirmed[channel].wait() for channel in channels]
        with suppress(TimeoutError):  # Without the right to subscribe, one looks now and then.
            async with asyncio.timeout(CONFIRM_SECONDS):
                await asyncio.gather(*waiting)

    async def _unsubscribe(self, channels: tuple[str, ...]) -> None:
        async with self._turn:
            gone = [channel for channel in channels if self._bells.get(channel) == set()]
            for channel in gone:
                del self._bells[channel]
                self._confirmed.pop(channel, None)
            if gone:
                with suppress(DriverError, OSError):
                    await self._pubsub.unsubscribe(*gone)

    async def _listen(self) -> None:
        # A driver that connects again can swallow a cancellation: the flag is what ends this.
        while not self._is_closed:
            try:
                message = await self._pubsub.get_message(timeout=None)
            except (DriverError, OSError, RuntimeError):  # RuntimeError: it never was connected.
                self._ring_all()  # Something may have been missed.
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            if message is None:
                continue
            channel = _text(message["channel"])
            if message["type"] == "subscribe":
                if (confirmed := self._confirmed.get(channel)) is not None:
                    confirmed.set()
            elif message["type"] == "message":
                self.ring(self._bells.get(channel, set()))

    def _ring_all(self) -> None:
        for bells in self._bells.values():
            self.ring(bells)

    def ring(self, bells: set[Bell]) -> None:
        """Wake few at once, and a crowd by and by: it must not keep everybody else waiting."""
        if len(bells) <= CROWD:
            for bell in bells:
                bell.ring()
            return
        self._due.update(dict.fromkeys(bells))
        if not self._is_waking:
            self._wake()

    def _wake(self) -> None:
        for bell in list(islice(self._due, CROWD)):
            del self._due[bell]
            bell.ring()
        self._is_waking = bool(self._due)
        if self._is_waking:
            asyncio.get_running_loop().call_later(REST_SECONDS, self._wake)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
