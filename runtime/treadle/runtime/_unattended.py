"""What happens by itself: schedules fire, and others are told how runs end."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from treadle.runtime._agenda import Agenda
from treadle.runtime._every_tenant import EveryTenant
from treadle.runtime._side_by_side import side_by_side
from treadle.runtime.notifications import AGENDA as NOTIFICATIONS
from treadle.runtime.notifications import Notifications
from treadle.runtime.schedules import AGENDA as SCHEDULES
from treadle.runtime.schedules import Scheduler


class Tenant(Protocol):
    """What is needed of a tenant's runtime."""

    notifications: Notifications
    settings: Any

    def scheduler(self) -> Scheduler:
        """Return what fires its schedules."""
        ...


@asynccontextmanager
async def unattended(
    redis: Any, own: str, of_tenant: Callable[[str], Tenant], serves: Callable[[str], bool] | None
) -> AsyncGenerator[None]:
    """Fire schedules and tell others while the context is open.

    Args:
        redis: the connection to Redis.
        own: the tenant that this is done for in any case.
        of_tenant: returns the runtime of a tenant.
        serves: the tenants that it is done for as well.

    Raises:
        ConfigError: the secret of a webhook or the mail server is missing.
    """
    ways = of_tenant(own).notifications.ways()
    schedules, notifications = Agenda(redis, SCHEDULES), Agenda(redis, NOTIFICATIONS)
    for agenda in (schedules, notifications):  # What an earlier version planned stands in none.
        await agenda.look_at(of_tenant(own).settings.prefix)

    def is_served(tenant: str) -> bool:
        return tenant == own or (serves is not None and serves(tenant))

    def scheduler(tenant: str) -> Scheduler:
        return of_tenant(tenant).scheduler()

    async with side_by_side(
        EveryTenant(schedules, scheduler, is_served, what="Schedules"),
        EveryTenant(
            notifications,
            lambda tenant: of_tenant(tenant).notifications.notifier(ways),
            is_served,
            what="Notifications",
        ),
    ):
        yield
