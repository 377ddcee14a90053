"""Messages of the ends of runs: kept before an end is kept, sent once it was."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from treadle.core.notifying import NotificationSettings
from treadle.runtime.notifications._composing import End, compose, compose_webhook, told_of
from treadle.runtime.notifications._outbox import Message, Outbox
from treadle.runtime.runs import Run, RunMode, RunStatus


class Telling:
    """Puts messages into the outbox when runs end or wait for a person.

    A message is kept before its run's end is, and is sent at once when that was kept too. Where
    the process dies in between, the notifier looks at the run: a message of an end that was not
    kept is not sent, and one of an end that was is not lost.

    Args:
        outbox: the messages.
        settings: who can be told, by name.
        has_webhooks: whether runs can ask for an address to be told.
    """

    def __init__(
        self, outbox: Outbox, settings: Mapping[str, NotificationSettings], *, has_webhooks: bool
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._has_webhooks = has_webhooks

    @property
    def is_needed(self) -> bool:
        """Whether anybody is told of anything."""
        return bool(self._settings) or self._has_webhooks

    async def prepare(
        self,
        run: Run,
        attempt: int,
        status: RunStatus,
        details: Mapping[str, Any],
        metadata: Mapping[str, Any],
        *,
        webhook: str | None,
    ) -> Sequence[Message]:
        """Keep the messages of an end that is about to be kept, and return them; see `runs`."""
        if run.mode is not RunMode.LIVE:
            return ()
        end = End(run, status, attempt, details, metadata, datetime.now(UTC))
        named = metadata.get("notify") or ()
        messages = [compose(target, end) for target in told_of(self._settings, run, status, named)]
        if webhook and self._has_webhooks:
            messages.append(compose_webhook(webhook, end))
        for message in messages:
            await self._outbox.put(replace(message, state="prepared"))
        return messages

    async def confirm(self, messages: Sequence[Message]) -> None:
        """Let the messages of an end that was kept be sent."""
        for message in messages:
            await self._outbox.put(message)
