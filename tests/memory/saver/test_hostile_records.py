"""Records that somebody put into Redis by hand: nothing runs, and the rest stays readable."""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import ormsgpack
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from tests.memory.saver.graphs import chat_graph, said, thread
from treadle.core.errors import TreadleError
from treadle.memory.saver import AesGcmCipher, RecordError, RedisSaver

PREFIX = "treadle:main:{t}:"


class Runs:
    """Unpickled, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return subprocess.call, (["sh", "-c", self.command],)


def calling(code: int, *parts: Any) -> bytes:
    """Return a msgpack record that asks for a call."""
    return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))


def forgeries(mark: Path) -> Iterator[tuple[str, bytes]]:
    command = f"touch {mark}"
    yield "pickle", b"pickle\n" + pickle.dumps(Runs(command))
    yield "call of one argument", b"msgpack\n" + calling(0, "os", "system", command)
    yield "call of arguments", b"msgpack\n" + calling(1, "os", "system", [command])
    keywords = {"args": ["sh", "-c", command]}
    yield "call of keywords", b"msgpack\n" + calling(2, "subprocess", "call", keywords)
    yield "method", b"msgpack\n" + calling(3, "pathlib", "Path", str(mark), "touch")
    yield "old pydantic", b"msgpack\n" + calling(4, "subprocess", "Popen", keywords)
    yield "pydantic", b"msgpack\n" + calling(5, "subprocess", "Popen", keywords, "model_validate")
    inner = ormsgpack.Ext(1, ormsgpack.packb(("os", "system", [command])))
    yield "inside a list", b"msgpack\n" + ormsgpack.packb([{"a": [inner]}])
    snapshot = ormsgpack.Ext(7, ormsgpack.packb(inner))
    yield "inside a snapshot", b"msgpack\n" + ormsgpack.packb(snapshot)
    human = ("langchain_core.messages.human", "HumanMessage", {"content": inner}, "x")
    yield (
        "inside a message",
        b"msgpack\n" + ormsgpack.packb(ormsgpack.Ext(5, ormsgpack.packb(human))),
    )
    lc2 = {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": [command]}
    yield "json", b"json\n" + json.dumps(lc2).encode()
    lc1 = {"lc": 1, "type": "secret", "id": ["HOME"]}
    yield "json secret", b"json\n" + json.dumps(lc1).encode()
    yield "unknown extension", b"msgpack\n" + ormsgpack.packb(ormsgpack.Ext(99, b"x"))
    yield "cut short", b"msgpack\n\x92\xa1"
    yield "empty", b""
    yield "no type", b"\n\n"
    yield "another log", b"@log\nffff 0:1"
    yield "beyond the log", b"@log-delta\nffff 5:999999999"
    yield "backwards", b"@log\nffff 5:1"


NAMES = [name for name, _ in forgeries(Path("x"))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["val", "cp", "log", "writes"])
def test_a_forged_record(
    client: redis.Redis, saver: RedisSaver, tmp_path: Path, name: str, part: str
) -> None:
    mark = tmp_path / "mark"
    forged = dict(forgeries(mark))[name]
    graph = chat_graph(saver)
    for number in range(3):
        graph.invoke(said(f"{number}"), thread())
    good = [state.config for state in graph.get_state_history(thread())][3:]
    latest = graph.get_state(thread()).config["configurable"]["checkpoint_id"]
    victim = thread(checkpoint_id=latest)
    if part == "val":
        found = saver.get_tuple(victim)
        assert found is not None
        version = found.checkpoint["channel_versions"]["messages"]
        client.hset(PREFIX + "val", f"/messages/s{version}", forged)
    elif part == "cp":
        client.hset(PREFIX + "cp", f"/{latest}", b"- - \n" + forged)
    elif part == "log":
        client.lset(PREFIX + "log", -1, forged)
    else:
        batch = ormsgpack.packb(["task", "", [[0, "messages", forged]]])
        client.hset(PREFIX + "writes", f"/{latest}/0", batch)
    fresh = RedisSaver(client)
    with pytest.raises(RecordError, match=latest) as caught:
        fresh.get_tuple(victim)
    assert caught.value.message
    assert not mark.exists()
    assert all(fresh.get_tuple(config) for config in good)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(noise=st.binary(max_size=80), part=st.sampled_from(["val", "cp", "log", "writes"]))
def test_noise_is_a_named_error_or_plain_data(client: redis.Redis, noise: bytes, part: str) -> None:
    client.flushall()
    saver = RedisSaver(client)
    chat_graph(saver).invoke(said("hello"), thread())
    if part == "log":
        client.lset(PREFIX + "log", -1, noise)
    else:
        for field in client.hkeys(PREFIX + part):
            client.hset(PREFIX + part, field, noise)
    with suppress(TreadleError):
        RedisSaver(client).get_tuple(thread())


def test_an_interval_of_any_length(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    for number in range(3):
        graph.invoke(said(f"{number}"), thread())
    good = [state.config for state in graph.get_state_history(thread())][3:]
    for field, value in client.hgetall(PREFIX + "val").items():
        if value.endswith(b"0:6"):
            client.hset(PREFIX + "val", field, value + b" 0:99999999999999")
    with pytest.raises(RecordError, match="no entry"):
        RedisSaver(client).get_tuple(thread())
    assert RedisSaver(client).get_tuple(good[0]) is not None
    saver.prune(["t"])


def test_a_damaged_log_is_not_written_to(client: redis.Redis, saver: RedisSaver) -> None:
    graph = chat_graph(saver)
    graph.invoke(said("hello"), thread())
    client.lset(PREFIX + "log", 0, "nonsense")
    with pytest.raises(RecordError, match="refers to is gone"):
        saver.get_tuple(thread())
    before = client.lrange(PREFIX + "log", 0, -1)
    checkpoint: Any = {**empty_checkpoint(), "channel_values": {"messages": ["new"]}}
    with pytest.raises(RecordError, match=r"Nothing was written.*Delete the thread"):
        saver.put(thread(), checkpoint, {}, {"messages": "1"})
    assert client.lrange(PREFIX + "log", 0, -1) == before


def test_the_library_s_default_would_have_run_it(tmp_path: Path) -> None:
    """The reason for all of this."""
    mark = tmp_path / "mark"
    forged = calling(0, "os", "system", f"touch {mark}")
    JsonPlusSerializer().loads_typed(("msgpack", forged))
    assert mark.exists()


class Plan(BaseModel):
    """A type of the user's own."""

    steps: list[str]


