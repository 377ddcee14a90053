"""Encryption at rest, switched on by a project's settings."""

import base64

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.errors import ConfigError, TreadleError
from treadle.core.settings import ThreadSettings
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say

CANARY = "zanzibarine"
AGENT = Agent(name="talker", tools=("remember",))
OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    monkeypatch.setenv("TREADLE_ENCRYPTION_KEYS", f"old:{OLD}")


def answer(request):
    if request.messages[-1]["role"] != "tool" and "remember" in request.last_user_text:
        return call("remember", text=f"Their word is {CANARY}.", about="word")
    return say(f"You said {CANARY}.")


def opened(server, redis_url, project, encryption):
    settings = settings_for(server)
    threads = ThreadSettings(encryption=encryption)
    return Runtime.open(
        redis_url, project, settings=settings.model_copy(update={"threads": threads})
    )


def kinds_holding(redis_server, word):
    """Return what the keys end with that hold a word anywhere."""
    with redis_server.client() as client:
        keys = [key for key in client.scan_iter() if word in (client.dump(key) or b"")]
    return {key.rpartition(b":")[2].decode() for key in keys}


async def test_what_was_said_is_not_readable_in_a_thread_s_memory(redis_6_2, redis_url, tmp_path):
    with ScriptedOpenAI(answer) as server:
        async with opened(server, redis_url, tmp_path, "on") as rt:
            await rt.ask(AGENT, f"My word is {CANARY}, remember it.", thread="t")
            reply = await rt.ask(AGENT, f"Was it {CANARY}?", thread="t")
            assert CANARY in reply.text
            shown = await rt.threads.page("t")
            assert any(CANARY in said.message.text for said in shown.messages)
    readable = kinds_holding(redis_6_2, CANARY.encode())
    assert {"blobs", "entries"} <= readable  # journals; this also shows that a dump is searched
    assert not any(kind.startswith("/facts") for kind in readable)
    assert not readable & {"cp", "val", "log", "writes", "said", "recall"}


async def test_keys_are_changed_while_threads_live(redis_url, tmp_path, monkeypatch):
    with ScriptedOpenAI(answer) as server:
        async with opened(server, redis_url, tmp_path, "on") as rt:
            await rt.ask(AGENT, f"My word is {CANARY}.", thread="t")
        monkeypatch.setenv("TREADLE_ENCRYPTION_KEYS", f"new:{NEW},old:{OLD}")
        async with opened(server, redis_url, tmp_path, "on") as rt:
            await rt.ask(AGENT, "Go on.", thread="t")
        assert CANARY in str(server.requests[-1].messages)
        monkeypatch.setenv("TREADLE_ENCRYPTION_KEYS", f"new:{NEW}")
        async with opened(server, redis_url, tmp_path, "on") as rt:
            with pytest.raises(TreadleError, match="key 'old', which is not configured"):
                await rt.ask(AGENT, "And on.", thread="t")


async def test_it_is_switched_on_over_threads_in_plain_text(redis_url, tmp_path):
    with ScriptedOpenAI(answer) as server:
        async with opened(server, redis_url, tmp_path, "off") as rt:
            await rt.ask(AGENT, f"My word is {CANARY}.", thread="t")
        async with opened(server, redis_url, tmp_path, "switching-on") as rt:
            await rt.ask(AGENT, "Go on.", thread="t")
        assert CANARY in str(server.requests[-1].messages)


async def test_without_a_key_nothing_is_opened(redis_url, tmp_path, monkeypatch):
    monkeypatch.delenv("TREADLE_ENCRYPTION_KEYS")
    with (
        ScriptedOpenAI(answer) as server,
        pytest.raises(ConfigError, match="TREADLE_ENCRYPTION_KEYS is not set"),
    ):
        async with opened(server, redis_url, tmp_path, "on"):
            pass
