"""An agent whose earlier turns are found by meaning, with embeddings of a profile."""

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.agents._definition import MemorySettings
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, say

AGENT = Agent(name="talker", memory=MemorySettings(window_tokens=1_000, embeddings="two"))


async def test_what_left_the_window_has_vectors(redis_6_2, redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    with (
        ScriptedOpenAI(lambda _: say("A long story. " * 40)) as chat,
        ScriptedOpenAI([]) as vectors,
    ):
        settings = settings_for(chat, vectors)
        profile = settings.models["two"].model_copy(
            update={"model": "openai:text-embedding-3-small"}
        )
        models = {
            "one": settings.models["one"].model_copy(update={"fallbacks": ()}),
            "two": profile,
        }
        settings = settings.model_copy(update={"models": models})
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            for number in range(6):
                await rt.ask(AGENT, f"Tell me story {number}. " * 10, thread="t")
        assert vectors.billed.input_tokens > 0
    with redis_6_2.client() as client:
        assert list(client.scan_iter("treadle:main:{t}:recall:*:vectors"))
