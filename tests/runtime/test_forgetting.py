"""Forgetting a thread and a user: not a byte of what was said stays behind."""

import asyncio
import json
from contextlib import suppress

import pytest
import redis

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.agents._definition import MemorySettings
from treadle.core.errors import UnknownNameError
from treadle.memory.store import Facts, thread_namespace
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say

CANARY = "zanzibarine"
TOOLS = f'''
from treadle.tools import Effect, tool

@tool(effect=Effect.READ, max_chars=40_000)
def look_up(what: str) -> str:
    """Look something up.

    Args:
        what: what to look up.
    """
    return "{CANARY} in a result. " * 1_000
'''
AGENT = Agent(
    name="talker",
    tools=("lookup.py:look_up", "remember"),
    memory=MemorySettings(window_tokens=3_000, learn=True),
)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


def answer(request):
    """Look things up, remember one, and say the canary in every way there is."""
    if "facts" in json.dumps(request.response_format or {}):
        found = {"text": f"They like {CANARY}.", "about": "liking", "turn": 1}
        return say(json.dumps({"facts": [found]}))
    if request.messages[-1]["role"] == "tool":
        return say(f"It says {CANARY}. " * 20)
    if "look" in request.last_user_text:
        return call("look_up", what=CANARY)
    if "remember" in request.last_user_text:
        return call("remember", text=f"Their word is {CANARY}.", about="word")
    return say(f"You said {CANARY}. " * 20, reasoning=f"thinking of {CANARY}")


def dump(server):
    """Return every key and all that it holds; the tests' servers do not compress it."""
    with server.client() as client:
        return {key: client.dump(key) for key in client.scan_iter(count=1_000)}


def holding(held, word):
    return [key for key, value in held.items() if word in key or word in (value or b"")]


async def talk(rt, thread, user):
    for number in range(12):
        await rt.ask(AGENT, f"Tell me of {CANARY} number {number}. " * 10, thread=thread, user=user)
    await rt.ask(AGENT, f"Please look up {CANARY}.", thread=thread, user=user)
    await rt.ask(AGENT, f"Please remember {CANARY}.", thread=thread, user=user)


async def test_a_thread_is_forgotten_to_the_last_byte(redis_6_2, redis_url, tmp_path):
    (tmp_path / "lookup.py").write_text(TOOLS)
    with ScriptedOpenAI(answer) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            await talk(rt, "vault-7261", None)
            await rt.ask(AGENT, "Nothing of that kind.", thread="other")
            forked = await rt.fork((await rt.runs.recent(1, thread="vault-7261"))[0].id)
            await rt.forget_thread(forked.thread_id)
            await rt._learner.aclose()
            before = dump(redis_6_2)
            kinds = {key.rpartition(b":")[2] for key in holding(before, CANARY.encode())}
            assert len(kinds) > 5, "the canary did not get everywhere"
            counts = await rt.forget_thread("vault-7261")
            assert {name for name, count in counts.items() if count} == {
                "threads", "messages", "recalled", "facts", "runs",
            }  # fmt: skip
            with pytest.raises(UnknownNameError):
                await rt.forget_thread("vault-7261")
    after = dump(redis_6_2)
    assert holding(after, b"vault-7261") == []
    others = {key for key in holding(after, CANARY.encode()) if b"other" not in key}
    assert others == set()


async def test_a_user_is_forgotten_with_every_thread(redis_6_2, redis_url, tmp_path):
    (tmp_path / "lookup.py").write_text(TOOLS)
    with ScriptedOpenAI(answer) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            for thread in ("one", "two"):
                await talk(rt, thread, "ada@example.com")
            await rt._learner.aclose()
            counts = await rt.forget_user("ada@example.com")
    assert (counts["threads"], counts["runs"]) == (2, 28)
    assert counts["facts"] >= 2
    held = dump(redis_6_2)
    assert holding(held, CANARY.encode()) == []
    assert holding(held, b"ada") == []


async def test_what_a_thread_remembers_is_its_own(redis_url, tmp_path):
    (tmp_path / "lookup.py").write_text(TOOLS)
    with ScriptedOpenAI(answer) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            await rt.ask(AGENT, f"Please remember {CANARY}.", thread="t")
            await rt._learner.aclose()
            facts = Facts(rt.memory.store, thread_namespace("t", "facts"))
            assert f"Their word is {CANARY}." in [f.text for f in await facts.current()]


def test_the_dump_shows_what_redis_holds(redis_6_2):
    with redis_6_2.client() as client:
        assert isinstance(client, redis.Redis)
        client.flushall()
        client.set("key", CANARY * 100)
        client.hset("hash", "field", f"in the middle {CANARY} of it")
    assert len(holding(dump(redis_6_2), CANARY.encode())) == 2


async def test_what_is_asked_meanwhile_can_be_forgotten_again(redis_6_2, redis_url, tmp_path):
    """A run that was accepted while its thread was forgotten is still named by the thread."""
    agent = Agent(name="plain")
    with ScriptedOpenAI(lambda _: say(f"You said {CANARY}.")) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            for turns in range(12):
                await rt.ask(agent, f"{CANARY}?", thread="t", user="ada")
                asked = [
                    asyncio.create_task(rt.ask(agent, f"{CANARY} {n}?", thread="t", user="ada"))
                    for n in range(2)
                ]
                for _ in range(turns):  # each time it is forgotten at another moment of theirs
                    await asyncio.sleep(0)
                await rt.forget_thread("t")
                await asyncio.gather(*asked, return_exceptions=True)
                with suppress(UnknownNameError):
                    await rt.forget_thread("t")
                with suppress(UnknownNameError):
                    await rt.forget_user("ada")
                assert not holding(dump(redis_6_2), CANARY.encode())
