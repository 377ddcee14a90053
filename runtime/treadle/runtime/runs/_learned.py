"""What was spent on learning from runs, kept with their records."""

import json
from typing import Any

from treadle.core.usage import Usage
from treadle.memory import thread_root
from treadle.memory.scripts import ScriptCall, driver_of, load_script
from treadle.runtime.journal import RunKeys, usage_to_data
from treadle.runtime.runs._record import Run

_LEARNED = load_script(str(__package__), "learned")


class LearnedStore:
    """Notes what learning from a tenant's runs cost.

    Args:
        client: the connection to Redis.
        prefix: the tenant's key prefix.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._driver = driver_of(client, "LearnedStore")
        self._prefix = prefix

    async def note(self, run: Run, usage: Usage) -> None:
        """Add what was spent after an attempt to a run's record, unless that was removed."""
        key = RunKeys(thread_root(self._prefix, run.thread_id), run.id).record
        spent = json.dumps(usage_to_data(run.learning + usage))
        await self._driver.ask(ScriptCall(_LEARNED, (key,), (spent,)))
