"""A thread as one conversation: `threads.stream` of LangGraph's client, against a real server."""

import asyncio
import json

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client

from tests.server.langgraph.app import make_project, running
from treadle.memory import connect

ALL = [
    *("values", "updates", "messages", "tools", "lifecycle"),
    *("input", "checkpoints", "tasks", "custom"),
]
TOOLS = """
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph


async def model(state):
    if state["messages"][-1].type == "tool":
        answer = AIMessage("It is four.")
    else:
        call = {"name": "add", "args": {"a": 2, "b": 2}, "id": "call_1"}
        answer = AIMessage("I add.", tool_calls=[call])
    return {"messages": [await FakeMessagesListChatModel(responses=[answer]).ainvoke([])]}


def tools(state):
    get_stream_writer()({"name": "adding", "how far": 0.5})
    return {"messages": [ToolMessage("4", tool_call_id="call_1", name="add")]}


def onward(state):
    return "tools" if state["messages"][-1].tool_calls else END


graph = StateGraph(MessagesState).add_node("model", model).add_node("tools", tools)
graph.add_edge(START, "model").add_conditional_edges("model", onward).add_edge("tools", "model")


def fail(state):
    raise ValueError("It went wrong.")


def tell(state, config: RunnableConfig):
    from langgraph.types import interrupt

    interrupt("Sure?")
    return {"messages": [AIMessage(config["configurable"].get("tone", "plain"))]}


async def talk(state):
    write = get_stream_writer()
    for round in range(10):
        for number in range(100):
            write({"number": number, "text": "x" * 500})
        await model(state)


talking = StateGraph(MessagesState).add_node("talk", talk).add_edge(START, "talk")
nested = StateGraph(MessagesState).add_node("inner", graph.compile()).add_edge(START, "inner")
toned = StateGraph(MessagesState).add_node("tell", tell).add_edge(START, "tell")
failing = StateGraph(MessagesState).add_node("fail", fail).add_edge(START, "fail")
"""
SAID = {"said": ["hello"]}
ASKED = {"messages": [{"role": "user", "content": "What is 2 + 2?"}]}


@pytest.fixture
async def served(redis_url, tmp_path):
    project = make_project(tmp_path)
    (project / "tooled.py").write_text(TOOLS)
    (project / "agents" / "tooled.yaml").write_text("graph: tooled.py:graph\n")
    (project / "agents" / "nested.yaml").write_text("graph: tooled.py:nested\n")
    (project / "agents" / "talking.yaml").write_text("graph: tooled.py:talking\n")
    (project / "agents" / "toned.yaml").write_text("graph: tooled.py:toned\n")
    (project / "agents" / "failing.yaml").write_text("graph: tooled.py:failing\n")
    async with running(redis_url, project) as served:
        yield served


@pytest.fixture
async def http(served):
    async with httpx.AsyncClient(base_url=served[0], timeout=30) as http:
        yield http


