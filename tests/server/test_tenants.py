"""What happens by itself happens for every tenant that is served."""

from contextlib import AsyncExitStack

import pytest

from tests.support.waiting import eventually
from treadle.runtime.schedules import FireStatus

OWN_GRAPH = """
from langgraph.graph import START, MessagesState, StateGraph


def reply(state):
    return {"messages": [("ai", "noted")]}


graph = StateGraph(MessagesState).add_node("reply", reply).add_edge(START, "reply")
"""
CRON = {"assistant_id": "own", "schedule": "0 8 * * *", "on_run_completed": "keep"}
ASKED = {"messages": [{"role": "user", "content": "Look at the loom."}]}


@pytest.fixture
def project(project):
    (project / "own.py").write_text(OWN_GRAPH)
    (project / "agents" / "own.yaml").write_text("graph: own.py:graph\n")
    return project


async def ended(runtime, fire_id):
    async def over():
        fire = await runtime.schedules.fire(fire_id)
        return fire if fire.status is FireStatus.SUCCESS else None

    return await eventually(over, within_seconds=30, what=f"{fire_id} is over")


async def test_crons_of_every_tenant_fire_for_their_owners_after_a_restart(project, local):
    async with local(project) as made, AsyncExitStack() as stack:
        crons = {}
        for tenant in ("acme", "other"):
            client, _ = await made.client_of(tenant=tenant, subject="ann")
            await stack.enter_async_context(client)
            answer = await client.post("/runs/crons", json={**CRON, "input": ASKED})
            crons[tenant] = (client, answer.json()["cron_id"])
    async with local(project) as made, AsyncExitStack() as stack:
        await stack.enter_async_context(made.app.router.lifespan_context(made.app))
        attends_to = made.app.state.serving.attends_to
        await stack.enter_async_context(made.runtime.unattended(attends_to))
        for tenant, (old, cron_id) in crons.items():
            runtime = made.runtime.of_tenant(tenant)
            fire = await ended(runtime, await runtime.schedules.run_now(cron_id))
            old._transport = made.client._transport  # Its key is as good as before.
            client = await stack.enter_async_context(_again(old))
            thread = await client.get(f"/threads/{fire.thread_id}")
            assert thread.status_code == 200, thread.text
            ben, _ = await made.client_of(tenant=tenant, subject="ben")
            await stack.enter_async_context(ben)
            assert (await ben.get(f"/threads/{fire.thread_id}")).status_code == 404
            assert (await ben.get(f"/runs/crons/{cron_id}")).status_code == 404


def _again(client):
    """Return a client that shows the same key; one that was closed is not opened again."""
    return type(client)(
        transport=client._transport, base_url=client.base_url, headers=client.headers
    )


async def test_a_tenant_that_nobody_serves_here_is_left_to_others(project, local):
    async with local(project) as made, AsyncExitStack() as stack:
        await stack.enter_async_context(made.app.router.lifespan_context(made.app))
        serving = made.app.state.serving
        assert serving.attends_to("main")
        assert not serving.attends_to("elsewhere")
        client, _ = await made.client_of(tenant="elsewhere")
        await stack.enter_async_context(client)
        assert (await client.post("/threads/count", json={})).json() == 0
        assert serving.attends_to("elsewhere")


async def test_an_administrator_changes_a_cron_without_lending_it_their_rights(project, local):
    async with local(project) as made, AsyncExitStack() as stack:
        ann, _ = await made.client_of(tenant="acme", subject="ann")
        admin, _ = await made.client_of(tenant="acme", scope="admin", subject="root")
        for client in (ann, admin):
            await stack.enter_async_context(client)
        body = {**CRON, "config": {"configurable": {"user_id": "mine"}}}
        cron_id = (await ann.post("/runs/crons", json=body)).json()["cron_id"]
        schedules = made.runtime.of_tenant("acme").schedules
        before = (await schedules.get(cron_id)).asked
        answer = await admin.patch(f"/runs/crons/{cron_id}", json={"schedule": "1 1 * * *"})
        assert answer.json()["schedule"] == "1 1 * * *"
        after = (await schedules.get(cron_id)).asked
        assert (before.user, before.owner) == ("ann/mine", "ann")
        assert (after.user, after.owner) == ("ann/mine", "ann")
