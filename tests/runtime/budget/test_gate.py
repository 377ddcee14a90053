"""The gate: calls of real models and tools, paid from accounts before they are made."""

import asyncio
from functools import partial

import pytest
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage

from tests.support.models import resolved
from tests.support.waiting import wait_until
from treadle.agents.models import ModelInfo, Models, through_boundary
from treadle.core.boundary import GateChain, acall, boundary
from treadle.core.calls import CallKind, CallSpec, Effect
from treadle.core.errors import (
    BrokenAnswerError,
    BudgetExceededError,
    ModelError,
    UnboundedCallError,
)
from treadle.core.headroom import headroom
from treadle.core.limits import Limits
from treadle.core.model_settings import ModelSettings
from treadle.core.settings import Settings
from treadle.core.usage import TOOL_CALL
from treadle.memory import connect
from treadle.runtime.budget import BudgetGate, Ledger, day_account, run_account
from treadle.runtime.testing import (
    ScriptedOpenAI,
    fail,
    half_stream,
    hang,
    rate_limited,
    say,
    server_error,
    unauthorized,
)

ANSWER = say("Four.").costing(input_tokens=10, output_tokens=5)
TOOL = CallSpec(CallKind.TOOL, "look_up", Effect.READ, {})


@pytest.fixture
async def client(redis_url):
    async with connect(redis_url) as opened:
        yield opened


@pytest.fixture
def ledger(client):
    return Ledger(client)


async def ask(gate, chat, *questions):
    async with gate.open():
        with boundary(GateChain([gate]), thread_id="t", run_id="r"):
            return [await chat.ainvoke(question) for question in questions]


def gate_of(ledger, **limits):
    return BudgetGate(ledger, [run_account("r", Limits(**limits))], run_id="r")


async def test_a_run_without_limits_asks_redis_nothing(ledger, client):
    before = (await client.info("stats"))["total_commands_processed"]
    with ScriptedOpenAI([ANSWER]) as server:
        await ask(gate_of(ledger), resolved(server).chat, "hi")
    after = (await client.info("stats"))["total_commands_processed"]
    assert after - before == 1  # the question itself


async def test_a_call_costs_a_round_trip_and_the_run_one_more(ledger, client):
    gate = gate_of(ledger, tokens=100_000)
    with ScriptedOpenAI([ANSWER] * 4) as server:
        chat = resolved(server).chat
        await ask(gate, chat, "warm up")  # scripts and the server's version are known then
        before = await client.info("commandstats")
        await ask(gate, chat, "1", "2", "3")
        after = await client.info("commandstats")
    calls = [stats["cmdstat_evalsha"]["calls"] for stats in (before, after)]
    # Three reservations, two of them with the settlement before, and the last settlement.
    assert calls[1] - calls[0] == 4
    assert after.get("cmdstat_eval") == before.get("cmdstat_eval")


async def test_the_bill_is_settled(ledger):
    gate = gate_of(ledger, tokens=100_000, usd=1)
    with ScriptedOpenAI([ANSWER] * 2) as server:
        await ask(gate, resolved(server).chat, "hi", "ho")
    state = await ledger.usage_of("run:r")
    assert (state.spent.model_calls, state.spent.tokens, state.open_calls) == (2, 30, 0)
    assert state.spent.nano_usd == 2 * (10 * 1_000 + 5 * 2_000)
    assert not any(state.reserved)


async def test_an_answer_is_cut_to_what_is_left(ledger):
    with ScriptedOpenAI([ANSWER]) as server:
        await ask(gate_of(ledger, output_tokens=200), resolved(server).chat, "hi")
        chat = resolved(server, max_output_tokens=50).chat
        server._script._steps.append(ANSWER)
        await ask(gate_of(ledger, output_tokens=200), chat, "hi")
    assert [request.body["max_completion_tokens"] for request in server.requests] == [200, 50]


async def test_an_answer_may_be_as_short_as_the_run_is_allowed(ledger):
    with ScriptedOpenAI([ANSWER]) as server:
        gate = gate_of(ledger, output_tokens=20)
        await ask(gate, resolved(server).chat, "hi")
        with pytest.raises(BudgetExceededError):
            await ask(gate, resolved(server).chat, "hi")  # 15 are left, and 20 were to be enough.
    assert [request.body["max_completion_tokens"] for request in server.requests] == [20]


