"""Threads and their states, through the Python client of LangGraph's server."""

import asyncio

import pytest
from langgraph_sdk.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)

from treadle.runtime.queue import RunRequest

ASKED = {"said": ["hello"]}


async def waiting_thread(client, runtime):
    """Return a thread whose graph waits for an answer."""
    thread = await client.threads.create(metadata={"graph_id": "own", "team": "looms"})
    config = {"configurable": {"thread_id": thread["thread_id"]}}
    await runtime.graph("own").ainvoke({"said": ["hello"]}, config)
    return thread["thread_id"]


async def test_a_thread_is_created_read_changed_and_deleted(client):
    thread = await client.threads.create(metadata={"a": 1, "b": 1})
    assert (thread["status"], thread["values"], thread["interrupts"]) == ("idle", None, {})
    changed = await client.threads.update(thread["thread_id"], metadata={"b": 2})
    assert changed["metadata"] == {"a": 1, "b": 2}
    assert await client.threads.get(thread["thread_id"]) == changed
    await client.threads.delete(thread["thread_id"])
    with pytest.raises(NotFoundError):
        await client.threads.get(thread["thread_id"])
    with pytest.raises(NotFoundError):
        await client.threads.delete(thread["thread_id"])


async def test_a_thread_that_exists_is_kept_as_it_is(client):
    thread = await client.threads.create(thread_id="one", metadata={"a": 1})
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id="one")
    assert await client.threads.create(thread_id="one", if_exists="do_nothing") == thread


async def test_a_field_that_is_not_supported_is_refused_by_name(client):
    with pytest.raises(UnprocessableEntityError) as error:
        await client.threads.create(ttl=5)
    assert "ttl" in str(error.value.body)


async def test_a_hundred_changes_at_once_all_count(client):
    await client.threads.create(thread_id="one")
    changes = (client.threads.update("one", metadata={f"key{n}": n}) for n in range(100))
    await asyncio.gather(*changes)
    assert len((await client.threads.get("one"))["metadata"]) == 100


