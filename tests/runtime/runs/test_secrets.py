"""No secret reaches a journal: neither in Redis nor in an exported file."""

import pytest
import redis.asyncio

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say

VALUE = "plain-canary-4f9a8b7c6d5e4f3a"
PATTERN = "sk-proj-" + "Canary0123456789abcdefABCDEF0123456789abcdefABCDEF"
TOOL = '''
def echo(text: str) -> str:
    """Repeat a text.

    Args:
        text: what.
    """
    return "echo: " + text
'''


async def journal_bytes(url):
    """Return every byte of every journal key."""
    client, found = redis.asyncio.from_url(url), b""
    try:
        async for key in client.scan_iter(match="*:run:*"):
            kind = await client.type(key)
            read = {b"stream": client.xrange, b"hash": client.hgetall}[kind]
            found += repr((key, await read(key))).encode()
    finally:
        await client.aclose()
    return found


@pytest.mark.parametrize("secret", [VALUE, PATTERN], ids=["a key's value", "a key's format"])
async def test_no_secret_is_written_to_a_journal(secret, redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_API_KEY", VALUE)
    (tmp_path / "tools.py").write_text(TOOL)
    agent = Agent(name="echoing", tools=("tools.py:echo",))
    words = "word " * 40
    script = [
        call("echo", text=f"it is {secret}!"),
        say(f"{words}{secret} {words}", reasoning=f"The key is {secret}."),
    ]
    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            events = [event async for event in rt.stream(agent, f"Repeat {secret}, please.")]
            reply = events[-1].reply
            file = (await rt.runs.export(reply.run_id)).to_text()
            assert (await rt.runs.replay(reply.run_id)).difference is None
    written = await journal_bytes(redis_url)
    assert b"call.delta" in written
    assert secret.encode() not in written
    assert secret not in file
    assert "[redacted: " in file
    # Half of it in one piece and half in the next would be a secret all the same.
    assert secret[len(secret) // 2 :] not in file


async def test_the_password_of_a_redis_named_when_opening_is_a_secret(redis_url, tmp_path):
    # Redis takes any password of a user that needs none.
    at = redis_url.replace("://", "://default:canary-password-77@", 1)
    with ScriptedOpenAI([say("I keep canary-password-77 to myself.")]) as server:
        async with Runtime.open(at, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(Agent(name="keeper"), "Is it canary-password-77?")
            file = (await rt.runs.export(reply.run_id)).to_text()
    assert "canary-password-77" not in file
