"""Dry runs in the queue: they read, describe effects, and leave their thread as it is."""

import pytest

from tests.runtime.queue.conftest import working
from treadle.core.errors import InputError, RunError, UnknownNameError
from treadle.runtime.queue import RunOptions, RunRequest
from treadle.runtime.runs import RunMode, RunStateError, RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say, server_error, unauthorized

TOOLS = '''
from pathlib import Path


def send_mail(to: str) -> str:
    """Send a mail.

    Args:
        to: whom.
    """
    Path(__file__).with_name("sent").write_text(to)
    return "Sent."


def ask_back(question: str) -> str:
    """Ask the person.

    Args:
        question: what.
    """
    from langgraph.types import interrupt

    return str(interrupt(question))
'''
TELL = calls(call("calculate", expression="1+1"), call("send_mail", to="ada@example.com"))
EFFECTS = [("send_mail", {"to": "ada@example.com"}, "once")]


@pytest.fixture(autouse=True)
def mailer(project):
    (project / "mail.py").write_text(TOOLS)
    tools = "tools: [mail.py:send_mail, calculate]\n"
    (project / "agents" / "mailer.yaml").write_text(f"description: Mails.\n{tools}")
    asker = "description: Asks.\ngraph: mail.py:asker\n"
    (project / "agents" / "asker.yaml").write_text(asker)
    with (project / "mail.py").open("a") as file:
        file.write(
            "from langgraph.graph import MessagesState, StateGraph\n"
            "def node(state):\n"
            "    return {'messages': [('ai', ask_back('Sure?'))]}\n"
            "asker = StateGraph(MessagesState).add_node(node).set_entry_point('node')\n"
        )
    yield
    assert not (project / "sent").exists(), "a dry run had an effect"


async def dry(runtime, agent="mailer", text="Tell Ada.", **options):
    request = RunRequest(agent, text, is_dry=True, **{"thread_id": "t", **options})
    return (await runtime.queue.submit(request)).run


def planned(plan):
    return [(one.tool, dict(one.arguments), one.effect.value) for one in plan.effects]


async def test_a_queued_dry_run_reads_describes_and_leaves_its_thread_alone(opened):
    with ScriptedOpenAI([say("Hello."), TELL, say("Told.")]) as server:
        async with opened(server) as runtime, working(runtime):
            await runtime.ask("mailer", "Hello?", thread="t")
            run = await dry(runtime)
            assert (await runtime.queue.wait(run)).mode is RunMode.DRY
            plan = await runtime.runs.plan(run.id)
            assert planned(plan) == EFFECTS
            assert (plan.reply.text, plan.reply.usage.model_calls) == ("Told.", 2)
            # It began where its thread stands.
            asked = [one["content"] for one in server.requests[1].messages if one["role"] == "user"]
            assert asked == ["Hello?", "Tell Ada."]
            assert len(await runtime.threads.show("t")) == 2
            assert [thread.id for thread in await runtime.threads.recent()] == ["t"]
            assert (await runtime.runs.replay(run.id)).difference is None


async def test_it_does_not_wait_for_its_thread_and_a_key_makes_one(opened):
    with ScriptedOpenAI([say("Nothing."), say("Nothing.")]) as server:
        async with opened(server) as runtime:
            live = await runtime.queue.submit(RunRequest("mailer", "Wait.", thread_id="t"))
            first = await dry(runtime, key="k", multitask="reject")
            assert (await dry(runtime, key="k", multitask="reject")).id == first.id
            place = await runtime.queue.place(first.id)
            assert (place.state, place.before) == ("ready", 0)
            async with working(runtime):
                for one in (live.run, first):
                    assert (await runtime.queue.wait(one)).status is RunStatus.SUCCESS
            assert (await runtime.runs.plan(first.id)).effects == ()


