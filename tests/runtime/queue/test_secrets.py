"""A run does the same whether or not it is watched, and what watches it is told no secret."""

import json

import pytest

from tests.runtime.queue.conftest import working
from tests.support.models import settings_for
from treadle.core.events import CallDelta, CallFinished
from treadle.runtime import Runtime
from treadle.runtime.queue import RunOptions, RunRequest
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

SECRET = "plain-canary-4f9a8b7c6d5e4f3a"
HIDDEN = "[redacted: CANARY_API_KEY]"
TOOLS = '''
import json, os, pathlib
from langchain_core.tools import tool as plain_tool
from langgraph.config import get_stream_writer
from treadle.tools import Effect, tool

TOLD = pathlib.Path(__file__).with_name("told.json")


@tool(effect=Effect.READ)
def tell(text: str, login: dict) -> str:
    """Tell a text.

    Args:
        text: what.
        login: as whom.
    """
    get_stream_writer()({"with": os.environ["CANARY_API_KEY"]})
    TOLD.write_text(json.dumps([text, login]))
    return "told with " + os.environ["CANARY_API_KEY"]


@plain_tool
def foreign(text: str) -> str:
    """Return what is in the environment."""
    return text + os.environ["CANARY_API_KEY"]
'''
AGENT = 'description: Tells.\ntools: ["own.py:tell", "own.py:foreign"]\n'
ALONE = ("values", "updates", "custom", "messages", "messages-tuple", "events")
MODES = [(), *((mode,) for mode in ALONE), ("debug", "tasks", "checkpoints", "events", "messages")]
SCRIPT = [
    calls(
        call("tell", text=f"I use {SECRET}.", login={"password": "hunter2x", "user": "ada"}),
        call("foreign", text=f"{SECRET} or "),
        text=f"I use {SECRET} now",
    ),
    say(f"The key was {SECRET}.", reasoning=f"It is {SECRET}"),
]


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("CANARY_API_KEY", SECRET)


@pytest.fixture
def project(project):
    (project / "own.py").write_text(TOOLS)
    (project / "agents" / "teller.yaml").write_text(AGENT)
    return project


def holding(server, word):
    """Return the keys that hold the word; the tests' servers do not compress."""
    with server.client() as client:
        found = {key: client.dump(key) or b"" for key in client.scan_iter(count=1_000)}
    return [key for key, value in found.items() if word in value]


def asked(message):
    return [(one["name"], one["args"]) for one in getattr(message, "tool_calls", ())]


async def executed(runtime, project, number, modes):
    """Return what a run did, as its graph, its tool and its thread have it."""
    thread = f"t{number}"
    request = RunRequest("teller", "Go.", thread_id=thread, options=RunOptions(stream=modes))
    queued = await runtime.queue.submit(request)
    run = await runtime.queue.wait(queued.run)
    assert (run.status, run.error) == ("success", "")
    events = [event async for event in runtime.queue.events(run.id)]
    assert not [event for event in events if SECRET.encode() in event.data]
    at = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    kept = (await runtime.memory.saver.aget_tuple(at)).checkpoint["channel_values"]["messages"]
    messages = [(m.type, m.content, asked(m)) for m in kept]
    told = json.loads((project / "told.json").read_text())
    shown = [message.text for message in await runtime.threads.show(thread)]
    assert (await runtime.runs.replay(run.id)).difference is None
    return json.dumps([messages, told, shown])


async def test_a_run_does_the_same_whoever_watches_it(opened, project, redis_6_2):
    with ScriptedOpenAI(SCRIPT * len(MODES)) as server:
        async with opened(server) as runtime, working(runtime):
            did = [await executed(runtime, project, n, modes) for n, modes in enumerate(MODES)]
    assert HIDDEN in did[0]
    assert set(did) == {did[0]}
    assert holding(redis_6_2, SECRET.encode()) == []


async def test_whoever_follows_a_run_is_told_no_secret(redis_url, project, redis_6_2):
    with ScriptedOpenAI(SCRIPT) as server:
        settings = settings_for(server)
        async with Runtime.open(redis_url, project, settings=settings) as runtime:
            events = [event async for event in runtime.stream("teller", "Go.", thread="t")]
    answers = [event for event in events if isinstance(event, CallFinished) and event.text]
    for done in answers:
        pieces = [e for e in events if isinstance(e, CallDelta) and e.call_id == done.call_id]
        said = "".join(piece.text for piece in pieces if piece.purpose == "answer")
        assert said == (done.text if done.kind == "model" else "")
    assert SECRET[len(SECRET) // 2 :] not in repr(events)
    assert events[-1].reply.text == f"The key was {HIDDEN}."
    assert holding(redis_6_2, SECRET.encode()) == []


GRAPH = """
from langchain.chat_models import init_chat_model
from langgraph.graph import START, MessagesState, StateGraph



def tell(text: str) -> None:
    "Tell a text."


model = init_chat_model("openai:gpt-5-mini").bind_tools([tell])


async def streams(state: MessagesState):
    pieces = [piece async for piece in model.astream("Go.")]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return {"messages": [("ai", "".join(piece.text for piece in pieces) + str(whole.tool_calls))]}


def is_plain(state: MessagesState):
    return {"messages": [model.invoke("Go.")]}


graph = StateGraph(MessagesState).add_sequence([streams, is_plain]).add_edge(START, "streams")
"""


@pytest.mark.parametrize("modes", [(), ("messages",), ("events",)])
async def test_an_own_graph_that_reads_pieces_is_given_no_secret(
    opened, project, redis_6_2, monkeypatch, modes
):
    (project / "own_graph.py").write_text(GRAPH)
    (project / "agents" / "own.yaml").write_text("graph: own_graph.py:graph\n")
    answer = calls(call("tell", text=f"I use {SECRET}."), text=f"The key was {SECRET}.")
    with ScriptedOpenAI([answer, answer], verify=False) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        async with opened(server) as runtime, working(runtime):
            options = RunOptions(stream=modes)
            queued = await runtime.queue.submit(
                RunRequest("own", "Go.", thread_id="t", options=options)
            )
            run = await runtime.queue.wait(queued.run)
            assert (run.status, run.error) == ("success", "")
            texts = [message.text for message in await runtime.threads.show("t")]
    assert f"The key was {HIDDEN}." in texts[1]
    assert f"I use {HIDDEN}." in texts[1]
    assert holding(redis_6_2, SECRET.encode()) == []


async def test_a_stream_goes_on_while_what_could_be_a_secret_is_held_back(opened, project):
    words = [f"word{number}" for number in range(60)]
    with ScriptedOpenAI([say(" ".join(words))]) as server:
        async with opened(server) as runtime, working(runtime):
            request = RunRequest("counter", "Go.", options=RunOptions(stream=("messages-tuple",)))
            queued = await runtime.queue.submit(request)
            events = [event async for event in runtime.queue.events(queued.run_id)]
    told = [json.loads(event.data)[0]["content"] for event in events if event.name == "messages"]
    assert len([text for text in told if text]) > len(words) // 2
    assert "".join(told) == " ".join(words)
