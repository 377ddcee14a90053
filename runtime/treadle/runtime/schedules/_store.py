"""The schedules of a tenant in Redis. All keys share one hash tag, and change together."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from treadle.core.errors import InputError, UnknownNameError
from treadle.memory.scripts import ScriptCall, driver_of, encoded, load_script
from treadle.runtime._agenda import Agenda
from treadle.runtime.schedules._reckoning import Reckoning, due, fire_id
from treadle.runtime.schedules._record import (
    Fire,
    FireStatus,
    Schedule,
    moment_of,
    settings_json,
    to_ms,
)

AGENDA = "schedules"
"""What the schedules of all tenants are found by."""
LEASE = timedelta(seconds=30)
"""How long what a scheduler took up is left to it."""
KEPT = 500
"""How many fires of a schedule are kept."""
MOST_WAITING = 100
"""How many fires of a schedule may wait for the run before them."""
_AT_ONCE = 200
_MS = timedelta(milliseconds=1)
T = TypeVar("T", Schedule, Fire)
_SCRIPTS = {
    name: load_script("treadle.runtime.schedules", name)
    for name in ("put", "look", "claim", "manual", "start", "launched", "ended", "remove")
}


@dataclass(frozen=True, slots=True)
class Looked:
    """What a scheduler was handed.

    Attributes:
        now: the moment by the server's clock.
        schedules: names of schedules with a fire that is due.
        fires: fires to hand to the queue.
        runs: fires whose run is to be followed.
        earliest: when the next of anything is due; ``None`` for never.
    """

    now: datetime
    schedules: Sequence[str]
    fires: Sequence[str]
    runs: Sequence[str]
    earliest: datetime | None


class ScheduleStore:
    """The schedules of one tenant.

    Args:
        client: the connection to Redis.
        prefix: the tenant's key prefix.
        keep: how long a fire is kept after it was last written to.
        clock: the moment, where it is not to be Redis's own.
    """

    def __init__(
        self,
        client: Any,
        prefix: str,
        keep: timedelta,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._client = client
        self._driver = driver_of(client, "ScheduleStore")
        self._prefix = prefix
        self._root = f"{prefix}{{schedules}}"
        self._agenda = Agenda(client, AGENDA)
        self._ttl_ms = max(1, keep // _MS)
        self._clock = clock

    async def now(self) -> datetime:
        """Return the moment by Redis's clock."""
        if self._clock:
            return self._clock()
        seconds, us = await self._client.time()
        return moment_of(int(seconds) * 1000 + int(us) // 1000)

    async def put(self, schedule: Schedule) -> Schedule | None:
        """Keep a schedule over the revision it names; ``None`` when that is no longer the latest.

        Its next moment is as it stands in ``schedule``.
        """
        settings = schedule.settings
        at = None
        if schedule.next is not None and not schedule.is_paused:
            at = due(schedule.name, schedule.next, settings.jitter)
        fields = {
            "settings": settings_json(settings),
            "source": schedule.source,
            "project": schedule.project,
            "created_ms": to_ms(schedule.created),
            "paused": int(schedule.is_paused),
            "asked": schedule.asked.to_json() if schedule.asked else "",
        }
        flat = [part for pair in fields.items() for part in pair]
        revision = await self._call(
            "put",
            [
                *(self._of(schedule.name), self._key("names"), self._key("due")),
                *(self._agenda.tenants, self._agenda.bell, *self._owned(schedule)),
            ],
            [schedule.name, schedule.revision, _ms(schedule.next), _ms(at), self._prefix, *flat],
        )
        return None if revision < 0 else replace(schedule, revision=revision, due=at)

    async def find(self, name: str) -> Schedule | None:
        """Return a schedule, or ``None`` when there is none of that name."""
        found = await self._client.hgetall(self._of(name))
        return _read(Schedule, "schedule", name, found) if found else None

    async def get(self, name: str) -> Schedule:
        """Return a schedule.

        Raises:
            UnknownNameError: there is none of that name.
        """
        found = await self.find(name)
        if found is None:
            hint = "'treadle schedule add' makes one."
            raise UnknownNameError("schedule", name, await self.names(), hint=hint)
        return found

    async def names(self) -> list[str]:
        """Return the names of all schedules, sorted."""
        return sorted(name.decode() for name in await self._client.smembers(self._key("names")))

    async def all(self) -> list[Schedule]:
        """Return all schedules that can be read, by name."""
        return await self._read_all(await self.names())

    async def owned(self, owner: str) -> list[Schedule]:
        """Return the schedules that were asked for by somebody and can be read, by name."""
        names = await self._client.smembers(self._key("owned", owner))
        return await self._read_all(sorted(name.decode() for name in names))

    async def _read_all(self, names: Sequence[str]) -> list[Schedule]:
        found = await self._many([self._of(name) for name in names])
        schedules = []
        for name, each in zip(names, found, strict=True):
            with suppress(InputError):  # 'get' says what is wrong with one.
                schedules += [_read(Schedule, "schedule", name, each)] if each else []
        return schedules

    async def remove(self, name: str) -> bool:
        """Remove a schedule with its history; return whether there was one."""
        found = await self._client.hget(self._of(name), "asked")
        keys = [self._of(name), self._key("names"), self._key("due"), self._key("history", name)]
        keys += [self._key("waiting", name), self._key("fires"), self._key("following")]
        if found:
            keys.append(self._key("owned", str(json.loads(found)["owner"])))
        ids = await self._call("remove", keys, [name])
        if isinstance(ids, int):
            return False
        if ids:
            await self._client.unlink(*(self._fire(id_.decode()) for id_ in ids))
        return True

    async def look(self, following: Iterable[str] = ()) -> Looked:
        """Take up what is due; nobody else is handed it for the length of a lease.

        Args:
            following: fires whose runs the caller goes on to follow.
        """
        keys = [self._key("due"), self._key("fires"), self._key("following"), self._key("seen")]
        keys.append(self._agenda.tenants)
        arguments = [self._clock_ms(), LEASE // _MS, _AT_ONCE, self._prefix, *following]
        now, *lists, earliest = await self._call("look", keys, arguments)
        names, fires, runs = ([one.decode() for one in each] for each in lists)
        rest = moment_of(int(float(earliest))) if earliest else None
        return Looked(moment_of(now), names, fires, runs, rest)

    async def hand_back(self, name: str, due: datetime) -> None:
        """Let others be handed a schedule that was taken up, from a moment on."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zadd(self._key("due"), {name: to_ms(due)}, xx=True)
        pipeline.zadd(self._agenda.tenants, {self._prefix: to_ms(due)}, lt=True)
        await pipeline.execute()

    async def are_watched(self) -> bool:
        """Return whether a scheduler looked within a lease."""
        return bool(await self._client.exists(self._key("seen"), self._agenda.seen))

    async def claim(self, schedule: Schedule, found: Reckoning, now: datetime) -> list[str] | None:
        """Fire as it was reckoned; return the fires, or ``None`` when somebody else was first."""
        name, jitter = schedule.name, schedule.settings.jitter
        entries = [(fire_id(name, one), one, FireStatus.OPEN, 1) for one in found.fires]
        if found.missed and schedule.next is not None:
            id_ = f"{fire_id(name, schedule.next)}/missed"
            entries.insert(0, (id_, schedule.next, FireStatus.MISSED, found.missed))
        keys = [self._of(name), self._key("due"), self._key("fires"), self._key("history", name)]
        keys += [self._fire(entry[0]) for entry in entries]
        next_due = None if found.next is None else due(name, found.next, jitter)
        arguments = [name, schedule.revision, _ms(schedule.next), _ms(found.next), _ms(next_due)]
        arguments += [to_ms(now), to_ms(now + LEASE), self._ttl_ms, KEPT]
        for id_, planned, status, count in entries:
            arguments += [id_, to_ms(planned), status.value, count]
        fired = await self._call("claim", keys, arguments)
        return None if isinstance(fired, int) else [id_.decode() for id_ in fired]

    async def fire_now(self, name: str, id_: str) -> bool:
        """Fire beside the plan; return whether there is such a schedule."""
        keys = [self._of(name), self._key("fires"), self._key("history", name)]
        keys += [self._agenda.tenants, self._agenda.bell, self._fire(id_)]
        arguments = [name, id_, self._clock_ms(), self._ttl_ms, KEPT, self._prefix]
        return bool(await self._call("manual", keys, arguments))

    async def start(self, fire: Fire, overlap: str, replacing: str = "") -> tuple[str, str]:
        """Let a fire begin where the one before is over.

        Args:
            fire: the fire.
            overlap: the schedule's policy.
            replacing: the fire before, where its run was stopped for this one.

        Returns:
            ``go``, ``gone``, ``waiting``, ``full`` or ``busy``; and with ``busy`` the fire before.
        """
        keys = [self._of(fire.schedule), self._key("fires")]
        keys += [self._key("waiting", fire.schedule), self._fire(fire.id)]
        reply = await self._call("start", keys, [fire.id, overlap, replacing, MOST_WAITING])
        return reply[0].decode(), reply[1].decode() if len(reply) > 1 else ""

    async def launched(self, fire: Fire, run_id: str, thread_id: str, now: datetime) -> None:
        """Note that the queue has a fire's run."""
        keys = [self._key("fires"), self._key("following"), self._fire(fire.id)]
        await self._call("launched", keys, [fire.id, run_id, thread_id, to_ms(now + LEASE)])

    async def interrupted(self, fire: Fire) -> None:
        """Note that a fire's run waits for a person; it is looked at again after a lease."""
        await self._client.hset(self._fire(fire.id), "status", FireStatus.INTERRUPTED.value)

    async def ended(self, id_: str, schedule: str, status: FireStatus, **fields: Any) -> None:
        """Note how a fire ended; the one that waits for it begins."""
        keys = [self._of(schedule), self._key("fires"), self._key("following")]
        keys += [self._key("waiting", schedule), self._agenda.tenants, self._agenda.bell]
        keys.append(self._fire(id_))
        told = {"status": status.value, **{name: str(value) for name, value in fields.items()}}
        flat = [part for pair in told.items() for part in pair]
        await self._call("ended", keys, [id_, self._clock_ms(), self._ttl_ms, self._prefix, *flat])

    async def fire(self, id_: str) -> Fire | None:
        """Return a fire, or ``None`` when it is not kept.

        Raises:
            InputError: this version cannot read it.
        """
        found = await self._client.hgetall(self._fire(id_))
        return _read(Fire, "fire", id_, found) if found else None

    async def history(self, name: str, limit: int) -> list[Fire]:
        """Return the fires of a schedule, the latest first."""
        ids = await self._client.zrevrange(self._key("history", name), 0, limit - 1)
        texts = [id_.decode() for id_ in ids]
        found = await self._many([self._fire(text) for text in texts])
        pairs = zip(texts, found, strict=True)
        return [_read(Fire, "fire", text, each) for text, each in pairs if each]

    async def wait_for_bell(self, most: timedelta) -> None:
        """Return when schedules were changed, something waits to be done, or the time is over."""
        await self._agenda.wait_for_bell(most)

    async def _many(self, keys: Sequence[str]) -> list[Mapping[bytes, bytes]]:
        if not keys:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        found: list[Mapping[bytes, bytes]] = await pipeline.execute()
        return found

    def _call(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._driver.ask(ScriptCall(_SCRIPTS[name], tuple(keys), tuple(arguments)))

    def _clock_ms(self) -> str:
        return str(to_ms(self._clock())) if self._clock else ""

    def _key(self, kind: str, name: str | None = None) -> str:
        return f"{self._root}:{kind}" if name is None else f"{self._root}:{kind}:{encoded(name)}"

    def _owned(self, schedule: Schedule) -> list[str]:
        return [self._key("owned", schedule.asked.owner)] if schedule.asked else []

    def _of(self, name: str) -> str:
        return self._key("of", name)

    def _fire(self, id_: str) -> str:
        return self._key("fire", id_)


def _ms(moment: datetime | None) -> str:
    return "" if moment is None else str(to_ms(moment))


def _read(kind: type[T], what: str, name: str, found: Mapping[bytes, bytes]) -> T:
    try:
        return kind.from_hash(name, found)
    except (InputError, ValueError, KeyError, TypeError, ArithmeticError) as problem:
        raise InputError(
            f"The {what} {name!r} cannot be read: {problem}.",
            hint="Another version of Treadle may have written it; it is left as it is.",
        ) from None
