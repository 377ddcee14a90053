"""``docs/compatibility.md``: every method of the Python client, and whether it is served."""

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from langgraph_sdk import client as clients
from langgraph_sdk.client import LangGraphClient

from tests.server.parity.__main__ import RECORD
from tests.server.parity.compare import count
from tests.server.parity.explained import EXPLAINED
from tests.server.parity.steps import STEPS

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"
KEY = "6a1c6a0e-52c0-4a4c-9d4c-0f4a3c1f9b11"
Ask = Callable[[LangGraphClient], Awaitable[Any]]
ASKED = {"said": ["hello"]}
DAILY = "0 8 * * *"


async def drained(stream: AsyncIterator[Any]) -> None:
    """Read a stream to its end."""
    assert [part async for part in stream][-1].event == "end"


async def latest(client: LangGraphClient) -> str:
    """Return the id of the thread's latest run."""
    return str((await client.runs.list(KEY))[0]["run_id"])


async def join(client: LangGraphClient) -> None:
    await client.runs.join(KEY, await latest(client))


async def join_stream(client: LangGraphClient) -> None:
    await drained(client.runs.join_stream(KEY, await latest(client)))


async def join_thread(client: LangGraphClient) -> None:
    parts = await client.threads.join_stream(KEY, last_event_id="-1")
    async for part in parts:
        if part.event == "metadata" and part.data.get("status") == "run_done":
            break
    await parts.aclose()


async def stream_thread(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="own") as thread:
        await thread.run.start(input=ASKED)
        async for event in thread.events:
            if event["method"] == "input.requested":
                return


async def get(client: LangGraphClient) -> None:
    await client.runs.get(KEY, await latest(client))


async def cancel(client: LangGraphClient) -> None:
    run = await client.runs.create(KEY, "own", input=ASKED, after_seconds=100)
    await client.runs.cancel(KEY, run["run_id"], wait=True)


async def cancel_many(client: LangGraphClient) -> None:
    run = await client.runs.create(KEY, "own", input=ASKED, after_seconds=100)
    await client.runs.cancel_many(thread_id=KEY, run_ids=[run["run_id"]])


async def delete(client: LangGraphClient) -> None:
    await client.runs.delete(KEY, await latest(client))


async def cron(client: LangGraphClient) -> str:
    """Return the id of a cron."""
    return str((await client.crons.search())[0]["cron_id"])


async def update_cron(client: LangGraphClient) -> None:
    await client.crons.update(await cron(client), enabled=False)


async def delete_cron(client: LangGraphClient) -> None:
    await client.crons.delete(await cron(client))


