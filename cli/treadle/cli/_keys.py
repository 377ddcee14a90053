"""``treadle keys``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from treadle.cli._console import err, out, print_json, rows
from treadle.cli._opening import Opening
from treadle.core.errors import InputError, UnknownNameError
from treadle.core.settings import checked_tenant
from treadle.runtime import Runtime
from treadle.server.security import ApiKey, ApiKeys, NewKey, Scope


@dataclass(frozen=True)
class Wanted:
    """A key as it was asked for; see ``treadle keys create --help``."""

    name: str
    scope: str
    agents: Sequence[str] | None
    tenant: str | None
    subject: str | None
    days: float | None
    per_minute: int | None
    at_once: int | None


def create_key(opening: Opening, wanted: Wanted, *, as_json: bool) -> None:
    """Make a key and print it.

    Raises:
        UserError: the name is empty, or the scope, an agent or the tenant is not one.
    """
    if not wanted.name.strip():
        raise InputError("The name of the key is empty.", hint="Say what the key is for.")

    async def work(runtime: Runtime) -> NewKey:
        for agent in wanted.agents or ():
            if agent not in runtime.agents():
                raise UnknownNameError("agent", agent, runtime.agents())
        keys = ApiKeys(runtime.redis)
        return await keys.create(
            wanted.name,
            tenant=checked_tenant(wanted.tenant or runtime.settings.tenant),
            subject=wanted.subject,
            scope=_scope(wanted.scope),
            agents=tuple(wanted.agents) if wanted.agents else None,
            lifetime=timedelta(days=wanted.days) if wanted.days else None,
            requests_per_minute=wanted.per_minute,
            runs_at_once=wanted.at_once,
        )

    made = opening.run(work)
    if as_json:
        print_json({"key": made.key, **asdict(made.about)})
        return
    err.print("Keep it: it is shown this once.")
    out.print(made.key, markup=False, highlight=False, soft_wrap=True)


def list_keys(opening: Opening, *, as_json: bool) -> None:
    """Print what is kept of every key."""

    async def work(runtime: Runtime) -> list[ApiKey]:
        return await ApiKeys(runtime.redis).list()

    found = opening.run(work)
    if as_json:
        print_json([asdict(key) for key in found])
        return
    rows(
        ["id", "name", "tenant", "scope", "agents", "created", "expires"],
        [
            [k.id, k.name, k.tenant, k.scope, ", ".join(k.agents or ["all"]), k.created, _end(k)]
            for k in found
        ],
        prose=["agents"],
    )


def revoke_key(opening: Opening, key_id: str) -> None:
    """Remove a key.

    Raises:
        UnknownNameError: there is none of that id.
    """

    async def work(runtime: Runtime) -> ApiKey:
        return await ApiKeys(runtime.redis).revoke(key_id)

    gone = opening.run(work)
    err.print(f"The key {gone.id} ({gone.name}) is refused from now on.", markup=False)


def _end(key: ApiKey) -> str:
    return f"{key.expires} (over)" if key.is_expired else key.expires or "never"


def _scope(name: str) -> Scope:
    try:
        return Scope(name)
    except ValueError:
        raise UnknownNameError("scope", name, list(Scope)) from None
