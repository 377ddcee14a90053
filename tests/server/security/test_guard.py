"""What every request passes: host, origin, key, limits and size."""

import asyncio

import pytest

from tests.server.conftest import BASE

DEEP = b"[" * 100_000
TIED = b'{"a": "' + b'\\"' * 300_000


@pytest.mark.parametrize("path", ["/info", "/docs", "/openapi.json", "/metrics", "/threads/x"])
async def test_without_a_key_nobody_is_let_in(project, local, path):
    async with local(project) as made:
        answer = await made.client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        for shown in ("Bearer ", "Bearer treadle_x", f"Bearer treadle_{'0' * 16}_{'A' * 43}"):
            refused = await made.client.get(path, headers={"authorization": shown})
            assert refused.status_code == 401


async def test_a_browser_without_a_key_is_told_how_to_see_the_documentation(project, local):
    shown = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with local(project) as made:
        answer = await made.client.get('/docs?a="><script>', headers=shown)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"].startswith("text/html")
        assert "public_docs" in answer.text
        assert "http://127.0.0.1:8123/docs" in answer.text
        assert "<script" not in answer.text
        assert "/threads" not in answer.text
        # Only there, and only where no key was shown.
        for path, more in (("/openapi.json", {}), ("/docs", {"authorization": "Bearer x"})):
            other = await made.client.get(path, headers={**shown, **more})
            assert other.headers["content-type"] == "application/problem+json"


async def test_a_setting_shows_the_documentation_to_anybody(project, local):
    async with local(project, server={"public_docs": True}) as made:
        document = await made.client.get("/openapi.json")
        assert document.json()["paths"]["/threads/{thread_id}"]
        page = await made.client.get("/docs")
        assert (page.status_code, "/threads/{thread_id}" in page.text) == (200, True)
        for path in ("/info", "/metrics", "/v1/models", "/docs/", "/openapi.json/"):
            assert (await made.client.get(path)).status_code == 401
        host = {"host": "evil.example"}
        assert (await made.client.get("/docs", headers=host)).status_code == 421


async def test_health_is_told_to_anybody(project, local):
    async with local(project) as made:
        for path in ("/ok", "/health/live", "/health/ready"):
            assert (await made.client.get(path)).status_code == 200


async def test_on_loopback_no_key_is_needed_and_a_wrong_one_is_refused(project, local):
    async with local(project, requires_key=False) as made:
        for shown in ("Bearer not-needed", "Basic eDp5"):
            headers = {"authorization": shown}
            assert (await made.client.get("/info", headers=headers)).status_code == 200
        wrong = {"authorization": f"Bearer treadle_{'0' * 16}_{'A' * 43}"}
        assert (await made.client.get("/info", headers=wrong)).status_code == 401


async def test_a_setting_asks_for_a_key_on_loopback_too(project, local):
    async with local(project, requires_key=False, server={"require_key": True}) as made:
        assert (await made.client.get("/info")).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8123"])
