"""Model settings: what can be asked for, and that it is read again as it was written."""

import json
import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI

from treadle.agents.models import settings_taken
from treadle.agents.models._settings import with_settings
from treadle.core.calls import CAPS
from treadle.core.model_settings import (
    ALL,
    MAX_SEED,
    ModelSettingError,
    ModelSettingName,
    ModelSettings,
)


def numbers(least, most):
    return st.floats(least, most) | st.integers(math.ceil(least), math.floor(most))


VALUES = {
    "temperature": numbers(0, 2),
    "top_p": numbers(0, 1),
    "presence_penalty": numbers(-2, 2),
    "frequency_penalty": numbers(-2, 2),
    "seed": st.integers(-MAX_SEED, MAX_SEED),
    "stop": st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=4),
    "reasoning_effort": st.sampled_from(
        ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    ),
    "verbosity": st.sampled_from(["low", "medium", "high"]),
    "max_output_tokens": st.integers(1, 10_000_000),
}
RIGHT = st.fixed_dictionaries({}, optional=VALUES)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def test_every_setting_is_tried():
    assert set(VALUES) == ALL == set(get_args(ModelSettingName))


@given(RIGHT)
def test_what_is_given_is_read_again_as_it_was(values):
    settings = ModelSettings.read(values)
    written = json.dumps(settings.given(), ensure_ascii=False).encode()
    assert ModelSettings.read(json.loads(written)) == settings
    assert settings.given() == values


@given(st.sampled_from(sorted(ALL)), ANYTHING)
def test_what_is_wrong_is_refused_by_its_name(name, value):
    refused = None
    try:
        kept = ModelSettings.read({name: value}).given()
    except ModelSettingError as error:
        refused = error
    if refused is not None:
        assert refused.setting == name
        assert name in str(refused)
        return
    # What is taken is taken as it is, and can be written.
    is_none = value is None or value == []
    one_word = name == "stop" and isinstance(value, str)
    assert kept == ({} if is_none else {name: [value] if one_word else value})
    assert not isinstance(value, bool)
    json.dumps(kept, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 2.01},
        {"temperature": "0.5"},
        {"temperature": True},
        {"temperature": math.nan},
        {"top_p": -0.1},
        {"presence_penalty": 2.5},
        {"frequency_penalty": -math.inf},
        {"seed": MAX_SEED + 1},
        {"seed": 1.5},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"stop": ""},
        {"stop": ["x" * 1_001]},
        {"stop": ["\ud800"]},
        {"reasoning_effort": "maximal"},
        {"verbosity": "LOW"},
        {"max_output_tokens": 0},
        {"temprature": 1},
    ],
)
def test_values_out_of_their_range(values):
    [name] = values
    with pytest.raises(ModelSettingError, match=name) as caught:
        ModelSettings.read(values)
    assert caught.value.setting == name


LENGTHS = st.none() | st.integers(1, 5_000)


@given(RIGHT, st.fixed_dictionaries({}, optional=dict.fromkeys(CAPS, LENGTHS)), LENGTHS)
def test_the_shortest_length_holds_and_the_rest_is_the_runs(values, own, most):
    asked = values.get("max_output_tokens")
    sent = with_settings(ModelSettings.read(values), ALL, {**own, "tools": [1], "top_p": 0.5}, most)
    bounds = [n for n in (asked, most, *own.values()) if n is not None]
    if asked is not None:
        assert [sent[name] for name in CAPS if name in sent] == [min(bounds)]
    for name, value in values.items():
        if name != "max_output_tokens":
            assert sent[name] == (list(dict.fromkeys(value)) if name == "stop" else value)
    assert sent["tools"] == [1]
    assert sent["top_p"] == values.get("top_p", 0.5)


def test_words_that_end_an_answer_are_added_to_the_calls_own():
    sent = with_settings(ModelSettings(stop=("b", "c")), ALL, {"stop": ["a", "b"]}, None)
    assert sent["stop"] == ["a", "b", "c"]


def openai_model(name, **options):
    return ChatOpenAI(model=name, api_key="none", **options)


ONLY_CHAT = {"stop", "seed", "presence_penalty", "frequency_penalty"}


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        (openai_model("gpt-5-mini"), set()),
        (openai_model("gpt-4o", use_responses_api=True), ONLY_CHAT),
        (openai_model("gpt-5-mini", use_responses_api=True), {*ONLY_CHAT, "temperature"}),
        (openai_model("gpt-5-chat-latest", use_responses_api=True), ONLY_CHAT),
    ],
)
def test_what_openais_models_take_is_what_reaches_the_provider(model, refused):
    taken = settings_taken(model, "openai:x")
    assert taken == ALL - refused
    values = {"reasoning_effort": "low", "verbosity": "low", "temperature": 0.5, "top_p": 0.5}
    values |= {"presence_penalty": 1, "frequency_penalty": 1, "seed": 7, "stop": ["x"]}
    values |= {"max_output_tokens": 50}
    given = ModelSettings.read({name: value for name, value in values.items() if name in taken})
    options = with_settings(given, taken, {}, None)
    payload = model._get_request_payload([("user", "hi")], **options)
    flat = {**payload, **payload.get("text", {})}
    flat["reasoning_effort"] = payload.get("reasoning", {"effort": flat.get("reasoning_effort")})[
        "effort"
    ]
    flat["max_output_tokens"] = next(payload[name] for name in CAPS if name in payload)
    for name, value in given.given().items():
        assert flat[name] == value, name
    for name in refused:
        with pytest.raises(ModelSettingError, match=name):
            with_settings(ModelSettings.read({name: values[name]}), taken, {}, None)
