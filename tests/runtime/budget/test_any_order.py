"""Reserve, settle, crash, send again, in any order: an account stays within its limits."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import ClassVar

import redis.asyncio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from treadle.core.errors import BudgetExceededError
from treadle.core.limits import Limits
from treadle.runtime.budget import Account, Amounts, Ledger, Wanted

LIMITS = Limits(model_calls=9, tokens=2_000, usd="0.002")
SENT_NANO_USD = 1_000


class Spending(RuleBasedStateMachine):
    """Calls that are reserved, sent again, ended and settled; some are never settled."""

    loop: ClassVar[asyncio.Runner]
    ledger: ClassVar[Ledger]
    accounts: ClassVar[Iterator[Account]]
    under_way = Bundle("under_way")
    done = Bundle("done")

    def __init__(self):
        super().__init__()
        self.account = next(self.accounts)
        self.count = 0
        self.bill = Amounts()

    def reserved(self, call, asked):
        try:
            return self.loop.run(self.ledger.reserve(self.account, call, asked))
        except BudgetExceededError:
            return None

    @rule(
        target=under_way,
        sent=st.integers(0, 900),
        most=st.integers(1, 900),
        least=st.integers(0, 90),
        pico_usd=st.integers(0, 3_000_000),
    )
    def reserve(self, sent, most, least, pico_usd):
        self.count += 1
        fixed = Amounts(1, 0, sent, 0, sent, sent * SENT_NANO_USD)
        call, asked = str(self.count), Wanted(fixed, most, min(least, most), pico_usd)
        return call, asked, self.reserved(call, asked)

    @rule(target=under_way, one=consumes(under_way))
    def send_again(self, one):
        call, asked, granted = one
        again = self.reserved(call, asked)
        assert granted is None or again == granted
        return call, asked, again

    @rule(target=done, one=consumes(under_way), share=st.floats(0, 1))
    def end(self, one, share):
        call, asked, granted = one
        if granted is None:
            return call, Amounts()
        sent, received = int(asked.fixed.tokens * share), int(granted * share)
        cost = sent * SENT_NANO_USD + -(-received * asked.pico_usd // 1000)
        used = Amounts(1, 0, sent, received, sent + received, cost)
        self.bill = self.bill.plus(used)
        return call, used

    @rule(one=done)
    def settle(self, one):
        call, used = one
        self.loop.run(self.ledger.exchange([(self.account, call, used)], []))

    @invariant()
    def stays_within(self):
        state = self.loop.run(self.ledger.usage_of(self.account))
        if state is None:
            return
        taken = state.spent.plus(state.reserved)
        for unit, limit in enumerate(state.limits):
            if limit is not None:
                assert self.bill[unit] <= taken[unit] <= limit


def test_no_order_of_events_passes_a_limit(redis_url):
    Spending.accounts = (Account(str(number), LIMITS) for number in itertools.count())
    with asyncio.Runner() as Spending.loop:
        client = redis.asyncio.Redis.from_url(redis_url)
        Spending.ledger = Ledger(client)
        run_state_machine_as_test(
            Spending, settings=settings(max_examples=30, stateful_step_count=20, deadline=None)
        )
        Spending.loop.run(client.aclose())