async def ask(http, thread, method, number=1, **params):
    """Send a command and return its answer."""
    body = {"id": number, "method": method, "params": params}
    answer = await http.post(f"/threads/{thread}/commands", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == number
    return answer.json()


async def told(http, thread, until="completed", **wanted):
    """Return what is told of a thread until its run is where it is waited for."""
    body = {"channels": ALL, **wanted}
    found = []
    async with http.stream("POST", f"/threads/{thread}/stream/events", json=body) as stream:
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            if not line.startswith("data: "):
                continue
            found.append(json.loads(line.removeprefix("data: ")))
            data = found[-1]["params"]["data"]
            is_root = not found[-1]["params"]["namespace"]
            if found[-1]["method"] == "lifecycle" and is_root and data["event"] == until:
                return found
    raise AssertionError("the stream ended")


async def test_a_run_asks_is_answered_and_ends(client):
    async with client.threads.stream(assistant_id="own") as thread:
        started = await thread.run.start(input=SAID)
        async with asyncio.timeout(20):
            while not thread.interrupts:  # noqa: ASYNC110 - the client's watcher says it so
                await asyncio.sleep(0.01)
        assert thread.interrupted
        assert thread.interrupts[0]["value"] == "Sure?"
        answered = await thread.run.respond("yes")
        assert answered["run_id"] == started["run_id"]
        assert (await thread.output)["said"][-1] == "yes"
        tree = await thread.agent.get_tree()
        assert {node["id"] for node in tree["nodes"]} >= {"first", "inner", "ask"}
    runs = await client.runs.list(thread.thread_id)
    assert [run["status"] for run in runs] == ["success"]


async def test_messages_and_tool_calls_as_they_come(client):
    async with client.threads.stream(assistant_id="tooled") as thread:
        await thread.run.start(input=ASKED)

        async def said():
            found = await everything(thread.messages)
            return [(one.node, await one.text) for one in found]

        async def called():
            found = await everything(thread.tool_calls)
            return [(one.name, one.input, await one.output) for one in found]

        async def everything(stream):
            return [one async for one in stream]

        async with asyncio.timeout(30):
            messages, calls, custom, values = await asyncio.gather(
                said(), called(), everything(thread.extensions["adding"]), everything(thread.values)
            )
        assert values[-1]["messages"][-1]["content"] == "It is four."
        assert messages == [("model", "I add."), ("model", "It is four.")]
        assert calls == [("add", {"a": 2, "b": 2}, "4")]
        assert custom == [{"name": "adding", "payload": {"name": "adding", "how far": 0.5}}]
        assert (await thread.output)["messages"][-1]["content"] == "It is four."


async def test_subgraphs_are_found(client):
    async with client.threads.stream(assistant_id="nested") as thread:
        await thread.run.start(input=ASKED)
        async with asyncio.timeout(30):
            found = [subgraph async for subgraph in thread.subgraphs]
            [inner] = found
            said = [message async for message in inner.messages]
            assert [await one.text for one in said] == ["I add.", "It is four."]
        assert [(one.graph_name, one.status) for one in found] == [("inner", "completed")]


async def test_a_failure_is_told(client):
    async with client.threads.stream(assistant_id="failing") as thread:
        await thread.run.start(input=ASKED)
        with pytest.raises(RuntimeError, match=r"It went wrong\."):
            await thread.output


async def test_the_synchronous_client(served):
    def use():
        with (
            get_sync_client(url=served[0]) as client,
            client.threads.stream(assistant_id="tooled") as thread,
        ):
            thread.run.start(input=ASKED)
            return thread.output["messages"][-1]["content"]

    assert await asyncio.to_thread(use) == "It is four."


@pytest.mark.parametrize("many", [False, True])
async def test_an_answer_changes_the_state_and_chooses_the_next_node(http, client, many):
    thread = (await client.threads.create())["thread_id"]
    await ask(http, thread, "run.start", assistant_id="own", input=SAID)
    first = await told(http, thread, until="interrupted")
    [asked] = [one for one in first if one["method"] == "input.requested"]
    answer = {"interrupt_id": asked["params"]["data"]["interrupt_id"], "response": "yes"}
    change = {"update": {"said": ["updated"]}, "goto": {"node": "first", "input": {}}}
    given = {"responses": [answer]} if many else answer
    refused = await ask(http, thread, "input.respond", **given, update={}, goto=["nowhere"])
    assert (refused["error"], "nowhere" in refused["message"]) == ("invalid_argument", True)
    await ask(http, thread, "input.respond", **given, **change)
    again = await told(http, thread, until="interrupted", since=first[-2]["seq"])
    nodes = [one["params"]["data"]["node"] for one in again if one["method"] == "updates"]
    assert {"first", "ask"} <= set(nodes)
    said = (await client.threads.get_state(thread))["values"]["said"]
    assert {"updated", "yes"} <= set(said)


@pytest.mark.parametrize("many", [False, True])
async def test_an_answer_says_how_the_run_goes_on(http, client, many):
    tones = {}
    for name, more in {
        "kept": {},
        "said": {
            "config": {"configurable": {"tone": "warm"}},
            "metadata": {"asked_by": "test"},
            "strict_resume": True,
        },
    }.items():
        thread = (await client.threads.create())["thread_id"]
        begun = {"configurable": {"tone": "cold"}}
        await ask(http, thread, "run.start", assistant_id="toned", input=ASKED, config=begun)
        first = await told(http, thread, until="interrupted")
        [asked] = [one for one in first if one["method"] == "input.requested"]
        answer = {"interrupt_id": asked["params"]["data"]["interrupt_id"], "response": "yes"}
        given = {"responses": [answer]} if many else answer
        bad = {"config": {"configurable": {"thread_id": "other"}}}
        refused = await ask(http, thread, "input.respond", **given, **bad)
        assert (refused["error"], "thread_id" in refused["message"]) == ("invalid_argument", True)
        unknown = await ask(http, thread, "input.respond", **given, durability="sync")
        assert (unknown["error"], "durability" in unknown["message"]) == ("not_supported", True)
        assert (await ask(http, thread, "input.respond", **given, **more))["type"] == "success"
        await told(http, thread, since=first[-2]["seq"])
        state = await client.threads.get_state(thread)
        tones[name] = state["values"]["messages"][-1]["content"]
        if name == "said":
            assert state["metadata"]["asked_by"] == "test"
    assert tones == {"kept": "cold", "said": "warm"}


async def test_cut_at_every_event_it_goes_on_with_the_same(http, client):
    thread = (await client.threads.create())["thread_id"]
    await ask(http, thread, "run.start", assistant_id="own", input=SAID)
    first = await told(http, thread, until="interrupted")
    [asked] = [one for one in first if one["method"] == "input.requested"]
    interrupt_id = asked["params"]["data"]["interrupt_id"]
    await ask(http, thread, "input.respond", interrupt_id=interrupt_id, response="yes")
    whole = await told(http, thread)
    assert whole[: len(first) - 1] == first[:-1], "its end was none"
    numbers = [one["seq"] for one in whole[:-1]]
    assert numbers == sorted(set(numbers))
    assert len({one["event_id"] for one in whole}) == len(whole)
    for place, one in enumerate(whole[:-1]):
        assert await told(http, thread, since=one["seq"]) == whole[place + 1 :]


async def test_a_long_run_is_read_from_where_the_client_stands(http, client, redis_url):
    thread = (await client.threads.create())["thread_id"]
    await ask(http, thread, "run.start", assistant_id="talking", input=ASKED)
    whole = await told(http, thread)
    assert len(whole) > 1_000
    async with connect(redis_url) as redis:

        async def read(place):
            """Return how many bytes Redis gave for what comes after a place."""
            before = (await redis.info("stats"))["total_net_output_bytes"]
            assert await told(http, thread, since=whole[place]["seq"]) == whole[place + 1 :]
            return (await redis.info("stats"))["total_net_output_bytes"] - before

        everything, rest = await read(1), await read(-100)
        assert rest * 3 < everything
        for place in range(0, len(whole) - 2, 97):
            await read(place)
        run = (await client.runs.list(thread))[0]["run_id"]
        assert [key async for key in redis.scan_iter("*:marks")]
        await client.runs.delete(thread, run)
        assert not [key async for key in redis.scan_iter("*:marks")]


async def test_only_what_was_subscribed_to_is_told(http, client):
    thread = (await client.threads.create())["thread_id"]
    await ask(http, thread, "run.start", assistant_id="own", input=SAID)
    whole = await told(http, thread, until="interrupted")
    inner = next(one["params"]["namespace"] for one in whole if one["params"]["namespace"])

    async def places(**wanted):
        found = await told(http, thread, until="interrupted", **wanted)
        return {(one["method"], *one["params"]["namespace"]) for one in found}

    assert await places(channels=["lifecycle", "input"]) == {
        ("lifecycle",),
        ("lifecycle", *inner),
        ("input.requested",),
    }
    root = await places(channels=["values", "lifecycle"], namespaces=[[]], depth=0)
    assert root == {("values",), ("lifecycle",)}
    for prefix in (inner, ["inner"]):
        body = {"channels": ["values"], "namespaces": [prefix]}
        path = f"/threads/{thread}/stream/events"
        async with http.stream("POST", path, json=body) as stream:
            lines = (line async for line in stream.aiter_lines() if line.startswith("data: "))
            one = json.loads((await anext(lines)).removeprefix("data: "))
            assert one["params"]["namespace"] == inner


async def test_a_run_forks_from_a_checkpoint(http, client):
    thread = (await client.threads.create())["thread_id"]
    await ask(http, thread, "run.start", assistant_id="tooled", input=ASKED)
    whole = await told(http, thread)
    kept = [one["params"]["data"] for one in whole if one["method"] == "checkpoints"]
    before = next(one["id"] for one in kept if one["step"] == 1)
    config = {"configurable": {"checkpoint_id": before}}
    await ask(http, thread, "run.start", assistant_id="tooled", input=None, config=config)
    forked = await told(http, thread)
    nodes = [one["params"]["data"]["node"] for one in forked if one["method"] == "updates"]
    assert nodes == ["tools", "model"]


async def test_later_runs_are_told_after_earlier_ones(http, client):
    thread = (await client.threads.create())["thread_id"]
    for number in range(2):
        await ask(http, thread, "run.start", number, assistant_id="tooled", input=ASKED)
        one = await told(http, thread)
        assert one[0]["seq"] == (number + 1) * 1_000_000 + 1, "that of the latest run"
        if number == 0:
            cursor = one[-1]["seq"]
    rest = await told(http, thread, since=cursor)
    completed = [one for one in rest if one["method"] == "lifecycle"]
    assert [one["params"]["data"]["event"] for one in completed] == ["completed"], "the first's"
    again = await told(http, thread, since=1_999_999)
    assert again == one


@pytest.mark.parametrize(
    ("method", "params", "code", "said"),
    [
        ("run.start", {}, "invalid_argument", "'assistant_id': Field required"),
        ("run.start", {"assistant_id": "nobody"}, "invalid_argument", "nobody"),
        ("run.start", {"assistant_id": "own", "config": {"tags": 1}}, "invalid_argument", "tags"),
        (
            "run.start",
            {"assistant_id": "own", "langsmith_tracer": {}},
            "not_supported",
            "leave it out",
        ),
        ("input.respond", {"interrupt_id": "x", "response": 1}, "no_such_interrupt", "'x'"),
        ("input.respond", {"responses": []}, "invalid_argument", "responses"),
        ("state.fork", {"checkpoint_id": "x"}, "not_supported", "state.fork"),
        ("nothing", {}, "unknown_command", "'nothing'"),
    ],
)
async def test_what_cannot_be_done_is_said(http, client, method, params, code, said):
    thread = (await client.threads.create())["thread_id"]
    answer = await ask(http, thread, method, **params)
    assert (answer["type"], answer["error"]) == ("error", code)
    assert said in answer["message"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("commands", {"method": "run.start"}, 422),
        ("commands", {"id": "1", "method": "run.start"}, 422),
        ("stream/events", {"channels": []}, 422),
        ("stream/events", {"channels": ["nothing"]}, 422),
        ("stream/events", {"channels": ["values"], "since": -1}, 422),
        ("stream/events", {"channels": ["values"], "depth": "x"}, 422),
    ],
)
async def test_wrong_bodies_are_refused(http, client, path, body, status):
    thread = (await client.threads.create())["thread_id"]
    assert (await http.post(f"/threads/{thread}/{path}", json=body)).status_code == status


