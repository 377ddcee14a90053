"""The outbox of a tenant: messages that are to be sent, in Redis until they were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from treadle.memory.scripts import ScriptCall, driver_of, encoded, load_script
from treadle.runtime._agenda import Agenda

AGENDA = "notifications"
"""What the messages of all tenants are found by."""
LEASE = timedelta(seconds=60)
"""How long a message is left to who took it: longer than any way to send one may take."""
UNSURE = timedelta(seconds=30)
"""How long a message waits whose run's end is not known to be kept."""
SENT_KEPT = timedelta(days=1)
"""How long it is known that a message was sent."""
_MS = timedelta(milliseconds=1)
_SCRIPTS = {
    name: load_script("treadle.runtime.notifications", name)
    for name in ("put", "take", "settle", "replay")
}


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one who is told.

    Attributes:
        id: the same however often it is sent.
        target: whom, by the name in the settings.
        body: what they are sent, as JSON.
        run_id, status, attempt: what it tells of.
        state: ``prepared`` (its run's end may not be kept), ``ready``, ``sent`` or ``dead``.
        tries: how often it was sent in vain.
        why: why the last time failed.
        made: when it came about; ``None`` for one that is not kept yet.
    """

    id: str
    target: str
    body: str
    run_id: str
    status: str
    attempt: int
    state: str = "ready"
    tries: int = 0
    why: str = ""
    made: datetime | None = None


class Outbox:
    """The messages of one tenant.

    Args:
        client: the connection to Redis.
        prefix: the tenant's key prefix.
        keep: how long a message is kept that was not sent.
    """

    def __init__(self, client: Any, prefix: str, keep: timedelta) -> None:
        self._client = client
        self._driver = driver_of(client, "Outbox")
        self._prefix = prefix
        self._root = f"{prefix}{{notifications}}"
        self._agenda = Agenda(client, AGENDA)
        self._ttl_ms = max(1, keep // _MS)

    async def put(self, message: Message) -> None:
        """Keep a message to be sent; one that was sent or given up stays as it is."""
        wait = UNSURE if message.state == "prepared" else timedelta(0)
        await self._call(
            "put",
            [
                *(self._key("due"), self._agenda.bell),
                *(self._message(message.id), self._agenda.tenants),
            ],
            [
                *(message.id, message.target, message.body, message.state),
                *(wait // _MS, self._ttl_ms),
                *(message.run_id, message.status, message.attempt, self._prefix),
            ],
        )

    async def take(self, most: int) -> tuple[list[Message], timedelta | None]:
        """Take messages that are due, and return them with the time until the next is."""
        keys = [self._key("due"), self._agenda.tenants]
        wait, ids = await self._call("take", keys, [LEASE // _MS, most, self._prefix])
        found = [(id_.decode(), await self.find(id_.decode())) for id_ in ids]
        for id_, message in found:
            if message is None:
                await self._client.zrem(self._key("due"), id_)
        messages = [message for _, message in found if message is not None]
        return messages, None if wait < 0 else wait * _MS

    async def sent(self, message: Message) -> None:
        """Note that a message was sent, or is not to be."""
        await self._settle(message, "sent", timedelta(0), "", SENT_KEPT // _MS)

    async def later(self, message: Message, wait: timedelta, why: str) -> None:
        """Send a message again after a while."""
        await self._settle(message, "ready", wait, why, self._ttl_ms)

    async def give_up(self, message: Message, why: str) -> None:
        """Put a message among the dead, from where it can be replayed."""
        await self._settle(message, "dead", timedelta(0), why, self._ttl_ms)

    async def replay(self, id_: str) -> bool:
        """Send a message again that was given up; return whether there is such a message."""
        keys = [self._key("due"), self._key("dead"), self._agenda.bell, self._message(id_)]
        keys.append(self._agenda.tenants)
        return bool(await self._call("replay", keys, [id_, self._ttl_ms, self._prefix]))

    async def find(self, id_: str) -> Message | None:
        """Return a message, or ``None`` when it is not kept."""
        found = await self._client.hgetall(self._message(id_))
        return _read(id_, found) if found else None

    async def open(self, limit: int) -> list[Message]:
        """Return messages on their way, the earliest due first."""
        return await self._several(await self._client.zrange(self._key("due"), 0, limit - 1))

    async def dead(self, limit: int) -> list[Message]:
        """Return messages that were given up, the latest first."""
        return await self._several(await self._client.zrevrange(self._key("dead"), 0, limit - 1))

    async def wait_for_bell(self, most: timedelta) -> None:
        """Return when a message came about, or the time is over."""
        await self._agenda.wait_for_bell(most)

    async def _several(self, ids: Sequence[bytes]) -> list[Message]:
        found = [await self.find(id_.decode()) for id_ in ids]
        return [message for message in found if message is not None]

    async def _settle(
        self, message: Message, state: str, wait: timedelta, why: str, ttl_ms: int
    ) -> None:
        keys = [self._key("due"), self._key("dead"), self._message(message.id)]
        keys.append(self._agenda.tenants)
        told = [message.id, state, wait // _MS, why[:1_000], ttl_ms, self._prefix]
        await self._call("settle", keys, told)

    def _call(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._driver.ask(ScriptCall(_SCRIPTS[name], tuple(keys), tuple(arguments)))

    def _key(self, kind: str) -> str:
        return f"{self._root}:{kind}"

    def _message(self, id_: str) -> str:
        return f"{self._root}:message:{encoded(id_)}"


def _read(id_: str, found: Mapping[bytes, bytes]) -> Message:
    told = {key.decode(): value.decode() for key, value in found.items()}
    return Message(
        id_,
        told["target"],
        told.get("body", ""),
        told["run"],
        told["status"],
        int(told["attempt"]),
        told["state"],
        int(told["tries"]),
        told.get("why", ""),
        datetime.fromtimestamp(int(told["made_ms"]) / 1000, UTC),
    )
