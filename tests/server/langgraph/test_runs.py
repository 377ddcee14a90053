"""Runs, through the Python client of LangGraph's server."""

import asyncio
import itertools

import httpx
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

ASKED = {"said": ["hello"]}
FIRST = ["hello", "first"]
DEEP = FIRST * 2
"""The subgraph hands back all it was given, and its caller adds that to what it had."""


async def new_thread(client):
    return (await client.threads.create())["thread_id"]


async def test_a_run_waits_at_an_interrupt_and_is_resumed(client):
    thread = await new_thread(client)
    state = await client.runs.wait(thread, "own", input=ASKED)
    assert (state["said"], state["number"]) == (DEEP, 1)
    assert [one["value"] for one in state["__interrupt__"]] == ["Sure?"]
    assert (await client.threads.get(thread))["status"] == "interrupted"
    state = await client.runs.wait(thread, "own", command={"resume": "yes"})
    assert state == {"said": [*DEEP, "yes"], "number": 1}
    assert (await client.threads.get(thread))["status"] == "idle"


async def test_a_run_is_created_listed_joined_and_deleted(client):
    thread = await new_thread(client)
    created = []
    run = await client.runs.create(
        thread, "own", input=ASKED, metadata={"a": 1}, on_run_created=created.append
    )
    assert run["status"] == "pending"
    assert run["metadata"]["a"] == 1
    assert created[0]["run_id"] == run["run_id"]
    state = await client.runs.join(thread, run["run_id"])
    assert state["said"] == DEEP
    [listed] = await client.runs.list(thread)
    assert listed == await client.runs.get(thread, run["run_id"])
    assert listed["status"] == "interrupted"
    assert await client.runs.list(thread, status="success") == []
    await client.runs.delete(thread, run["run_id"])
    with pytest.raises(NotFoundError):
        await client.runs.get(thread, run["run_id"])


async def test_a_run_streams_what_is_asked_for(client):
    thread = await new_thread(client)
    modes = ["values", "updates", "tasks", "checkpoints", "debug", "custom"]
    parts = [
        part async for part in client.runs.stream(thread, "own", input=ASKED, stream_mode=modes)
    ]
    events = [part.event for part in parts]
    assert (events[0], events[-1]) == ("metadata", "end")
    assert {"values", "updates", "tasks", "checkpoints", "debug"} <= set(events)
    updates = [part.data for part in parts if part.event == "updates"]
    assert updates[0] == {"first": {"said": ["first"]}}
    assert updates[-1]["__interrupt__"][0]["value"] == "Sure?"


async def test_subgraphs_are_streamed_with_their_names(client):
    thread = await new_thread(client)
    parts = [
        part
        async for part in client.runs.stream(
            thread, "own", input=ASKED, stream_mode="updates", stream_subgraphs=True
        )
    ]
    [inner] = [part for part in parts if part.event.startswith("updates|inner:")]
    assert inner.data == {"deep": {"number": 1}}


async def test_tokens_are_streamed_as_messages(client):
    thread = await new_thread(client)
    given = {"messages": [{"role": "user", "content": "What are you?"}]}
    whole = [
        part
        async for part in client.runs.stream(
            thread, "plain", input=given, stream_mode=["messages-tuple", "values"]
        )
    ]
    pieces = [part.data[0]["content"] for part in whole if part.event == "messages"]
    [*_, last] = [part.data for part in whole if part.event == "values"]
    assert "".join(pieces) == last["messages"][-1]["content"]
    assert len(pieces) > 2
    partial = [
        part.data[0]["content"]
        async for part in client.runs.stream(thread, "plain", input=given, stream_mode="messages")
        if part.event == "messages/partial"
    ]
    assert len(partial) > 2
    assert all(b.startswith(a) for a, b in itertools.pairwise(partial))


async def test_a_stream_that_is_cut_at_any_event_goes_on_with_the_same_bytes(client, served):
    thread = await new_thread(client)
    given = {"messages": [{"role": "user", "content": "What are you?"}]}
    run = await client.runs.create(thread, "plain", input=given, stream_mode="messages-tuple")
    await client.runs.join(thread, run["run_id"])
    path = f"{served[0]}/threads/{thread}/runs/{run['run_id']}/stream"
    async with httpx.AsyncClient() as http:
        whole = (await http.get(path, headers={"Last-Event-ID": "-1"})).content
        events = [event for event in whole.split(b"\n\n") if event]
        assert len(events) > 5
        for number, event in enumerate(events, 1):
            place = next(line[4:] for line in event.split(b"\n") if line.startswith(b"id: "))
            rest = (await http.get(path, headers={"Last-Event-ID": place.decode()})).content
            assert b"\n\n".join(events[:number]) + b"\n\n" + rest == whole
        for place in ("yesterday", "5-", "-2", "1-2-3", "9" * 25, "0x", "²"):
            wrong = await http.get(path, headers={"Last-Event-ID": place.encode("latin-1")})
            assert wrong.status_code == 422, place
        beyond = await http.get(path, headers={"Last-Event-ID": "9" * 19})
        assert beyond.content == b""


