"""The ledger: what is reserved, settled and refused in an account."""

import pytest

from treadle.core.errors import BudgetExceededError, InputError, UnboundedCallError
from treadle.core.limits import Limits
from treadle.core.usage import Usage
from treadle.memory import connect
from treadle.runtime.budget import Amounts, Ledger, Wanted, day_account, run_account

LIMITS = Limits(model_calls=3, tokens=1_000, usd="0.001")


def wanted(sent=100, most=500, least=50, pico_usd=1_000_000):
    return Wanted(Amounts(1, 0, sent, 0, sent, sent * 1_000), most, least, pico_usd)


@pytest.fixture
async def client(redis_server, key_leaks):
    async with connect(redis_server.url) as opened:
        yield opened


@pytest.fixture
def ledger(client):
    return Ledger(client)


async def test_what_is_reserved_is_settled_with_what_was_used(ledger):
    account = run_account("r", LIMITS)
    assert await ledger.reserve(account, "1", wanted()) == 500
    held = await ledger.usage_of(account)
    assert (held.reserved, held.open_calls) == (Amounts(1, 0, 100, 500, 600, 600_000), 1)
    await ledger.settle(account, "1", Usage(model_calls=1, input_tokens=40, output_tokens=2))
    state = await ledger.usage_of("run:r")
    assert (state.spent, state.reserved) == (Amounts(1, 0, 40, 2, 42, 0), Amounts())
    assert state.limits == Amounts(3, None, None, None, 1_000, 1_000_000)


async def test_an_answer_is_granted_what_is_left(ledger):
    account = run_account("r", LIMITS)
    assert await ledger.reserve(account, "1", wanted()) == 500
    assert await ledger.reserve(account, "2", wanted()) == 300
    with pytest.raises(
        BudgetExceededError, match=r"budget of 1,000 tokens .* 1,000 tokens reserved"
    ):
        await ledger.reserve(account, "3", wanted())


@pytest.mark.parametrize(
    ("limits", "asked", "unit"),
    [
        (Limits(model_calls=1), wanted(), "model_calls"),
        (Limits(tokens=149), wanted(), "tokens"),
        (Limits(input_tokens=99), wanted(), "input_tokens"),
        (Limits(output_tokens=49), wanted(), "output_tokens"),
        (Limits(usd="0.000149"), wanted(), "usd"),
        (Limits(tool_calls=0), Wanted(Amounts(tool_calls=1)), "tool_calls"),
    ],
)
async def test_a_refusal_names_the_unit_and_changes_nothing(ledger, limits, asked, unit):
    account = run_account("r", limits)
    if unit == "model_calls":
        await ledger.reserve(account, "before", asked)
    before = await ledger.usage_of(account)
    with pytest.raises(BudgetExceededError) as caught:
        await ledger.reserve(account, "1", asked)
    assert caught.value.unit == unit
    assert await ledger.usage_of(account) == before


async def test_money_is_exact_to_the_token(ledger):
    exact = run_account("exact", Limits(usd="0.00015"))
    assert await ledger.reserve(exact, "1", wanted()) == 50
    odd = run_account("odd", Limits(usd="0.000007"))
    assert await ledger.reserve(odd, "1", Wanted(Amounts(1), 9_999_999, 1, 37_500)) == 186


async def test_what_has_no_bound_is_refused_where_it_is_limited(ledger):
    unpriced = Wanted(Amounts(1, 0, 10, 5, 15, None))
    await ledger.reserve(run_account("calls", Limits(tokens=100)), "1", unpriced)
    with pytest.raises(UnboundedCallError, match="US dollars"):
        await ledger.reserve(run_account("money", Limits(usd=1)), "1", unpriced)


async def test_the_same_call_reserves_and_settles_once(ledger):
    account = run_account("r", LIMITS)
    assert [await ledger.reserve(account, "1", wanted()) for _ in range(3)] == [500] * 3
    for _ in range(3):
        await ledger.settle(account, "1", Usage(model_calls=1, input_tokens=7))
    assert await ledger.reserve(account, "1", wanted()) == 0
    state = await ledger.usage_of(account)
    assert (state.spent.tokens, state.reserved.tokens, state.open_calls) == (7, 0, 0)


async def test_a_call_let_go_before_its_reservation_arrives_stays_free(ledger):
    account = run_account("r", LIMITS)
    await ledger.settle(account, "late", Usage())
    assert await ledger.reserve(account, "late", wanted()) == 0
    assert await ledger.usage_of(account) is None


async def test_another_process_finds_the_limits_by_the_account_s_id(ledger):
    with pytest.raises(InputError, match=r"no budget 'run:r'"):
        await ledger.reserve(run_account("r"), "1", wanted())
    await ledger.reserve(run_account("r", Limits(model_calls=1)), "1", wanted())
    with pytest.raises(BudgetExceededError, match="1 model calls"):
        await ledger.reserve(run_account("r"), "2", wanted())


async def test_limits_that_were_changed_hold_from_then_on(ledger):
    await ledger.reserve(run_account("r", Limits(model_calls=1)), "1", wanted())
    await ledger.reserve(run_account("r", Limits(model_calls=2)), "2", wanted())


async def test_accounts_are_apart(ledger, client):
    first, second = day_account(LIMITS), run_account("{x} }:", LIMITS)
    await ledger.reserve(first, "1", wanted())
    await ledger.reserve(second, "1", wanted())
    assert (await ledger.usage_of(first)).open_calls == 1
    assert await ledger.usage_of("nothing") is None
    keys = await client.keys("*")
    assert all(b"{budget:" in key and key.count(b"{") == 1 for key in keys)


async def test_a_cluster_holds_accounts_on_its_nodes(cluster_url):
    async with connect(cluster_url) as client:
        ledger = Ledger(client)
        accounts = [run_account(str(n), LIMITS) for n in range(8)]
        replies = await ledger.exchange([], [(a, "1", wanted()) for a in accounts])
        assert [reply.number for reply in replies] == [500] * 8
        await ledger.exchange([(a, "1", Amounts(1)) for a in accounts], [])
        assert {s.spent.model_calls for s in await ledger.states(accounts)} == {1}
