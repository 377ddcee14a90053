"""Clients that leave, at whatever moment: what they asked for stops, when they want that."""

import asyncio

import httpx
import pytest


@pytest.mark.parametrize("after_seconds", [0, 0.01, 0.03, 0.1])
async def test_a_run_stops_whenever_its_client_leaves(served_graphs, after_seconds):
    asked = {"messages": [{"role": "user", "content": "wait"}], "gate": "/no-such-file"}
    body = {"assistant_id": "hold", "input": asked, "on_disconnect": "cancel"}

    async def leave(client):
        async with client.stream("POST", "/runs/stream", json=body) as answer:
            await asyncio.sleep(after_seconds)  # There is no moment at which it may not leave.
        run = answer.headers["content-location"]
        await client.get(f"{run}/join")
        return (await client.get(run)).json()["status"]

    async with httpx.AsyncClient(base_url=served_graphs.url, timeout=30) as client:
        left = await asyncio.gather(*(leave(client) for _ in range(5)))
    assert left == ["interrupted"] * 5


async def test_a_run_that_was_joined_stops_when_its_client_leaves_and_wants_that(served_graphs):
    asked = {"messages": [{"role": "user", "content": "wait"}], "gate": "/no-such-file"}
    body = {"assistant_id": "hold", "input": asked}
    async with httpx.AsyncClient(base_url=served_graphs.url, timeout=30) as client:
        run = (await client.post("/runs", json=body)).headers["content-location"]
        for cancels in (0, 1):
            where = f"{run}/join?cancel_on_disconnect={cancels}"
            with pytest.raises(httpx.ReadTimeout):
                await client.get(where, timeout=0.2)
            if not cancels:
                assert (await client.get(run)).json()["status"] in {"pending", "running"}
        await client.get(f"{run}/join")
        assert (await client.get(run)).json()["status"] == "interrupted"
