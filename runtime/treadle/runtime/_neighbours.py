"""Which project used a tenant last: two without a tenant of their own share all they keep.

A project is told from another one by its agents. Where a folder is moved, or copied to many
machines, its agents have the same names; a project that changes its agents stands where it stood.
So another project is one that lies elsewhere and has no agent's name in common.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_KEPT = timedelta(days=30)
"""How long a project that is used no more is remembered."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another project that uses the tenant.

    Attributes:
        folder: where it lies, on the machine that it was used on.
        agents: its own agents, by their names.
    """

    folder: str
    agents: Sequence[str]


async def neighbour(
    redis: Any, prefix: str, project: Path, agents: Collection[str]
) -> Neighbour | None:
    """Note that a project uses a tenant; return the other one that used it last, if one did.

    Args:
        redis: the connection to Redis.
        prefix: the tenant's key prefix.
        project: the project's folder.
        agents: its own agents; one that has none is not noted, and told of nobody.
    """
    if not agents:
        return None
    key, folder = f"{prefix}project", str(project)
    noted = json.dumps({"folder": folder, "agents": sorted(agents)})
    async with redis.pipeline(transaction=False) as pipe:
        pipe.get(key)
        pipe.set(key, noted, ex=_KEPT)
        before, _ = await pipe.execute()
    if before is None:
        return None
    found = Neighbour(**json.loads(before))
    is_other = found.folder != folder and set(agents).isdisjoint(found.agents)
    return found if is_other else None
