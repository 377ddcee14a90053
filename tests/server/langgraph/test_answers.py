"""Answers to what a run asked, on a thread that changed since; through LangGraph's own client."""

import pytest
from langgraph_sdk.errors import ConflictError, UnprocessableEntityError

DRAFTS = """
from langchain_core.language_models import FakeListChatModel
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


def draft(state: MessagesState):
    model = FakeListChatModel(responses=["A draft."])
    return {"messages": [model.invoke(state["messages"])]}


def approve(state: MessagesState):
    said = state["messages"][-1].content
    asked = f"{interrupt(said)} to {said}"
    model = FakeListChatModel(responses=["Sent."])
    return {"messages": [("user", asked), model.invoke(asked)]}


graph = StateGraph(MessagesState).add_node("draft", draft).add_node("approve", approve)
graph.add_edge(START, "draft").add_edge("draft", "approve")
"""
ASKED = {"said": ["hello"]}
DEEP = ["hello", "first"] * 2


@pytest.fixture
async def waiting(client):
    """Give a thread whose run waits for an answer."""
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "own", input=ASKED)
    return thread


@pytest.mark.parametrize(("as_node", "asks_again"), [(None, 0), ("inner", 0), ("first", 1)])
async def test_an_answer_goes_on_from_a_state_that_was_changed_meanwhile(
    client, waiting, as_node, asks_again
):
    for word in ("edited", "again"):
        await client.threads.update_state(waiting, {"said": [word]}, as_node=as_node)
    said = (await client.threads.get_state(waiting))["values"]["said"]
    state = await client.runs.wait(waiting, "own", command={"resume": "yes"})
    if asks_again:  # The change leads to the node before the one that asks.
        assert state["__interrupt__"][0]["value"] == "Sure?"
        said = state["said"]
        state = await client.runs.wait(waiting, "own", command={"resume": "yes"})
    assert state["said"] == [*said, "yes"]
    assert "__interrupt__" not in state
    assert (await client.threads.get(waiting))["status"] == "idle"
    assert len(await client.runs.list(waiting)) == 1, "the run that asked goes on"


async def test_an_answer_to_a_node_that_was_passed_over_ends_the_run(client, waiting):
    await client.threads.update_state(waiting, {"said": ["instead"]}, as_node="ask")
    state = await client.runs.wait(waiting, "own", command={"resume": "yes"})
    assert state["said"] == [*DEEP, "instead"]
    [run] = await client.runs.list(waiting)
    assert run["status"] == "success"


async def test_an_answer_to_a_changed_state_brings_changes_along(client, waiting):
    await client.threads.update_state(waiting, {"said": ["edited"]})
    command = {"resume": "yes", "update": {"said": ["beside"]}}
    state = await client.runs.wait(waiting, "own", command=command)
    assert state["said"] == [*DEEP, "edited", "beside", "yes"]


async def test_a_draft_is_edited_and_approved(client, served, tmp_path):
    (tmp_path / "drafts.py").write_text(DRAFTS)
    (tmp_path / "agents" / "drafts.yaml").write_text("graph: drafts.py:graph\n")
    thread = (await client.threads.create())["thread_id"]
    said = {"messages": [{"role": "user", "content": "Write."}]}
    asked = await client.runs.wait(thread, "drafts", input=said)
    assert asked["__interrupt__"][0]["value"] == "A draft."
    edited = {**asked["messages"][-1], "content": "A better draft."}
    await client.threads.update_state(thread, {"messages": [edited]})
    done = await client.runs.wait(thread, "drafts", command={"resume": "Yes"})
    texts = [message["content"] for message in done["messages"]]
    assert texts == ["Write.", "A better draft.", "Yes to A better draft.", "Sent."]
    [run] = await client.runs.list(thread)
    told = await served[1].runs.get(run["run_id"])
    assert told.usage.model_calls == 2, "the draft was not asked for again"
    assert (await served[1].runs.replay(told.id)).difference is None


async def test_an_answer_is_refused_after_another_run_went_on(client, waiting):
    await client.runs.wait(waiting, "own", input=ASKED, interrupt_before=["first"])
    before = await client.threads.get_state(waiting)
    [_, asked] = await client.runs.list(waiting)
    with pytest.raises(ConflictError, match="moved on"):
        await client.runs.create(waiting, "own", command={"resume": "yes"})
    assert (await client.threads.get_state(waiting))["checkpoint"] == before["checkpoint"]
    assert asked["status"] == "interrupted"


async def test_an_answer_names_the_assistant_that_asked(client, waiting):
    with pytest.raises(UnprocessableEntityError, match="'plain'"):
        await client.runs.create(waiting, "plain", command={"resume": "yes"})
    assert (await client.threads.get(waiting))["metadata"]["graph_id"] == "own"


async def test_an_answer_takes_no_checkpoint(client, waiting):
    [latest, *_, first] = await client.threads.get_history(waiting)
    for place in (latest, first):
        with pytest.raises(UnprocessableEntityError, match="checkpoint"):
            await client.runs.create(
                waiting, "own", command={"resume": "yes"}, checkpoint=place["checkpoint"]
            )


async def test_a_copy_is_answered_once_it_has_asked_itself(client, waiting):
    await client.threads.copy(waiting)
    threads = await client.threads.search(status="interrupted")
    [copy] = [one["thread_id"] for one in threads if one["thread_id"] != waiting]
    with pytest.raises(ConflictError, match="without an input"):
        await client.runs.create(copy, "own", command={"resume": "yes"})
    assert "__interrupt__" in await client.runs.wait(copy, "own", input=None)
    state = await client.runs.wait(copy, "own", command={"resume": "yes"})
    assert state["said"] == [*DEEP, "yes"]
