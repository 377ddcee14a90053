"""Facts that a person told, learned after a run and shown in a later one."""

import json
from threading import Event

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.agents._definition import MemorySettings
from treadle.core.errors import UnknownNameError
from treadle.memory import connect
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, say, server_error

LEARNER = Agent(name="learner", memory=MemorySettings(learn=True))
FOUND = json.dumps({"facts": [{"text": "Ada lives in Paris.", "about": "Ada's home", "turn": 1}]})


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


async def test_what_a_user_told_is_known_on_their_next_thread(redis_url, tmp_path):
    script = [say("Noted."), say(FOUND), say("In Paris."), say('{"facts": []}')]
    with ScriptedOpenAI(script) as server:
        settings = settings_for(server)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            first = await rt.ask(LEARNER, "I live in Paris.", user="ada@example.com")
            assert first.usage.model_calls == 1
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            await rt.ask(LEARNER, "Where do I live?", user="ada@example.com")
        assert "Ada lives in Paris." in json.dumps(server.requests[2].messages)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            counts = await rt.forget_user("ada@example.com")
            assert (counts["threads"], counts["runs"], counts["facts"]) == (2, 2, 1)
            with pytest.raises(UnknownNameError, match=r"ada@example\.com"):
                await rt.forget_user("ada@example.com")


async def test_a_failure_to_learn_costs_no_answer(redis_url, tmp_path, caplog):
    with ScriptedOpenAI([say("Noted."), server_error()]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            assert (await rt.ask(LEARNER, "I live in Paris.")).text == "Noted."
    assert "No facts were learned" in caplog.text


async def test_what_learning_cost_is_kept_with_the_run(redis_url, tmp_path):
    with ScriptedOpenAI([say("Noted."), say(FOUND)]) as server:
        settings = settings_for(server)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            reply = await rt.ask(LEARNER, "I live in Paris.", user="ada@example.com")
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            run = await rt.runs.get(reply.run_id)
    assert run.usage == reply.usage
    assert (run.usage + run.learning).model_calls == server.billed.requests == 2
    assert (run.usage + run.learning).input_tokens == server.billed.input_tokens
    assert (run.usage + run.learning).output_tokens == server.billed.output_tokens
    assert run.learning.usd > 0


async def test_what_learning_cost_brings_no_forgotten_run_back(redis_url, tmp_path):
    is_forgotten = Event()

    def script(_):
        if len(server.requests) < 2:
            return say("Noted.")
        assert is_forgotten.wait(20)
        return say('{"facts": []}')

    with ScriptedOpenAI(script) as server:
        settings = settings_for(server, timeout_seconds=30)
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            reply = await rt.ask(LEARNER, "I live in Paris.", thread="t")
            await rt.forget_thread("t")
            is_forgotten.set()
    async with connect(redis_url) as client:
        left = [key async for key in client.scan_iter(f"*:run:{reply.run_id}*")]
        assert not [key for key in left if b"budget" not in key]