async def test_an_interrupted_thread_shows_what_it_waits_for(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    thread = await client.threads.get(thread_id)
    assert thread["status"] == "interrupted"
    assert thread["values"] == {"said": ["hello", "first", "hello", "first"], "number": 1}
    ((interrupt,),) = thread["interrupts"].values()
    assert interrupt["value"] == "Sure?"
    state = await client.threads.get_state(thread_id)
    assert (state["next"], state["values"]) == (["ask"], thread["values"])
    assert state["interrupts"] == [interrupt]
    assert state["tasks"][0]["interrupts"] == [interrupt]


async def test_threads_are_found_by_metadata_status_and_values(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    await client.threads.create(thread_id="other", metadata={"team": "dyes"})
    for wanted in (
        {"metadata": {"team": "looms"}},
        {"status": "interrupted"},
        {"values": {"number": 1}},
        {"ids": [thread_id]},
    ):
        found = await client.threads.search(**wanted)
        assert [thread["thread_id"] for thread in found] == [thread_id]
    assert await client.threads.search(values={"number": 2}) == []
    assert await client.threads.count() == 2
    assert await client.threads.count(status="interrupted") == 1
    (newest,) = await client.threads.search(limit=1, select=["thread_id"])
    assert newest == {"thread_id": "other"}
    (oldest,) = await client.threads.search(sort_by="created_at", sort_order="asc", limit=1)
    assert oldest["thread_id"] == thread_id


async def test_true_is_not_1_in_what_is_searched_for(client):
    yes = (await client.threads.create(metadata={"flag": True}))["thread_id"]
    one = (await client.threads.create(metadata={"flag": 1, "deep": [{"a": 1}]}))["thread_id"]
    for wanted, ids in (
        ({"flag": True}, [yes]),
        ({"flag": 1}, [one]),
        ({"deep": [{"a": 1.0}]}, [one]),
        ({"deep": [{"a": True}]}, []),
        ({"flag": {"a": 1}}, []),
    ):
        found = await client.threads.search(metadata=wanted)
        assert [thread["thread_id"] for thread in found] == ids
    await client.runs.wait(yes, "own", input={"said": []}, metadata={"flag": True})
    assert await client.threads.get_history(yes, metadata={"flag": 1}) == []
    assert await client.threads.get_history(yes, metadata={"flag": True})


async def test_a_state_is_changed_and_its_history_read(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    before = await client.threads.get_state(thread_id)
    made = await client.threads.update_state(thread_id, {"number": 7}, as_node="inner")
    after = await client.threads.get_state(thread_id)
    assert (after["values"]["number"], after["next"]) == (7, ["ask"])
    assert after["checkpoint"] == made["checkpoint"]
    assert after["parent_checkpoint"] == before["checkpoint"]
    at = await client.threads.get_state(thread_id, checkpoint=before["checkpoint"])
    by_id = await client.threads.get_state(
        thread_id, checkpoint_id=before["checkpoint"]["checkpoint_id"]
    )
    assert at["values"] == by_id["values"] == before["values"]
    history = await client.threads.get_history(thread_id)
    assert [state["values"].get("number") for state in history[:2]] == [7, 1]
    earlier = await client.threads.get_history(thread_id, before=history[1]["checkpoint"], limit=2)
    assert earlier == history[2:4]
    assert await client.threads.get_history(thread_id, metadata={"source": "update"}) == history[:1]


async def test_a_state_is_forked_at_a_checkpoint(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    (start,) = await client.threads.get_history(thread_id, metadata={"source": "input"})
    await client.threads.update_state(
        thread_id, {"number": 9}, as_node="first", checkpoint=start["checkpoint"]
    )
    state = await client.threads.get_state(thread_id)
    assert (state["values"]["number"], state["next"]) == (9, ["inner"])
    assert state["parent_checkpoint"] == start["checkpoint"]


async def test_the_state_of_a_subgraph_is_shown(client, runtime):
    thread = await client.threads.create(metadata={"graph_id": "own"})
    state = await client.threads.get_state(thread["thread_id"], subgraphs=True)
    assert (state["values"], state["tasks"]) == ({}, [])


async def test_a_thread_is_begun_with_a_state(client):
    update = {"values": {"said": ["before"]}, "as_node": "first"}
    thread = await client.threads.create(
        graph_id="own", supersteps=[{"updates": [update]}, {"updates": [update]}]
    )
    assert thread["values"] == {"said": ["before", "before"]}
    wrong = {"values": {}, "as_node": "nobody"}
    with pytest.raises(BadRequestError):
        await client.threads.create(
            thread_id="wrong", graph_id="own", supersteps=[{"updates": [wrong]}]
        )
    with pytest.raises(NotFoundError):  # What could not be begun is not kept.
        await client.threads.get("wrong")


REFUSED_BY_REDUCERS = [
    ("own", {"said": 5}, "concatenate"),
    ("plain", {"messages": 5}, "int"),
    ("plain", {"messages": None}, "non-null"),
    ("plain", {"messages": [{"role": "alien", "content": "hi"}]}, "alien"),
]


@pytest.mark.parametrize(("graph", "values", "why"), REFUSED_BY_REDUCERS)
async def test_values_that_the_graph_cannot_take_are_refused(client, graph, values, why):
    thread = (await client.threads.create(graph_id=graph))["thread_id"]
    node = "first" if graph == "own" else "model"
    with pytest.raises(UnprocessableEntityError, match=why):
        await client.threads.update_state(thread, values, as_node=node)
    assert (await client.threads.get_state(thread))["checkpoint"] is None
    good = {"said": ["hi"]} if graph == "own" else {"messages": "hi"}
    updates = [{"values": good, "as_node": node}, {"values": values, "as_node": node}]
    steps = [{"updates": [update]} for update in updates]
    with pytest.raises(UnprocessableEntityError, match=why):
        await client.threads.create(thread_id="new", graph_id=graph, supersteps=steps)
    # Nothing is left of what was taken before.
    await client.threads.create(thread_id="new", graph_id=graph)
    assert (await client.threads.get_state("new"))["values"] == {}


async def test_an_edge_that_fails_on_an_update_says_so(client):
    thread = (await client.threads.create(graph_id="choosy"))["thread_id"]
    with pytest.raises(UnprocessableEntityError, match="ZeroDivisionError"):
        await client.threads.update_state(thread, {"number": 0}, as_node="choose")


async def test_a_copy_has_the_history_and_a_life_of_its_own(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    copy = await client.threads.copy(thread_id)
    assert copy["thread_id"] != thread_id
    assert copy["metadata"] == {"graph_id": "own", "team": "looms"}
    await client.threads.delete(thread_id)
    history = await client.threads.get_history(copy["thread_id"])
    assert history[0]["next"] == ["ask"]


async def test_pruned_threads_keep_their_latest_state_or_go(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    state = await client.threads.get_state(thread_id)
    pruned = await client.threads.prune([thread_id, "nobody"], strategy="keep_latest")
    assert pruned == {"pruned_count": 1}
    (left,) = await client.threads.get_history(thread_id)
    assert left["values"] == state["values"]
    assert await client.threads.prune([thread_id]) == {"pruned_count": 1}
    assert await client.threads.count() == 0


async def test_a_thread_in_use_is_not_changed(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    async with runtime.held(thread_id):
        assert (await client.threads.get(thread_id))["status"] == "busy"
        with pytest.raises(ConflictError):
            await client.threads.update_state(thread_id, {"number": 1}, as_node="inner")
        with pytest.raises(ConflictError):
            await client.threads.delete(thread_id)
        with pytest.raises(ConflictError):
            await client.threads.copy(thread_id)
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


async def test_what_is_not_there_is_not_found(client, runtime):
    thread_id = await waiting_thread(client, runtime)
    for asked in (
        client.threads.get_state("nobody"),
        client.threads.get_history("nobody"),
        client.threads.update("nobody", metadata={}),
        client.threads.copy("nobody"),
        client.threads.get_state(thread_id, checkpoint_id="nothing"),
    ):
        with pytest.raises(NotFoundError):
            await asked
    await client.threads.create(thread_id="bare")
    assert (await client.threads.get_state("bare"))["values"] == {}
    assert await client.threads.get_history("bare") == []
    with pytest.raises(BadRequestError):
        await client.threads.update_state("bare", {"number": 1})


async def test_forgetting_a_thread_takes_what_clients_wrote_about_it(client, runtime):
    thread = await client.threads.create(metadata={"about": "canary-4417"})
    thread_id = thread["thread_id"]
    await runtime.ask("plain", "hi", thread=thread_id)
    await runtime.forget_thread(thread_id)
    assert not [key async for key in runtime.redis.scan_iter("*langgraph:threads*")]
    with pytest.raises(NotFoundError):
        await client.threads.get(thread_id)


async def test_threads_of_an_agent_that_is_gone_are_listed_with_the_others(client, runtime):
    kept = await waiting_thread(client, runtime)
    gone = (await client.threads.create(metadata={"graph_id": "gone"}))["thread_id"]
    found = {thread["thread_id"]: thread for thread in await client.threads.search()}
    assert found[kept]["values"]["said"][0] == "hello"
    assert found[gone]["values"] is None
    assert await client.threads.get(gone) == found[gone]
    with pytest.raises(NotFoundError, match="gone"):
        await client.threads.get_state(gone)


@pytest.mark.parametrize(
    "named", ["nope", "00000000-0000-6000-8000-000000000000", "of another thread"]
)
async def test_a_checkpoint_that_is_not_there_is_no_empty_thread(client, named):
    threads = [(await client.threads.create())["thread_id"] for _ in range(2)]
    for thread in threads:
        await client.runs.wait(thread, "own", input=ASKED, interrupt_before=["ask"])
    if named == "of another thread":
        named = (await client.threads.get_state(threads[1]))["checkpoint"]["checkpoint_id"]
    before = await client.threads.get_state(threads[0])
    place = {"thread_id": threads[0], "checkpoint_ns": "", "checkpoint_id": named}
    for how in ({"checkpoint_id": named}, {"checkpoint": place}):
        with pytest.raises(NotFoundError, match="no checkpoint"):
            await client.runs.create(threads[0], "own", input=ASKED, **how)
        with pytest.raises(NotFoundError, match="no checkpoint"):
            await client.runs.create(threads[0], "own", input=None, **how)
    with pytest.raises(NotFoundError, match="no checkpoint"):
        await client.threads.update_state(threads[0], ASKED, checkpoint_id=named)
    assert await client.threads.get_state(threads[0]) == before


async def test_a_thread_that_was_used_elsewhere_first_has_its_graph(client, runtime):
    """It was made with a client of LangGraph, and then used by a schedule or another protocol."""
    made = await client.threads.create(metadata={"mine": True})
    await runtime.queue.submit(RunRequest("own", ASKED, thread_id=made["thread_id"]))
    [run] = await runtime.runs.recent(1, thread=made["thread_id"])
    await runtime.queue.wait(run.id)
    thread = await client.threads.get(made["thread_id"])
    assert (thread["metadata"]["graph_id"], thread["metadata"]["mine"]) == ("own", True)
    assert thread["values"]["said"]
    state = await client.threads.get_state(made["thread_id"])
    assert state["values"] == thread["values"]
    assert await client.threads.get_history(made["thread_id"])
    [found] = await client.threads.search(metadata={"graph_id": "own", "mine": True})
    assert found["thread_id"] == made["thread_id"]
    await client.threads.update_state(made["thread_id"], {"said": ["changed"]})
