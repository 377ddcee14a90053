"""What calls can be told besides, and where they say that a run is: each on a thread of its own."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from langgraph_sdk.client import LangGraphClient

SAID: dict[str, Any] = {"said": ["hello"]}
LONG: dict[str, Any] = {**SAID, "number": 300}
"""What makes ``slow`` run until it is stopped, however slow the machine is."""
PLACES = ("location", "content-location")
Step = Callable[[LangGraphClient], Awaitable[Any]]


async def new_thread(c: LangGraphClient, **about: Any) -> str:
    """Return the id of a new thread."""
    return str((await c.threads.create(**about))["thread_id"])


def headers(path: str) -> Step:
    """Return the step that asks for a run at a path, and tells where the answer says it is."""

    async def asked(c: LangGraphClient) -> Any:
        place = path.format(thread=await new_thread(c))
        answer = await c.http.client.post(place, json={"assistant_id": "slow", "input": SAID})
        found = {"status": answer.status_code, "type": answer.headers["content-type"]}
        for name in PLACES:
            found[name] = re.sub(r"[0-9a-f-]{32,36}", "<id>", answer.headers.get(name, ""))
        return found

    return asked


async def joined_headers(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    run = await c.runs.create(thread, "slow", input=SAID)
    answer = await c.http.client.get(f"/threads/{thread}/runs/{run['run_id']}/stream")
    found = {name: answer.headers.get(name, "") for name in PLACES}
    return {name: re.sub(r"[0-9a-f-]{32,36}", "<id>", value) for name, value in found.items()}


def beside(strategy: Any) -> Step:
    """Return the step that begins a run beside another one, and tells how both ended."""

    async def asked(c: LangGraphClient) -> Any:
        thread = await new_thread(c)
        first = SAID if strategy == "enqueue" else LONG
        await c.runs.create(thread, "slow", input=first)
        run = await c.runs.create(thread, "slow", input=SAID, multitask_strategy=strategy)
        await c.runs.join(thread, run["run_id"])
        runs = await c.runs.list(thread)
        return [[one["status"], one["multitask_strategy"]] for one in runs]

    return asked


def stopped(action: Any) -> Step:
    """Return the step that stops a run and waits for its end."""

    async def asked(c: LangGraphClient) -> Any:
        thread = await new_thread(c)
        run = await c.runs.create(thread, "slow", input=LONG)
        await c.runs.cancel(thread, run["run_id"], wait=True, action=action)
        return [one["status"] for one in await c.runs.list(thread)]

    return asked


async def at_its_end(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    run = await c.runs.create(thread, "slow", input=SAID, metadata={"mine": 3})
    await c.runs.join(thread, run["run_id"])
    seen = await c.runs.get(thread, run["run_id"])
    chosen = await c.runs.list(thread, limit=1, select=["status", "thread_id"])
    return [seen, chosen, await c.runs.list(thread, offset=1)]


async def cancelled_at_its_end(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    run = await c.runs.create(thread, "slow", input=SAID)
    await c.runs.join(thread, run["run_id"])
    await c.runs.cancel(thread, run["run_id"])
    return (await c.runs.get(thread, run["run_id"]))["status"]


async def kept(c: LangGraphClient) -> Any:
    run = await c.runs.create(None, "slow", input=SAID, on_completion="keep")
    await c.runs.join(run["thread_id"], run["run_id"])
    return (await c.threads.get_state(run["thread_id"]))["values"]


async def nothing_to_resume(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    return await c.runs.wait(thread, "own", command={"resume": "yes"}, raise_error=False)


async def with_options(c: LangGraphClient) -> Any:
    return await c.runs.wait(
        await new_thread(c),
        "own",
        input=SAID,
        interrupt_after=["first"],
        durability="exit",
        config={"recursion_limit": 9, "tags": ["one"]},
        metadata={"mine": 4},
    )


async def goto_the_end(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    await c.runs.wait(thread, "own", input=SAID, interrupt_before=["inner"])
    await c.threads.update_state(thread, None, as_node="ask")
    return (await c.threads.get_state(thread))["next"]


async def by_values(c: LangGraphClient) -> Any:
    thread = await new_thread(c, graph_id="own")
    await c.threads.update_state(thread, {"number": 4711}, as_node="inner")
    fields: Any = ["status", "values"]
    return await c.threads.search(values={"number": 4711}, select=fields)


async def sorted_threads(c: LangGraphClient) -> Any:
    made = [await new_thread(c, metadata={"sorted": n}) for n in range(3)]
    found = await c.threads.search(ids=made, sort_by="created_at", sort_order="desc", limit=2)
    rest = await c.threads.search(ids=made, sort_by="created_at", sort_order="desc", offset=2)
    by_id = await c.threads.search(ids=made, sort_by="thread_id", sort_order="asc")
    in_order = [one["thread_id"] for one in by_id] == sorted(made)
    return [[one["metadata"] for one in found], [one["metadata"] for one in rest], in_order]


async def removed(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    answer = await c.threads.prune([thread])
    return [answer, await c.threads.search(ids=[thread])]


async def copy_described(c: LangGraphClient) -> Any:
    thread = await new_thread(c, metadata={"of": "copies"})
    await c.runs.wait(thread, "slow", input=SAID)
    copy: Any = await c.threads.copy(thread)
    seen = await c.threads.get(copy["thread_id"])
    history = await c.threads.get_history(copy["thread_id"])
    return [{name: seen.get(name) for name in ("status", "values")}, len(history)]


async def sorted_assistants(c: LangGraphClient) -> Any:
    made = [
        await c.assistants.create("slow", name=f"Slow {n}", metadata={"sorted": True})
        for n in range(2)
    ]
    fields: Any = ["name", "graph_id"]
    about: Any = {"metadata": {"sorted": True}, "sort_by": "name", "sort_order": "desc"}
    found = await c.assistants.search(**about, select=fields)
    page = await c.assistants.search(**about, limit=1, offset=1)
    named = await c.assistants.search(name="slow 1")
    for one in made:
        await c.assistants.delete(one["assistant_id"])
    return [found, [one["name"] for one in page], [one["name"] for one in named]]


async def cron_of_a_thread(c: LangGraphClient) -> Any:
    thread = await new_thread(c)
    made = await c.crons.create_for_thread(
        thread, "slow", schedule="30 7 * * 1", input=SAID, timezone="Europe/Berlin"
    )
    fields: Any = ["cron_id", "schedule", "thread_id", "enabled", "timezone"]
    found = await c.crons.search(thread_id=thread, select=fields)
    changed = await c.crons.update(made["cron_id"], schedule="0 9 * * *")
    await c.crons.delete(made["cron_id"])
    return [found, changed["schedule"], await c.crons.count(thread_id=thread)]


async def kept_items(c: LangGraphClient) -> Any:
    for n in range(3):
        await c.store.put_item(["kept", "of", f"user{n}"], "one", {"n": n}, index=False)
    await c.store.put_item(["kept", "of", "user0"], "one", {"n": 0, "again": True})
    found = [
        (await c.store.get_item(["kept", "of", "user0"], "one"))["value"],
        len((await c.store.search_items(["kept"], filter={"n": {"$gte": 1}}))["items"]),
        len((await c.store.search_items(["kept"], limit=2, offset=2))["items"]),
        await c.store.list_namespaces(prefix=["kept"], suffix=["user1"]),
        await c.store.list_namespaces(prefix=["kept"], limit=1, offset=2),
        await c.store.list_namespaces(prefix=["nowhere"]),
    ]
    for n in range(3):
        await c.store.delete_item(["kept", "of", f"user{n}"], "one")
    return [*found, await c.store.search_items(["kept"])]


VARIANTS: dict[str, Step] = {
    "runs.create, its headers": headers("/threads/{thread}/runs"),
    "runs.wait, its headers": headers("/threads/{thread}/runs/wait"),
    "runs.stream, its headers": headers("/threads/{thread}/runs/stream"),
    "runs.create, its headers without a thread": headers("/runs"),
    "runs.wait, its headers without a thread": headers("/runs/wait"),
    "runs.stream, its headers without a thread": headers("/runs/stream"),
    "runs.join_stream, its headers": joined_headers,
    "runs.create enqueued": beside("enqueue"),
    "runs.create that interrupts another": beside("interrupt"),
    "runs.create that rolls another back": beside("rollback"),
    "runs.cancel, waited for": stopped("interrupt"),
    "runs.cancel that rolls back": stopped("rollback"),
    "runs.cancel at its end": cancelled_at_its_end,
    "runs.get at its end": at_its_end,
    "runs.create without a thread, kept": kept,
    "runs.wait with nothing to resume": nothing_to_resume,
    "runs.wait with options": with_options,
    "threads.update_state that ends the graph": goto_the_end,
    "threads.search by a value": by_values,
    "threads.search sorted": sorted_threads,
    "threads.prune that deletes": removed,
    "threads.copy described": copy_described,
    "assistants.search sorted": sorted_assistants,
    "crons.create_for_thread in a time zone": cron_of_a_thread,
    "store.put_item into namespaces": kept_items,
}
