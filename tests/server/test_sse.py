"""The stream writer: batches, heartbeats, slow clients and clients that leave."""

import asyncio

import pytest

from treadle.server._sse import MAX_BUFFERED_BYTES, EventStream, sse


class Client:
    """The far end of a stream: takes what is sent, when it wants to."""

    def __init__(self):
        self.sent = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.left = asyncio.Event()

    async def send(self, message):
        await self.reads.wait()
        self.sent.append(message)

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def bodies(self):
        return [m["body"] for m in self.sent if m["type"] == "http.response.body"]

    async def take(self, stream):
        await stream({"type": "http"}, self.receive, self.send)


@pytest.mark.parametrize(
    ("event", "written"),
    [
        (sse("a\nb"), b"data: a\ndata: b\n\n"),
        (sse(b"a\nb", event="x"), b"event: x\ndata: a\ndata: b\n\n"),
        (sse({"a": "é"}, event="x", id_="7"), 'id: 7\nevent: x\ndata: {"a": "é"}\n\n'.encode()),
    ],
)
def test_an_event_is_written_as_the_standard_says(event, written):
    assert event == written


async def test_what_comes_at_once_is_sent_at_once():
    async def source():
        for number in range(100):
            yield sse(number)

    client = Client()
    await client.take(EventStream(source()))
    assert b"".join(client.bodies) == b"".join(sse(number) for number in range(100))
    assert len(client.bodies) < 10
    assert client.sent[-1]["more_body"] is False


async def test_what_nobody_wanted_does_not_end_the_stream():
    async def source():
        yield b""
        yield sse(1)
        yield b""
        yield sse(2)

    client = Client()
    await client.take(EventStream(source()))
    assert b"".join(client.bodies) == sse(1) + sse(2)


async def test_a_silent_stream_says_that_it_is_there():
    release = asyncio.Event()

    async def source():
        await release.wait()
        yield sse("late")

    client = Client()
    taking = asyncio.create_task(client.take(EventStream(source(), heartbeat_seconds=0.01)))
    while not client.bodies:  # noqa: ASYNC110 - a list
        await asyncio.sleep(0)
    assert client.bodies[0].startswith(b":")
    release.set()
    await taking
    assert sse("late") in client.bodies


async def test_a_client_that_reads_nothing_holds_a_bounded_number_and_is_let_go():
    made, closed = [], []
    size = MAX_BUFFERED_BYTES // 100

    async def source():
        try:
            while True:
                made.append(1)
                yield sse("x" * size)
        finally:
            closed.append(True)

    client = Client()
    stream = EventStream(source(), send_seconds=0.05)
    client.reads.clear()
    start = asyncio.create_task(client.take(stream))
    await asyncio.sleep(0)
    client.reads.set()
    while not client.bodies:  # noqa: ASYNC110 - a list
        await asyncio.sleep(0)
    client.reads.clear()
    taken = len(b"".join(client.bodies).split(b"\n\n"))
    await start
    assert closed == [True]
    assert len(made) <= taken + 3 * MAX_BUFFERED_BYTES // size


async def test_a_client_that_leaves_closes_the_source():
    closed = asyncio.Event()

    async def source():
        try:
            yield sse("first")
            await asyncio.Event().wait()
        finally:
            closed.set()

    client = Client()
    taking = asyncio.create_task(client.take(EventStream(source())))
    while not client.bodies:  # noqa: ASYNC110 - a list
        await asyncio.sleep(0)
    client.left.set()
    await taking
    assert closed.is_set()


async def test_a_source_that_fails_is_told_to_the_server():
    async def source():
        yield sse("first")
        raise RuntimeError("broken")

    client = Client()
    with pytest.raises(RuntimeError, match="broken"):
        await client.take(EventStream(source()))
    # The client had what there was, and no end: it knows that this was not all.
    assert client.bodies == [sse("first")]
