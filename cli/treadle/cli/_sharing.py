"""Telling whoever starts a project that another one keeps its things in the same place."""

from treadle.cli._console import err
from treadle.cli._safe import visible
from treadle.runtime import Runtime


async def tell_of_neighbour(runtime: Runtime) -> None:
    """Warn where another project used the tenant last, and this one has not chosen its tenant."""
    found = await runtime.neighbour()
    if found is None or "tenant" in runtime.settings.model_fields_set:
        return
    said = (
        f"The project {visible(found.folder)} (agents {visible(', '.join(found.agents))}) used the "
        f"tenant {runtime.settings.tenant!r} of this Redis last: the two share conversations, runs "
        'and what is remembered. Give each its own: tenant = "..." in treadle.toml.'
    )
    err.print(said, style="yellow", markup=False, highlight=False, soft_wrap=True)