async def test_a_page_that_gives_loopback_its_own_name_is_not_answered(project, local_app, host):
    async with local_app(project) as client:
        answer = await client.get("/info", headers={"host": host})
        assert answer.status_code == 421
        assert f"known as '{host.removesuffix(':8123')}'" in answer.json()["detail"]
        assert "[server] hosts" in answer.json()["detail"]
        # What watches over servers asks each by its address.
        assert (await client.get("/health/ready", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "[::1]:8123", "127.0.0.1", "Me.example"]
)
async def test_the_servers_own_names_are_answered(project, local_app, host):
    async with local_app(project, server={"hosts": ["me.example"]}) as client:
        assert (await client.get("/info", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:9"])
async def test_pages_of_other_origins_may_not_ask(project, local_app, origin):
    async with local_app(project) as client:
        answer = await client.get("/info", headers={"origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        own = await client.get("/info", headers={"origin": BASE})
        assert own.status_code == 200


async def test_pages_of_a_listed_origin_may(project, local):
    origin = "https://chat.example"
    async with local(project, server={"origins": [origin]}) as made:
        asks = {"origin": origin, "access-control-request-method": "POST"}
        flight = await made.client.options("/threads", headers=asks)
        assert flight.status_code == 200
        assert flight.headers["access-control-allow-origin"] == origin
        client, _ = await made.client_of()
        answer = await client.get("/info", headers={"origin": origin})
        assert answer.status_code == 200
        assert "Content-Location" in answer.headers["access-control-expose-headers"]
        other = {**asks, "origin": "https://evil.example"}
        assert (await made.client.options("/threads", headers=other)).status_code == 403


async def test_the_document_names_what_a_caller_shows(project, local):
    async with local(project) as made:
        client, _ = await made.client_of()
        document = (await client.get("/openapi.json")).json()
        schemes = document["components"]["securitySchemes"]
        assert document["security"] == [{name: []} for name in schemes]
        header = schemes["ApiKey"]
        assert (header["type"], header["in"]) == ("apiKey", "header")
        assert (schemes["Bearer"]["type"], schemes["Bearer"]["scheme"]) == ("http", "bearer")
        key = client.headers["authorization"].removeprefix("Bearer ")
        shown = {header["name"]: key}
        assert (await made.client.get("/info", headers=shown)).status_code == 200
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if operation.get("security") == []:
                    answer = await made.client.request(method, path)
                    assert answer.status_code == 200, path
        assert document["paths"]["/ok"]["get"]["security"] == []
    async with local(project, requires_key=False) as made:
        document = (await made.client.get("/openapi.json")).json()
        assert "security" not in document
        assert "securitySchemes" not in document["components"]


async def test_browsers_are_told_to_be_careful(project, local_app):
    async with local_app(project) as client:
        for path in ("/ok", "/no-such-path", "/docs"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 5_000, 413),
        (DEEP[:3_000], 422),
        (b'{"a": ' * 60 + b"1" + b"}" * 60, 422),
        (TIED[:3_000], 422),
        (b'{"metadata": {"a": "\\ud800"}}', 422),
        (b'{"metadata": {"a": ' + b"9" * 4_000 + b"}}", 200),
        (b'{"metadata": {"a": [1e308, "NaN, 1e999 and Infinity", "\\u00e9"]}}', 200),
        (b'{"metadata": {"a": [1, -1E0309]}}', 422),
        (b'{"metadata": {"a": ' + b"9" * 400 + b".0}}", 422),
        ('{"metadata": {"a": NaN}}'.encode("utf-16"), 400),
    ],
)
async def test_what_a_body_may_be(project, local_app, body, status):
    async with local_app(project, server={"max_body_bytes": 4_500, "max_json_depth": 50}) as client:
        answer = await client.post(
            "/threads", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == status
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.get("/ok")).status_code == 200


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
async def test_numbers_that_are_none_are_refused_wherever_a_body_is_read(
    project, local_app, number
):
    held = f'{{"a": [{number}]}}'
    asked = '"assistant_id": "plain"'
    said = '"messages": [{"role": "user", "content": "Hello?"}]'
    async with local_app(project) as client:
        for method, path, body in (
            ("POST", "/threads", f'{{"metadata": {held}}}'),
            ("PUT", "/store/items", f'{{"namespace": ["n"], "key": "k", "value": {held}}}'),
            ("POST", "/assistants", f'{{"graph_id": "plain", "config": {held}}}'),
            ("POST", "/runs/wait", f'{{{asked}, "input": {held}}}'),
            ("POST", "/runs/crons", f'{{{asked}, "schedule": "* * * * *", "input": {held}}}'),
            ("POST", "/runs/none/feedback", f'{{"correction": {held}}}'),
            ("POST", "/v1/chat/completions", f'{{"model": "plain", {said}, "metadata": {held}}}'),
            ("POST", "/agui/plain", f'{{"threadId": "t", "runId": "r", {said}, "state": {held}}}'),
            ("POST", "/a2a/plain/message:send", f'{{"message": {{"metadata": {held}}}}}'),
        ):
            headers = {"content-type": "application/json", "a2a-version": "1.0"}
            answer = await client.request(method, path, content=body, headers=headers)
            assert answer.status_code in {400, 422}, path
            assert f"{number}, which is no finite number" in answer.text, path
        for field in ("inf", "nan"):
            item = {"namespace": ["n"], "key": "k", "value": {}, "ttl": field}
            assert (await client.put("/store/items", json=item)).status_code == 422


async def test_a_body_that_never_ends_is_cut_off(project, local_app):
    async def endless():
        while True:
            yield b" " * 1_000

    async with local_app(project, server={"max_body_bytes": 10_000}) as client:
        answer = await client.post("/threads", content=endless())
    assert answer.status_code == 413


async def test_a_body_that_does_not_arrive_is_not_waited_for(project, local_app):
    async def stuck():
        yield b"{"
        await asyncio.Event().wait()

    async with local_app(project, server={"body_seconds": 0.1}) as client:
        answer = await client.post("/threads", content=stuck())
    assert answer.status_code == 408


async def test_requests_over_the_rate_are_refused_with_when_to_come_back(project, local):
    async with local(project) as made:
        client, _ = await made.client_of(requests_per_minute=3)
        other, _ = await made.client_of(requests_per_minute=3)
        answers = [await client.get("/info") for _ in range(4)]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        # The minute may end in between: then one more is answered.
        refused = answers[3] if answers[3].status_code == 429 else await client.get("/info")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await other.get("/info")).status_code == 200


async def test_only_so_many_requests_run_something_at_once(project, local):
    release = asyncio.Event()

    async def held():
        yield b"{"
        await release.wait()
        yield b"}"

    async with local(project) as made:
        client, _ = await made.client_of(runs_at_once=1)
        first = asyncio.create_task(client.post("/threads", content=held()))
        slots = "treadle:main:{caller:*}:running"
        while not await made.runtime.redis.keys(slots):  # noqa: ASYNC110 - in Redis
            await asyncio.sleep(0)
        refused = await client.post("/threads", json={})
        assert refused.status_code == 429
        assert "at once" in refused.json()["detail"]
        assert (await client.get("/info")).status_code == 200
        release.set()
        await first
        assert (await client.post("/threads", json={})).status_code == 200
