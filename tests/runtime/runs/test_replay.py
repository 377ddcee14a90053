"""Replaying a run: everything from its journal, nothing from anywhere else."""

import socket
from dataclasses import replace

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent, Budget
from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.runs import JournalFile, RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

CALCULATOR = Agent(name="calculator", tools=("calculate",))
THINKER = Agent(name="thinker", graph="chain_of_thought")
SUM = [calls(call("calculate", expression="2+2"), text="I calculate."), say("It is 4.")]
SUMS = [
    calls(call("calculate", expression="2+2"), call("calculate", expression="3+3")),
    say("4 and 6."),
]


async def recorded(script, agent, redis_url, project, *questions):
    """Ask the questions on one thread; return the last reply and its run as a file."""
    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            thread = None
            for question in questions:
                reply = await rt.ask(agent, question, thread=thread)
                thread = reply.thread_id
            return reply, await rt.runs.export(reply.run_id)


@pytest.fixture
async def runtime(redis_url, tmp_path):
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            yield rt
            assert not server.requests


@pytest.mark.parametrize(
    ("agent", "script", "questions", "count"),
    [
        (CALCULATOR, SUM, ["What is 2+2?"], 3),
        (CALCULATOR, SUMS, ["What are 2+2 and 3+3?"], 4),
        (CALCULATOR, [say("Hello Ada."), *SUM], ["I am Ada.", "What is 2+2?"], 3),
        (THINKER, [say("Two and two."), say("4.")], ["What is 2+2?"], 2),
    ],
    ids=["react", "parallel tools", "second turn", "chain of thought"],
)
async def test_a_run_replays_without_a_socket(
    agent, script, questions, count, redis_url, tmp_path, runtime, monkeypatch
):
    _, file = await recorded(script, agent, redis_url, tmp_path, *questions)
    file = JournalFile.from_text(file.to_text())

    def refuse(*_, **__):
        raise AssertionError("a replay opened a socket")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        replay = await runtime.runs.replay(file)
        current = await runtime.runs.replay(file, agent=agent)
    assert replay.difference is None
    assert replay.calls == count
    assert current.difference is None


async def test_a_run_with_a_budget_replays_as_it_was_warned(redis_url, tmp_path, runtime):
    agent = CALCULATOR.model_copy(update={"budget": Budget(model_calls=2, tokens=100_000)})
    _, file = await recorded(SUM, agent, redis_url, tmp_path, "What is 2+2?")
    assert (await runtime.runs.replay(file)).difference is None


async def replayed_with(change, redis_url, project, runtime, script=SUM, agent=CALCULATOR):
    _, file = await recorded(script, agent, redis_url, project, "What is 2+2?")
    replay = await runtime.runs.replay(file, agent=agent.model_copy(update=change))
    assert replay.difference is not None
    return replay.difference


async def test_a_changed_prompt_is_named(redis_url, tmp_path, runtime):
    difference = await replayed_with({"prompt": "Be brief."}, redis_url, tmp_path, runtime)
    assert difference.field == "messages[0].content"
    assert "Be brief." in difference.found
    assert "Be brief." not in difference.recorded


async def test_a_changed_prompt_of_the_project_is_named_beside_what_it_changes(
    redis_url, tmp_path, runtime
):
    script = [say("Two and two."), say("4.")]
    first, file = await recorded(script, THINKER, redis_url, tmp_path, "What is 2+2?")
    assert (await runtime.runs.replay(file)).changes == ()
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "think.md").write_text("Think as a weaver thinks.")
    replay = await runtime.runs.replay(file, agent=THINKER.model_copy(update={"prompt": "Hm."}))
    assert replay.difference.field == "messages[0].content"
    assert [one.field for one in replay.changes] == ["prompt", "prompts.think"]
    second, _ = await recorded(script, THINKER, redis_url, tmp_path, "What is 2+2?")
    told = await runtime.runs.diff(first.run_id, second.run_id)
    assert [(one.where, one.field) for one in told[:1]] == [("the agent", "prompts.think")]


