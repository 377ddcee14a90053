"""The ends of real runs, told to a real receiver."""

import asyncio
import json

import pytest
from standardwebhooks import Webhook as Verifier

from tests.support.models import settings_for
from tests.support.waiting import eventually
from tests.support.web_server import web_server
from treadle.core.errors import RunError, UnknownNameError
from treadle.core.notifying import NotificationSettings
from treadle.core.scheduling import ScheduleSettings
from treadle.core.settings import OutgoingSettings
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say, server_error

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOOLS = '''
from treadle.tools import Effect, tool

@tool(effect=Effect.ONCE)
def send_mail(to: str) -> str:
    """Send a mail.

    Args:
        to: to whom.
    """
    return "sent"
'''
MAILER = 'tools: [told_effects.py:send_mail]\npolicy:\n  - tool: "*"\n    then: ask\n'


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    monkeypatch.setenv("HOOK_SECRET", SECRET)


@pytest.fixture
def opened(redis_url, tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "writer.yaml").write_text("description: Writes.")
    (tmp_path / "agents" / "mailer.yaml").write_text(MAILER)
    (tmp_path / "told_effects.py").write_text(TOOLS)

    def open_runtime(server, web, **told):
        hook = NotificationSettings(webhook=f"{web.url}/hook", secret_env="HOOK_SECRET", **told)
        changes = {
            "notifications": {"ops": hook},
            "outgoing": OutgoingSettings(allow=("127.0.0.1",)),
        }
        settings = settings_for(server).model_copy(update=changes)
        return Runtime.open(redis_url, tmp_path, settings=settings)

    return open_runtime


async def told(runtime, web, count=1):
    """Send what is to be sent; return what the receiver verified."""
    notifier = runtime.notifications.notifier()
    running = asyncio.create_task(notifier.run())
    await eventually(lambda: len(web.requests) >= count, within_seconds=10)
    await eventually(lambda: _is_empty(runtime))
    notifier.stop()
    await running
    return [Verifier(SECRET).verify(one.body, one.headers) for one in web.requests]


async def _is_empty(runtime):
    return not await runtime.notifications.open()


async def test_who_is_told_of_what(opened):
    script = [say("Written."), server_error(), call("send_mail", to="ada@example.org")]
    with ScriptedOpenAI(script) as server:
        async with web_server() as web, opened(server, web) as runtime:
            await runtime.ask("writer", "Write it.")  # A success, which is not asked for.
            with pytest.raises(RunError):
                await runtime.ask("writer", "Write more.")
            waits = await runtime.ask("mailer", "Write to Ada.")
            seen = {one["type"]: one["data"] for one in await told(runtime, web, 2)}
    assert set(seen) == {"run.error", "run.interrupted"}
    assert seen["run.error"]["question"] == "Write more."
    assert seen["run.error"]["error"]
    assert seen["run.interrupted"]["run_id"] == waits.run_id
    assert "ada@example.org" in json.dumps(seen["run.interrupted"]["waits_for"])


async def test_the_runs_of_a_schedule_that_names_them(opened):
    with ScriptedOpenAI([say("One."), say("Two.")]) as server:
        named = {"runs": "named", "on": ("success",)}
        async with web_server() as web, opened(server, web, **named) as runtime:
            daily = {"agent": "writer", "cron": "0 0 1 1 *", "input": "Write it."}
            with pytest.raises(UnknownNameError, match="Did you mean 'ops'"):
                await runtime.schedules.add("d", ScheduleSettings(**daily, notify=("op",)))
            await runtime.schedules.add("d", ScheduleSettings(**daily, notify=("ops",)))
            await runtime.ask("writer", "Write it.")
            worker = runtime.worker()
            working = asyncio.create_task(worker.run())
            async with runtime.unattended():
                fire = await runtime.schedules.run_now("d")
                await eventually(lambda: web.requests, within_seconds=20)
            worker.stop()
            await working
            [seen] = await told(runtime, web)
    assert (seen["data"]["schedule"], seen["data"]["fire"]) == ("d", fire)
    assert seen["data"]["reply"] == "Two."


async def test_a_run_that_is_stopped_while_it_waits_is_told_of(opened):
    with ScriptedOpenAI([call("send_mail", to="ada@example.org")]) as server:
        async with web_server() as web, opened(server, web, on=("cancelled",)) as runtime:
            waits = await runtime.ask("mailer", "Write to Ada.")
            await runtime.queue.cancel(waits.run_id)
            [seen] = await told(runtime, web)
    assert seen["type"] == "run.cancelled"


async def test_a_message_can_be_tried_out(opened):
    with ScriptedOpenAI([]) as server:
        async with web_server() as web, opened(server, web) as runtime:
            message = await runtime.notifications.test("ops")
            [seen] = await told(runtime, web)
            assert web.requests[0].headers["webhook-id"] == message.id
            assert seen["data"]["reply"] == "It does."
            with pytest.raises(UnknownNameError):
                await runtime.notifications.test("nobody")
