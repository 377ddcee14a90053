"""The notifier: sends what is in the outbox, again and again until it is taken or given up."""

import asyncio
import logging
import random
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from treadle.core.errors import RunError, UnknownNameError
from treadle.runtime._attending import attend
from treadle.runtime.notifications._outbox import Message, Outbox
from treadle.runtime.notifications._ways import GoneError, Way
from treadle.runtime.runs import RunStore

BACKOFF = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3_600, 10_800, 21_600, 43_200)
)
"""How long to wait after each failure; after the last one a message is given up."""
AT_ONCE = 8
LONGEST_REST = timedelta(seconds=10)
_log = logging.getLogger("treadle.notifications")


class HasWays(Protocol):
    """The ways to tell others; a mapping by their names is one."""

    def get(self, target: str, /) -> Way | None:
        """Return the way to tell somebody, or ``None`` when there is none."""
        ...


class Notifier:
    """Sends messages while it runs. Any number may work side by side.

    Args:
        outbox: the messages.
        ways: how to tell each, by name.
        runs: where a run is looked up whose end may not have been kept.
        backoff: how long to wait after each failure.
    """

    def __init__(
        self,
        outbox: Outbox,
        ways: HasWays,
        runs: RunStore,
        backoff: tuple[timedelta, ...] = BACKOFF,
    ) -> None:
        self._outbox = outbox
        self._ways = ways
        self._runs = runs
        self._backoff = backoff
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Send what is due until `stop` is called; a Redis that is away is waited for.

        What is being sent when it is stopped comes to its end first.
        """
        await attend(self.step, self._rest, self._stopping, what="Notifications")

    @property
    def is_busy(self) -> bool:
        """Whether it must look again and again; it need not: what is due is known."""
        return False

    async def aclose(self) -> None:
        """Leave what is under way to others: there is nothing."""

    def stop(self) -> None:
        """End `run`; what was not taken is sent by another, or later."""
        self._stopping.set()

    async def step(self) -> timedelta | None:
        """Send all that is due; return the time until the next message is."""
        while True:
            messages, wait = await self._outbox.take(AT_ONCE)
            if not messages:
                return wait
            await asyncio.gather(*(self._send(message) for message in messages))

    async def _rest(self, wait: timedelta | None) -> None:
        rest = LONGEST_REST if wait is None else min(LONGEST_REST, wait)
        await self._outbox.wait_for_bell(rest)

    async def _send(self, message: Message) -> None:
        if message.state == "prepared" and not await self._is_true(message):
            await self._outbox.sent(message)
            return
        way = self._ways.get(message.target)
        if way is None:
            why = f"There is no notification {message.target!r} in the settings any more."
            await self._outbox.give_up(message, why)
            return
        try:
            await way.send(message)
        except GoneError as problem:
            await self._outbox.give_up(message, str(problem))
        except RunError as problem:
            await self._failed(message, str(problem))
        else:
            await self._outbox.sent(message)

    async def _failed(self, message: Message, why: str) -> None:
        if message.tries >= len(self._backoff):
            _log.error("The message %s to %s was given up: %s", message.id, message.target, why)
            await self._outbox.give_up(message, why)
            return
        spread = random.uniform(1, 1.2)  # noqa: S311 - no secret
        await self._outbox.later(message, self._backoff[message.tries] * spread, why)

    async def _is_true(self, message: Message) -> bool:
        """Tell whether the end that a message tells of was kept: its process may have died."""
        with suppress(UnknownNameError):
            run = await self._runs.get(message.run_id)
            return run.attempt == message.attempt and run.status.value == message.status
        return False