async def test_a_journal_that_tells_less_of_its_agent_replays(redis_url, tmp_path, runtime):
    _, file = await recorded(SUM, CALCULATOR, redis_url, tmp_path, "What is 2+2?")
    journal = file.journal
    kept = {k: v for k, v in journal.entries[0].data.items() if k not in {"prompts", "treadle"}}
    entries = (replace(journal.entries[0], data=kept), *journal.entries[1:])
    older = replace(file, journal=replace(journal, entries=entries))
    replay = await runtime.runs.replay(older)
    assert (replay.difference, replay.changes) == (None, ())


async def test_a_changed_model_is_named(redis_url, tmp_path, runtime):
    difference = await replayed_with({"model": "embedded"}, redis_url, tmp_path, runtime)
    assert (difference.field, difference.recorded, difference.found) == (
        "name",
        "model openai:gpt-5-mini",
        "model embedded",
    )


async def test_a_changed_tool_is_named(redis_url, tmp_path, runtime):
    difference = await replayed_with({"tools": ("current_time",)}, redis_url, tmp_path, runtime)
    assert difference.field.startswith("options.tools[0]")
    assert "Compute a number" in str(difference.recorded)
    assert "time zone" in str(difference.found)


async def test_a_fork_pays_only_for_what_is_new(redis_url, tmp_path):
    script = [*SUM, say("It is five.")]
    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(CALCULATOR, "What is 2+2?")
            again = await rt.fork(reply.run_id)
            assert (again.text, again.usage.model_calls) == ("It is 4.", 0)
            assert len(server.requests) == 2
            edited = await rt.fork(reply.run_id, outcomes={2: "2+2 = 5"})
            assert (edited.text, edited.usage.model_calls) == ("It is five.", 1)
            assert list(server.requests[2].tool_outputs.values()) == ["2+2 = 5"]
            [difference, end] = (await rt.runs.diff(reply.run_id, edited.run_id))[-2:]
            assert "2+2 = 5" in str(difference.found) or difference.found == "It is five."
            assert end.where == "the end of the run"
            for run_id in (again.run_id, edited.run_id):
                assert (await rt.runs.replay(run_id)).difference is None
            run = await rt.runs.get(edited.run_id)
            assert (run.status, run.parent) == (RunStatus.SUCCESS, reply.run_id)
            with pytest.raises(InputError, match="no call 9"):
                await rt.fork(reply.run_id, outcomes={9: "x"})


async def test_an_imported_journal_replays_under_its_own_id(redis_url, tmp_path, runtime):
    reply, file = await recorded(SUM, CALCULATOR, redis_url, tmp_path, "What is 2+2?")
    await runtime.forget_thread(reply.thread_id)
    run = await runtime.runs.import_file(JournalFile.from_text(file.to_text()))
    assert run.id == reply.run_id
    assert (await runtime.runs.replay(run.id)).difference is None
    assert (await runtime.runs.export(run.id)).to_text() == file.to_text()
    with pytest.raises(InputError, match="already"):
        await runtime.runs.import_file(file)


async def test_a_dry_run_describes_effects_and_changes_nothing(redis_url, tmp_path):
    (tmp_path / "mail.py").write_text(
        "def send_mail(to: str) -> str:\n"
        '    """Send a mail.\n\n    Args:\n        to: whom.\n    """\n'
        '    raise AssertionError("a dry run had an effect")\n'
    )
    agent = Agent(name="mailer", tools=("mail.py:send_mail", "calculate"))
    script = [
        calls(call("calculate", expression="1+1"), call("send_mail", to="ada@example.com")),
        say("Sent."),
    ]
    with ScriptedOpenAI([say("Hello."), *script]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            first = await rt.ask(agent, "Hello?")
            plan = await rt.dry_run(agent, "Tell Ada.", thread=first.thread_id)
            assert [(e.tool, e.arguments) for e in plan.effects] == [
                ("send_mail", {"to": "ada@example.com"})
            ]
            assert (plan.reply.text, plan.reply.usage.model_calls) == ("Sent.", 2)
            assert len(server.requests[-1].messages) > len(server.requests[0].messages) + 3
            assert len(await rt.threads.show(first.thread_id)) == 2
            assert [t.id for t in await rt.threads.recent()] == [first.thread_id]
            assert (await rt.runs.replay(plan.reply.run_id)).difference is None
