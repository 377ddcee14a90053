"""An agent whose earlier turns are found by meaning, with embeddings of a profile."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
from langchain_core.messages import HumanMessage
from openai import AsyncOpenAI

from tests.support.models import settings_for
from treadle.agents import Agent, Budget
from treadle.agents._definition import MemorySettings
from treadle.core.boundary import GateChain, boundary
from treadle.core.errors import BudgetExceededError, ModelError, UnboundedCallError
from treadle.core.events import CallFinished, CallStarted
from treadle.core.limits import Limits
from treadle.core.settings import PriceSettings
from treadle.memory import connect
from treadle.memory.embeddings import OpenAIEmbeddings
from treadle.memory.recall import Recall
from treadle.runtime import Runtime
from treadle.runtime.budget import BudgetGate, Ledger, run_account
from treadle.runtime.runs import JournalFile
from treadle.runtime.testing import ScriptedOpenAI, say

AGENT = Agent(name="talker", memory=MemorySettings(window_tokens=1_000, embeddings="two"))
MODEL = "text-embedding-3-small"
PRICE = PriceSettings(input=1, output=0).to_price()


def story(number: int) -> str:
    return f"Tell me story {number}. " * 10


def settings_with(chat: ScriptedOpenAI, vectors: ScriptedOpenAI):
    settings = settings_for(chat, vectors)
    one = settings.models["one"].model_copy(update={"fallbacks": ()})
    two = settings.models["two"].model_copy(update={"model": f"openai:{MODEL}"})
    return settings.model_copy(update={"models": {"one": one, "two": two}})


@pytest.fixture
def servers():
    with (
        ScriptedOpenAI(lambda _: say("A long story. " * 40)) as chat,
        ScriptedOpenAI([]) as vectors,
    ):
        yield chat, vectors


@pytest.fixture
async def runtime(servers, redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    settings = settings_with(*servers)
    async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
        yield rt


async def told(runtime, agent, turns=6):
    """Hold a conversation, and return its last reply."""
    for number in range(turns):
        reply = await runtime.ask(agent, story(number), thread="t")
    return reply


def made(file: JournalFile):
    return [one for one in file.journal.calls() if one.kind.value == "embedding"]


async def test_what_left_the_window_has_vectors_and_the_run_says_what_they_cost(
    runtime, servers, redis_6_2
):
    chat, vectors = servers
    before = chat.billed.input_tokens, vectors.billed.input_tokens
    await told(runtime, AGENT)
    runs = await runtime.runs.recent(thread="t")
    usages = [run.usage for run in runs]
    billed = (chat.billed.input_tokens - before[0], vectors.billed.input_tokens - before[1])
    assert billed[1] > 0
    assert sum(usage.input_tokens for usage in usages) == sum(billed)
    assert sum(usage.model_calls for usage in usages) == 6
    assert not any(usage.unpriced_calls for usage in usages)
    with redis_6_2.client() as client:
        assert list(client.scan_iter("treadle:main:{t}:recall:*:vectors"))


async def test_nobody_is_told_of_embeddings_but_the_journal_has_them(runtime):
    reply = await told(runtime, AGENT)
    seen = [event async for event in runtime.stream(AGENT, story(9), thread="t")]
    names = {e.name for e in seen if isinstance(e, CallStarted | CallFinished)}
    assert names == {"openai:gpt-5-mini"}
    file = await runtime.runs.export(reply.run_id)
    query, *_ = embedded = made(file)
    assert {one.name for one in embedded} == {f"openai:{MODEL}"}
    texts = [json.loads(file.journal.blobs[one.request["input"][0]]) for one in embedded]
    assert [story(5).strip()] in texts or any(story(5).strip() in str(one) for one in texts)
    assert query.outcome["value"]["dimensions"] == 1536
    assert query.outcome["usage"]["input_tokens"] == query.outcome["value"]["tokens"] > 0


async def test_a_replay_asks_for_no_vectors(runtime, monkeypatch):
    await told(runtime, AGENT)

    def refuse(*_, **__):
        raise AssertionError("a replay opened a socket")

    embedded = 0
    for run in await runtime.runs.recent(thread="t"):
        file = await runtime.runs.export(run.id)
        embedded += len(made(file))
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "connect", refuse)
            replay = await runtime.runs.replay(JournalFile.from_text(file.to_text()))
        assert (replay.difference, replay.calls) == (None, 1)
    assert embedded > 2


async def test_a_budget_without_room_for_vectors_leaves_the_words(runtime, servers, caplog):
    # A limit on money, and embeddings whose price nobody set.
    agent = AGENT.model_copy(update={"budget": Budget(usd="5")})
    priceless = runtime.settings.models["two"].model_copy(update={"price": None})
    runtime.settings.models["two"] = priceless
    asked = len(servers[1].requests)
    await told(runtime, agent)
    assert len(servers[1].requests) == asked
    assert "UnboundedCallError" in caplog.text or "price" in caplog.text
    await told(runtime, AGENT, turns=1)
    assert len(servers[1].requests) > asked


@pytest.fixture
async def ledger(redis_url):
    async with connect(redis_url) as client:
        yield Ledger(client)


@asynccontextmanager
async def embeddings_of(server: ScriptedOpenAI, price=PRICE, **options):
    given = {"api_key": server.api_key, "base_url": server.base_url, "max_retries": 0, **options}
    async with AsyncOpenAI(**given) as client:
        yield OpenAIEmbeddings(MODEL, client, price=price)


async def embedded_within(ledger, embeddings, texts, **limits):
    gate = BudgetGate(ledger, [run_account("r", Limits(**limits))], run_id="r")
    async with gate.open():
        with boundary(GateChain([gate]), thread_id="t", run_id="r"):
            return await embeddings.aembed_documents(texts)


async def test_tokens_are_reserved_and_settled(ledger):
    texts = ["a loom", "a boat"]
    with ScriptedOpenAI([]) as server:
        async with embeddings_of(server) as embeddings:
            rows = await embedded_within(ledger, embeddings, texts, tokens=1_000, usd="1")
            assert rows == await embeddings.aembed_documents(texts)
    state = await ledger.usage_of("run:r")
    assert state.spent.input_tokens == state.spent.tokens == server.billed.input_tokens // 2 > 0
    assert state.spent.nano_usd == state.spent.tokens * 1_000
    assert (state.spent.model_calls, state.open_calls, any(state.reserved)) == (0, 0, False)


@pytest.mark.parametrize(
    ("limits", "price", "error"),
    [
        ({"tokens": 30}, PRICE, BudgetExceededError),
        ({"input_tokens": 30}, PRICE, BudgetExceededError),
        ({"usd": "0.00001"}, PRICE, BudgetExceededError),
        ({"usd": "1"}, None, UnboundedCallError),
    ],
)
async def test_what_may_cost_too_much_is_not_asked_for(ledger, limits, price, error):
    with ScriptedOpenAI([]) as server:
        async with embeddings_of(server, price) as embeddings:
            with pytest.raises(error):
                await embedded_within(ledger, embeddings, ["a loom" * 3], **limits)
        assert not server.requests
    assert await ledger.usage_of("run:r") is None


async def test_a_refusal_and_a_connection_never_made_cost_nothing(ledger):
    with ScriptedOpenAI([], verify=False) as server:
        async with embeddings_of(server, api_key="wrong-key") as wrong:
            with pytest.raises(ModelError, match="gave no vectors"):
                await embedded_within(ledger, wrong, ["a loom"], tokens=1_000)
    async with embeddings_of(server) as gone:
        with pytest.raises(ModelError, match="gave no vectors"):
            await embedded_within(ledger, gone, ["a loom"], tokens=1_000)
    state = await ledger.usage_of("run:r")
    assert (state.spent.tokens, state.open_calls) == (0, 0)


async def test_what_may_have_been_billed_is_charged_in_full(ledger):
    async def broken(reader, writer):
        await reader.read(1)
        writer.close()

    listener = await asyncio.start_server(broken, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with ScriptedOpenAI([]) as server:
            address = f"http://127.0.0.1:{port}/v1"
            async with embeddings_of(server, base_url=address, max_retries=1) as embeddings:
                with pytest.raises(ModelError):
                    await embedded_within(ledger, embeddings, ["a loom"], tokens=1_000)
    state = await ledger.usage_of("run:r")
    # Two attempts, of six bytes and the allowance for a text.
    assert (state.spent.tokens, state.open_calls) == (2 * (6 + 16), 0)


async def test_a_service_that_is_down_leaves_the_words(redis_url):
    with ScriptedOpenAI([]) as server:
        async with (
            embeddings_of(server, api_key="wrong-key") as embeddings,
            connect(redis_url) as client,
        ):
            recall = Recall(client, embeddings)
            await recall.add("t", [HumanMessage("The loom has four shafts.", id="1")])
            found = await recall.search("t", "how many shafts has the loom")
    assert [one.message.id for one in found] == ["1"]
