"""The server as HTTP: secrets, hostile input, a fast start and end."""

import json
import os
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from treadle.runtime.testing import ScriptedOpenAI, say

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture
def server():
    with ScriptedOpenAI(lambda _: say("Hi.")) as running:
        yield running


@pytest.fixture
def http(server):
    headers = {"authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as client:
        yield client


def raw(server: ScriptedOpenAI, sent: bytes) -> bytes:
    address = urlsplit(server.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_keys_and_cookies_are_not_recorded(server, http):
    secrets = {"cookie": "session=hush", "api-key": "hush", "X-Api-Key": "hush", "x-trace": "7"}
    http.post("/chat/completions", json=BODY, headers=secrets)
    recorded = server.requests[0].headers
    assert "hush" not in repr(server.requests)
    assert server.api_key not in repr(server.requests)
    assert recorded["authorization"] == "[redacted]"
    assert recorded["x-trace"] == "7"


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"\xff\xfe", b'{"model": NaN}', b"[" * 100_000, b'{"n": 1' + b"0" * 10_000 + b"}"],
)
def test_a_body_that_cannot_be_read(server, http, sent):
    answer = http.post("/chat/completions", content=sent)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert server.requests[0].body == {}


def test_a_deep_schema_is_no_trouble(http):
    depth = 300
    schema: dict[str, object] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert http.post("/chat/completions", json={**BODY, "tools": [tool]}).status_code == 200


def test_a_message_of_ten_megabytes_both_ways():
    text = "word " * 2_000_000
    with ScriptedOpenAI([say(text)]) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key=server.api_key)
        with (
            client,
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}], stream=True
            ) as stream,
        ):
            answer = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert answer == text
    assert server.requests[0].last_user_text == text


def test_lone_surrogates_survive(http, server):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "\ud83d"}]})
    assert http.post("/chat/completions", content=body).status_code == 200
    assert server.requests[0].last_user_text == "\ud83d"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"content-length: -1", b"400"),
        (b"content-length: two", b"400"),
        (b"content-length: 99999999999999999999", b"413"),
        (b"transfer-encoding: chunked", b"411"),
    ],
)
def test_bodies_of_no_honest_length(server, headers, status):
    sent = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\n\r\n"
    assert raw(server, sent).split()[1] == status


def test_what_is_not_http_harms_nothing(server, http):
    raw(server, b"\x16\x03\x01\x02\x00hello\r\n\r\n")
    raw(server, b"POST /v1/responses HTTP/1.1\r\ncontent-length: 50\r\n\r\n{")
    raw(server, b"")
    assert http.post("/chat/completions", json=BODY).status_code == 200


def test_a_connection_is_kept_for_the_next_request(server):
    head = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-key\r\n\r\n"
    assert raw(server, head * 3).count(b"200 OK") == 3


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic test-key", "test-key"])
def test_no_key_at_all(server, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    answer = httpx.post(f"{server.base_url}/responses", json=BODY, headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert "API key" in answer.json()["error"]["message"]


def test_every_answer_has_an_id(http):
    ids = {http.get("/models").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_it_starts_and_ends_at_once_and_leaves_no_thread():
    before = set(threading.enumerate())
    rounds = 20
    began = time.monotonic()
    for _ in range(rounds):
        with ScriptedOpenAI([]) as server:
            idle = socket.create_connection(("127.0.0.1", urlsplit(server.base_url).port))
        with idle:
            assert idle.recv(1) == b""
    assert (time.monotonic() - began) / rounds < 0.05
    assert {one for one in threading.enumerate() if one.is_alive()} <= before


def test_it_listens_on_loopback_only(server):
    assert server.base_url.startswith("http://127.0.0.1:")


def test_the_environment_points_clients_at_it(server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "example.org")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    assert os.environ["NO_PROXY"] == "example.org,127.0.0.1"
    with openai.OpenAI() as client:
        assert client.responses.create(model="m", input="x").output_text == "Hi."
