"""Schedules in a project's files: reconciled on every start, errors with their place."""

from contextlib import aclosing

import pytest

from tests.support.waiting import eventually
from treadle.core.errors import ConfigError, InputError, UnknownNameError
from treadle.core.limits import Limits
from treadle.core.settings import Settings
from treadle.runtime import Runtime
from treadle.runtime.schedules import ScheduleSettings

AGENT = """\
description: Writes.
schedules:
  morning:
    cron: "0 8 * * MON-FRI"
    tz: Europe/Paris
    input: Write the digest.
"""
SETTINGS = """\
[schedules.nightly]
agent = "writer"
every = "1d"
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "writer.yaml").write_text(AGENT)
    (tmp_path / "treadle.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def opened(redis_url, project):
    """Return what opens the project anew, as after a restart."""
    return lambda: Runtime.open(redis_url, project, settings=Settings.load(project, {}))


async def reconciled(opened):
    async with opened() as runtime:
        changes = await runtime.schedules.reconcile()
        return changes, {one.name: one for one in await runtime.schedules.list()}


async def test_files_are_read_on_start_and_say_where_they_are(opened):
    changes, found = await reconciled(opened)
    assert changes.added == ("nightly", "writer.morning")
    assert {name: one.source for name, one in found.items()} == {
        "nightly": "treadle.toml",
        "writer.morning": "agents/writer.yaml",
    }
    assert found["writer.morning"].settings.agent == "writer"
    again, _ = await reconciled(opened)
    assert (again.added, again.changed, again.removed) == ((), (), ())


UNPRICED = '[models.dear]\nmodel = "openai:gpt-5-mini"\n'
PRICED = UNPRICED + "price = {input = 1, output = 2}\n"
LIMITED = ScheduleSettings(agent="writer", every="1h", budget={"usd": 1})
MONTHLY = ScheduleSettings(agent="chief", every="1h", per_month={"usd": 1})


async def test_a_budget_in_money_needs_prices_when_the_schedule_is_made(opened, project):
    agents = project / "agents"
    (agents / "writer.yaml").write_text("model: dear\n")
    (agents / "chief.yaml").write_text("agents: [writer]\n")
    (agents / "thrifty.yaml").write_text("model: dear\nbudget: {usd: 1}\n")
    (agents / "own.yaml").write_text("model: dear\ngraph: own.py:graph\n")
    (project / "treadle.toml").write_text(UNPRICED)
    thrifty = ScheduleSettings(agent="thrifty", every="1h")
    async with opened() as runtime:
        for settings in (LIMITED, MONTHLY, thrifty):
            with pytest.raises(InputError, match=r"price of the model 'dear'.*Set 'price'"):
                await runtime.schedules.add("dear", settings)
        assert await runtime.schedules.list() == []
        free = LIMITED.model_copy(update={"budget": Limits(tokens=100)})
        await runtime.schedules.add("free", free)
        with pytest.raises(InputError, match="price"):
            await runtime.schedules.change("free", lambda _: (LIMITED, None))
        await runtime.schedules.add("own", LIMITED.model_copy(update={"agent": "own"}))
    (project / "treadle.toml").write_text(UNPRICED + SETTINGS + "budget = {usd = 1}\n")
    async with opened() as runtime:
        with pytest.raises(InputError, match="price"):
            await runtime.schedules.reconcile()
    (project / "treadle.toml").write_text(PRICED)
    async with opened() as runtime:
        for number, settings in enumerate((LIMITED, MONTHLY, thrifty)):
            await runtime.schedules.add(f"dear-{number}", settings)


async def test_what_changed_or_went_is_followed_and_a_rest_is_kept(opened, project):
    _, before = await reconciled(opened)
    async with opened() as runtime:
        await runtime.schedules.pause("writer.morning")
    (project / "agents" / "writer.yaml").write_text(AGENT.replace("Write the", "Send the"))
    (project / "treadle.toml").write_text("")
    changes, after = await reconciled(opened)
    assert (changes.changed, changes.removed) == (("writer.morning",), ("nightly",))
    assert after["writer.morning"].settings.input == "Send the digest."
    assert after["writer.morning"].is_paused
    assert after["writer.morning"].next == before["writer.morning"].next

    (project / "agents" / "writer.yaml").write_text(AGENT.replace("0 8", "30 9"))
    _, moved = await reconciled(opened)
    assert moved["writer.morning"].next.minute == 30


async def test_what_was_added_by_hand_is_left_alone(opened, project):
    async with opened() as runtime:
        await runtime.schedules.add("mine", ScheduleSettings(agent="writer", every="1h"))
    changes, found = await reconciled(opened)
    assert changes.removed == ()
    assert "mine" in found
    (project / "treadle.toml").write_text(SETTINGS.replace("nightly", "mine"))
    with pytest.raises(InputError, match="one of that name was added by hand"):
        await reconciled(opened)


async def test_what_stands_in_a_file_is_removed_there(opened):
    await reconciled(opened)
    async with opened() as runtime:
        with pytest.raises(InputError, match=r"stands in treadle\.toml"):
            await runtime.schedules.remove("nightly")
        await runtime.schedules.remove("nightly", force=True)


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("agents/writer.yaml", AGENT.replace("0 8", "99 8"), "writer.yaml:4: .*minute is '99'"),
        ("agents/writer.yaml", AGENT.replace("tz:", "zone:"), "Did you mean|Fields: agent, at"),
        ("agents/writer.yaml", AGENT.replace("Paris", "Parys"), "Did you mean 'Europe/Paris'"),
        ("agents/writer.yaml", AGENT + "    agent: other\n", "Leave 'agent' out"),
        (
            "treadle.toml",
            SETTINGS.replace('every = "1d"', 'evry = "1d"'),
            "keys there: agent",
        ),
        ("treadle.toml", SETTINGS.replace('agent = "writer"', ""), "'agent' is missing"),
        ("treadle.toml", SETTINGS.replace("nightly", '"at night"'), "at night"),
    ],
)
async def test_a_wrong_file_is_refused_with_its_place(opened, project, file, text, told):
    (project / file).write_text(text)
    with pytest.raises(ConfigError, match=told):
        async with opened() as runtime:
            runtime.schedules.written()


async def test_an_agent_whose_file_is_wrong_keeps_no_other_from_its_schedules(
    opened, project, caplog
):
    _, before = await reconciled(opened)
    (project / "agents" / "writer.yaml").write_text(AGENT.replace("tz:", "zone:"))
    (project / "agents" / "reader.yaml").write_text(AGENT)
    (project / "treadle.toml").write_text("")
    changes, after = await reconciled(opened)
    assert (changes.added, changes.removed) == (("reader.morning",), ("nightly",))
    assert after["writer.morning"] == before["writer.morning"]
    assert "agents/writer.yaml stay as they were" in caplog.text
    assert "there is no field 'schedules.morning.zone'" in caplog.text


async def test_a_schedule_for_nobody_is_refused(opened, project):
    (project / "treadle.toml").write_text(SETTINGS.replace("writer", "wrter"))
    with pytest.raises(UnknownNameError, match="Did you mean 'writer'"):
        await reconciled(opened)


async def step(runtime):
    async with aclosing(runtime.scheduler()) as scheduler:
        await scheduler.step()


async def test_a_schedule_of_another_project_is_left_to_that(
    opened, redis_url, tmp_path_factory, caplog
):
    other = tmp_path_factory.mktemp("other")
    (other / "agents").mkdir()
    (other / "agents" / "caller.yaml").write_text("description: Calls.\n")
    often = ScheduleSettings(agent="caller", every="1s")
    async with opened() as ours, Runtime.open(redis_url, other, settings=Settings()) as theirs:
        await ours.schedules.reconcile()
        await theirs.schedules.add("often", often)
        found = {one.name: one for one in await theirs.schedules.list()}
        assert "no agent 'caller'" in ours.schedules.why_not_here(found["often"])
        assert "another project" in theirs.schedules.why_not_here(found["nightly"])
        assert theirs.schedules.why_not_here(found["often"]) == ""
        assert "nightly" not in (await theirs.schedules.reconcile()).removed

        # Ours looks first at what is due, and fires nothing of theirs; they are not kept waiting.
        async def left():
            await step(ours)
            return "'often' is not fired here" in caplog.text

        await eventually(left)
        assert await ours.schedules.history("often") == []

        async def fired():
            await step(theirs)
            return await theirs.schedules.history("often")

        await eventually(fired)
        assert caplog.text.count("'often' is not fired here") == 1


async def test_a_name_that_two_projects_have_is_the_ones_that_started_last(
    opened, project, redis_url, tmp_path_factory, caplog
):
    other = tmp_path_factory.mktemp("other")
    (other / "agents").mkdir()
    (other / "agents" / "writer.yaml").write_text(AGENT)
    await reconciled(opened)
    async with Runtime.open(redis_url, other, settings=Settings()) as theirs:
        await theirs.schedules.reconcile()
        found = await theirs.schedules.get("writer.morning")
        assert theirs.schedules.why_not_here(found) == ""
    assert "was of another project" in caplog.text