async def test_a_run_has_a_thread_of_its_own_without_one(client):
    state = await client.runs.wait(None, "own", input=ASKED)
    assert state["said"] == DEEP
    parts = [part async for part in client.runs.stream(None, "own", input=ASKED)]
    assert parts[-1].event == "end"
    made = await client.runs.create_batch(
        [{"assistant_id": "own", "input": ASKED}, {"assistant_id": "own", "input": ASKED}]
    )
    assert len({run["thread_id"] for run in made}) == 2


async def test_graphs_stop_in_front_of_nodes_and_go_on(client):
    thread = await new_thread(client)
    state = await client.runs.wait(thread, "own", input=ASKED, interrupt_before=["inner"])
    assert state == {"said": FIRST}
    assert (await client.threads.get_state(thread))["next"] == ["inner"]
    state = await client.runs.wait(thread, "own", input=None)
    assert state["number"] == 1


async def test_a_run_goes_on_from_any_checkpoint(client):
    thread = await new_thread(client)
    await client.runs.wait(thread, "own", input=ASKED)
    history = await client.threads.get_history(thread)
    [before] = [state for state in history if state["next"] == ["inner"]]
    edited = await client.threads.update_state(
        thread, {"said": ["edited"]}, checkpoint=before["checkpoint"], as_node="first"
    )
    state = await client.runs.wait(thread, "own", input=None, checkpoint=edited["checkpoint"])
    assert state["said"] == [*FIRST, "edited"] * 2


async def test_a_command_changes_the_state_and_chooses_the_next_node(client):
    thread = await new_thread(client)
    await client.runs.wait(thread, "own", input=ASKED, interrupt_before=["inner"])
    command = {"update": {"said": ["updated"]}, "goto": "ask"}
    state = await client.runs.wait(thread, "own", command=command)
    # The node it had stopped in front of runs beside the one that was chosen.
    assert state["said"] == [*FIRST, "updated"] * 2
    assert state["__interrupt__"][0]["value"] == "Sure?"


async def test_an_answer_brings_changes_of_the_state_and_nodes_along(client):
    thread = await new_thread(client)
    await client.runs.wait(thread, "own", input=ASKED)
    goto = [{"node": "first", "input": {}}]
    update = [["said", ["updated"]], ["said", ["twice"]]]
    command = {"resume": "yes", "update": update, "goto": goto}
    state = await client.runs.wait(thread, "own", command=command)
    # The node that was chosen ran beside the one that asked, and led to it again.
    assert state["said"].index("updated") + 1 == state["said"].index("twice")
    assert {"first", "yes"} <= set(state["said"][state["said"].index("twice") :])
    assert state["__interrupt__"][0]["value"] == "Sure?"
    after = await client.runs.wait(thread, "own", command={"resume": "once more"})
    assert after["said"] == [*state["said"], "once more"], "the update was taken once"


async def test_a_run_that_asks_in_its_first_step_gets_its_answer(client):
    """Without an input it has no checkpoint of its own by then."""
    thread = await new_thread(client)
    await client.runs.wait(thread, "own", input=ASKED, interrupt_before=["ask"])
    assert "__interrupt__" in await client.runs.wait(thread, "own", input=None)
    state = await client.runs.wait(thread, "own", command={"resume": "yes"})
    assert state["said"][-1] == "yes"
    command = {"update": {"said": ["before"]}, "goto": "ask"}
    assert "__interrupt__" in await client.runs.wait(thread, "own", command=command)
    command = {"resume": "again", "update": {"said": ["beside"]}}
    state = await client.runs.wait(thread, "own", command=command)
    assert state["said"][-4:] == ["yes", "before", "beside", "again"]


async def test_nodes_that_the_graph_does_not_have_are_refused(client):
    thread = await new_thread(client)
    await client.runs.wait(thread, "own", input=ASKED)
    for command in ({"goto": "nowhere"}, {"resume": 1, "goto": {"node": "nowhere", "input": 1}}):
        with pytest.raises(Exception, match="no node 'nowhere'"):
            await client.runs.wait(thread, "own", command=command)
    state = await client.runs.wait(thread, "own", command={"resume": "yes"})
    assert state["said"][-1] == "yes"


@pytest.mark.parametrize("when", ["interrupt_before", "interrupt_after"])
async def test_nodes_to_stop_at_that_the_graph_does_not_have_are_refused(client, when):
    thread = await new_thread(client)
    wrong = {when: ["inner", "nowhere"]}
    said = f"no node 'nowhere' to {when.replace('_', ' ')}.*Its nodes are first, inner, ask\\."
    with pytest.raises(Exception, match=said):
        await client.runs.wait(thread, "own", input=ASKED, **wrong)
    with pytest.raises(Exception, match=said):
        await client.crons.create("own", schedule="1 1 * * *", input=ASKED, **wrong)
    cron = await client.crons.create("own", schedule="1 1 * * *", input=ASKED, **{when: ["inner"]})
    with pytest.raises(Exception, match=said):
        await client.crons.update(cron["cron_id"], **wrong)
    await client.runs.wait(thread, "own", input=ASKED)
    with pytest.raises(Exception, match=said):
        await client.runs.wait(thread, "own", command={"resume": "yes"}, **wrong)
    state = await client.runs.wait(thread, "own", command={"resume": "yes"}, **{when: "*"})
    assert state["said"][-1] == "yes"