async def test_another_attempt_makes_and_pays_nothing_again(opened):
    with ScriptedOpenAI([TELL, server_error(503), say("Told.")]) as server:
        async with opened(server, backoff_seconds=0.01) as runtime, working(runtime):
            run = await runtime.queue.wait(await dry(runtime))
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 2)
            assert len(server.requests) == 3
            plan = await runtime.runs.plan(run.id)
            assert (planned(plan), plan.reply.usage.model_calls) == (EFFECTS, 3)


@pytest.mark.parametrize("is_queued", [True, False])
async def test_it_stays_dry_however_it_is_taken_up_again(opened, is_queued):
    with ScriptedOpenAI([TELL, say("Told.")]) as server:
        async with opened(server) as runtime:
            run = await dry(runtime)
            assert (await runtime.queue.cancel(run.id)).status is RunStatus.CANCELLED
            if is_queued:
                await runtime.queue.resume(run.id)
                async with working(runtime):
                    await runtime.queue.wait(run.id)
            else:
                await runtime.resume(run.id)
            assert planned(await runtime.runs.plan(run.id)) == EFFECTS


async def test_a_failed_dry_run_can_be_resumed(opened):
    with ScriptedOpenAI([TELL, unauthorized(), say("Told.")]) as server:
        async with opened(server) as runtime:
            with pytest.raises(RunError):
                await runtime.dry_run("mailer", "Tell Ada.")
            [run] = await runtime.runs.recent()
            with pytest.raises(RunError):
                await runtime.runs.plan(run.id)
            await runtime.resume(run.id)
            plan = await runtime.runs.plan(run.id)
            assert (planned(plan), plan.reply.text) == (EFFECTS, "Told.")


async def test_it_ends_where_a_person_would_be_asked(opened):
    with ScriptedOpenAI([]) as server:
        async with opened(server) as runtime, working(runtime):
            run = await runtime.queue.wait(await dry(runtime, "asker"))
            assert run.status is RunStatus.INTERRUPTED
            assert "Sure?" in (await runtime.runs.plan(run.id)).reply.stopped
            for resume in (runtime.queue.resume, runtime.resume):
                with pytest.raises(RunStateError, match="is a dry run"):
                    await resume(run.id, "Yes.")
            await runtime.queue.cancel(run.id, rollback=True)
            assert (await runtime.runs.get(run.id)).status is RunStatus.CANCELLED


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": None},
        {"options": RunOptions(checkpoint_id="x")},
        {"options": RunOptions(update={"messages": []})},
        {"options": RunOptions(goto=["agent"])},
    ],
)
async def test_what_is_no_question_is_refused(opened, wrong):
    with ScriptedOpenAI([]) as server:
        async with opened(server) as runtime:
            with pytest.raises(InputError, match="A dry run is asked something"):
                await dry(runtime, **wrong)
            assert await runtime.runs.recent() == []


async def test_a_plan_is_of_a_dry_run_that_came_to_its_end(opened):
    with ScriptedOpenAI([say("Hello.")]) as server:
        async with opened(server) as runtime:
            live = await runtime.ask("mailer", "Hello?")
            with pytest.raises(RunStateError, match="is no dry run"):
                await runtime.runs.plan(live.run_id)
            waiting = await dry(runtime)
            with pytest.raises(RunStateError, match="is pending"):
                await runtime.runs.plan(waiting.id)


async def test_it_is_forgotten_with_its_thread_and_its_user(opened):
    with ScriptedOpenAI([say("Hello.")] + [say("Nothing.")] * 2) as server:
        async with opened(server) as runtime, working(runtime):
            await runtime.ask("mailer", "My PIN is 7261.", thread="t", user="ada")
            for options in ({}, {"thread_id": None, "user": "ada"}):
                await runtime.queue.wait(await dry(runtime, **options))
            assert (await runtime.forget_thread("t"))["runs"] == 2
            [left] = await runtime.runs.recent()
            assert (await runtime.forget_user("ada"))["runs"] == 1
            assert await runtime.runs.recent() == []
            with pytest.raises(UnknownNameError):
                await runtime.forget_thread(left.thread_id)
