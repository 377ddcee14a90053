"""Crons: runs that begin by themselves, kept as schedules."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from tests.support.waiting import eventually
from treadle.runtime.schedules import FireStatus

SAID = {"said": ["hello"]}
DAILY = "27 15 * * *"


@asynccontextmanager
async def firing(runtime):
    """Fire what is due, as ``treadle serve`` does."""
    async with runtime.unattended():
        yield


async def fired(runtime, cron_id, status=FireStatus.INTERRUPTED):
    """Fire a cron now, and return the fire once its run stands as it should."""
    id_ = await runtime.schedules.run_now(cron_id)

    async def over():
        fire = await runtime.schedules.fire(id_)
        return fire if fire.status is status else None

    return await eventually(over, within_seconds=30, what=f"{id_} is {status}")


async def test_a_cron_is_created_found_changed_and_removed(client):
    made = await client.crons.create(
        "own",
        schedule=DAILY,
        input=SAID,
        metadata={"team": "looms"},
        config={"configurable": {"x": 1}, "tags": ["nightly"]},
        context={"m": 1},
        timezone=ZoneInfo("Europe/Paris"),
        end_time=datetime(2100, 1, 1, tzinfo=UTC),
        on_run_completed="keep",
        multitask_strategy="enqueue",
        stream_mode=["values"],
        durability="sync",
    )
    assert made["schedule"] == DAILY
    assert made["timezone"] == "Europe/Paris"
    assert made["on_run_completed"] == "keep"
    assert made["payload"]["input"] == SAID
    assert made["payload"]["config"]["configurable"]["cron_id"] == made["cron_id"]
    due = datetime.fromisoformat(made["next_run_date"]).astimezone(ZoneInfo("Europe/Paris"))
    assert (due.hour, due.minute) == (15, 27)
    assert await client.crons.search(metadata={"team": "looms"}) == [made]
    assert await client.crons.search(assistant_id="own") == [made]
    assert await client.crons.search(assistant_id="plain") == []
    assert await client.crons.count(metadata={"team": "other"}) == 0
    changed = await client.crons.update(
        made["cron_id"],
        schedule="1 1 * * *",
        enabled=False,
        end_time=None,
        metadata={"b": 2},
        input={"said": ["bye"]},
    )
    assert changed["end_time"] is None
    assert changed["metadata"] == {"team": "looms", "b": 2}
    assert (changed["enabled"], changed["schedule"]) == (False, "1 1 * * *")
    assert changed["payload"]["input"] == {"said": ["bye"]}
    assert changed["payload"]["context"] == {"m": 1}
    assert changed["created_at"] == made["created_at"]
    assert await client.crons.search(enabled=True) == []
    assert (await client.crons.update(made["cron_id"], enabled=True))["enabled"]
    await client.crons.delete(made["cron_id"])
    assert await client.crons.count() == 0


async def test_each_run_of_a_cron_has_a_thread_that_stays_where_that_was_asked_for(client, runtime):
    made = await client.crons.create(
        "own", schedule=DAILY, input=SAID, metadata={"a": 1}, on_run_completed="keep"
    )
    async with firing(runtime):
        first = await fired(runtime, made["cron_id"])
        second = await fired(runtime, made["cron_id"])  # A run that waits does not hold it up.
    assert first.thread_id != second.thread_id
    run = await client.runs.get(first.thread_id, first.run_id)
    assert run["assistant_id"] == made["assistant_id"]
    assert run["metadata"]["a"] == 1
    state = await client.threads.get_state(first.thread_id)
    assert state["values"]["said"][:2] == ["hello", "first"]
    listed = {one["thread_id"] for one in await client.threads.search()}
    assert {first.thread_id, second.thread_id} <= listed


async def test_a_cron_of_a_thread_goes_on_with_it_and_goes_with_it(client, runtime):
    thread = (await client.threads.create())["thread_id"]
    made = await client.crons.create_for_thread(thread, "own", schedule=DAILY, input=SAID)
    other = await client.crons.create("own", schedule=DAILY)
    assert made["thread_id"] == thread
    assert made["on_run_completed"] is None
    assert [one["cron_id"] for one in await client.crons.search(thread_id=thread)] == [
        made["cron_id"]
    ]
    async with firing(runtime):
        assert (await fired(runtime, made["cron_id"])).thread_id == thread
        assert (await fired(runtime, made["cron_id"])).thread_id == thread
    assert len(await client.runs.list(thread)) == 2
    await client.threads.delete(thread)
    assert [one["cron_id"] for one in await client.crons.search()] == [other["cron_id"]]


async def test_a_cron_is_a_schedule_that_says_where_it_comes_from(client, runtime):
    made = await client.crons.create("own", schedule=DAILY, input=SAID)
    [schedule] = await runtime.schedules.list()
    assert (schedule.name, schedule.source) == (made["cron_id"], "HTTP")
    assert schedule.settings.input == '{"said": ["hello"]}'
    assert schedule.next.isoformat() == made["next_run_date"]


async def test_crons_are_sorted_paged_and_selected(client):
    made = [await client.crons.create("own", schedule=f"{n} 1 * * *") for n in range(5)]
    ids = [one["cron_id"] for one in made]
    newest = await client.crons.search(limit=2)
    assert [one["cron_id"] for one in newest] == ids[:-3:-1]
    page = await client.crons.search(
        limit=2, offset=1, sort_by="next_run_date", sort_order="asc", select=["schedule"]
    )
    assert page == [{"schedule": "1 1 * * *"}, {"schedule": "2 1 * * *"}]


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"schedule": "x y"}, "schedule"),
        ({"schedule": "* * * * * *"}, "five fields"),
        ({"schedule": "0 0 30 2 *"}, "never"),
        ({"schedule": DAILY, "timezone": "Mars/X"}, "timezone"),
        ({"schedule": DAILY, "end_time": datetime.now(UTC) - timedelta(days=1)}, "never fires"),
        ({"schedule": DAILY, "webhook": "http://example.com"}, "webhook"),
        ({"schedule": DAILY, "webhook": "file:///etc/passwd"}, "webhook"),
        ({"schedule": DAILY, "checkpoint_during": True}, "checkpoint_during"),
        ({"schedule": DAILY, "config": {"configurable": {"thread_id": "x"}}}, "thread_id"),
        ({"schedule": DAILY, "multitask_strategy": "hope"}, "multitask_strategy"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_what_cannot_be_is_refused_by_name(client, told, named):
    with pytest.raises(UnprocessableEntityError) as refused:
        await client.crons.create("own", **told)
    assert named in refused.value.response.text
    assert await client.crons.count() == 0


async def test_what_is_not_there_is_not_found(client, runtime):
    await runtime.schedules.add("mine", (await _settings(client, runtime)))
    for cron_id in ("nothing", "mine"):  # A schedule of the command line is no cron.
        for ask in (client.crons.delete, lambda id_: client.crons.update(id_, enabled=False)):
            with pytest.raises(NotFoundError):
                await ask(cron_id)
    with pytest.raises(NotFoundError):
        await client.crons.create("nobody", schedule=DAILY)
    with pytest.raises(NotFoundError):
        await client.crons.create_for_thread("nothing", "own", schedule=DAILY)


async def _settings(client, runtime):
    made = await client.crons.create("own", schedule=DAILY)
    settings = (await runtime.schedules.get(made["cron_id"])).settings
    await client.crons.delete(made["cron_id"])
    return settings


async def test_changes_at_once_lose_nothing(client):
    made = await client.crons.create("own", schedule=DAILY)
    await asyncio.gather(
        *(client.crons.update(made["cron_id"], metadata={str(n): n}) for n in range(8))
    )
    [kept] = await client.crons.search()
    assert kept["metadata"] == {str(n): n for n in range(8)}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"schedule": 7, "assistant_id": "own"}', b"null"])
async def test_what_is_no_cron_is_refused(served, body):
    async with httpx.AsyncClient(base_url=served[0]) as client:
        headers = {"content-type": "application/json"}
        for path in ("/runs/crons", "/runs/crons/search", "/runs/crons/count"):
            answer = await client.post(path, content=body, headers=headers)
            assert answer.status_code == 422, f"{path}: {answer.text}"


async def test_a_cron_that_nobody_could_pay_is_refused(project, local_app):
    (project / "agents" / "thrifty.yaml").write_text("budget: {usd: 1}\n")
    body = {"assistant_id": "thrifty", "schedule": "0 8 * * *", "input": {"messages": []}}
    async with local_app(project, model="openai:gpt-5-mini") as client:
        answer = await client.post("/runs/crons", json=body)
        assert answer.status_code == 422
        assert "Set 'price'" in answer.json()["detail"]
        assert (await client.post("/runs/crons/search", json={})).json() == []
