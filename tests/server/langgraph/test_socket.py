"""A thread over a WebSocket: `threads.stream(transport="websocket")`, and what else may come."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from treadle.server.langgraph._socket import MAX_SUBSCRIPTIONS

SAID = {"said": ["hello"]}


@asynccontextmanager
async def connected(served, thread):
    """Connect to a thread's socket; give what sends a command, and reads its answer."""
    url = served[0].replace("http", "ws", 1) + f"/threads/{thread}/stream/events"
    async with connect(url) as socket, asyncio.timeout(30):
        yield Conversation(socket)


class Conversation:
    """A connection, and what came over it that nobody has asked for yet."""

    def __init__(self, socket):
        self.socket = socket
        self.told = []
        self.count = 0

    async def ask(self, method, **params):
        """Send a command and return its answer."""
        self.count += 1
        await self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        return await self.answer(self.count)

    async def answer(self, number):
        """Return the answer to a command; what comes before it is kept."""
        while True:
            found = json.loads(await self.socket.recv())
            if found["type"] != "event":
                assert found["id"] == number
                return found
            self.told.append(found)

    async def until(self, event):
        """Return what is told until the run of the root is where it is waited for."""
        while True:
            for place, one in enumerate(self.told):
                if one["method"] == "lifecycle" and one["params"]["data"]["event"] == event:
                    if one["params"]["namespace"]:
                        continue
                    found, self.told = self.told[: place + 1], self.told[place + 1 :]
                    return found
            self.told.append(json.loads(await self.socket.recv()))

    async def closed(self):
        """Return with which code the server closes."""
        try:
            while True:
                await self.socket.recv()
        except ConnectionClosed as end:
            return end.rcvd.code


async def test_the_client_starts_answers_and_follows_a_run(client):
    async with client.threads.stream(assistant_id="own", transport="websocket") as thread:
        started = await thread.run.start(input=SAID)
        async with asyncio.timeout(30):
            while not thread.interrupts:  # noqa: ASYNC110 - the client's watcher says it so
                await asyncio.sleep(0.01)
            answered = await thread.run.respond("yes")
            assert answered["run_id"] == started["run_id"]
            values = [one async for one in thread.values]
            assert values[-1]["said"][-1] == "yes"
            assert (await thread.output)["said"][-1] == "yes"


async def test_all_goes_over_one_connection(served):
    async with connected(served, "fresh") as talk:
        started = await talk.ask("run.start", assistant_id="own", input=SAID)
        assert started["result"]["run_id"]
        named = await talk.ask("subscription.subscribe", channels=["lifecycle", "input", "values"])
        first = await talk.until("interrupted")
        [asked] = [one for one in first if one["method"] == "input.requested"]
        answer = {"interrupt_id": asked["params"]["data"]["interrupt_id"], "response": "yes"}
        assert (await talk.ask("input.respond", **answer))["type"] == "success"
        whole = first[:-1] + await talk.until("completed")
        assert [one["seq"] for one in whole[:-1]] == sorted({one["seq"] for one in whole[:-1]})
        name = named["result"]["subscription_id"]
        gone = await talk.ask("subscription.unsubscribe", subscription_id=name)
        assert gone == {"type": "success", "id": 4, "result": {}}
        again = await talk.ask("subscription.unsubscribe", subscription_id=name)
        assert again["error"] == "no_such_subscription"
    async with connected(served, "fresh") as talk:
        since = whole[2]["seq"]
        wanted = {"channels": ["lifecycle", "input", "values"], "since": since}
        await talk.ask("subscription.subscribe", **wanted)
        assert await talk.until("completed") == whole[3:]


async def test_a_removed_thread_ends_the_connection(served, client):
    thread = (await client.threads.create())["thread_id"]
    async with connected(served, thread) as talk:
        await client.runs.wait(thread, "own", input=SAID)
        await talk.ask("subscription.subscribe", channels=["lifecycle"])
        await talk.until("interrupted")
        await client.threads.delete(thread)
        assert await talk.closed() in {4404, 1011}


async def test_an_unknown_thread_is_said_and_ends_the_connection(served):
    async with connected(served, "nobody") as talk:
        answer = await talk.ask("subscription.subscribe", channels=["values"])
        assert (answer["error"], "nobody" in answer["message"]) == ("invalid_argument", True)
        assert await talk.closed() == 4404


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("subscription.subscribe", {"channels": []}, "invalid_argument"),
        ("subscription.subscribe", {"channels": ["values"], "odd": 1}, "not_supported"),
        ("subscription.reconnect", {}, "not_supported"),
        ("state.get", {}, "not_supported"),
        ("nothing", {}, "unknown_command"),
        ("run.start", {}, "invalid_argument"),
    ],
)
async def test_what_cannot_be_done_is_said_and_the_connection_stays(served, method, params, code):
    async with connected(served, "some") as talk:
        assert (await talk.ask(method, **params))["error"] == code
        assert (await talk.ask(method, **params))["error"] == code


@pytest.mark.parametrize("text", ["", "[]", "{", '{"id": "1"}', "[" * 100_000, '{"id": true}'])
async def test_what_is_no_command_is_said(served, text):
    async with connected(served, "some") as talk:
        await talk.socket.send(text)
        assert (await talk.answer(None))["error"] == "invalid_argument"
        assert (await talk.ask("nothing"))["error"] == "unknown_command"


async def test_bytes_are_no_commands(served):
    async with connected(served, "some") as talk:
        await talk.socket.send(b'{"id": 1}')
        assert await talk.closed() == 1003


async def test_subscriptions_are_bounded(served, client):
    thread = (await client.threads.create())["thread_id"]
    async with connected(served, thread) as talk:
        for _ in range(MAX_SUBSCRIPTIONS):
            found = await talk.ask("subscription.subscribe", channels=["values"])
            assert found["type"] == "success"
        refused = await talk.ask("subscription.subscribe", channels=["values"])
        assert str(MAX_SUBSCRIPTIONS) in refused["message"]
