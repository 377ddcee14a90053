"""Assistants: each agent of the project, and those that clients made of them."""

import uuid
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

from treadle.core.errors import UnknownNameError
from treadle.runtime import Runtime
from treadle.server.langgraph._records import Record, Records, now
from treadle.server.security import current_principal

_GRAPHS = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The namespace LangGraph's server makes its ids in, so that a client's stored ids stay true."""
_SINCE = now()
"""When the agents became assistants: when the server started."""


@lru_cache(maxsize=1024)
def agent_id(name: str) -> str:
    """Return the id of the assistant that an agent is."""
    return str(uuid.uuid5(_GRAPHS, name))


class Assistants:
    """The assistants of a tenant, with their versions.

    Args:
        runtime: the tenant's runtime.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._principal = current_principal()
        self._records = Records(runtime.redis, runtime.settings.prefix, "assistants")

    async def get(self, key: str) -> Record:
        """Return an assistant by its id, or by its agent's name, in its current version.

        Raises:
            UnknownNameError: there is none.
        """
        return _current(await self._stored(key))

    async def all(self) -> AsyncIterator[Record]:
        """Yield every assistant: those clients made, newest first, and each agent."""
        names = {agent_id(name): name for name in self._runtime.agents()}
        async for stored in self._records.newest_first():
            names.pop(stored["assistant_id"], None)
            if self._may_ask(stored):
                yield _current(stored)
        for name in names.values():
            if self._may_ask(stored := self._of_agent(name)):
                yield _current(stored)

    async def create(self, key: str, fields: Record) -> Record | None:
        """Keep a new assistant; ``None`` when there is one of that id."""
        if self._agent_of(key) is not None:
            return None
        stored = _versioned(key, fields, now())
        return _current(stored) if await self._records.add(key, stored) else None

    async def update(self, key: str, fields: Record) -> Record:
        """Make a new version of an assistant; metadata is merged, other fields replaced.

        Raises:
            UnknownNameError: there is none of that id.
        """

        def change(stored: Record) -> Record:
            old = stored["versions"][stored["latest"] - 1]
            metadata = {**old["metadata"], **fields.get("metadata", {})}
            number = len(stored["versions"]) + 1
            new = {**old, **fields, "metadata": metadata, "version": number, "created_at": now()}
            versions = [*stored["versions"], new]
            return {**stored, "versions": versions, "latest": number, "updated_at": now()}

        return await self._change(key, change)

    async def versions(self, key: str) -> list[Record]:
        """Return the versions of an assistant, newest first.

        Raises:
            UnknownNameError: there is none of that id.
        """
        stored = await self._stored(key)
        return [{"assistant_id": stored["assistant_id"], **v} for v in stored["versions"][::-1]]

    async def set_latest(self, key: str, version: int) -> Record:
        """Make a version the one in use.

        Raises:
            UnknownNameError: there is no such assistant or version.
        """

        def change(stored: Record) -> Record:
            if version > len(stored["versions"]):
                known = [str(number + 1) for number in range(len(stored["versions"]))]
                raise UnknownNameError("version of the assistant", str(version), known)
            return {**stored, "latest": version, "updated_at": now()}

        return await self._change(key, change)

    async def delete(self, key: str) -> bool:
        """Remove an assistant that a client made; return whether there was one."""
        return await self._records.remove(key)

    async def _change(self, key: str, change: Any) -> Record:
        stored = await self._stored(key)
        key = stored["assistant_id"]
        await self._records.add(key, stored)  # An agent is stored when it is first changed.
        changed = await self._records.change(key, change)
        if changed is None:
            raise UnknownNameError("assistant", key, self._runtime.agents())
        return _current(changed)

    async def _stored(self, key: str) -> Record:
        name = self._agent_of(key)
        stored = await self._records.get(agent_id(name) if name is not None else key)
        if stored is None and name is not None:
            stored = self._of_agent(name)
        if stored is None or not self._may_ask(stored):
            known = self._principal.askable(self._runtime.agents())
            raise UnknownNameError("assistant", key, known)
        return stored

    def _may_ask(self, stored: Record) -> bool:
        return all(self._principal.may_ask(one["graph_id"]) for one in stored["versions"])

    def _agent_of(self, key: str) -> str | None:
        names = self._runtime.agents()
        return next((name for name in names if key in (name, agent_id(name))), None)

    def _of_agent(self, name: str) -> Record:
        fields = {"graph_id": name, "name": name, "metadata": {"created_by": "system"}}
        return _versioned(agent_id(name), fields, _SINCE)


def _versioned(key: str, fields: Record, moment: str) -> Record:
    empty: Record = {
        "config": {},
        "context": {},
        "metadata": {},
        "name": "Untitled",
        "description": None,
    }
    first = {"name": "Untitled", **empty, **fields, "version": 1, "created_at": moment}
    return {"assistant_id": key, "versions": [first], "latest": 1, "updated_at": moment}


def _current(stored: Record) -> Record:
    version = stored["versions"][stored["latest"] - 1]
    about = {"assistant_id": stored["assistant_id"], "updated_at": stored["updated_at"]}
    return {**about, **version}
