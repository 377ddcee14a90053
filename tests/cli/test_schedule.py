"""``treadle schedule``: as a person or a script uses it."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from treadle.cli import main
from treadle.cli._schedule import settings_of
from treadle.core.errors import InputError
from treadle.runtime.testing import ScriptedOpenAI, call, say

AGENT = """\
tools: [effects.py:send_mail]
schedules:
  morning:
    cron: "0 8 * * MON-FRI"
    tz: Europe/Paris
    input: Write to Ada.
    per_month: {usd: 0.0000001}
"""
TOOLS = '''
from pathlib import Path
from treadle.tools import Effect, tool

@tool(effect=Effect.ONCE)
def send_mail(to: str) -> str:
    """Send a mail.

    Args:
        to: to whom.
    """
    Path("sent").touch()
    return "sent"
'''
SETTINGS = """\
model = "priced"
[models.priced]
model = "openai:gpt-5-mini"
price = {input = 1, output = 2}
"""


@pytest.fixture
def run(short_tmp_path, tmp_path, redis_url, monkeypatch, capsys):
    """Run a command in the project, in this process: a new one each time takes seconds to start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TREADLE_HOME", str(short_tmp_path))
    monkeypatch.setenv("TREADLE_REDIS_URL", redis_url)
    monkeypatch.setenv("COLUMNS", "100")

    def run_command(*arguments, code=0, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["treadle", "schedule", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        assert left.value.code == code, told.err
        return told.out if code == 0 else told.err

    return run_command


def test_a_schedule_is_added_shown_rested_and_removed(run):
    told = ("--cron", "30 2 * * *", "--tz", "America/New_York", "--budget-usd", "0.5")
    assert "02:30:00" in run("add", "digest", "News of looms", *told)
    [listed] = json.loads(run("list", "--json"))
    assert (listed["name"], listed["source"]) == ("digest", "command line")
    assert listed["settings"]["agent"] == "digest"
    assert "command line" in run("list")

    shown = run("show", "digest")
    assert "At 02:30 every day (30 2 * * * America/New_York)" in shown
    assert "a fire: $0.50" in shown

    following = [datetime.fromisoformat(one) for one in json.loads(run("next", "digest", "--json"))]
    assert len(following) == 10
    assert following[0] > datetime.now(UTC)

    run("pause", "digest")
    assert "rests" in run("list")
    run("resume", "digest")
    assert "rests" not in run("list")
    fired = json.loads(run("run-now", "digest", "--json"))
    assert not fired["is_watched"]
    [fire] = json.loads(run("show", "digest", "--json"))["fires"]
    assert (fire["id"], fire["status"], fire["kind"]) == (fired["fire"], "open", "manual")
    run("rm", "digest")
    assert json.loads(run("list", "--json")) == []


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        ({"cron": "0 0 30 2 *"}, "--cron: The cron line '0 0 30 2 *' never fires"),
        ({"cron": "0 8 * * *", "tz": "Paris"}, "Did you mean 'Europe/Paris'?"),
        ({"every": "5"}, "--every: give a number and a unit"),
        ({"every": "5m", "jitter": "5m"}, "could change the order of fires"),
        ({"every": "5m", "start": "2026-01-02", "end": "2026-01-01"}, "its end is not after"),
        ({}, "one of cron, every and at must say when"),
        ({"every": "5m", "cron": "* * * * *"}, "exactly one of cron, every and at"),
        ({"every": "5m", "missed": "never"}, "--missed: Input should be 'skip'"),
        ({"every": "5m", "budget": {"usd": 0}}, "--budget-usd: Input should be greater than 0"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_option(told, refused):
    with pytest.raises(InputError) as problem:
        settings_of(told)
    assert refused in str(problem.value)


def test_a_budget_in_money_needs_a_price(run, tmp_path):
    (tmp_path / "treadle.toml").write_text('model = "openai:gpt-5-mini"\n')
    refused = run("add", "digest", "--every", "1h", "--budget-usd", "0.5", code=2)
    assert "'openai:gpt-5-mini'" in refused
    assert "Set 'price'" in " ".join(refused.split())
    assert json.loads(run("list", "--json")) == []


def test_what_is_over_taken_unknown_or_no_name(run):
    past = run("add", "digest", "--at", "2020-01-01T00:00", code=2)
    assert "never fires: at 2020-01-01 00:00:00 UTC is over" in past
    run("add", "digest", "--every", "1h")
    assert "There is a schedule 'digest' already" in run("add", "digest", "--every", "1h", code=2)
    assert "Did you mean 'digest'?" in run("show", "digst", code=2)
    named = ("--agent", "digest", "--every", "1h")
    assert "is no name for a schedule" in run("add", "a b{c}", *named, code=2)


def test_a_simulation_says_when_what_and_how_much(run, tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "mailer.yaml").write_text(AGENT)
    (tmp_path / "effects.py").write_text(TOOLS)
    (tmp_path / "treadle.toml").write_text(SETTINGS)
    script = [call("send_mail", to="ada@example.org"), say("Written.")]
    with ScriptedOpenAI(script * 2) as server:
        shown = run("simulate", "mailer.morning", "-n", "3", **server.environment)
        data = json.loads(run("simulate", "mailer.morning", "--json", **server.environment))
    assert not (tmp_path / "sent").exists()
    assert "At 08:00 on Monday through Friday" in shown
    assert shown.count("08:00:00") == 3
    assert "It would do" in shown
    assert "ada@example.org" in shown
    assert "Written." in shown
    assert "The budget of a month ends after about 0 of them." in shown

    month, usage = data["next_30_days"], data["plan"]["reply"]["usage"]
    assert 20 <= month["fires"] <= 23
    assert month["usd"] == pytest.approx(usage["usd"] * month["fires"])
    assert data["plan"]["effects"][0]["arguments"] == {"to": "ada@example.org"}
    first = datetime.fromisoformat(data["next"][0])
    assert timedelta(0) < first - datetime.now(UTC) < timedelta(days=4)

    listed = run("list")
    assert "agents/mailer.yaml" in listed
    assert "at the next start" in listed


def test_a_simulation_shows_a_budget_that_a_run_cannot_start_with(run, tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "writer.yaml").write_text("description: Writes.")
    (tmp_path / "treadle.toml").write_text(SETTINGS)
    told = ("simulate", "writer", "Write.", "--every", "1d", "--budget-tokens", "10")
    with ScriptedOpenAI([]) as server:
        shown = " ".join(run(*told, **server.environment).split())
    assert "It would end early: budget: the run's budget of 10 tokens does not allow" in shown


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["x" * 300, "hi", "--every", "1h"], "Use 1 to "),
        (["ü", "hi", "--every", "1h"], "a-z, A-Z, 0-9"),
        (["x", "", "--every", "1h"], "TEXT: there is nothing to ask."),
        (["x", "hi", "--every", "1h", "--queue", ""], "--queue: use 1 to 64 of a-z"),
        (["x", "hi", "--every", "99999999999999d"], "--every: this is longer than"),
        (
            ["x", "hi", "-a", "assistant", "--every", "1h", "--end", "2020-01-01"],
            "never fires: its end, 2020-01-01 00:00, is over.",
        ),
        (["x", "hi", "--every", "1h", "--month-usd", "-1"], "--month-usd: "),
    ],
)
def test_what_a_schedule_cannot_be_told_is_said_as_it_was_typed(run, arguments, expected):
    assert expected in run("add", *arguments, code=2)
