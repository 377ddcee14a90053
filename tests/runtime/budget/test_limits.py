"""Limits that cannot be meant are refused by name, where they are written."""

import pytest

from treadle.agents import Agent
from treadle.core.errors import ConfigError
from treadle.core.settings import Settings


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("per_day = {usd = 0}", r"budget\.per_day\.usd = 0"),
        ("per_day = {tokens = -5}", r"budget\.per_day\.tokens = -5"),
        ("total = {model_calls = 0}", r"budget\.total\.model_calls = 0"),
        ("total = {usd = 5000000}", r"budget\.total\.usd = 5000000"),
        ("total = {tokns = 5}", r"tokns.*Known keys there: .*tokens"),
        ("per_day = {seconds = 5}", r"seconds.*Known keys there"),
    ],
)
def test_a_limit_of_a_project_that_is_no_limit_is_refused(tmp_path, line, named):
    (tmp_path / "treadle.toml").write_text(f"[budget]\n{line}\n")
    with pytest.raises(ConfigError, match=named):
        Settings.load(tmp_path, {})


def test_the_limits_of_a_project_are_read(tmp_path):
    (tmp_path / "treadle.toml").write_text(
        "[budget]\nper_day = {usd = 0.5}\ntotal = {tokens = 9}\n"
    )
    budget = Settings.load(tmp_path, {}).budget
    assert (str(budget.per_day.usd), budget.total.tokens) == ("0.5", 9)


@pytest.mark.parametrize(
    "limit",
    [
        "model_calls: 0",
        "tool_calls: -1",
        "input_tokens: 0",
        "output_tokens: -1",
        "tokens: 0",
        "usd: 0",
        "usd: -1",
        "usd: .nan",
        "seconds: 0",
        "seconds: .inf",
    ],
)
def test_a_limit_of_an_agent_that_is_no_limit_is_refused_with_its_line(tmp_path, limit):
    file = tmp_path / "one.yaml"
    file.write_text(f"description: x\nbudget:\n  {limit}\n")
    with pytest.raises(ConfigError, match=rf"one\.yaml:3: .*{limit.split(':')[0]}"):
        Agent.from_file(file)


def test_no_tool_calls_at_all_may_be_meant(tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text("budget:\n  tool_calls: 0\n")
    assert Agent.from_file(file).budget.tool_calls == 0
