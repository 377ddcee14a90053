"""Facts that a person told, learned after a run and shown in a later one."""

import json

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.agents._definition import MemorySettings
from treadle.core.errors import UnknownNameError
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
