"""When each tenant is to be looked at for work of one kind: one place to wait at for all of them.

The scripts of that work keep it, in the step in which something becomes due: the keys of all
tenants for one kind of work share a hash tag.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from treadle.memory.scripts import ScriptCall, driver_of, load_script

_ROOT = "treadle:"
_PAGE = 500
_SEEN = timedelta(seconds=30)
"""How long somebody who looked is taken to be there: longer than they rest."""
_MS = timedelta(milliseconds=1)
_DUE = load_script("treadle.runtime", "agenda")


class Agenda:
    """What is due of all tenants.

    Args:
        client: the connection to Redis.
        kind: the kind of work, which is its keys' hash tag.

    Attributes:
        tenants: the key that holds the tenants' prefixes, each with the moment in ms at which it is
            to be looked at.
        bell: the key of the stream that tells of what became due.
        seen: the key that is there while somebody attends to tenants.
    """

    def __init__(self, client: Any, kind: str) -> None:
        self._client = client
        self._driver = driver_of(client, "Agenda")
        self._seen: str | bytes = "0"
        self.tenants = f"{_ROOT}{{{kind}}}:tenants"
        self.bell = f"{_ROOT}{{{kind}}}:bell"
        self.seen = f"{_ROOT}{{{kind}}}:seen"

    async def due(self) -> tuple[Sequence[str], timedelta | None]:
        """Return the tenants to be looked at now, and the time until another one is."""
        found: list[str] = []
        while True:
            call = ScriptCall(_DUE, (self.tenants, self.seen), (len(found), _PAGE, _SEEN // _MS))
            wait, prefixes = await self._driver.ask(call)
            found += [one.decode().removeprefix(_ROOT).removesuffix(":") for one in prefixes]
            if len(prefixes) < _PAGE:
                return found, None if wait < 0 else wait * _MS

    async def look_at(self, prefix: str) -> None:
        """Have a tenant looked at."""
        await self._client.zadd(self.tenants, {prefix: 0})

    async def wait_for_bell(self, most: timedelta) -> None:
        """Return when something became due, or the time is over."""
        reply = await self._client.xread({self.bell: self._seen}, block=max(1, most // _MS))
        for _, entries in reply.items() if isinstance(reply, Mapping) else reply or ():
            flat = entries[0] if entries and isinstance(entries[0], list) else entries
            self._seen = flat[-1][0]
