"""The ledger: accounts in Redis, from which calls reserve before they are made."""

from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from treadle.core.errors import BudgetExceededError, InputError, UnboundedCallError
from treadle.core.usage import Usage
from treadle.memory.scripts import (
    Pipeline,
    Request,
    ScriptCall,
    checked_prefix,
    driver_of,
    encoded,
    load_script,
)
from treadle.runtime.budget._account import Account, AccountUsage
from treadle.runtime.budget._amounts import NONE, UNITS, Amounts

_PACKAGE = "treadle.runtime.budget"
_EXCHANGE = load_script(_PACKAGE, "exchange")
_READ = load_script(_PACKAGE, "read")

_REMEMBERED = timedelta(hours=1)
"""How long a settled call is known as such: far longer than any command is sent again."""

EXACT = 2**53
"""Beyond this the doubles of a script are not exact."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call may use at most.

    Attributes:
        fixed: what it may use beside the answer; ``None`` where there is no bound.
        most: how many tokens the answer is to have at most.
        least: how many it must be granted at least.
        pico_usd: the price of one, in 10**-12 US dollars.
    """

    fixed: Amounts
    most: int = 0
    least: int = 0
    pico_usd: int = 0

    def __post_init__(self) -> None:
        if self.most * self.pico_usd > EXACT:
            raise InputError(f"An answer of {self.most:,} tokens costs too much to be reckoned.")

    def holding(self, granted: int) -> Amounts:
        """Return what is reserved where ``granted`` tokens are granted to the answer."""
        answer = Amounts(0, 0, 0, granted, granted, -(-granted * self.pico_usd // 1000))
        return self.fixed.plus(answer)


Settlement = tuple[Account, str, Amounts]
"""An account, a call, and what it used."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an account answered to a reservation: ``status`` and its number, and how it stands."""

    status: str
    number: int
    state: AccountUsage

    @classmethod
    def of(cls, raw: Sequence[Any]) -> "Reply":
        """Read the reply of a script."""
        status, number, *amounts = raw
        limits, spent, reserved = (Amounts.read(text) for text in amounts)
        opened = number if status == b"read" else 0
        return cls(status.decode(), number, AccountUsage(limits, spent, reserved, opened))


class Ledger:
    """Accounts in Redis (6.2 or later, no modules), shared by any number of processes.

    In each account spent and reserved together never pass the limit, whoever reserves at the
    same time, as long as no call uses more than was reserved for it. A reservation that is never
    settled, because its process died, stays.

    Args:
        client: a redis-py client of any kind; it is not closed.
        prefix: what every key begins with.

    All methods raise:
        RedisError: Redis could not be reached or refused the command.
    """

    def __init__(self, client: Any, *, prefix: str = "treadle:main:") -> None:
        self._client = client
        self._driver = driver_of(client, "Ledger")
        self._prefix = checked_prefix(prefix)

    async def reserve(self, account: Account, call_id: str, wanted: Wanted) -> int:
        """Reserve what a call may use, all of it or nothing; the same again changes nothing.

        Returns:
            How many tokens the answer may have; 0 when the call is settled already.

        Raises:
            BudgetExceededError: a limit does not allow it.
            UnboundedCallError: a unit is limited that has no bound.
        """
        (reply,) = await self.exchange([], [(account, call_id, wanted)])
        check(account, wanted, reply)
        return reply.number

    async def settle(self, account: Account, call_id: str, usage: Usage) -> None:
        """Replace what is reserved for a call by what it used; again, it changes nothing."""
        await self.exchange([(account, call_id, Amounts.of_usage(usage))], [])

    async def usage_of(self, account: Account | str) -> AccountUsage | None:
        """Return how an account stands, by itself or its id; ``None`` when it was never used."""
        known = Account(account) if isinstance(account, str) else account
        (state,) = await self.states([known])
        return state

    async def states(self, accounts: Iterable[Account]) -> list[AccountUsage | None]:
        """Return how accounts stand, in one round trip."""
        calls = [ScriptCall(_READ, self._keys(account), ()) for account in accounts]
        states = [Reply.of(raw).state for raw in await self._driver.arun(_sent(calls))]
        return [state if state.limits != NONE or any(state.spent) else None for state in states]

    async def forget(self, accounts: Iterable[Account]) -> None:
        """Remove accounts with all that was reserved and settled; for an asyncio client."""
        for account in accounts:
            await self._client.unlink(*self._keys(account))

    async def exchange(
        self,
        settlements: Sequence[Settlement],
        reservations: Sequence[tuple[Account, str, Wanted]],
    ) -> list[Reply]:
        """Settle, then reserve, in one round trip to each node; return the replies to the latter.

        Whoever calls must let go of what was granted when one reply of several refuses.
        """
        settled: defaultdict[Account, list[str]] = defaultdict(list)
        for account, call_id, used in settlements:
            settled[account] += (call_id, used.written())
        calls = [
            self._exchange(account, settled.pop(account, []), (call_id, wanted))
            for account, call_id, wanted in reservations
        ]
        calls += [self._exchange(account, pairs) for account, pairs in settled.items()]
        raw = await self._driver.arun(_sent(calls)) if calls else []
        return [Reply.of(reply) for reply in raw[: len(reservations)]]

    def _exchange(
        self, account: Account, settled: Sequence[str], reserved: tuple[str, Wanted] | None = None
    ) -> ScriptCall:
        arguments = [_ms(account.ttl), _ms(_REMEMBERED), len(settled) // 2, *settled]
        if reserved is not None:
            call_id, wanted = reserved
            limits = "" if account.limits is None else Amounts.of_limits(account.limits).written()
            arguments += [call_id, limits, wanted.fixed.written()]
            arguments += [wanted.most, wanted.least, wanted.pico_usd]
        return ScriptCall(_EXCHANGE, self._keys(account), tuple(arguments))

    def _keys(self, account: Account) -> tuple[str, str, str]:
        root = f"{self._prefix}{{budget:{encoded(account.id)}}}"
        return root, f"{root}:open", f"{root}:settled"


def check(account: Account, wanted: Wanted, reply: Reply) -> None:
    """Do nothing for a reservation that was granted.

    Raises:
        BudgetExceededError: a limit does not allow it.
        UnboundedCallError: a unit is limited that has no bound.
        InputError: the account was opened nowhere, or is forgotten.
    """
    if reply.status in {"reserved", "settled"}:
        return
    if reply.status == "missing":
        raise InputError(
            f"There is no budget {account.id!r}.",
            hint="Open it with its limits first; it is forgotten when it is not used.",
        )
    unit = list(UNITS)[reply.number - 1]
    if reply.status == "unbounded":
        raise UnboundedCallError(
            f"The {account.title}'s budget limits {UNITS[unit]}, and this call has no bound there."
        )
    state = reply.state
    raise BudgetExceededError(
        f"the {account.title}'s budget of {state.limits.shown(unit)} does not allow this call: "
        f"{state.spent.shown(unit)} are spent, {state.reserved.shown(unit)} reserved, and it may "
        f"need {wanted.holding(wanted.least).shown(unit)}.",
        unit=unit,
        hint=f"Raise {unit!r} in the budget.",
    )


def _sent(calls: Sequence[ScriptCall]) -> Generator[Request, Any, list[Any]]:
    if len(calls) == 1:
        return [(yield calls[0])]
    replies: list[Any] = yield Pipeline(tuple(calls))
    return replies


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
