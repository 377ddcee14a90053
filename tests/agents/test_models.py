"""Models by name, and what their calls say at the boundary."""

import asyncio
import json
import re

import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from tests.support.certificates import Authority
from tests.support.models import resolved, settings_for
from tests.support.recording import Recording
from tests.support.web_server import web_server
from treadle.agents.models import Models, info_of
from treadle.core.boundary import boundary
from treadle.core.errors import BrokenAnswerError, ConfigError, ModelError, UnknownNameError
from treadle.core.settings import ModelProfile, Settings
from treadle.runtime.testing import (
    ScriptedOpenAI,
    call,
    context_too_long,
    disconnect,
    fail,
    half_stream,
    hang,
    malformed_json,
    rate_limited,
    say,
    server_error,
    unauthorized,
)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather.",
        "parameters": {"type": "object"},
    },
}


def opened(gate):
    return boundary(gate, thread_id="t", run_id="r")


async def test_every_way_to_call_a_model_goes_through_the_gate_once():
    gate = Recording()
    with ScriptedOpenAI([say("one")] * 6) as server, opened(gate):
        model = resolved(server).chat
        assert (await model.ainvoke("hi")).text == "one"
        assert "".join([piece.text async for piece in model.astream("hi")]) == "one"
        assert (await asyncio.to_thread(model.invoke, "hi")).text == "one"
        streamed = await asyncio.to_thread(lambda: [p.text for p in model.stream("hi")])
        assert "".join(streamed) == "one"
        assert [m.text for m in await model.abatch(["hi", "ho"])] == ["one", "one"]
    assert len(gate.calls) == len(gate.outcomes) == 6
    spent = sum(outcome.usage.input_tokens for outcome in gate.outcomes)
    assert spent == server.billed.input_tokens > 0
    assert all(outcome.usage.usd > 0 for outcome in gate.outcomes)


async def test_without_a_gate_every_way_works_as_the_provider_made_it():
    with ScriptedOpenAI([say("one")] * 4) as server:
        model = resolved(server).chat
        assert isinstance(model, ChatOpenAI)
        assert (await model.ainvoke("hi")).text == "one"
        assert "".join([piece.text async for piece in model.astream("hi")]) == "one"
        assert (await asyncio.to_thread(model.invoke, "hi")).text == "one"
        assert await asyncio.to_thread(lambda: "".join(p.text for p in model.stream("hi"))) == "one"


async def test_bound_tools_and_structured_output_go_through_the_gate():
    gate = Recording()
    with ScriptedOpenAI([call("weather"), say('{"x": 1}')]) as server, opened(gate):
        model = resolved(server).chat
        answer = await model.bind_tools([WEATHER]).ainvoke("hi")
        schema = {"title": "x", "type": "object", "properties": {"x": {"type": "integer"}}}
        parsed = await model.with_structured_output(schema).ainvoke("hi")
    assert [c["name"] for c in answer.tool_calls] == ["weather"]
    assert parsed == {"x": 1}
    assert len(gate.calls) == 2
    assert "tools" in gate.calls[0].request["options"]


async def test_a_recorded_answer_replaces_the_call_also_when_streamed():
    with ScriptedOpenAI([call("weather")]) as server:
        model = resolved(server).chat.bind_tools([WEATHER])
        gate = Recording()
        with opened(gate):
            first = await model.ainvoke([HumanMessage("hi")])

        class Replay(Recording):
            async def before(self, call):
                return gate.outcomes[0]

        with opened(Replay()):
            again = await model.ainvoke([HumanMessage("hi")])
            pieces = [piece async for piece in model.astream([HumanMessage("hi")])]
    assert again.tool_calls == first.tool_calls
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    assert whole.tool_calls == first.tool_calls


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (unauthorized(), "environment variable TEST_KEY"),
        (fail(403, "no"), r"not allowed to use this model \(403\)"),
        (fail(404, "no", code="model_not_found"), "has no model of that name"),
        (context_too_long(), "longer than the model's context"),
        (rate_limited(retry_after_seconds=0), "rate limit or quota"),
        (server_error(), "the provider failed"),
        (server_error(503), "the provider failed"),
        (fail(400, "bad temperature"), "refused the request: .*bad temperature"),
        (disconnect(), "cannot be reached"),
        (hang(), "did not answer in time"),
        (malformed_json(), "broke off or could not be read"),
        (half_stream(), "broke off or could not be read"),
    ],
)
async def test_what_goes_wrong_is_said_with_what_to_do(failure, expected):
    gate = Recording()
    seconds = 0.3 if "in time" in expected else 60  # A slow machine is none of the others.
    with ScriptedOpenAI([failure]) as server, opened(gate):
        model = resolved(server, timeout_seconds=seconds).chat
        with pytest.raises(ModelError, match=expected) as caught:
            await model.ainvoke("hi")
    assert isinstance(caught.value, BrokenAnswerError) == ("broke off" in expected)
    assert gate.outcomes[0].error is caught.value
    assert gate.outcomes[0].usage.model_calls == 1
    assert "test-key" not in str(caught.value)


