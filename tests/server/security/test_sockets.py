"""WebSockets pass what every request passes, and each message what every body passes."""

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from treadle.core.settings import Settings
from treadle.runtime import Runtime
from treadle.server import app
from treadle.server._serve import Listening, serve, url_of
from treadle.server.security import ApiKeys, Scope

LIMITS = {"max_body_bytes": 4_500, "max_json_depth": 50}


@pytest.fixture
def listening(redis_url, project):
    """Give what serves the project's application on a port; gives its address and the keys."""

    @asynccontextmanager
    async def opened(*, requires_key=True, **server):
        chosen = Settings.model_validate({"server": server})
        async with Runtime.open(redis_url, project, settings=chosen) as runtime:
            made = app(runtime, requires_key=requires_key, workers=0)
            with Listening(port=0).bind() as bound:
                serving = asyncio.create_task(serve(made, bound, runtime.settings.server))
                try:
                    yield url_of(bound).replace("http", "ws", 1), ApiKeys(runtime.redis)
                finally:
                    await stop(serving)

    return opened


async def stop(serving):
    """Stop a server as an operator does."""
    assert not serving.done(), "a signal that it does not take would end the tests"
    os.kill(os.getpid(), signal.SIGTERM)
    await serving


async def refusal(url, **headers):
    """Return the status with which a connection is refused, and what is said."""
    with pytest.raises(InvalidStatus) as problem:
        async with connect(url, additional_headers=headers):
            pass
    answer = problem.value.response
    return answer.status_code, json.loads(answer.body)["detail"]


async def closed(socket, *texts):
    """Return the code with which a connection is closed after messages."""
    try:
        for text in texts:
            await socket.send(text)
        while True:
            await socket.recv()
    except ConnectionClosed as end:
        return end.rcvd.code


async def asked(socket, method, **params):
    """Send a command and return its answer."""
    await socket.send(json.dumps({"id": 1, "method": method, "params": params}))
    return json.loads(await socket.recv())


PATH = "/threads/t/stream/events"


async def test_host_origin_and_key_are_looked_at(listening):
    async with listening() as (url, keys):
        assert (await refusal(url + PATH))[0] == 401
        assert (await refusal(url + PATH, Authorization="Bearer wrong"))[0] == 401
        key = (await keys.create("reader", tenant="main")).key
        shown = {"Authorization": f"Bearer {key}"}
        status, said = await refusal(url + PATH, Origin="https://evil.example", **shown)
        assert (status, "origins" in said) == (403, True)
        own = {"Origin": url.replace("ws", "http", 1), **shown}
        async with connect(url + PATH, additional_headers=own) as socket:
            assert (await asked(socket, "nothing"))["error"] == "unknown_command"


async def test_another_name_of_the_server_is_refused(listening):
    async with listening(requires_key=False) as (url, _):
        port = url.rpartition(":")[2]
        with pytest.raises(InvalidStatus) as problem:
            async with connect(f"ws://evil.example:{port}{PATH}", host="127.0.0.1", port=int(port)):
                pass
        assert problem.value.response.status_code == 421


async def test_who_may_only_read_starts_nothing(listening):
    async with listening() as (url, keys):
        key = (await keys.create("reader", tenant="main", scope=Scope.READ)).key
        headers = {"x-api-key": key}
        async with connect(url + PATH, additional_headers=headers) as socket:
            for method in ("run.start", "input.respond"):
                answer = await asked(socket, method, assistant_id="plain", input={})
                assert answer["error"] == "not_permitted"


async def test_threads_of_others_are_not_there(listening):
    async with listening() as (url, keys):
        for about in ({"tenant": "main"}, {"tenant": "other"}):
            name = f"owner-of-{about['tenant']}"
            key = (await keys.create(name, **about)).key
            async with connect(url + PATH, additional_headers={"x-api-key": key}) as socket:
                started = await asked(socket, "run.start", assistant_id="plain", input=None)
                assert started["type"] == "success", started
        key = (await keys.create("somebody", tenant="main")).key
        async with connect(url + PATH, additional_headers={"x-api-key": key}) as socket:
            answer = await asked(socket, "subscription.subscribe", channels=["values"])
            assert answer["type"] == "error"
            assert await closed(socket) == 4404


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 5_000, 1009),
        ("[" * 60, 4422),
        ('{"id": 1, "method": "\\ud800"}', 4422),
        ('{"id": 1, "method": "nothing", "params": {"a": NaN}}', 4422),
    ],
)
async def test_what_a_message_may_be(listening, text, code):
    async with listening(requires_key=False, **LIMITS) as (url, _):
        async with connect(url + PATH) as socket:
            assert await closed(socket, text) == code
        async with connect(url + PATH) as socket:
            assert (await asked(socket, "nothing"))["error"] == "unknown_command"


async def test_messages_count_as_requests(listening):
    async with listening() as (url, keys):
        key = (await keys.create("eager", tenant="main", requests_per_minute=5)).key
        async with connect(url + PATH, additional_headers={"x-api-key": key}) as socket:
            assert await closed(socket, *['{"id": 1, "method": "nothing"}'] * 6) == 4429
        assert (await refusal(url + PATH, **{"x-api-key": key}))[0] == 429


async def test_other_paths_have_no_sockets(listening):
    async with listening(requires_key=False) as (url, _):
        for path in ("/ok", "/threads/t/stream", "/mcp", "/nothing"):
            with pytest.raises(InvalidStatus):
                async with connect(url + path):
                    pass


async def test_a_server_that_stops_says_so(listening):
    async with listening(requires_key=False) as (url, _):
        socket = await connect(url + PATH)
    assert await closed(socket) == 1012
