"""What both servers are asked, in an order in which each call finds what it needs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError

from tests.server.parity.refusals import NOBODY, REFUSALS
from tests.server.parity.variants import LONG, SAID, VARIANTS, Step

A, B, C, D, E, F = (f"6a1c6a0e-52c0-4a4c-9d4c-0f4a3c1f9b1{n}" for n in "abcdef")
"""Threads, and the ids of what clients make."""
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there", "id": "asked"}]}
MODES = ("values", "updates", "messages", "tasks", "checkpoints", "custom", "debug", "events")


async def read(stream: AsyncIterator[Any]) -> list[Any]:
    """Return what a stream brings."""
    return [[part.event, part.data] async for part in stream]


async def latest(c: LangGraphClient, thread: str = A) -> str:
    """Return the id of the latest run of a thread."""
    return str((await c.runs.list(thread))[0]["run_id"])


async def to_resume(c: LangGraphClient) -> list[Any]:
    return await read(
        c.runs.stream(A, "own", command={"resume": "yes"}, stream_mode=["updates", "values"])
    )


async def fork(c: LangGraphClient) -> Any:
    history = await c.threads.get_history(A)
    before = next(one for one in history if one["next"] == ["inner"])
    return await c.runs.wait(A, "own", checkpoint_id=before["checkpoint"]["checkpoint_id"])


async def at_checkpoint(c: LangGraphClient) -> Any:
    checkpoint = (await c.threads.get_history(A))[-1]["checkpoint"]
    return await c.threads.get_state(A, checkpoint=checkpoint)


async def by_checkpoint_id(c: LangGraphClient) -> Any:
    checkpoint = (await c.threads.get_history(A))[-1]["checkpoint"]
    return await c.threads.get_state(A, checkpoint_id=checkpoint["checkpoint_id"])


async def older(c: LangGraphClient) -> Any:
    history = await c.threads.get_history(A, limit=2)
    return await c.threads.get_history(A, before=history[-1]["checkpoint"], limit=2)


async def failed_status(c: LangGraphClient) -> Any:
    try:
        await c.runs.wait(C, "failing", input=SAID)
    except Exception as error:
        return type(error).__name__
    return None


async def cancel(c: LangGraphClient) -> Any:
    run = await c.runs.create(B, "talk", input=HELLO, after_seconds=100)
    await c.runs.cancel(B, run["run_id"], wait=False)
    return None


async def cancel_many(c: LangGraphClient) -> Any:
    run = await c.runs.create(B, "talk", input=HELLO, after_seconds=100)
    return await c.runs.cancel_many(thread_id=B, run_ids=[run["run_id"]])


async def join_thread(c: LangGraphClient) -> Any:
    thread = (await c.threads.create())["thread_id"]
    await c.runs.create(thread, "own", input=SAID, stream_mode="updates", after_seconds=1)
    found = []
    stream = await c.threads.join_stream(thread)
    async for part in stream:
        found.append([part.event, part.data])
        if part.event == "metadata" and part.data.get("status") == "run_done":
            break
    await stream.aclose()
    return found


async def stream_thread(c: LangGraphClient) -> Any:
    found: list[Any] = []
    async with c.threads.stream(assistant_id="talk") as thread:
        await thread.run.start(input=HELLO)
        async for event in thread.subscribe(channels=["values", "messages", "lifecycle"]):
            data = event["params"]["data"]
            found.append([event["method"], event["params"]["namespace"], data])
            if event["method"] == "lifecycle" and data["event"] == "completed":
                break
        found.append(await thread.output)
    return found


async def stream_thread_that_asks(c: LangGraphClient) -> Any:
    found: list[Any] = []
    async with c.threads.stream(assistant_id="own") as thread:
        await thread.run.start(input=SAID)
        async for event in thread.events:
            if event["method"] in {"lifecycle", "input.requested"}:
                found.append([event["method"], event["params"]["data"]])
            if event["method"] == "input.requested":
                break
        while not thread.interrupts:  # noqa: ASYNC110 - the client's watcher says it so
            await asyncio.sleep(0.01)
        await thread.run.respond("yes")
        found.append(await thread.output)
    return found


async def wrong_commands(c: LangGraphClient) -> Any:
    found = []
    for method, params in (
        ("nothing", {}),
        ("run.start", {}),
        ("input.respond", {"interrupt_id": "x", "namespace": [], "response": 1}),
    ):
        body = {"id": 1, "method": method, "params": params}
        found.append(await c.http.post(f"/threads/{A}/commands", json=body))
    return found


async def delayed(c: LangGraphClient) -> Any:
    run = await c.runs.create(B, "talk", input=HELLO, after_seconds=100)
    seen = await c.runs.get(B, run["run_id"])
    await c.runs.cancel(B, run["run_id"], wait=False)
    return seen


async def busy(c: LangGraphClient) -> Any:
    thread = (await c.threads.create())["thread_id"]
    run = await c.runs.create(thread, "slow", input=LONG)
    try:
        return await c.runs.create(thread, "slow", input=SAID, multitask_strategy="reject")
    finally:
        await c.runs.cancel(thread, run["run_id"], wait=True)


async def beside_a_later_one(c: LangGraphClient) -> Any:
    thread = (await c.threads.create())["thread_id"]
    run = await c.runs.create(thread, "slow", input=SAID, after_seconds=100)
    try:
        made = await c.runs.create(thread, "slow", input=SAID, multitask_strategy="reject")
        await c.runs.join(thread, made["run_id"])
        return "accepted"
    finally:
        await c.runs.cancel(thread, run["run_id"], wait=False)


async def batch(c: LangGraphClient) -> Any:
    made = await c.runs.create_batch([{"assistant_id": "talk", "input": HELLO}] * 2)
    await asyncio.gather(*(c.runs.join(one["thread_id"], one["run_id"]) for one in made))
    return made


async def joined(c: LangGraphClient) -> Any:
    return await c.runs.join(B, await latest(c, B))


async def rejoined(c: LangGraphClient) -> Any:
    run = await c.runs.create(B, "talk", input=HELLO, stream_mode="updates", stream_resumable=True)
    await c.runs.join(B, run["run_id"])
    return await read(c.runs.join_stream(B, run["run_id"], last_event_id="-1"))


async def deleted_run(c: LangGraphClient) -> Any:
    run = await latest(c, B)
    await c.runs.delete(B, run)
    return await c.runs.get(B, run)


async def copied(c: LangGraphClient) -> Any:
    copy: Any = await c.threads.copy(B)
    state = await c.threads.get_state(copy["thread_id"])
    await c.threads.delete(copy["thread_id"])
    return state["values"]


async def supersteps(c: LangGraphClient) -> Any:
    step = {"updates": [{"values": {"said": ["before"]}, "as_node": "first"}]}
    await c.threads.create(thread_id=E, graph_id="own", supersteps=[step])
    return await c.threads.get_state(E)


async def pruned(c: LangGraphClient) -> Any:
    answer = await c.threads.prune([E], strategy="keep_latest")
    return [answer, len(await c.threads.get_history(E))]


async def cron_id(c: LangGraphClient) -> str:
    return str((await c.crons.search(thread_id=B))[0]["cron_id"])


async def changed_cron(c: LangGraphClient) -> Any:
    return await c.crons.update(await cron_id(c), enabled=False)


async def deleted_cron(c: LangGraphClient) -> Any:
    return await c.crons.delete(await cron_id(c))


async def assistant_named(c: LangGraphClient, name: str) -> str:
    return str((await c.assistants.search(graph_id=name))[0]["assistant_id"])


async def by_uuid(c: LangGraphClient) -> Any:
    return await c.assistants.get(await assistant_named(c, "own"))


def modes(mode: str | list[str], **options: Any) -> Step:
    """Return the step that streams in a mode."""

    async def stream(c: LangGraphClient) -> list[Any]:
        thread = (await c.threads.create())["thread_id"]
        return await read(c.runs.stream(thread, "own", input=SAID, stream_mode=mode, **options))

    return stream


STEPS: dict[str, Step] = {
    "assistants.search": lambda c: c.assistants.search(graph_id="own"),
    "assistants.get by uuid": by_uuid,
    "assistants.get unknown": lambda c: c.assistants.get(NOBODY),
    "assistants.create": lambda c: c.assistants.create(
        "own", assistant_id=F, name="Mine", metadata={"of": "me"}, config={"recursion_limit": 20}
    ),
    "assistants.create again": lambda c: c.assistants.create("own", assistant_id=F),
    "assistants.create again, if_exists": lambda c: c.assistants.create(
        "own", assistant_id=F, if_exists="do_nothing"
    ),
    "assistants.create of no graph": lambda c: c.assistants.create("nothing"),
    "assistants.get": lambda c: c.assistants.get(F),
    "assistants.update": lambda c: c.assistants.update(
        F, name="Ours", metadata={"and": "you"}, description="Asks."
    ),
    "assistants.get_versions": lambda c: c.assistants.get_versions(F),
    "assistants.set_latest": lambda c: c.assistants.set_latest(F, 1),
    "assistants.set_latest unknown": lambda c: c.assistants.set_latest(F, 9),
    "assistants.search by metadata": lambda c: c.assistants.search(metadata={"of": "me"}),
    "assistants.count": lambda c: c.assistants.count(metadata={"of": "me"}),
    "assistants.get_graph": lambda c: c.assistants.get_graph(F),
    "assistants.get_graph xray": lambda c: c.assistants.get_graph(F, xray=True),
    "assistants.get_schemas": lambda c: c.assistants.get_schemas(F),
    "assistants.get_subgraphs": lambda c: c.assistants.get_subgraphs(F),
    "threads.create": lambda c: c.threads.create(thread_id=A, metadata={"of": "a"}),
    "threads.create again": lambda c: c.threads.create(thread_id=A),
    "threads.create again, if_exists": lambda c: c.threads.create(
        thread_id=A, if_exists="do_nothing"
    ),
    "threads.get": lambda c: c.threads.get(A),
    "threads.get unknown": lambda c: c.threads.get(NOBODY),
    "threads.get_state of a new thread": lambda c: c.threads.get_state(A),
    "threads.get_history of a new thread": lambda c: c.threads.get_history(A),
    "threads.update": lambda c: c.threads.update(A, metadata={"kind": "test"}),
    "runs.wait that asks": lambda c: c.runs.wait(A, F, input=SAID, metadata={"mine": 1}),
    "threads.get interrupted": lambda c: c.threads.get(A),
    "threads.get_state interrupted": lambda c: c.threads.get_state(A),
    "threads.get_state subgraphs": lambda c: c.threads.get_state(A, subgraphs=True),
    "runs.list": lambda c: c.runs.list(A),
    "runs.stream resumed": to_resume,
    "threads.get after": lambda c: c.threads.get(A),
    "threads.get_state after": lambda c: c.threads.get_state(A),
    "threads.get_history": lambda c: c.threads.get_history(A),
    "threads.get_history limit and before": older,
    "threads.get_history by metadata": lambda c: c.threads.get_history(A, metadata={"step": 0}),
    "threads.get_state at a checkpoint": at_checkpoint,
    "threads.get_state by checkpoint_id": by_checkpoint_id,
    "runs.wait forked": fork,
    "threads.update_state": lambda c: c.threads.update_state(A, {"number": 7}, as_node="inner"),
    "threads.update_state of an unknown node": lambda c: c.threads.update_state(
        A, {"number": 7}, as_node="nobody"
    ),
    "runs.wait with command.update and goto": lambda c: c.runs.wait(
        A, "own", command={"update": {"number": 9}, "goto": "inner"}
    ),
    "runs.wait interrupt_before": lambda c: c.runs.wait(
        D, "own", input=SAID, interrupt_before=["inner"], if_not_exists="create"
    ),
    "threads.get_state before a node": lambda c: c.threads.get_state(D),
    "runs.wait on no thread": lambda c: c.runs.wait(NOBODY, "own", input=SAID),
    "runs.wait of no assistant": lambda c: c.runs.wait(A, "nothing", input=SAID),
    "runs.create, if_not_exists": lambda c: c.runs.create(
        B, "talk", input=HELLO, if_not_exists="create", metadata={"mine": 2}
    ),
    "runs.join": joined,
    "runs.get unknown": lambda c: c.runs.get(B, NOBODY),
    "runs.list by status": lambda c: c.runs.list(B, status="success"),
    "runs.create after_seconds": delayed,
    "runs.cancel": cancel,
    "runs.cancel_many": cancel_many,
    "runs.create rejected": busy,
    "runs.create beside one that begins later": beside_a_later_one,
    "runs.stream without a thread": lambda c: read(c.runs.stream(None, "own", input=SAID)),
    "runs.create_batch": batch,
    "runs.wait that fails": failed_status,
    "runs.wait that fails, threadless": lambda c: c.runs.wait(
        None, "failing", input=SAID, raise_error=False
    ),
    "runs.stream that fails": lambda c: read(c.runs.stream(None, "failing", input=SAID)),
    "runs.join_stream": rejoined,
    **{f"runs.stream {mode}": modes(mode) for mode in MODES},
    "runs.stream several modes": modes(["values", "updates", "custom"]),
    "runs.stream subgraphs": modes(["values", "updates"], stream_subgraphs=True),
    "runs.stream of messages": lambda c: read(
        c.runs.stream(B, "talk", input=HELLO, stream_mode="messages")
    ),
    "runs.stream of message tuples": lambda c: read(
        c.runs.stream(B, "talk", input=HELLO, stream_mode="messages-tuple")
    ),
    "runs.stream a wrong mode": modes("nothing"),
    "runs.delete": deleted_run,
    "threads.copy": copied,
    "threads.join_stream": join_thread,
    "threads.stream": stream_thread,
    "threads.stream that asks": stream_thread_that_asks,
    "threads.stream, wrong commands": wrong_commands,
    "threads.search": lambda c: c.threads.search(metadata={"of": "a"}),
    "threads.search by status": lambda c: c.threads.search(
        ids=[A, B], status="idle", sort_by="created_at", sort_order="asc"
    ),
    "threads.search by values, selected": lambda c: c.threads.search(
        ids=[A], select=["thread_id", "status"]
    ),
    "threads.count": lambda c: c.threads.count(metadata={"of": "a"}),
    "threads.create supersteps": supersteps,
    "threads.prune": pruned,
    "crons.create_for_thread": lambda c: c.crons.create_for_thread(
        B, "talk", schedule="0 8 * * *", input=HELLO, metadata={"every": "day"}
    ),
    "crons.search": lambda c: c.crons.search(thread_id=B),
    "crons.count": lambda c: c.crons.count(thread_id=B),
    "crons.update": changed_cron,
    "crons.delete": deleted_cron,
    "crons.create": lambda c: c.crons.create("talk", schedule="0 8 * * *", input=HELLO),
    "crons.create of a wrong schedule": lambda c: c.crons.create("talk", schedule="nonsense"),
    "store.put_item": lambda c: c.store.put_item(["parity", "x"], "one", {"a": 1}),
    "store.get_item": lambda c: c.store.get_item(["parity", "x"], "one"),
    "store.get_item unknown": lambda c: c.store.get_item(["parity", "x"], "none"),
    "store.search_items": lambda c: c.store.search_items(["parity"], filter={"a": 1}),
    "store.list_namespaces": lambda c: c.store.list_namespaces(prefix=["parity"], max_depth=1),
    "store.delete_item": lambda c: c.store.delete_item(["parity", "x"], "one"),
    "threads.delete": lambda c: c.threads.delete(A),
    "threads.get deleted": lambda c: c.threads.get(A),
    "assistants.delete": lambda c: c.assistants.delete(F),
    "assistants.get deleted": lambda c: c.assistants.get(F),
    **VARIANTS,
    **REFUSALS,
}


async def answers(client: LangGraphClient) -> dict[str, Any]:
    """Return what a server answers to every step: the result, or the status it is refused with."""
    found: dict[str, Any] = {}
    for name, step in STEPS.items():
        try:
            found[name] = await asked(step, client)
        except Exception as error:
            raise AssertionError(f"{name} could not be asked") from error
    return found


async def asked(step: Step, client: LangGraphClient) -> Any:
    """Return what a server answers to a step; asked again where a failure before broke the line."""
    for last in (False, True):
        try:
            return await step(client)
        except (APIStatusError, httpx.HTTPStatusError) as refused:
            return {"refused with": refused.response.status_code}
        except httpx.TransportError:
            if last:
                return "broke the connection off"
    return None