async def test_the_client_tries_again_by_itself_and_waits_as_it_is_told():
    script = [rate_limited(retry_after_seconds=0), server_error(), say("there")]
    with ScriptedOpenAI(script) as server:
        assert (await resolved(server, max_retries=2).chat.ainvoke("hi")).text == "there"


async def test_a_server_that_is_not_there_is_said():
    profile = ModelProfile(model="openai:x", base_url="http://127.0.0.1:9/v1", max_retries=0)
    model = Models(Settings(models={"here": profile}), {}).resolve("here")
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9/v1 cannot be reached"):
        await model.chat.ainvoke("hi")


async def test_a_provider_whose_certificate_is_not_trusted_is_said(tmp_path):
    async with web_server(Authority(tmp_path).issue("127.0.0.1")) as web:
        profile = ModelProfile(model="openai:x", base_url=f"{web.url}/v1", max_retries=0)
        model = Models(Settings(models={"here": profile}), {}).resolve("here")
        with pytest.raises(ModelError, match="a certificate that is not trusted") as caught:
            await model.chat.ainvoke("hi")
        assert "SSL_CERT_FILE" in caught.value.hint
        assert caught.value.is_free
        assert web.requests == []


def test_the_usual_key_is_not_sent_to_another_server():
    with ScriptedOpenAI([], api_key="none") as server:
        settings = settings_for(server, api_key_env=None)
        model = Models(settings, {"OPENAI_API_KEY": "secret"}).resolve("one")
    assert model.chat.openai_api_key.get_secret_value() == "none"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("embeded", "Did you mean 'embedded'"),
        ("openai:gpt-5-mini", "OPENAI_API_KEY is not set"),
        ("openai:", "names no model"),
        ("nobody:model", "nobody"),
        ("anthropic:claude", "langchain-anthropic|langchain_anthropic"),
        ("fast", "MY_KEY is not set"),
    ],
)
def test_a_model_that_cannot_be_used_is_explained(name, expected):
    fast = ModelProfile(model="openai:gpt-5-mini", api_key_env="MY_KEY")
    with pytest.raises((ConfigError, UnknownNameError), match=expected):
        Models(Settings(models={"fast": fast}), {}).resolve(name)


def test_the_embedded_model_needs_nothing():
    model = Models(Settings(), {}).resolve("embedded")
    assert info_of(model.chat).name == "embedded"


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_model_asks_and_is_answered_as_its_providers_own_class(is_streamed):
    async def ask(model):
        bound = model.bind_tools([WEATHER], extra_headers={"x-mine": "1"}, extra_body={"seed": 7})
        messages = [HumanMessage("hi")]
        if is_streamed:
            pieces = [piece async for piece in bound.astream(messages)]
            return [piece.model_dump(exclude={"id"}) for piece in pieces]
        return (await bound.ainvoke(messages)).model_dump(exclude={"id"})

    with ScriptedOpenAI([call("weather", city="Paris")] * 2) as server:
        ours = resolved(server).chat
        theirs = ChatOpenAI(
            model="gpt-5-mini", base_url=server.base_url, api_key=server.api_key,
            max_retries=0, timeout=5, stream_usage=True,
        )  # fmt: skip
        answers = [_without_ids(await ask(model)) for model in (ours, theirs)]
    first, second = server.requests
    assert first.body == second.body
    assert first.headers["x-mine"] == "1"
    assert answers[0] == answers[1]


def _without_ids(answer):
    """Return the answer without the ids made up for it, and what the client fills in as unknown."""
    told = json.loads(json.dumps(answer), object_pairs_hook=_known)
    return re.sub(r"(chatcmpl-|call_)[0-9A-Za-z_-]+", r"\1", json.dumps(told, sort_keys=True))


def _known(pairs):
    return {name: value for name, value in pairs if value is not None}


async def test_embeddings_of_a_profile_share_the_pool_and_end_with_it():
    with ScriptedOpenAI([]) as server:
        settings = settings_for(server, model="openai:text-embedding-3-small")
        models = Models(settings, {"TEST_KEY": server.api_key})
        embeddings = models.embeddings("one")
        assert models.embeddings("one") is embeddings
        [boat, loom] = await embeddings.aembed_documents(["a boat", "a loom"])
        assert await embeddings.aembed_query("a boat") == boat != loom
        await models.aclose()
        with pytest.raises(RuntimeError, match="client has been closed"):
            await embeddings.aembed_query("a boat")


def test_embeddings_that_need_no_connection_are_left_to_their_names():
    models = Models(Settings(), {})
    assert [models.embeddings(name) for name in ("minilm", "fastembed:m", None)] == [
        "minilm",
        "fastembed:m",
        None,
    ]
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        models.embeddings("openai:text-embedding-3-small")