CALLS: dict[str, Ask] = {
    "assistants.create": lambda c: c.assistants.create("own", assistant_id=KEY),
    "assistants.get": lambda c: c.assistants.get(KEY),
    "assistants.get_graph": lambda c: c.assistants.get_graph(KEY),
    "assistants.get_schemas": lambda c: c.assistants.get_schemas(KEY),
    "assistants.get_subgraphs": lambda c: c.assistants.get_subgraphs(KEY),
    "assistants.update": lambda c: c.assistants.update(KEY, name="Mine"),
    "assistants.search": lambda c: c.assistants.search(),
    "assistants.count": lambda c: c.assistants.count(),
    "assistants.get_versions": lambda c: c.assistants.get_versions(KEY),
    "assistants.set_latest": lambda c: c.assistants.set_latest(KEY, 1),
    "assistants.delete": lambda c: c.assistants.delete(KEY),
    "threads.create": lambda c: c.threads.create(thread_id=KEY, graph_id="own"),
    "threads.get": lambda c: c.threads.get(KEY),
    "threads.update": lambda c: c.threads.update(KEY, metadata={"a": 1}),
    "threads.search": lambda c: c.threads.search(),
    "threads.count": lambda c: c.threads.count(),
    "threads.update_state": lambda c: c.threads.update_state(KEY, {"number": 1}, as_node="inner"),
    "threads.get_state": lambda c: c.threads.get_state(KEY),
    "threads.get_history": lambda c: c.threads.get_history(KEY),
    "threads.copy": lambda c: c.threads.copy(KEY),
    "threads.prune": lambda c: c.threads.prune([KEY], strategy="keep_latest"),
    "runs.create": lambda c: c.runs.create(KEY, "own", input=ASKED),
    "runs.wait": lambda c: c.runs.wait(KEY, "own", input=ASKED),
    "runs.stream": lambda c: drained(c.runs.stream(KEY, "own", input=ASKED)),
    "runs.create_batch": lambda c: c.runs.create_batch([{"assistant_id": "own", "input": ASKED}]),
    "runs.list": lambda c: c.runs.list(KEY),
    "runs.get": get,
    "runs.join": join,
    "runs.join_stream": join_stream,
    "threads.join_stream": join_thread,
    "threads.stream": stream_thread,
    "runs.cancel": cancel,
    "runs.cancel_many": cancel_many,
    "runs.delete": delete,
    "crons.create": lambda c: c.crons.create("own", schedule=DAILY),
    "crons.create_for_thread": lambda c: c.crons.create_for_thread(
        KEY, "own", schedule="0 8 * * *"
    ),
    "crons.search": lambda c: c.crons.search(),
    "crons.count": lambda c: c.crons.count(),
    "crons.update": update_cron,
    "crons.delete": delete_cron,
    "threads.delete": lambda c: c.threads.delete(KEY),
    "store.put_item": lambda c: c.store.put_item(["docs"], "one", {"a": 1}),
    "store.get_item": lambda c: c.store.get_item(["docs"], "one"),
    "store.search_items": lambda c: c.store.search_items(["docs"]),
    "store.list_namespaces": lambda c: c.store.list_namespaces(),
    "store.delete_item": lambda c: c.store.delete_item(["docs"], "one"),
}
"""A call of each method that is served, in an order in which each finds what it needs."""
RESOURCES = {
    "assistants": clients.AssistantsClient,
    "threads": clients.ThreadsClient,
    "runs": clients.RunsClient,
    "crons": clients.CronClient,
    "store": clients.StoreClient,
}
HEAD = """# Clients of LangGraph's server

`treadle.server.langgraph` speaks the protocol of LangGraph's server. The table holds every method \
of the Python package `langgraph-sdk`; a test calls each one that is served, on a real server, \
and makes this page.

| method | served |
|---|---|
"""
TAIL = """
A field of a request that is not supported is refused by its name, with status 422: `ttl` of a \
thread, `command` in its supersteps, `extract` and dotted paths in `select`, of a run \
`strict_resume` and a checkpoint of a subgraph, and `checkpoint_during` of a cron.

A cron is a [schedule](schedules.md) whose name is its id: `treadle schedule list` shows it, and \
that it came over HTTP. It belongs to whoever created it. A `webhook` is signed, sent and repeated \
as [notifications](notifications.md) are, under the same rules for addresses; it needs a secret, \
which `[server] webhook_secret_env` names. Threads that another protocol, a schedule or a program \
began are found as well, with the agent as their graph.

`threads.stream` goes over server-sent events, or with `transport="websocket"` over a WebSocket, \
on which JavaScript's client sends its commands too. The Python client does not send its key when \
it connects one, and pages cannot: name the key in `headers` of `threads.stream`, or in a \
`webSocketFactory`; on a page, use server-sent events. With an answer (`respond`), `config` and \
`metadata` say how its run goes on from there, in place of what they said when it began; without \
them it goes on as before.

With `config={{"dry_run": True}}` a run on a thread is a [dry run](operations.md): it is joined \
and streamed as any run, is not among the thread's, and `GET /runs/{{run_id}}/plan` tells what a \
live one would do.

What is not served has no route and answers 404 or 405.

## Differences from `langgraph dev`

What both answer to {steps} calls is compared field by field, {values:,} values in all: every \
method of the table with what it can be told, recorded from {version}. Ids and times are new in \
every run; everything else that differs is here, with the reason, and so is what no recorded \
answer shows.

| what | `langgraph dev` | Treadle | why |
|---|---|---|---|
"""


def page() -> str:
    """Return the page as it should be."""
    rows = [
        f"| `{name}` | {'yes' if name in CALLS else 'no'} |"
        for resource, client in RESOURCES.items()
        for name in methods(resource, client)
    ]
    kept = json.loads(RECORD.read_text())
    values = sum(map(count, kept["answers"].values()))
    tail = TAIL.format(steps=len(STEPS), values=values, version=kept["version"])
    explained = "\n".join(one.row() for one in EXPLAINED)
    return HEAD + "\n".join(rows) + "\n" + tail + explained + "\n"


def methods(resource: str, client: type) -> list[str]:
    """Return the names of a client's public methods."""
    found = inspect.getmembers(client, inspect.isfunction)
    return [f"{resource}.{name}" for name, _ in found if not name.startswith("_")]


async def test_every_method_that_the_page_calls_served_is(client):
    for name, ask in CALLS.items():
        try:
            await ask(client)
        except Exception as error:
            raise AssertionError(f"{name} is not served") from error


def test_the_page_is_up_to_date(tmp_path):
    made = tmp_path / "compatibility.md"
    made.write_text(page())
    assert PAGE.read_text() == page(), f"copy {made} to docs/compatibility.md"
