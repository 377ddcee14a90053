"""Answers that are not whole: cut off, filtered and refused, as a program and a thread see them."""

import pytest

from tests.support.models import settings_for
from tests.support.patterns import SCHEMA, graph_of
from treadle.agents import Agent
from treadle.graphs import react, refusal_of
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, cut_off, refuse

DECLINED = "I cannot help with that."
BEGUN = "Once upon a time there was"
WAYS = {
    "length": cut_off(BEGUN),
    "content_filter": cut_off(BEGUN, by="content_filter"),
    "refusal": refuse(DECLINED),
}


@pytest.fixture
async def opened(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "graphs").mkdir()
    with ScriptedOpenAI(lambda request: WAYS[request.last_user_text.split()[-1]]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            yield rt, server


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("pattern", ["react", "reflexion", "self_consistency"])
async def test_a_reply_says_why_it_is_not_whole(opened, pattern, kind):
    rt, _ = opened
    reply = await rt.ask(Agent(name="writer", graph=pattern), f"End by {kind}")
    assert reply.stopped.startswith(f"{kind}: ")
    assert reply.text == (DECLINED if kind == "refusal" else BEGUN)
    assert reply.is_refusal == (kind == "refusal")
    assert not reply.is_question
    kept = await rt.runs.get(reply.run_id)
    assert await rt.queue.stopped_early(kept) == reply.stopped


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_refusal_stays_with_its_message_and_is_told_to_the_model(opened, is_streamed):
    rt, server = opened
    agent = Agent(name="writer")
    if is_streamed:
        async for _ in rt.stream(agent, "End by refusal", thread="t"):
            pass
    else:
        await rt.ask(agent, "End by refusal", thread="t")
    [_, said] = (await rt.threads.page("t")).messages
    assert said.message.additional_kwargs["refusal"] == refusal_of(said.message) == DECLINED
    await rt.ask(agent, "Why? End by length", thread="t")
    told = [one for one in server.requests[-1].body["messages"] if one["role"] == "assistant"]
    assert [one["refusal"] for one in told] == [DECLINED]


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("pattern", ["react", "reflexion", "chain_of_thought"])
async def test_an_answer_with_a_schema_that_is_not_whole_is_no_error(opened, pattern, kind):
    rt, server = opened
    agent = Agent(name="writer", graph=pattern, output=SCHEMA)
    reply = await rt.ask(agent, f"End by {kind}")
    assert reply.data is None
    assert reply.stopped.startswith(f"{kind}: ")
    asked = [one for one in server.requests if "response_format" in one.body]
    assert len(asked) == 1  # It would be cut off, or refused, again.


@pytest.mark.parametrize("kind", WAYS)
async def test_a_graph_without_tools_comes_to_its_end_without_data(kind):
    with ScriptedOpenAI([WAYS[kind]]) as server:
        graph = graph_of(react, server, output=SCHEMA)
        state = await graph.ainvoke({"messages": [("user", "Go on")]})
    assert state.get("structured_response") is None
