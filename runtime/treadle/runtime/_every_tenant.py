"""Work of one kind for every tenant of a server, which costs the same however many rest."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from treadle.core.tasks import stopped
from treadle.runtime._agenda import Agenda
from treadle.runtime._attending import RETRY, attend

LONGEST_REST = timedelta(seconds=10)
"""A clock that is set anew is noticed after this at the latest; so soon leases are renewed."""
AT_ONCE = 20
"""How many tenants are attended to at once."""
_log = logging.getLogger("treadle.runtime")


class Attendant(Protocol):
    """Does the work of one tenant."""

    @property
    def is_busy(self) -> bool:
        """Whether it has something under way that it must look after."""
        ...

    async def step(self) -> object:
        """Do all that is due."""
        ...

    async def aclose(self) -> None:
        """Leave what is under way to others."""
        ...


class EveryTenant:
    """Attends to every tenant while it runs. Any number may work side by side.

    Args:
        agenda: when each tenant is to be looked at.
        attendant: makes what does a tenant's work.
        serves: whether a tenant is this one's to attend to.
        what: what the log calls it.
    """

    def __init__(
        self,
        agenda: Agenda,
        attendant: Callable[[str], Attendant],
        serves: Callable[[str], bool],
        *,
        what: str,
    ) -> None:
        self._agenda = agenda
        self._attendant = attendant
        self._serves = serves
        self._what = what
        self._attendants: dict[str, Attendant] = {}
        self._steps: dict[str, asyncio.Task[None]] = {}
        self._looked: dict[str, float] = {}
        self._ringing: asyncio.Task[None] | None = None
        self._stepped = asyncio.Event()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Attend to them until `stop` is called; steps under way come to their end first."""
        try:
            await attend(self._begin, self._rest, self._stopping, what=self._what)
        finally:
            await stopped(*([self._ringing] if self._ringing is not None else []))
            await asyncio.gather(*self._steps.values(), return_exceptions=True)
            for attendant in self._attendants.values():
                await attendant.aclose()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    async def _begin(self) -> timedelta | None:
        """Begin a step for each tenant that needs one; return the time until another does."""
        self._stepped.clear()
        due, wait = await self._agenda.due()
        oldest = asyncio.get_running_loop().time() - LONGEST_REST.total_seconds()
        busy = [tenant for tenant, looked in self._looked.items() if looked <= oldest]
        for tenant in dict.fromkeys((*due, *busy)):
            if len(self._steps) >= AT_ONCE:
                break  # The end of a step brings the others about.
            if tenant not in self._steps and self._serves(tenant):
                self._steps[tenant] = asyncio.create_task(self._step(tenant))
        return wait

    async def _rest(self, wait: timedelta | None) -> None:
        if self._ringing is None:  # It goes on over many rests: to break it off costs a connection.
            self._ringing = asyncio.create_task(self._agenda.wait_for_bell(LONGEST_REST))
        stepped = asyncio.create_task(self._stepped.wait())
        rest = LONGEST_REST if wait is None else min(LONGEST_REST, wait)
        try:
            await asyncio.wait(
                {self._ringing, stepped},
                timeout=rest.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            await stopped(stepped)
        if self._ringing.done():
            ringing, self._ringing = self._ringing, None
            ringing.result()

    async def _step(self, tenant: str) -> None:
        try:
            attendant = self._attendants.get(tenant)
            if attendant is None:
                attendant = self._attendants[tenant] = self._attendant(tenant)
            await attendant.step()
            if attendant.is_busy:
                self._looked[tenant] = asyncio.get_running_loop().time()
            else:
                self._looked.pop(tenant, None)
                del self._attendants[tenant]
        except Exception as problem:  # One tenant's trouble is not the others'.
            _log.warning("%s of the tenant %r rest: %s", self._what, tenant, problem)
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY.total_seconds()):
                    await self._stopping.wait()
        finally:
            del self._steps[tenant]
            self._stepped.set()