async def test_runs_are_stopped(client):
    thread = await new_thread(client)
    later = await client.runs.create(thread, "own", input=ASKED, after_seconds=100)
    await client.runs.cancel(thread, later["run_id"], wait=True)
    assert (await client.runs.get(thread, later["run_id"]))["status"] == "interrupted"
    more = [
        await client.runs.create(thread, "own", input=ASKED, after_seconds=100) for _ in range(3)
    ]
    await client.runs.cancel_many(thread_id=thread, run_ids=[more[0]["run_id"]])
    await client.runs.cancel_many(status="all")
    stopped = [await client.runs.get(thread, run["run_id"]) for run in more]
    assert [run["status"] for run in stopped] == ["interrupted"] * 3
    with pytest.raises(NotFoundError):
        await client.runs.cancel_many(status="all")


async def test_a_busy_thread_refuses(client):
    thread = await new_thread(client)
    first = await client.runs.create(thread, "own", input=ASKED)
    others = await asyncio.gather(
        *(
            client.runs.create(thread, "own", input=ASKED, multitask_strategy="reject")
            for _ in range(3)
        ),
        return_exceptions=True,
    )
    await client.runs.join(thread, first["run_id"])
    refused = [one for one in others if isinstance(one, ConflictError)]
    assert len(refused) >= 2
    assert "say 'enqueue' as 'multitask_strategy'" in str(refused[0].body)


async def test_failures_reach_the_client(client, tmp_path):
    thread = await new_thread(client)
    result = await client.runs.wait(thread, "own", input={"said": 7}, raise_error=False)
    assert result["__error__"]["error"] == "RunError"
    with pytest.raises(Exception, match="RunError"):
        await client.runs.wait(thread, "own", input={"said": 7})
    parts = [part async for part in client.runs.stream(thread, "own", input={"said": 7})]
    assert parts[-1].event == "error"
    assert parts[-1].data["error"] == "RunError"


async def test_a_run_that_takes_too_many_steps_says_how_many_it_was_given(client):
    thread = await new_thread(client)
    config = {"recursion_limit": 2}
    result = await client.runs.wait(thread, "own", input=ASKED, config=config, raise_error=False)
    assert "took 2 steps" in result["__error__"]["message"]
    assert "recursion_limit" in result["__error__"]["message"]


async def test_threads_come_into_being_when_that_is_asked_for(client):
    with pytest.raises(NotFoundError):
        await client.runs.create("not-there", "own", input=ASKED)
    state = await client.runs.wait("not-there", "own", input=ASKED, if_not_exists="create")
    assert state["said"] == DEEP
    assert (await client.threads.get("not-there"))["metadata"]["graph_id"] == "own"


@pytest.mark.parametrize(
    "options",
    [
        {"webhook": "http://example.com"},
        {"config": {"tags": "a"}},
        {"checkpoint": {"checkpoint_ns": "inner"}},
        {"multitask_strategy": "hope"},
        {"input": ASKED, "command": {"resume": 1}},
        {"after_seconds": -1},
        {"on_completion": "keep"},
        {"checkpoint": {"thread_id": "another", "checkpoint_id": "1"}},
        {"config": {"configurable": {"thread_id": "another"}}},
        {"config": {"configurable": {"__pregel_send": "x"}}},
        {"config": {"configurable": {"user_id": 7}}},
    ],
)
async def test_what_is_not_supported_is_refused_by_name(client, options):
    thread = await new_thread(client)
    with pytest.raises(UnprocessableEntityError):
        await client.runs.create(thread, "own", **options)
    assert await client.runs.list(thread) == []


async def test_unknown_names_are_not_found(client):
    thread = await new_thread(client)
    with pytest.raises(NotFoundError):
        await client.runs.create(thread, "nobody", input=ASKED)
    for ask in (client.runs.get, client.runs.join, client.runs.cancel, client.runs.delete):
        with pytest.raises((NotFoundError, httpx.HTTPStatusError), match=r"404|no run"):
            await ask(thread, "nothing")
    with pytest.raises(ConflictError):
        await client.runs.create(thread, "own", command={"resume": "yes"})


async def test_an_assistant_whose_config_cannot_be_used_is_named(client):
    made = await client.assistants.create("own", config={"configurable": {"__pregel_send": "x"}})
    with pytest.raises(UnprocessableEntityError, match="config of the assistant"):
        await client.runs.create(None, made["assistant_id"], input=ASKED)