@dataclass
class Note:
    text: str


class Planning(TypedDict):
    plan: Any


def planned(saver: RedisSaver, value: Any) -> Any:
    return chat_graph(saver, lambda _: {"plan": value}, Planning)


@pytest.mark.parametrize("value", [Plan(steps=["a"]), [Note("b")], {"deep": [Plan(steps=[])]}])
def test_a_type_of_ones_own_must_be_allowed(saver: RedisSaver, value: Any) -> None:
    with pytest.raises(TreadleError, match=r"'plan'.*(Plan|Note).*with_allowlist"):
        planned(saver, value).invoke({"plan": None}, thread("a"))
    allowing = saver.with_allowlist([Plan, Note])  # type: ignore[list-item]
    planned(allowing, value).invoke({"plan": None}, thread("b"))
    assert planned(allowing, value).get_state(thread("b")).values == {"plan": value}
    with pytest.raises(RecordError, match=r"'plan'.*(Plan|Note).*with_allowlist"):
        saver.get_tuple(thread("b"))


def test_a_forger_without_the_key_is_told_apart(client: redis.Redis) -> None:
    saver = RedisSaver(client, cipher=AesGcmCipher({"a": bytes(32)}))
    graph = chat_graph(saver)
    graph.invoke(said("hello"), thread())
    client.lset(PREFIX + "log", -1, b"msgpack\n" + ormsgpack.packb("forged"))
    with pytest.raises(RecordError, match="not encrypted"):
        RedisSaver(client, cipher=AesGcmCipher({"a": bytes(32)})).get_tuple(thread())


STRICT = """
import os, sys
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
from pydantic import BaseModel
from typing import TypedDict
from langgraph.graph import START, StateGraph
from treadle.memory.saver import RedisSaver

class Plan(BaseModel):
    steps: list[str]

class State(TypedDict):
    plan: Plan

saver = RedisSaver.from_conn_string(sys.argv[1])
builder = StateGraph(State)
builder.add_node("node", lambda _: {"plan": Plan(steps=["a"])})
builder.add_edge(START, "node")
graph = builder.compile(checkpointer=saver)
with saver:
    config = {"configurable": {"thread_id": "t"}}
    graph.invoke({"plan": Plan(steps=[])}, config)
    print(graph.get_state(config).values)
"""


def test_langgraph_can_allow_the_types_of_each_graph_by_itself(redis_url: str) -> None:
    command = [sys.executable, "-c", STRICT, redis_url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "{'plan': Plan(steps=['a'])}\n"
