"""Accounts: what is limited together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from treadle.core.limits import Limits
from treadle.runtime.budget._amounts import Amounts


@dataclass(frozen=True, slots=True)
class Account:
    """Something that calls are paid from: a run with all it starts, a tenant, a tenant's day.

    Attributes:
        id: names it within the key prefix.
        limits: what may be used; ``None`` takes them as the process that opened it set them.
        title: what messages call it.
        ttl: how long it lives after it was last used.
    """

    id: str
    limits: Limits | None = None
    title: str = "run"
    ttl: timedelta = timedelta(days=30)

    @property
    def is_limited(self) -> bool:
        """Whether it limits anything, as far as is known here."""
        return self.limits is None or any(n is not None for n in Amounts.of_limits(self.limits))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        limits = None if self.limits is None else self.limits.model_dump(mode="json")
        seconds = self.ttl.total_seconds()
        return {"id": self.id, "limits": limits, "title": self.title, "ttl_seconds": seconds}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Account":
        """Return the account that `to_dict` made ``data`` of.

        Raises:
            KeyError, ValueError, TypeError: it is no such data.
        """
        limits = None if data["limits"] is None else Limits.model_validate(data["limits"])
        ttl = timedelta(seconds=data["ttl_seconds"])
        return cls(str(data["id"]), limits, str(data["title"]), ttl)


def run_account(run_id: str, limits: Limits | None = None) -> Account:
    """Return the account of a run and all it starts; in another process without the limits."""
    return Account(f"run:{run_id}", limits)


def day_account(limits: Limits, day: date | None = None) -> Account:
    """Return the account of a tenant's day, UTC; of today where no day is given."""
    day = day or datetime.now(UTC).date()
    return Account(f"day:{day.isoformat()}", limits, f"day {day.isoformat()}", timedelta(days=3))


def total_account(limits: Limits) -> Account:
    """Return the account of all a tenant ever uses; it is forgotten after ten years of rest."""
    return Account("total", limits, "project", timedelta(days=3_650))


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """How an account stands.

    Attributes:
        limits: what may be used, ``None`` where there is no limit.
        spent: what settled calls used.
        reserved: what calls under way may use at most, with those whose end is not known.
        open_calls: how many calls that are.
    """

    limits: Amounts
    spent: Amounts = field(default_factory=Amounts)
    reserved: Amounts = field(default_factory=Amounts)
    open_calls: int = 0
