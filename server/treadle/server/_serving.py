"""What a running server holds."""

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request
from langgraph.graph.state import CompiledStateGraph

from treadle.agents import Agent
from treadle.core.errors import InputError, UnknownNameError
from treadle.core.redaction import Redactor
from treadle.runtime import Runtime
from treadle.runtime.queue import QueueStats
from treadle.server._metrics import Metrics
from treadle.server._workers import Workers
from treadle.server.security import (
    Admission,
    ApiKeys,
    Authenticator,
    Guard,
    Principal,
    current_principal,
)

_WORDLESS = "The state of its graph has no 'messages', so that nothing can be said to it."
log = logging.getLogger("treadle.server")


class Serving:
    """The runtime that is served, and what was found when it was opened.

    Args:
        runtime: the runtime.
        metrics: what is counted.
        requires_key: whether whoever shows no key is refused.
        hosts: names of the server beside those of the settings and of loopback.
        workers: executes queued runs.

    Attributes:
        guard: who is let in, and with what.
        failed: why agents cannot be asked, by their names; the others are served.
        wordless: why agents cannot be asked in words, by their names: clients of LangGraph's
            protocol run them, and to others, which only talk, they are not named.

    Raises:
        ConfigError: what ``[server]`` says cannot be used.
    """

    def __init__(
        self,
        runtime: Runtime,
        metrics: Metrics,
        *,
        requires_key: bool,
        hosts: Sequence[str],
        workers: Workers,
    ) -> None:
        self.runtime = runtime
        self.metrics = metrics
        self._keys = ApiKeys(runtime.redis)
        self._workers = workers
        self._tenants = {runtime.settings.tenant: runtime}
        settings = runtime.settings
        # Of these nobody knows the tenants before they ask.
        self._takes_any_tenant = bool(settings.server.jwt or settings.server.authenticate)
        authenticator = Authenticator(runtime, self._keys, requires_key=requires_key)
        admission = Admission(runtime.redis, settings.server, settings.tenant)
        self.guard = Guard(settings.server, hosts, authenticator, admission)
        self.failed: dict[str, str] = {}
        self.wordless: dict[str, str] = {}
        self._load_agents()

    def runtime_of(self, principal: Principal) -> Runtime:
        """Return the runtime of a caller's tenant.

        Raises:
            InputError: its tenant cannot be one.
        """
        if principal.tenant is None:
            return self.runtime
        return self._served(principal.tenant)

    async def start_workers(self) -> None:
        """Have queued runs executed: those of this tenant, and of each that has a key."""
        tenants = {key.tenant for key in await self._keys.list()}
        for tenant in sorted(tenants | {self.runtime.settings.tenant}):
            self._served(tenant)

    def attends_to(self, tenant: str) -> bool:
        """Return whether a tenant's schedules are fired here; if so, its runs are worked on too."""
        if tenant not in self._tenants and not self._takes_any_tenant:
            return False
        with suppress(InputError):  # No tenant can have that name.
            self._served(tenant)
            return True
        return False

    def _served(self, tenant: str) -> Runtime:
        runtime = self._tenants[tenant] = self.runtime.of_tenant(tenant)
        self._workers.serve(runtime)
        return runtime

    async def queues(self) -> list[QueueStats]:
        """Return how full the queue of each tenant is that is served."""
        return [await runtime.queue.stats() for runtime in self._tenants.values()]

    def _load_agents(self) -> None:
        """Make every agent's graph, so that the first question does not wait for it."""
        redact = Redactor.from_settings(self.runtime.settings, os.environ).redact
        for name in self.runtime.agents():
            try:
                graph = self.runtime.graph(name)
            except Exception as error:  # A project's own code may raise anything.
                self.failed[name] = redact(str(error) or type(error).__name__)
                log.warning("The agent %r is not served: %s", name, self.failed[name])
                continue
            # Of a function of LangGraph's functional API nobody knows what it returns.
            if isinstance(graph, CompiledStateGraph) and "messages" not in graph.channels:
                self.wordless[name] = _WORDLESS
                log.warning("The agent %r is for LangGraph's clients alone: %s", name, _WORDLESS)

    def talking(self, names: Iterable[str]) -> list[str]:
        """Return those of the agents that can be asked in words."""
        return [name for name in names if name not in self.failed and name not in self.wordless]

    def agent_to_talk_with(self, rt: Runtime, name: str, kind: str = "agent") -> Agent:
        """Return an agent that the caller may ask in words.

        Args:
            rt: the runtime of the caller's tenant.
            name: the agent's name.
            kind: what the caller's protocol calls an agent.

        Raises:
            UnknownNameError: there is none, for this caller, or nothing can be said to it.
            ConfigError: its file is wrong.
        """
        known = current_principal().askable(rt.agents())
        if name not in known:
            raise UnknownNameError(kind, name, self.talking(known))
        if name in self.wordless:
            why = f"The agent {name!r} is for LangGraph's clients. {self.wordless[name]}"
            raise UnknownNameError(kind, name, self.talking(known), hint=why)
        return rt.agent(name)

    @cached_property
    def agents(self) -> list[str]:
        """The names of the agents that can be asked."""
        return [name for name in self.runtime.agents() if name not in self.failed]


# Coroutines: FastAPI would call functions from a thread, which costs more than all they do.


async def of_request(request: Request) -> Serving:
    """Return what serves a request."""
    serving: Serving = request.app.state.serving
    return serving


Served = Annotated[Serving, Depends(of_request)]
"""What serves the request."""


async def runtime_of_request(request: Request) -> Runtime:
    """Return the runtime of a request's tenant.

    It is a coroutine because its workers begin in the server's loop, and not in a thread.

    Raises:
        InputError: its tenant cannot be one.
    """
    return (await of_request(request)).runtime_of(current_principal())
