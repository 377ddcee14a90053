"""The gate that keeps a run within its budget."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import reduce

from treadle.core.calls import Call, CallKind, Outcome, Permit, Purpose
from treadle.core.errors import BudgetExceededError, ModelError, RedisError, UnboundedCallError
from treadle.core.headroom import Headroom, metered
from treadle.core.usage import TOOL_CALL
from treadle.runtime.budget._account import Account, AccountUsage
from treadle.runtime.budget._amounts import Amounts
from treadle.runtime.budget._bound import InputBounds, is_counted
from treadle.runtime.budget._ledger import Ledger, Reply, Settlement, Wanted, check
from treadle.runtime.budget._reckoning import (
    embedding_wanted,
    headroom_of,
    least_answer,
    tool_wanted,
    wanted_for,
)


@dataclass(frozen=True, slots=True)
class _Tree:
    """What runs started inside a run inherit."""

    accounts: tuple[Account, ...] = ()
    deadline: float | None = None


_tree: ContextVar[_Tree] = ContextVar("treadle_budget", default=_Tree())  # noqa: B039 - it is frozen


@dataclass(frozen=True, slots=True)
class _Held:
    """A call under way, and what is reserved for it."""

    id: str
    wanted: Wanted
    holding: Amounts


class BudgetGate:
    """Reserves what each call may cost at most before it is made, and settles it afterwards.

    A run started inside this one, by a tool or a node, is paid from this one's accounts too. A
    call that is made again after a crash is reserved again: nobody knows whether the first one
    was billed, so its reservation stays.

    Args:
        ledger: where the accounts are.
        accounts: what the run is paid from; with no limit at all Redis is not asked.
        run_id: the run.
        seconds: how long it may take from now on.
        clock: seconds, monotonic, the same for all gates of a process.
    """

    def __init__(
        self,
        ledger: Ledger,
        accounts: Sequence[Account],
        *,
        run_id: str,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        inherited = _tree.get()
        limited = [a for a in (*inherited.accounts, *accounts) if a.is_limited]
        self._accounts = tuple({account.id: account for account in limited}.values())
        ends = [inherited.deadline, None if seconds is None else clock() + seconds]
        self._deadline = min((end for end in ends if end is not None), default=None)
        self._least_answer = least_answer(self._accounts)
        self._ledger = ledger
        self._clock = clock
        # A run that is taken up again counts anew: another number than any before.
        self._name = f"{run_id}/{uuid.uuid4().hex[:8]}"
        self._numbers = itertools.count()
        self._bounds = InputBounds()
        self._held: dict[str, _Held] = {}
        self._pending: list[tuple[_Held, Amounts]] = []
        self._leaving: list[tuple[_Held, Amounts]] = []  # being settled just now
        self._exchanging = asyncio.Lock()
        self._states: dict[str, AccountUsage] = {}
        self._last: tuple[Amounts, Amounts] | None = None

    @property
    def is_metered(self) -> bool:
        """Whether anything limits what the run's calls cost."""
        return bool(self._accounts)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None, None]:
        """Let runs started inside inherit the accounts, and settle what is left at the end."""
        token = _tree.set(_Tree(self._accounts, self._deadline))
        try:
            if self.is_metered:
                with metered(self.headroom):
                    yield
            else:
                yield
        finally:
            _tree.reset(token)
            await asyncio.shield(self._flush())

    async def before(self, call: Call) -> Permit | None:
        """Reserve what the call may cost.

        Raises:
            BudgetExceededError: a limit does not allow it, or the time is up.
            UnboundedCallError: it cannot be bounded, and a limit asks for that.
        """
        if call.kind is CallKind.DECISION:
            return None
        permit = Permit(seconds=self._seconds_left())
        if not self._accounts:
            return permit
        why = ""
        if call.kind is CallKind.TOOL:
            wanted = tool_wanted()
        elif call.kind is CallKind.EMBEDDING:
            wanted, why = embedding_wanted(call)
        else:
            bound = self._bounds.of(call)
            wanted, why = wanted_for(call, bound, self._least_answer)
        granted = await self._reserve(call, wanted, why)
        if not wanted.most:
            return permit
        return replace(permit, max_output_tokens=granted)

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Note what the call used; it is settled with the next reservation, or at the end."""
        held = self._held.pop(call.id, None)
        if held is None:
            return outcome
        used = _owed(call, outcome, held.holding)
        self._bounds.learn(call, outcome)
        if call.kind is CallKind.MODEL and used.model_calls:
            self._last = (used, held.wanted.holding(held.wanted.least))
        self._pending.append((held, used))
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Pieces cost nothing by themselves."""

    async def headroom(self) -> Headroom | None:
        """Return what is left of the scarcest unit, by what was last seen of the accounts."""
        if not self._states:
            states = await self._ledger.states(self._accounts)
            for account, state in zip(self._accounts, states, strict=True):
                limits = None if account.limits is None else Amounts.of_limits(account.limits)
                if state is not None:
                    self._states[account.id] = replace(state, limits=limits or state.limits)
                elif limits is not None:
                    self._states[account.id] = AccountUsage(limits)
        return headroom_of(
            [(a.title, self._state(a)) for a in self._accounts if a.id in self._states],
            self._last,
            reduce(Amounts.plus, (held.holding for held in self._held.values()), Amounts()),
        )

    def _state(self, account: Account) -> AccountUsage:
        """Return how an account stood when it was last seen, with what was settled since."""
        state = self._states[account.id]
        for held, used in (*self._leaving, *self._pending):
            freed = state.reserved.plus(held.holding, -1)
            reserved = Amounts(*(max(n or 0, 0) for n in freed))
            state = replace(state, spent=state.spent.plus(used), reserved=reserved)
        return state

    def _seconds_left(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - self._clock()
        if left <= 0:
            raise BudgetExceededError(
                "the run's time is up.",
                unit="seconds",
                hint="Raise 'seconds' in the agent's budget.",
            )
        return left

    async def _reserve(self, call: Call, wanted: Wanted, why: str) -> int:
        held = _Held(f"{self._name}/{next(self._numbers)}", wanted, wanted.holding(wanted.most))
        try:
            replies = await self._exchange(held)
            for account, reply in zip(self._accounts, replies, strict=True):
                check(account, wanted, reply)
        except UnboundedCallError as error:
            self._pending.append((held, Amounts()))
            raise UnboundedCallError(f"{error.message} {why}".strip(), hint=_HINT) from None
        except BaseException:
            # It may be reserved, in some accounts or all, and the call is not going to be made.
            self._pending.append((held, Amounts()))
            raise
        granted = min(reply.number for reply in replies)
        self._held[call.id] = replace(held, holding=wanted.holding(granted))
        return granted

    async def _exchange(self, held: _Held) -> list[Reply]:
        """Settle what is pending, reserve, and know how the accounts stand then.

        One at a time: of two at once the earlier answer could come last, and hide what the later
        one settled.
        """
        async with self._exchanging:
            self._leaving, self._pending = self._pending, []
            wanted = [(account, held.id, held.wanted) for account in self._accounts]
            try:
                replies = await self._ledger.exchange(self._settlements(self._leaving), wanted)
            except BaseException:
                self._pending = self._leaving + self._pending
                raise
            finally:
                self._leaving = []
            for account, reply in zip(self._accounts, replies, strict=True):
                self._states[account.id] = reply.state
            return replies

    def _settlements(self, pending: Sequence[tuple[_Held, Amounts]]) -> list[Settlement]:
        return [(account, held.id, used) for held, used in pending for account in self._accounts]

    async def _flush(self) -> None:
        pending, self._pending = self._pending, []
        with suppress(RedisError):  # What is not settled stays reserved.
            await self._ledger.exchange(self._settlements(pending), [])


_HINT = "Leave out what has no bound, or limit only calls and seconds."


def _owed(call: Call, outcome: Outcome, holding: Amounts) -> Amounts:
    """Return what a call is to be charged: what is known of it, and else all it may have cost."""
    usage = outcome.usage
    if call.kind is CallKind.TOOL:
        return Amounts.of_usage(TOOL_CALL if usage.tool_calls else usage)
    if call.kind is CallKind.EMBEDDING and usage.input_tokens:
        return Amounts.of_usage(usage)
    if not (
        usage.model_calls or usage.unpriced_calls
    ):  # A gate behind this one refused it: it was never made.
        return Amounts()
    if is_counted(outcome):
        return Amounts.of_usage(usage)
    if isinstance(outcome.error, ModelError) and outcome.error.is_free:
        return Amounts(model_calls=usage.model_calls)
    return holding
