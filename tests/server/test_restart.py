"""A server that is told to stop while it streams, and its successor on the same port."""

import asyncio
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from langgraph_sdk import get_client

from tests.server.conftest import make_graphs_project
from tests.support.serving import serving
from tests.support.waiting import eventually
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus

STEPS = 25
SETTINGS = "[server]\nstop_seconds = 1\n"
AT_ONCE = f"{SETTINGS}[queue]\ndrain_seconds = 0\n"
AFTER = 3
"""How many events each reader has before the server is stopped."""


async def test_a_stop_cuts_what_does_not_end_and_says_so_in_a_line(redis_url, tmp_path):
    project = make_graphs_project(tmp_path)
    (project / "treadle.toml").write_text(
        "[server]\nstop_seconds = 1\n[queue]\ndrain_seconds = 0\n"
    )
    body = {
        "assistant_id": "hold",
        "input": {
            "messages": [{"role": "user", "content": "wait"}],
            "gate": str(tmp_path / "gate"),
        },
        "on_disconnect": "cancel",
    }
    with serving(project, redis_url, is_new=True) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            async with client.stream("POST", "/runs/stream", json=body) as stream:
                lines = stream.aiter_lines()
                await anext(lines)
                waiting = asyncio.create_task(client.post("/runs/wait", json=body))

                async def both():
                    return len((await client.post("/threads/search", json={})).json()) == 2

                await eventually(both)
                assert await asyncio.to_thread(served.stop) == 0
                with pytest.raises(httpx.RemoteProtocolError):  # It is not told as if whole.
                    [line async for line in lines]
            refused = await waiting
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "being stopped" in refused.json()["detail"]
        log = served.log.read_text()
    assert "Traceback" not in log
    assert log.count("ERROR") == 1  # How many there were.
    async with Runtime.open(redis_url, project) as runtime:
        # The server left, not the client: another server's worker goes on with them.
        assert {run.status for run in await runtime.runs.recent()} == {RunStatus.PENDING}


async def read(stream, parts, has_begun):
    async for part in stream:
        parts.append(part)
        if len(parts) == AFTER:
            has_begun.release()


@pytest.mark.parametrize(("runs", "readers"), [(5, 10)])
async def test_streams_go_on_at_the_next_server_where_this_one_stopped(
    redis_url, tmp_path, runs, readers
):
    project, gate = make_graphs_project(tmp_path), tmp_path / "gate"
    asked = {"messages": [], "steps": STEPS, "gate": str(gate)}
    (project / "treadle.toml").write_text(SETTINGS)
    has_begun = asyncio.Semaphore(0)
    with ExitStack() as stack:
        served = stack.enter_context(serving(project, redis_url, is_new=True))
        port = str(urlsplit(served.url).port)
        async with get_client(url=served.url) as client:
            options = {
                "input": asked,
                "stream_mode": ["custom", "values"],
                "config": {"recursion_limit": STEPS + 5},
            }
            made = [await client.runs.create(None, "count_up", **options) for _ in range(runs)]
            had = {run["run_id"]: [[] for _ in range(readers)] for run in made}
            reading = [
                asyncio.create_task(read(stream_of(client, run), parts, has_begun))
                for run in made
                for parts in had[run["run_id"]]
            ]
            for _ in reading:
                await has_begun.acquire()
            assert await asyncio.to_thread(served.stop) == 0
            assert not any(task.done() for task in reading)
            gate.touch()  # Until now no run could come to its end.
            # The next one listens before it is ready: clients come back when they like.
            again = serving(project, redis_url, "--port", port, is_new=True)
            await asyncio.to_thread(stack.enter_context, again)
            await asyncio.gather(*reading)
            for run in made:
                whole = [part async for part in stream_of(client, run)]
                assert whole[-1].event == "end"
                steps = [part.data["step"] for part in whole if part.event == "custom"]
                assert sorted(set(steps)) == list(range(STEPS))
                assert had[run["run_id"]] == [whole] * readers


def stream_of(client, run):
    return client.runs.join_stream(run["thread_id"], run["run_id"], last_event_id="-1")