async def test_what_is_reserved_is_what_the_run_was_asked_for_with(ledger):
    """The shortest of the run's, the profile's and the budget's lengths is reserved and sent."""
    asked = [ModelSettings(max_output_tokens=300), ModelSettings(max_output_tokens=5_000)]
    with ScriptedOpenAI([hang(), hang()]) as server:
        chat = resolved(server, max_output_tokens=1_000, timeout_seconds=60).chat
        for number, settings in enumerate(asked, 1):
            gate = BudgetGate(
                ledger, [run_account(f"r{number}", Limits(tokens=90_000))], run_id="r"
            )

            async def call(gate=gate, settings=settings):
                with boundary(gate, thread_id="t", run_id="r", model_settings=settings):
                    await chat.ainvoke("hi")

            calling = asyncio.create_task(call())
            seen = partial(lambda count: len(server.requests) == count, number)
            await asyncio.to_thread(wait_until, seen, within_seconds=30)
            reserved = (await ledger.usage_of(f"run:r{number}")).reserved
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
            cap = server.requests[-1].body["max_completion_tokens"]
            assert (cap, reserved.output_tokens) == ((300, 300) if number == 1 else (1_000, 1_000))


async def test_a_call_that_may_cost_too_much_is_not_made(ledger):
    with ScriptedOpenAI([]) as server:
        for limits in ({"tokens": 100}, {"usd": "0.0001"}, {"input_tokens": 50}):
            with pytest.raises(BudgetExceededError):
                await ask(gate_of(ledger, **limits), resolved(server).chat, "hi")
    assert not server.requests


@pytest.mark.parametrize(
    ("failure", "is_owed"),
    [
        (unauthorized(), False),
        (rate_limited(), False),
        (fail(400, "bad"), False),
        (server_error(), True),
        (half_stream(), True),
        (hang(), True),
    ],
)
async def test_a_failed_call_is_charged_unless_nothing_was_generated(ledger, failure, is_owed):
    gate = gate_of(ledger, tokens=5_000)
    with ScriptedOpenAI([failure]) as server, pytest.raises(ModelError):
        await ask(gate, resolved(server, timeout_seconds=0.3).chat, "hi")
    state = await ledger.usage_of("run:r")
    assert (state.spent.model_calls, state.open_calls) == (1, 0)
    assert (state.spent.tokens > 0) == is_owed


async def test_every_attempt_is_paid_by_itself(ledger):
    script = [rate_limited(retry_after_seconds=0), rate_limited(retry_after_seconds=0), ANSWER]
    with ScriptedOpenAI(script) as server:
        await ask(gate_of(ledger, model_calls=3), resolved(server, max_retries=2).chat, "hi")
    assert (await ledger.usage_of("run:r")).spent.model_calls == 3
    with ScriptedOpenAI([]) as server, pytest.raises(BudgetExceededError):
        await ask(gate_of(ledger, model_calls=3), resolved(server, max_retries=2).chat, "hi")


async def test_a_repeated_attempt_needs_room_too(ledger):
    script = [rate_limited(retry_after_seconds=0)]
    with ScriptedOpenAI(script) as server, pytest.raises(BudgetExceededError):
        await ask(gate_of(ledger, model_calls=1), resolved(server, max_retries=2).chat, "hi")


async def test_a_stream_that_broke_off_is_not_repeated_in_the_middle(ledger):
    gate = gate_of(ledger, model_calls=5)
    with ScriptedOpenAI([half_stream()]) as server:
        async with gate.open():
            with boundary(gate, thread_id="t", run_id="r"), pytest.raises(BrokenAnswerError):
                async for _ in resolved(server, max_retries=2).chat.astream("hi"):
                    pass


async def test_what_cannot_be_bounded_is_refused_by_name(ledger):
    image = HumanMessage([{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}])
    with ScriptedOpenAI([ANSWER]) as server:
        chat = resolved(server).chat
        with pytest.raises(UnboundedCallError, match="'image_url'"):
            await ask(gate_of(ledger, tokens=100_000), chat, [image])
        await ask(gate_of(ledger, model_calls=9), chat, [image])
        unpriced = resolved(server, price=None).chat
        with pytest.raises(UnboundedCallError, match=r"US dollars.*price of 'openai:gpt-5-mini'"):
            await ask(gate_of(ledger, usd=1), unpriced, "hi")


async def test_a_model_that_cannot_be_capped_is_refused_by_name(ledger):
    said = FakeMessagesListChatModel(responses=[AIMessage("hi")])
    foreign = through_boundary(said, ModelInfo("other:model"))
    with pytest.raises(UnboundedCallError, match="'max_output_tokens'"):
        await ask(gate_of(ledger, tokens=100_000), foreign, "hi")


async def test_the_embedded_model_keeps_to_a_budget_of_tokens(ledger):
    embedded = Models(Settings(), {}).resolve("embedded").chat
    [answer] = await ask(gate_of(ledger, tokens=100_000, usd=1), embedded, "hi")
    whole = answer.usage_metadata["output_tokens"]
    assert answer.response_metadata["finish_reason"] == "stop"
    short = await embedded.ainvoke("hi", max_tokens=whole - 1)
    assert short.usage_metadata["output_tokens"] == whole - 1
    assert short.response_metadata["finish_reason"] == "length"
    assert answer.text.startswith(short.text)


