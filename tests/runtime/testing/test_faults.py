"""Each fault, as the official client meets it."""

import json
import time

import openai
import pytest

from treadle.runtime.testing import (
    ScriptedOpenAI,
    calls,
    context_too_long,
    disconnect,
    fail,
    half_stream,
    hang,
    malformed_json,
    quota_exceeded,
    rate_limited,
    say,
    server_error,
    unauthorized,
)

CHAT = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello?"}]}
INPUT = {"model": "gpt-5-mini", "input": "Hello?"}
NETWORK = (openai.APIConnectionError,)


def in_chat(client, **options):
    return client.chat.completions.create(**CHAT, **options)


def in_responses(client, **options):
    return client.responses.create(**INPUT, **options)


@pytest.fixture(params=[in_chat, in_responses])
def ask(request):
    return request.param


ERRORS = [
    (rate_limited(), openai.RateLimitError, "rate_limit_exceeded"),
    (quota_exceeded(), openai.RateLimitError, "insufficient_quota"),
    (server_error(), openai.InternalServerError, None),
    (server_error(503), openai.InternalServerError, None),
    (unauthorized(), openai.AuthenticationError, "invalid_api_key"),
    (context_too_long(), openai.BadRequestError, "context_length_exceeded"),
    (fail(403, "Not here.", code="region"), openai.PermissionDeniedError, "region"),
]


@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_has_its_class_and_code_and_costs_nothing(client_of, ask, case, stream):
    fault, error, code = case
    with ScriptedOpenAI([fault]) as server, pytest.raises(error) as raised:
        ask(client_of(server), stream=stream)
    assert raised.value.code == code
    assert raised.value.status_code == fault.status
    assert server.billed.requests == 0
    assert len(server.requests) == 1


def test_retry_after_in_seconds_and_milliseconds(client_of, ask):
    fault = rate_limited(retry_after_seconds=6.5)
    with ScriptedOpenAI([fault]) as server, pytest.raises(openai.RateLimitError) as raised:
        ask(client_of(server))
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.response.headers["retry-after-ms"] == "6500"


def test_the_client_tries_again_after_a_rate_limit(client_of, ask):
    with ScriptedOpenAI([rate_limited(retry_after_seconds=0.001), say("Hi.")]) as server:
        ask(client_of(server, max_retries=1))
    assert len(server.requests) == 2
    assert server.billed.requests == 1


def test_a_hang_lasts_until_the_client_leaves(client_of, ask):
    with ScriptedOpenAI([hang(), say("Hi.")]) as server:
        client = client_of(server)
        with pytest.raises(openai.APITimeoutError):
            ask(client, timeout=0.05)
        ask(client)  # the server is well
    assert server.billed.requests == 1


def test_a_hang_is_bounded(client_of, ask):
    with ScriptedOpenAI([hang(max_seconds=0.02)]) as server, pytest.raises(NETWORK) as raised:
        ask(client_of(server))
    assert not isinstance(raised.value, openai.APITimeoutError)


def test_a_stream_can_hang_in_the_middle(client_of, ask):
    with ScriptedOpenAI([hang(say("A text of some length."), after_chunks=3)]) as server:
        stream = ask(client_of(server), stream=True, timeout=0.05)
        arrived = [next(stream) for _ in range(3)]
        with pytest.raises((openai.APITimeoutError, openai.APIConnectionError)):
            next(stream)
    assert len(arrived) == 3
    assert server.billed.requests == 1


def test_exactly_so_many_events_arrive_before_the_drop(client_of, ask):
    with ScriptedOpenAI([half_stream(after_chunks=3)]) as server:
        stream = ask(client_of(server), stream=True)
        for _ in range(3):
            next(stream)
        with pytest.raises(NETWORK):
            next(stream)
    assert server.billed.output_tokens > 0


def test_half_a_body_arrives_without_a_stream(client_of, ask):
    with ScriptedOpenAI([half_stream()]) as server, pytest.raises(NETWORK):
        ask(client_of(server))


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_drops_before_any_answer(client_of, ask, stream):
    with ScriptedOpenAI([disconnect()]) as server, pytest.raises(NETWORK):
        ask(client_of(server), stream=stream)
    assert server.billed.requests == 0


def test_a_body_that_is_not_json(client_of, ask):
    with ScriptedOpenAI([malformed_json()]) as server:
        raw = client_of(server)
        with pytest.raises((json.JSONDecodeError, openai.APIError)):
            ask(raw)
    assert server.billed.requests == 1


def test_an_event_that_is_not_json(client_of, ask):
    with ScriptedOpenAI([malformed_json()]) as server:
        stream = ask(client_of(server), stream=True)
        next(stream)
        with pytest.raises((json.JSONDecodeError, openai.APIError)):
            list(stream)


def test_the_end_does_not_wait_for_hanging_clients(client_of):
    clients = 5
    with ScriptedOpenAI([hang(say("x"), after_chunks=1) for _ in range(clients)]) as server:
        streams = [in_chat(client_of(server), stream=True) for _ in range(clients)]
        for stream in streams:
            next(stream)
        began = time.monotonic()
    assert time.monotonic() - began < 2  # it would be 60 if it waited
    for stream in streams:
        with pytest.raises(NETWORK):
            next(stream)


def test_impossible_faults_are_refused_when_written():
    with pytest.raises(ValueError, match="not 200"):
        fail(200, "fine")
    with pytest.raises(ValueError, match="nobody can wait"):
        rate_limited(retry_after_seconds=-1)
    with pytest.raises(ValueError, match="counts events"):
        half_stream(after_chunks=-1)
    with pytest.raises(ValueError, match="positive"):
        hang(max_seconds=0)
    with pytest.raises(ValueError, match="takes call"):
        calls(say("x"))
    with pytest.raises(ValueError, match="negative"):
        say("x").costing(input_tokens=-1, output_tokens=0)
    with pytest.raises(ValueError, match="part of input_tokens"):
        say("x").costing(input_tokens=1, output_tokens=0, cached_input_tokens=2)
    with pytest.raises(ValueError, match="part of output_tokens"):
        say("x").costing(input_tokens=1, output_tokens=0, reasoning_tokens=2)
