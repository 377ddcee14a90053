"""What clients ask wrongly: ids that nobody has, values of the wrong type, what does not fit."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from langgraph_sdk.client import LangGraphClient

from tests.server.parity.variants import SAID, new_thread

NOBODY = "00000000-0000-4000-8000-000000000000"
Step = Callable[[LangGraphClient], Awaitable[Any]]


def sent(method: str, path: str, **body: Any) -> Step:
    """Return the step that sends a request as it stands, and tells the answer's status."""

    async def asked(c: LangGraphClient) -> Any:
        place = path.format(thread=await new_thread(c)) if "{thread}" in path else path
        return (await c.http.client.request(method, place, **body)).status_code

    return asked


def run(**fields: Any) -> Step:
    """Return the step that asks for a run with fields that do not fit."""
    return sent("POST", "/threads/{thread}/runs", json={"assistant_id": "slow", **fields})


async def at_no_checkpoint(c: LangGraphClient) -> Any:
    thread = await new_thread(c, graph_id="slow")
    await c.runs.wait(thread, "slow", input=SAID)
    return (await c.threads.get_state(thread, checkpoint_id=NOBODY))["values"]


async def an_agents_assistant(c: LangGraphClient) -> Any:
    found = await c.assistants.search(graph_id="failing")
    return await c.assistants.delete(found[0]["assistant_id"])


async def busy_thread(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    made = await c.runs.create(thread, "slow", input=SAID)
    try:
        return await c.threads.update_state(thread, {"number": 1}, as_node="rest")
    finally:
        await asyncio.shield(c.runs.join(thread, made["run_id"]))


async def over_before_it_begins(c: LangGraphClient) -> Any:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    made = await c.crons.create("slow", schedule="0 8 * * *", end_time=past)
    await c.crons.delete(made["cron_id"])
    return "created"


async def with_seconds(c: LangGraphClient) -> Any:
    made = await c.crons.create("slow", schedule="0 8 * * * 30")
    await c.crons.delete(made["cron_id"])
    return "created"


REFUSALS: dict[str, Step] = {
    "assistants.update unknown": lambda c: c.assistants.update(NOBODY, name="x"),
    "assistants.delete unknown": lambda c: c.assistants.delete(NOBODY),
    "assistants.get_graph unknown": lambda c: c.assistants.get_graph(NOBODY),
    "assistants.get_schemas unknown": lambda c: c.assistants.get_schemas(NOBODY),
    "assistants.get_subgraphs unknown": lambda c: c.assistants.get_subgraphs(NOBODY),
    "assistants.get_versions unknown": lambda c: c.assistants.get_versions(NOBODY),
    "assistants.create with no graph": sent("POST", "/assistants", json={"name": "x"}),
    "assistants.search, a wrong limit": sent("POST", "/assistants/search", json={"limit": "x"}),
    "assistants.delete an agent's": an_agents_assistant,
    "threads.update unknown": lambda c: c.threads.update(NOBODY, metadata={}),
    "threads.delete unknown": lambda c: c.threads.delete(NOBODY),
    "threads.copy unknown": lambda c: c.threads.copy(NOBODY),
    "threads.get_state unknown": lambda c: c.threads.get_state(NOBODY),
    "threads.get_history unknown": lambda c: c.threads.get_history(NOBODY),
    "threads.update_state unknown": lambda c: c.threads.update_state(NOBODY, {}),
    "threads.update_state beside a run": busy_thread,
    "threads.get_state at no checkpoint": at_no_checkpoint,
    "threads.prune unknown": lambda c: c.threads.prune([NOBODY]),
    "threads.create by a name": sent("POST", "/threads", json={"thread_id": "a-name"}),
    "threads.create, wrong metadata": sent("POST", "/threads", json={"metadata": [1]}),
    "threads.create, half a body": sent("POST", "/threads", content='{"metadata": '),
    "threads.create, a list": sent("POST", "/threads", json=[1]),
    "threads.search, no limit": sent("POST", "/threads/search", json={"limit": 0}),
    "threads.search, a huge limit": sent("POST", "/threads/search", json={"limit": 5_000}),
    "threads.search, a wrong offset": sent("POST", "/threads/search", json={"offset": -1}),
    "threads.search, a wrong status": sent("POST", "/threads/search", json={"status": "odd"}),
    "threads.search, a wrong order": sent("POST", "/threads/search", json={"sort_by": "odd"}),
    "threads.get_history, a wrong limit": sent(
        "POST", "/threads/{thread}/history", json={"limit": "x"}
    ),
    "runs.create, no assistant": sent("POST", "/threads/{thread}/runs", json={"input": {}}),
    "runs.create, an odd strategy": run(multitask_strategy="odd"),
    "runs.create, an odd delay": run(after_seconds="x"),
    "runs.create, odd metadata": run(metadata=[1]),
    "runs.create, an odd config": run(config=[1]),
    "runs.create, an odd if_not_exists": run(if_not_exists="odd"),
    "runs.create, an odd on_disconnect": run(on_disconnect="odd"),
    "runs.create, an odd durability": run(durability="odd"),
    "runs.create, an odd command": run(command="odd"),
    "runs.create, odd nodes to stop at": run(interrupt_before=7),
    "runs.create_batch, no list": sent("POST", "/runs/batch", json={}),
    "runs.join unknown": lambda c: c.runs.join(NOBODY, NOBODY),
    "runs.list unknown": lambda c: c.runs.list(NOBODY),
    "runs.cancel unknown": lambda c: c.runs.cancel(NOBODY, NOBODY),
    "runs.delete unknown": lambda c: c.runs.delete(NOBODY, NOBODY),
    "runs.list, a wrong limit": sent("GET", "/threads/{thread}/runs?limit=x"),
    "runs.join_stream, an odd id": sent(
        "GET", f"/threads/{{thread}}/runs/{NOBODY}/stream", headers={"Last-Event-ID": "odd"}
    ),
    "crons.update unknown": lambda c: c.crons.update(NOBODY, enabled=False),
    "crons.delete unknown": lambda c: c.crons.delete(NOBODY),
    "crons.create of no assistant": lambda c: c.crons.create(NOBODY, schedule="0 8 * * *"),
    "crons.create_for_thread unknown": lambda c: c.crons.create_for_thread(
        NOBODY, "slow", schedule="0 8 * * *"
    ),
    "crons.create over before it begins": over_before_it_begins,
    "crons.create with seconds": with_seconds,
    "crons.create, no schedule": sent("POST", "/runs/crons", json={"assistant_id": "slow"}),
    "store.delete_item unknown": lambda c: c.store.delete_item(["nowhere"], "none"),
    "store.put_item nowhere": lambda c: c.store.put_item([], "one", {"a": 1}),
    "store.put_item, no key": sent("PUT", "/store/items", json={"namespace": ["x"], "value": {}}),
    "store.put_item, an odd value": sent(
        "PUT", "/store/items", json={"namespace": ["x"], "key": "a", "value": 7}
    ),
    "store.search_items, a wrong limit": sent(
        "POST", "/store/items/search", json={"namespace_prefix": ["x"], "limit": "x"}
    ),
}
