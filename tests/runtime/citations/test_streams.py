"""An answer that was marked after it streamed: the last event says what it is now, and why."""

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.calls import Purpose
from treadle.core.sources import Source
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say

TOOLS = '''
from treadle.core.sources import Passage, Source
from treadle.tools import Effect, ToolResult, tool

@tool(effect=Effect.READ)
def look_up(mountain: str) -> ToolResult:
    """Look a mountain up.

    Args:
        mountain: its name.
    """
    text = "Its summit has an elevation of 5,199 metres."
    return ToolResult("Found:", [Passage(text, Source("Mountains", "peaks.md"))])
'''
SAID = "It is 5199 m high {mark}. It was climbed in 1901."


async def test_the_last_event_says_what_was_changed(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "peaks.py").write_text(TOOLS)
    agent = Agent(name="climber", tools=("peaks.py:look_up",))
    mark = f"[^{Source('Mountains', 'peaks.md').label}]"
    script = [call("look_up", mountain="Batian"), say(SAID.format(mark=mark))]
    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            events = [event async for event in rt.stream(agent, "How high is Batian?")]
    pieces = [e.text for e in events if e.type == "call.delta" and e.purpose is Purpose.ANSWER]
    reply = events[-1].reply
    assert "".join(pieces) == SAID.format(mark=mark)
    assert reply.text == "It is 5199 m high [1]. It was climbed in [unverified: 1901]."
    assert [(one.kind, one.text) for one in reply.unverified] == [("number", "1901")]