async def test_a_run_inside_a_run_is_paid_from_both(ledger):
    outer = gate_of(ledger, tool_calls=5, tokens=100_000)
    with ScriptedOpenAI([ANSWER]) as server:
        chat = resolved(server).chat

        async def asks_another(_):
            child = run_account("child", Limits(model_calls=1))
            inner = BudgetGate(ledger, [child], run_id="child")
            await ask(inner, chat, "hi")
            with pytest.raises(BudgetExceededError):
                await ask(inner, chat, "ho")

        async with outer.open():
            with boundary(outer, thread_id="t", run_id="r"):
                await acall(TOOL, asks_another, lambda _: TOOL_CALL)
    parent, child = await ledger.usage_of("run:r"), await ledger.usage_of("run:child")
    assert parent.spent.tokens == child.spent.tokens == 15
    assert (parent.spent.tool_calls, parent.open_calls, child.open_calls) == (1, 0, 0)


async def test_what_one_account_refuses_is_given_back_to_the_others(ledger):
    day = day_account(Limits(tokens=100))
    run = run_account("r", Limits(tokens=100_000))
    gate = BudgetGate(ledger, [run, day], run_id="r")
    with ScriptedOpenAI([]) as server, pytest.raises(BudgetExceededError, match="the day "):
        await ask(gate, resolved(server).chat, "hi")
    state = await ledger.usage_of(run)
    assert not any(state.reserved)
    assert not any(state.spent)


async def test_parallel_calls_cannot_pass_a_limit_together(ledger):
    gate = gate_of(ledger, tool_calls=3)

    async def called():
        return await acall(TOOL, lambda _: asyncio.sleep(0), lambda _: TOOL_CALL)

    with boundary(gate, thread_id="t", run_id="r"):
        ended = await asyncio.gather(*(called() for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(one, BudgetExceededError) for one in ended) == 7


async def test_a_call_whose_process_died_stays_reserved_and_is_paid_again(ledger):
    with ScriptedOpenAI([ANSWER]) as server:
        chat = resolved(server).chat
        died, seen = gate_of(ledger, tokens=100_000), []

        class Dies(BudgetGate):
            async def after(self, call, outcome):
                seen.append(outcome)
                return outcome

        died.__class__ = Dies
        await ask(died, chat, "hi")
        held = (await ledger.usage_of("run:r")).reserved
        server._script._steps.append(ANSWER)
        await ask(gate_of(ledger, tokens=100_000), chat, "hi")
    state = await ledger.usage_of("run:r")
    assert state.reserved == held
    assert (state.open_calls, state.spent.tokens) == (1, 15)


async def test_a_call_is_cut_off_when_the_time_is_up_and_none_begins_after(ledger):
    now = [0.0]
    gate = BudgetGate(ledger, [], run_id="r", seconds=0.2, clock=lambda: now[0])
    with ScriptedOpenAI([hang()]) as server:
        chat = resolved(server, timeout_seconds=60).chat
        with pytest.raises(BudgetExceededError, match="cut off") as caught:
            await ask(gate, chat, "hi")
        assert caught.value.unit == "seconds"
        now[0] = 0.3
        with pytest.raises(BudgetExceededError, match="time is up"):
            await ask(gate, chat, "hi")


async def test_what_is_left_is_told_and_the_last_call_is_known(ledger):
    gate = gate_of(ledger, model_calls=3)
    with ScriptedOpenAI([ANSWER] * 3) as server:
        chat = resolved(server).chat
        assert await headroom() is None
        async with gate.open():
            with boundary(GateChain([gate]), thread_id="t", run_id="r"):
                rooms = [await headroom()]
                for _ in range(3):
                    await chat.ainvoke("hi")
                    rooms.append(await headroom())
    assert [room.model_calls for room in rooms] == [None, None, 1, 0]
    assert [round(room.used, 2) for room in rooms] == [0, 0.33, 0.67, 1]


async def test_a_model_of_a_client_that_repeats_by_itself_is_bounded_with_every_repetition(ledger):
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - takes a second to load

    from treadle.agents.models._limits import foreign_limits  # noqa: PLC0415

    with ScriptedOpenAI([]) as server:
        chat = ChatOpenAI(
            model="x", base_url=server.base_url, api_key="k", max_retries=2, max_tokens=1_000
        )
        info = ModelInfo("x", is_foreign=True, limits=foreign_limits(chat))
        with pytest.raises(BudgetExceededError):
            await ask(gate_of(ledger, output_tokens=2_999), through_boundary(chat, info), "hi")
