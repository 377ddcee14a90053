"""What docs/memory.md says is so."""

import re
import shlex
from pathlib import Path
from typing import Any

import redis
from langchain_core.messages import AIMessage

from tests.memory.saver.graphs import chat_graph, said, texts
from treadle.memory import connect_sync
from treadle.memory.saver import RedisSaver

PAGE = (Path(__file__).parents[2] / "docs" / "memory.md").read_text()
TRIP: Any = {"configurable": {"thread_id": "trip"}}


def test_a_thread_is_read_by_hand(redis_url: str) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [shlex.split(line)[1:] for line in block.splitlines() if line[0] != "#"]
    latest, record, value, bodies = commands
    with connect_sync(redis_url) as client:
        graph = chat_graph(RedisSaver(client), lambda _: {"messages": [AIMessage("Hello, Ada.")]})
        for text in ("I am Ada.", "Who am I?"):
            live = graph.invoke(said(text), TRIP)
        (name,) = client.execute_command(*latest)
        header = client.execute_command(*record[:-1], name).partition(b"\n")[0]
        (version,) = re.findall(rb" messages=(\S+)", header)
        reference = client.execute_command(*value[:-1], b"/messages/" + version)
        assert re.fullmatch(rb"@log\n[0-9a-f]{16} 0:4", reference)
        found = client.execute_command(*bodies)
        assert len(found) == 4
        for body, text in zip(found, texts(live["messages"]), strict=True):
            assert body.startswith(b"msgpack\n")
            assert text.encode() in body
        client.hdel(record[1], name)
        client.zrem(latest[1], name)
        before = RedisSaver(client).get_tuple(TRIP)
        assert before is not None
        assert before.checkpoint["channel_values"]["messages"] == live["messages"][:-1]


def test_the_rights_the_saver_needs(redis_url: str) -> None:
    (command,) = re.findall(r"`(ACL SETUSER [^`]*)`", PAGE)
    with connect_sync(redis_url) as admin:
        admin.execute_command(*shlex.split(command))
        path = redis_url.removeprefix("unix://")
        try:
            with redis.Redis(unix_socket_path=path, username="app", password="secret") as client:
                saver = RedisSaver(client)
                graph = chat_graph(saver)
                live = graph.invoke(said("hello"), TRIP)
                saver.copy_thread("trip", "copy")
                saver.prune(["copy"])
                assert graph.get_state({"configurable": {"thread_id": "copy"}}).values == live
                assert len(list(saver.list(TRIP))) == 3
                saver.delete_thread("trip")
        finally:
            admin.acl_deluser("app")
