"""Errors, usage, sources and settings."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from treadle.core.calls import CallKind
from treadle.core.errors import ConfigError, ToolError, UnknownNameError, nearest
from treadle.core.events import CallFinished, Reply, RunFinished
from treadle.core.files import load_object
from treadle.core.settings import Settings, project_collection, project_folder
from treadle.core.sources import LABEL, Source
from treadle.core.usage import Price, Usage, model_call_usage


def test_of_names_that_are_not_to_be_told_nothing_is_said():
    assert str(UnknownNameError("run", "nope", None)) == "No run is named 'nope'."
    assert str(UnknownNameError("agent", "nope", [])).endswith("There is no agent yet.")


def test_an_unknown_name_offers_the_nearest_and_the_choices():
    error = UnknownNameError("agent", "asistant", ["assistant", "digest"])
    assert error.nearest == "assistant"
    assert str(error) == (
        "No agent is named 'asistant'. Did you mean 'assistant'? There are: assistant, digest."
    )


def test_nothing_is_offered_where_nothing_is_close():
    assert nearest("zebra", ["assistant"]) is None


def test_a_tool_error_keeps_its_hint_for_the_model():
    assert str(ToolError("No page.", hint="Try another title.")) == "No page. Try another title."


def test_cached_tokens_cost_their_own_price():
    price = Price(Decimal(2), Decimal(8), Decimal("0.5"))
    usage = Usage(input_tokens=1_000_000, cached_input_tokens=400_000, output_tokens=500_000)
    assert price.of(usage) == Decimal("1.2") + Decimal("0.2") + Decimal(4)


def test_a_call_without_counts_or_price_is_counted_as_unpriced():
    assert model_call_usage(AIMessage("hi"), Price(Decimal(1), Decimal(1))).unpriced_calls == 1
    counts = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    counted = AIMessage("hi", usage_metadata=counts)
    assert model_call_usage(counted, None) == Usage(1, 0, 10, 5, unpriced_calls=1)
    priced = model_call_usage(counted, Price(Decimal(1), Decimal(2)))
    assert (priced.usd, priced.unpriced_calls) == (Decimal("0.00002"), 0)


@given(st.text(), st.text())
def test_a_sources_label_can_be_found_in_a_text_and_follows_from_its_place(uri, locator):
    source = Source("title", uri, locator)
    assert LABEL.findall(f"so it is [^{source.label}].") == [source.label]
    assert source.label == Source("another title", uri, locator).label
    assert Source.from_dict(source.to_dict()) == source


def test_events_are_plain_data_with_their_type():
    reply = Reply("yes", (), Usage(), "run", "thread")
    data = RunFinished("run", reply=reply).to_dict()
    assert data["type"] == "run.finished"
    assert data["reply"]["text"] == "yes"
    finished = CallFinished(
        "run", call_id="1", kind=CallKind.TOOL, name="t", usage=Usage(), seconds=0.1,
        sources=(Source("a", "b"),),
    )  # fmt: skip
    assert json.loads(json.dumps(finished.to_dict(), default=str))["sources"][0]["uri"] == "b"


def test_settings_come_from_the_file_and_the_environment_overrules_them(tmp_path):
    (tmp_path / "treadle.toml").write_text(
        'model = "fast"\n[models.fast]\nmodel = "openai:gpt-5-mini"\n'
        "price = { input = 0.25, output = 2 }\n"
    )
    settings = Settings.load(
        tmp_path, {"TREADLE_REDIS_URL": "redis://example", "TREADLE_MODEL": ""}
    )
    assert settings.model == "fast"
    assert settings.redis.url == "redis://example"
    assert settings.models["fast"].price.to_price() == Price(Decimal("0.25"), Decimal(2))
    assert Settings.load(tmp_path, {"TREADLE_MODEL": "embedded"}).model == "embedded"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model = ", "not valid TOML"),
        ("modle = 'x'", "modle = 'x'"),
        ("[redis]\nurl = 3", "redis.url = 3"),
        ("[redis]\nhost = 'x'", "Known keys there: url"),
        ("[models.fast]\nmodel = 'x'\ntimeout = 3", "timeout_seconds"),
        ("[models.fast]\nmodel='x'\nprice = {input=1, out=2}", "cached_input, input, output"),
        ("redis = 3", "redis = 3"),
        ("tenant = 'a b'", "tenant = 'a b'"),
    ],
)
def test_wrong_settings_are_named_with_the_file(tmp_path, text, expected):
    (tmp_path / "treadle.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        Settings.load(tmp_path, {})
    assert expected in str(caught.value)
    assert "treadle.toml" in str(caught.value)


def test_an_override_does_not_hide_a_wrong_file(tmp_path):
    (tmp_path / "treadle.toml").write_text("redis = 3")
    with pytest.raises(ConfigError, match="redis = 3"):
        Settings.load(tmp_path, {"TREADLE_REDIS_URL": "redis://example"})


def test_projects_in_different_folders_have_different_collections(tmp_path):
    one, other = tmp_path / "a" / "bot", tmp_path / "b" / "bot"
    names = {project_collection(folder, Settings()) for folder in (one, other)}
    assert len(names) == 2
    assert all(name.startswith("bot-") for name in names)


def test_a_missing_project_folder_is_said(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        project_folder(tmp_path / "nowhere")


def test_an_object_is_loaded_from_a_file_of_the_project(tmp_path):
    (tmp_path / "helper_for_thing.py").write_text("VALUE = 41\n")
    (tmp_path / "thing.py").write_text("from helper_for_thing import VALUE\nanswer = VALUE + 1\n")
    assert load_object("thing.py:answer", tmp_path) == 42


@pytest.mark.parametrize(
    ("reference", "text", "expected"),
    [
        ("thing.py", "", "not of the form"),
        ("../thing.py:x", "", "outside the project"),
        ("gone.py:x", "", "no such file"),
        ("thing.py:x", "y = 1", "Did you mean 'y'|There are: y"),
        ("thing.py:x", "a = 1\nb = 1 / 0\n", r"thing.py:2: ZeroDivisionError"),
        ("thing.py:x", "a = 1\nb = = 2\n", r"thing.py:2: SyntaxError"),
        ("thing.py:x", "raise SystemExit(3)", r"thing.py:1: SystemExit"),
    ],
)
def test_what_cannot_be_loaded_is_said_with_file_and_line(tmp_path, reference, text, expected):
    (tmp_path / "thing.py").write_text(text)
    with pytest.raises((ConfigError, UnknownNameError), match=expected):
        load_object(reference, tmp_path)
