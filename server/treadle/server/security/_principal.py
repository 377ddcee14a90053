"""Who asks, and what they may do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a request does; each scope holds the ones before it."""

    READ = "read"
    """It reads."""
    RUN = "run"
    """It runs agents, or changes threads, runs and what is remembered."""
    ADMIN = "admin"
    """It changes what others are served, and sees what others own."""


_HOLDS = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.RUN: frozenset({Scope.READ, Scope.RUN}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        subject: whose threads are made: a user, or a program. Only a principal of the same tenant
            and subject, or an administrator of the tenant, sees them.
        tenant: whose data is reached; ``None`` for the tenant that the project's settings name.
        scope: what may be done.
        agents: the agents that may be asked; ``None`` for all.
        key_id: the key that was shown; empty for a token.
        requests_per_minute: how many requests are answered; ``None`` for the server's limit.
        runs_at_once: how many requests may run something at once; ``None`` as above.
    """

    subject: str
    tenant: str | None = None
    scope: Scope = Scope.RUN
    agents: frozenset[str] | None = None
    key_id: str = ""
    requests_per_minute: int | None = None
    runs_at_once: int | None = None

    def may(self, scope: Scope) -> bool:
        """Return whether it may do what needs this scope."""
        return scope in _HOLDS[self.scope]

    def may_ask(self, agent: str) -> bool:
        """Return whether it may ask this agent."""
        return self.agents is None or agent in self.agents

    def askable(self, agents: Iterable[str]) -> list[str]:
        """Return those of the agents that it may ask."""
        return [agent for agent in agents if self.may_ask(agent)]

    def sees(self, owner: str | None) -> bool:
        """Return whether it sees what belongs to this subject; ``None`` is nobody's."""
        return self.may(Scope.ADMIN) or owner == self.subject


OPERATOR = Principal("", scope=Scope.ADMIN)
"""Whoever sits at the machine: what is made belongs to nobody."""
_current: ContextVar[Principal] = ContextVar("treadle_principal", default=OPERATOR)


def current_principal() -> Principal:
    """Return who asks; the operator where nobody guards the application."""
    return _current.get()


def memory_user(named: str | None) -> str | None:
    """Return whose memory a caller reaches who names a user: never that of another one's users."""
    principal = current_principal()
    if named is None or principal.may(Scope.ADMIN):
        return named
    return f"{principal.subject}/{named}"


@contextmanager
def acting_for(principal: Principal) -> Iterator[None]:
    """Let what is done inside be done for a principal."""
    token = _current.set(principal)
    try:
        yield
    finally:
        _current.reset(token)
