"""What a model's provider answers in place of an answer, as the client of an agent is told it."""

import json

import httpx
import openai
import pytest
from langgraph_sdk import get_sync_client
from openai import OpenAI

TOLD = "Unsupported value: 'temperature' does not support 0.3 with this model."
REFUSED = {"status": 400, "message": TOLD, "param": "temperature", "code": "unsupported_value"}
SECRET = "sk-proj-" + "a1B2" * 12
LEAKING = f"Wrong key {SECRET}, asked at http://10.1.2.3:8000/v1 (10.1.2.4:99)."


@pytest.fixture
def patient(server, model):
    """Give a client that repeats what may be repeated; the model must be asked once."""
    asked = len(model.requests)
    with OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=2) as client:
        yield client
    assert len(model.requests) == asked + 1


def chat(client, failing, **options):
    said = [{"role": "user", "content": f"The provider says {json.dumps(failing)}"}]
    made = client.chat.completions.create(model="guide", messages=said, **options)
    return list(made) if options.get("stream") else made


def respond(client, failing, **options):
    asked = f"The provider says {json.dumps(failing)}"
    return client.responses.create(model="guide", input=asked, **options)


def test_a_setting_that_the_provider_refuses_is_named(patient):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(patient, REFUSED, temperature=0.3)
    error = caught.value
    assert (error.param, error.code) == ("temperature", "unsupported_value")
    assert error.type == "invalid_request_error"
    assert TOLD in error.message
    assert "BadRequestError" not in error.body["message"]


def test_a_stream_tells_it_as_well(patient):
    with pytest.raises(openai.APIError) as caught:
        chat(patient, REFUSED, temperature=0.3, stream=True)
    assert caught.value.body["param"] == "temperature"
    assert caught.value.body["type"] == "invalid_request_error"
    assert TOLD in caught.value.body["message"]


@pytest.mark.parametrize("named", ["reasoning.effort", "reasoning_effort", None])
def test_a_response_names_the_field_where_its_api_has_it(patient, named):
    why = {"status": 400, "message": "Bad reasoning_effort: 'xhigh'.", "param": named}
    with pytest.raises(openai.BadRequestError, match="xhigh") as caught:
        respond(patient, why, reasoning={"effort": "xhigh"})
    assert caught.value.param == "reasoning.effort"


def test_a_streamed_response_ends_as_failed(patient):
    with respond(patient, REFUSED, temperature=0.3, stream=True) as stream:
        last = list(stream)[-1]
    assert last.type == "response.failed"
    assert last.response.error.code == "invalid_prompt"
    assert TOLD in last.response.error.message


@pytest.mark.parametrize(
    ("why", "code", "told"),
    [
        (REFUSED, "invalid_prompt", TOLD),
        ({"status": 401, "message": TOLD}, "server_error", "does not accept the key"),
    ],
)
def test_a_response_in_the_background_fails_for_the_same_reason(patient, why, code, told):
    begun = respond(patient, why, temperature=0.3, background=True)
    with patient.responses.retrieve(begun.id, stream=True) as stream:
        last = list(stream)[-1]
    assert last.type == "response.failed"
    assert last.response.error.code == code
    assert told in last.response.error.message
    assert patient.responses.retrieve(begun.id).error == last.response.error


def test_what_the_agents_profile_says_is_not_the_callers_fault(patient):
    with pytest.raises(openai.InternalServerError) as caught:
        chat(patient, REFUSED, top_p=0.5)
    assert (caught.value.status_code, caught.value.code) == (500, "run_failed")


def test_a_conversation_that_is_too_long_says_so_in_openais_words(patient):
    why = {"status": 400, "message": "Too long.", "code": "context_length_exceeded"}
    with pytest.raises(openai.BadRequestError) as caught:
        chat(patient, why)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("provider", "told", "code"),
    [
        (400, 400, "run_failed"),
        (401, 500, "run_failed"),
        (403, 500, "run_failed"),
        (404, 500, "run_failed"),
        (422, 400, "run_failed"),
        (429, 429, "rate_limit_exceeded"),
        (500, 502, "run_failed"),
        (503, 502, "run_failed"),
    ],
)
@pytest.mark.parametrize("ask", [chat, respond])
def test_no_answer_of_a_provider_leaks(patient, provider, told, code, ask):
    with pytest.raises(openai.APIStatusError) as caught:
        ask(patient, {"status": provider, "message": LEAKING})
    assert (caught.value.status_code, caught.value.code) == (told, code)
    for secret in (SECRET, SECRET[:20], "10.1.2", "8000"):
        assert secret not in caught.value.response.text


def test_a_run_over_langgraphs_protocol_fails_and_says_why(server, model):
    asked = len(model.requests)
    with get_sync_client(url=server.url) as client:
        thread = client.threads.create()["thread_id"]
        refused = {**REFUSED, "message": f"{TOLD} {LEAKING}"}
        said = [{"role": "user", "content": f"The provider says {json.dumps(refused)}"}]
        made = client.runs.create(thread, "guide", input={"messages": said})
        client.runs.join(thread, made["run_id"])
        run = client.runs.get(thread, made["run_id"])
        more = httpx.get(f"{server.url}/runs/{made['run_id']}").json()
        errors = [client.threads.get(thread).get("error")]
        errors += [task["error"] for task in client.threads.get_state(thread)["tasks"]]
    assert run["status"] == "error"
    assert errors[1:]
    told = json.dumps([run, more["error"], *errors])
    assert "refused the request: Unsupported value" in told
    assert SECRET not in told
    assert "10.1.2" not in told
    assert len(model.requests) == asked + 1
