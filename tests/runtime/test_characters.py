"""Halves of characters: what calls return is repaired, and what somebody typed is refused."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.journal import EntryType
from treadle.runtime.runs import RunRequest
from treadle.runtime.testing import ScriptedOpenAI, call, say

TOOLS = '''
from langchain_core.tools import tool as plain_tool
from treadle.tools import Effect, tool

@tool
def send() -> str:
    """Send."""
    return "sent to \\udcff and \\ud83d\\ude00"

@tool
def fail() -> str:
    """Fail."""
    raise ValueError("no \\udcff")

@plain_tool
def foreign() -> str:
    """Send."""
    return "sent to \\udcff and \\ud83d\\ude00"
'''


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("send", "sent to \ufffd and \U0001f600"),
        ("foreign", "sent to \ufffd and \U0001f600"),
        ("fail", "fail failed: ValueError: no \ufffd."),
    ],
)
async def test_what_a_tool_returns_is_repaired_recorded_and_replayed(
    redis_url, tmp_path, name, told
):
    (tmp_path / "own.py").write_text(TOOLS)
    agent = Agent(name="a", tools=(f"own.py:{name}",))
    with ScriptedOpenAI([call(name), say("Done.")]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent, "Do it.")
            [said] = server.requests[1].tool_outputs.values()
            entries = [entry.type async for entry in rt.runs.entries(reply.run_id)]
            assert said.startswith(told)
            assert entries.count(EntryType.CALL_STARTED) == entries.count(EntryType.CALL_FINISHED)
            assert (await rt.runs.replay(reply.run_id, agent=agent)).difference is None


async def test_what_a_model_says_is_repaired(redis_url, tmp_path):
    agent = Agent(name="a", tools=("calculate",))
    script = [call("calculate", expression="1 \udcff 2"), say("It is \udcff \ud83d\ude00.")]
    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent, "Do it.", thread="t")
            assert reply.text == "It is \ufffd \U0001f600."
            assert (await rt.threads.show("t"))[-1].text == reply.text
            assert (await rt.runs.replay(reply.run_id, agent=agent)).difference is None


async def test_what_was_typed_is_refused_by_name_and_place(redis_url, tmp_path):
    agent = Agent(name="a", model="embedded")
    async with Runtime.open(redis_url, tmp_path) as rt:
        with pytest.raises(
            InputError, match=r"The question cannot be written down: character 4 is '\\udce9'"
        ):
            await rt.ask(agent, "caf\udce9")
        with pytest.raises(InputError, match="The conversation cannot be written down"):
            async for _ in rt.stream(agent, [AIMessage("caf\udce9"), HumanMessage("hello")]):
                pass
        with pytest.raises(InputError, match="The user's name cannot"):
            await rt.ask(agent, "hello", user="caf\udce9")
        for given in ("caf\udce9", {"n": ["caf\udce9"]}):
            with pytest.raises(InputError, match=r"character 4 is '\\udce9'"):
                await rt.queue.submit(RunRequest("assistant", given))
        assert await rt.runs.recent() == []
