"""What a person does with the messages of a tenant."""

import os
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from treadle.core.errors import UnknownNameError
from treadle.core.settings import Settings
from treadle.runtime.notifications._composing import End, compose
from treadle.runtime.notifications._notifier import Notifier
from treadle.runtime.notifications._outbox import Message, Outbox
from treadle.runtime.notifications._telling import Telling
from treadle.runtime.notifications._ways import Ways
from treadle.runtime.runs import Run, RunStatus, RunStore


class Notifications:
    """The messages of a tenant: those on their way, those given up.

    Args:
        client: the connection to Redis.
        prefix: the tenant's key prefix.
        keep: how long a message is kept that was not sent.
        settings: the project's settings.

    Attributes:
        telling: puts a message into the outbox when a run ends.
    """

    def __init__(self, client: Any, prefix: str, keep: timedelta, settings: Settings) -> None:
        self._outbox = Outbox(client, prefix, keep)
        self._runs = RunStore(client, prefix, keep)
        self._settings = settings
        self.telling = Telling(self._outbox, settings.notifications, has_webhooks=self.has_webhooks)

    @property
    def has_webhooks(self) -> bool:
        """Whether a run can name an address to be told; it needs a secret to sign with."""
        return self._settings.server.webhook_secret_env is not None

    def ways(self) -> Ways:
        """Return the ways to tell others.

        Raises:
            ConfigError: the secret of a webhook or the mail server is missing.
        """
        return Ways(self._settings, os.environ)

    def notifier(self, ways: Ways | None = None) -> Notifier:
        """Return a notifier; ``await notifier.run()`` tells others until its stop.

        Args:
            ways: the ways to tell others; made when not given.

        Raises:
            ConfigError: the secret of a webhook or the mail server is missing.
        """
        return Notifier(self._outbox, ways or self.ways(), self._runs)

    async def open(self, limit: int = 50) -> Sequence[Message]:
        """Return messages on their way, the earliest due first."""
        return await self._outbox.open(limit)

    async def dead(self, limit: int = 50) -> Sequence[Message]:
        """Return messages that were given up, the latest first."""
        return await self._outbox.dead(limit)

    async def replay(self, id_: str) -> None:
        """Send a message again that was given up, under the same id.

        Raises:
            UnknownNameError: there is no such message.
        """
        if not await self._outbox.replay(id_):
            known = [message.id for message in await self._outbox.dead(10)]
            raise UnknownNameError("message that was given up", id_, known)

    async def test(self, name: str) -> Message:
        """Tell somebody of a run that never was, at once, and return what was sent.

        Raises:
            UnknownNameError: there is no notification of that name.
            ConfigError: its secret or its server is missing.
            RunError: it was not taken.
        """
        way = self.ways().get(name) if name in self._settings.notifications else None
        if way is None:
            hint = "They stand in treadle.toml under [notifications]."
            raise UnknownNameError("notification", name, self._settings.notifications, hint=hint)
        run = Run(uuid.uuid4().hex, "test", "test", question="Does this arrive?")
        message = compose(
            name, End(run, RunStatus.SUCCESS, 1, {"reply": {"text": "It does."}}, {}, run.created)
        )
        await way.send(message)
        return message