async def test_an_unknown_thread_is_not_found(http):
    answer = await http.post("/threads/nobody/stream/events", json={"channels": ["values"]})
    assert answer.status_code == 404
    assert (await ask_raw(http, "nobody"))["error"] == "invalid_argument"


async def ask_raw(http, thread):
    """Answer an interrupt on a thread."""
    return await ask(http, thread, "input.respond", interrupt_id="x", response=1)


async def test_many_answers_at_once(redis_url, tmp_path):
    source = (
        "from operator import add\nfrom typing import Annotated, TypedDict\n"
        "from langgraph.graph import START, StateGraph\nfrom langgraph.types import interrupt\n\n\n"
        "class State(TypedDict):\n    said: Annotated[list, add]\n\n\n"
        "def one(state):\n    return {'said': [interrupt('one?')]}\n\n\n"
        "def two(state):\n    return {'said': [interrupt('two?')]}\n\n\n"
        "graph = StateGraph(State).add_node(one).add_node(two)\n"
        "graph.add_edge(START, 'one').add_edge(START, 'two')\n"
    )
    (tmp_path / "agents").mkdir()
    (tmp_path / "both.py").write_text(source)
    (tmp_path / "agents" / "both.yaml").write_text("graph: both.py:graph\n")
    async with running(redis_url, tmp_path) as (url, _), httpx.AsyncClient(base_url=url) as http:
        async with get_client(url=url) as client:
            thread = (await client.threads.create())["thread_id"]
            await ask(http, thread, "run.start", assistant_id="both", input={"said": []})
            found = await told(http, thread, until="interrupted")
            asked = [one["params"]["data"] for one in found if one["method"] == "input.requested"]
            answers = [
                {"interrupt_id": one["interrupt_id"], "namespace": [], "response": one["payload"]}
                for one in asked
            ]
            await ask(http, thread, "input.respond", responses=answers)
            await told(http, thread)
            state = await client.threads.get_state(thread)
        assert sorted(state["values"]["said"]) == ["one?", "two?"]
