"""What a chat front end asks of the model: it reaches the provider with every call of the run."""

import json
import os

import openai
import pytest

from tests.server.openai.conftest import CITY
from tests.support.warm import TREADLE, run_warm

CHAT = {
    "temperature": 0.3,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "seed": 42,
    "stop": ["###", "END"],
    "reasoning_effort": "low",
    "verbosity": "high",
}
RESPONSE = {
    "temperature": 0.3,
    "top_p": 0.9,
    "reasoning": {"effort": "low"},
    "text": {"verbosity": "high"},
}
OF_RESPONSE = {"temperature": 0.3, "top_p": 0.9, "reasoning_effort": "low", "verbosity": "high"}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}


@pytest.fixture
def sent(model):
    """Return what the provider was sent of the settings since the test began."""
    first = len(model.requests)

    def found():
        bodies = [request.body for request in model.requests[first:]]
        return [{name: body[name] for name in CHAT if name in body} for body in bodies]

    return found


def chat(client, text="Please compute", agent="counter", **options):
    said = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=agent, messages=said, **options)


def test_a_chat_has_them_in_every_call(client, sent):
    assert chat(client, **CHAT).choices[0].message.content == "The result is 42."
    assert sent() == [CHAT, CHAT]
    chat(client)
    assert sent()[2:] == [{}, {}]


def test_a_streamed_chat_has_them_in_every_call(client, sent):
    with chat(client, stream=True, **CHAT) as stream:
        text = "".join(c.choices[0].delta.content or "" for c in stream)
    assert text == "The result is 42."
    assert sent() == [CHAT, CHAT]


def test_a_single_word_may_end_an_answer(client, sent):
    chat(client, "Hello?", "guide", stop="END")
    assert sent() == [{"stop": ["END"]}]


@pytest.mark.parametrize("how", ["whole", "stream", "background"])
def test_a_response_has_them_in_every_call_and_says_so(client, sent, how):
    asked = {"model": "counter", "input": "Please compute", **RESPONSE}
    if how == "stream":
        with client.responses.create(stream=True, **asked) as stream:
            done = list(stream)[-1].response
    elif how == "background":
        begun = client.responses.create(background=True, **asked)
        with client.responses.retrieve(begun.id, stream=True) as stream:
            done = list(stream)[-1].response
    else:
        done = client.responses.create(**asked)
    assert done.output_text == "The result is 42."
    assert sent() == [OF_RESPONSE, OF_RESPONSE]
    said = (done.temperature, done.top_p, done.reasoning.effort, done.text.verbosity)
    assert said == (0.3, 0.9, "low", "high")
    kept = client.responses.retrieve(done.id)
    assert (kept.temperature, kept.reasoning.effort) == (0.3, "low")


def test_they_are_shown_with_the_run_and_a_replay_matches(client, server, sent, redis_6_2):
    run_id = chat(client, **CHAT).metadata["run_id"]
    project = server.log.parent

    def treadle(*words):
        at = ("--project", str(project), "--redis", redis_6_2.url)
        command = [TREADLE, "runs", words[0], run_id, *words[1:], *at]
        done = run_warm(command, env={**os.environ, "SCRIPTED_KEY": "none", "COLUMNS": "200"})
        assert done.returncode == 0, done.stderr
        return done

    assert json.loads(treadle("show", "--json").stdout)["model_settings"] == CHAT
    assert "temperature=0.3" in treadle("show").stdout
    treadle("replay")
    assert len(sent()) == 2  # The model was asked nothing more.


def test_an_answers_length_is_that_of_all_calls_together(client, model):
    first = len(model.requests)
    done = chat(client, max_completion_tokens=500)
    caps = [request.body["max_completion_tokens"] for request in model.requests[first:]]
    assert caps[0] == 500
    assert caps[1] < 500
    assert done.usage.completion_tokens <= 500


@pytest.mark.parametrize(("agent", "asked", "cap"), [("guide", 20, 20), ("brief", 5_000, 90)])
def test_a_short_answer_is_asked_for_and_a_long_one_as_far_as_the_agent_allows(
    client, model, agent, asked, cap
):
    assert chat(client, "Hello?", agent, max_tokens=asked).choices[0].message.content
    assert model.requests[-1].body["max_completion_tokens"] == cap


@pytest.mark.parametrize("agent", ["stranger", "quoter"])
def test_what_an_agents_models_cannot_take_is_refused_by_name(client, agent):
    refused = {"reasoning_effort": "low", "verbosity": "low"}
    if agent == "stranger":
        refused |= {"temperature": 0.2, "stop": ["x"], "seed": 7, "top_p": 0.5}
    for name, value in refused.items():
        with pytest.raises(openai.BadRequestError) as caught:
            chat(client, "Hello?", agent, **{name: value})
        assert caught.value.body["param"] == name
        assert agent in caught.value.body["message"]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=agent, input="Hello?", reasoning={"effort": "low"})
    assert caught.value.body["param"] == "reasoning.effort"
    # What front ends send without meaning anything by it changes nothing.
    usual = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
    assert chat(client, "Hello?", agent, verbosity="medium", **usual).choices[0].message.content


def test_the_embedded_model_leaves_nothing_to_chance(client):
    text = "A loom has heddles. What has a loom?"
    whole = chat(client, text, "quoter").choices[0].message.content
    assert chat(client, text, "quoter", temperature=0, seed=1).choices[0].message.content == whole


def test_a_run_that_goes_on_keeps_what_it_began_with(client, sent):
    messages = [{"role": "user", "content": "Tell me the weather"}]
    asked = {"model": "guide", "messages": messages, "tools": [WEATHER]}
    first = client.chat.completions.create(temperature=0.3, **asked)
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    [called] = first.choices[0].message.tool_calls
    messages.append({"role": "tool", "tool_call_id": called.id, "content": "fine"})
    for changed in ({"temperature": 0.9}, {"temperature": 0.3, "seed": 1}):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**asked, **changed)
        assert caught.value.body["param"] == list(changed)[-1]
    second = client.chat.completions.create(temperature=0.3, **asked)
    assert (second.id, second.choices[0].message.content) == (first.id, "It is fine.")
    assert sent() == [{"temperature": 0.3}, {"temperature": 0.3}]


def test_a_run_that_goes_on_need_not_be_told_again(client, sent):
    tool = {"type": "function", "name": "get_weather", "parameters": CITY}
    asked = {"model": "guide", "tools": [tool]}
    first = client.responses.create(input="Tell me the weather", temperature=0.3, **asked)
    [called] = first.output
    result = {"type": "function_call_output", "call_id": called.call_id, "output": "fine"}
    following = {"input": [result], "previous_response_id": first.id, **asked}
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(reasoning={"effort": "low"}, **following)
    assert caught.value.body["param"] == "reasoning.effort"
    assert client.responses.create(**following).output_text == "It is fine."
    assert sent() == [{"temperature": 0.3}, {"temperature": 0.3}]
