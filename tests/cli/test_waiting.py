"""Runs that wait for a person or were stopped early: asked, answered and told from the terminal."""

import io
import json
import sys

import pytest

from tests.support.waiting_agents import make_waiting_agents
from treadle.cli import main
from treadle.runtime.testing import ScriptedOpenAI, call, say

SURVEY = """
state: {age: {type: integer}}
nodes:
  ask: {interrupt: "How old is it?", to: age}
edges:
  - {from: start, to: ask}
  - {from: ask, to: end}
answer: "It is {age}."
"""
ORDER = {"message": "What shall I order?"}
BUDGET = "tools: [calculate]\nbudget: {model_calls: 2}\n"


@pytest.fixture
def run(short_tmp_path, tmp_path, redis_url, monkeypatch, capsys):
    """Run a command in a project whose agents ask, ask for leave, or soon spent what they have."""
    make_waiting_agents(tmp_path, ORDER)
    (tmp_path / "agents" / "poor.yaml").write_text(BUDGET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TREADLE_HOME", str(short_tmp_path))
    monkeypatch.setenv("TREADLE_REDIS_URL", redis_url)
    monkeypatch.setenv("COLUMNS", "100")

    def run_command(*arguments, code=0, server=None, text=""):
        if server is not None:
            monkeypatch.setenv("TREADLE_MODEL", "openai:gpt-5-mini")
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["treadle", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        assert left.value.code == code, told.err
        return told

    return run_command


def test_the_next_line_of_a_chat_is_the_answer(run):
    told = run("chat", "-a", "buyer", text="Order something.\nlinen\n12\nMore, please.\n\n")
    asked = told.out.partition("What shall I order?")[2]
    assert "How much of it?" in asked
    assert "Ordered '12' of 'linen'." in asked
    assert asked.count("What shall I order?") == 1
    assert "treadle inbox show" in told.err
    assert "stopped early" not in told.err


def test_a_chat_goes_on_with_what_waits_on_its_thread(run):
    run("ask", "Order something.", "-a", "buyer", "-t", "shop", code=3)
    told = run("chat", "-a", "buyer", "-t", "shop", text="wool\n2\n\n")
    assert "Ordered '2' of 'wool'." in told.out


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [("approve", "used", ""), ("reject: Not to Ada.", "used", "Not to Ada.")],
)
def test_a_person_gives_leave_in_a_chat(run, said, status, reason):
    script = [call("pay", amount=250), say("That was that.")]
    lines = f"Write to Ada.\nperhaps\n{said}\n\n"
    with ScriptedOpenAI(script) as server:
        told = run("chat", "-a", "payer", "-t", "t", text=lines, server=server)
        outputs = server.requests[-1].tool_outputs
    assert "pay(amount=250)" in told.out
    assert "approve, or reject and why" in told.out
    assert "A call waits for leave" in told.err
    assert "That was that." in told.out
    [output] = outputs.values()
    assert (output == "paid 250") == (said == "approve")
    assert reason in output
    approval = json.loads(run("approvals", "list", "--json").out)
    assert approval == []


def test_what_waits_is_asked_again_and_leaves_with_a_code_of_its_own(run):
    asked = json.loads(run("ask", "Order something.", "-a", "buyer", "--json", code=3).out)
    assert asked["waits_for"][0]["value"] == ORDER
    short = asked["run_id"][:8]
    assert "What shall I order?" in run("runs", "resume", short, code=3).out
    more = run("inbox", "answer", short, "linen", code=3)
    assert "How much of it?" in more.out
    assert "Ordered 12 of 'linen'." in run("runs", "resume", short, "--answer", "12").out


def test_an_answer_that_does_not_fit_is_told_why(run, tmp_path):
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "survey.yaml").write_text(SURVEY)
    (tmp_path / "agents" / "survey.yaml").write_text("graph: survey\n")
    id_ = json.loads(run("ask", "Go", "-a", "survey", "--json", code=3).out)["run_id"]
    wrong = run("inbox", "answer", id_, "very old", code=3)
    assert "does not fit: a value of type 'integer' does" in wrong.out
    assert "It is 12." in run("inbox", "answer", id_, "12").out


def test_a_run_that_its_budget_stopped_leaves_with_a_code_of_its_own(run):
    def going_on(request):
        return call("calculate", expression="6*7") if request.tool_names else say("42, I think.")

    with ScriptedOpenAI(going_on, verify=False) as server:
        told = run("ask", "Count.", "-a", "poor", code=4, server=server)
    assert "stopped early: budget" in told.err


def test_the_beginning_of_a_runs_id_names_it(run):
    ids = [json.loads(run("ask", f"Hi {n}", "--json").out)["run_id"] for n in range(17)]
    first = ids[0]
    assert first in run("runs", "show", first[:12]).out
    run("runs", "diff", first[:12], first)
    run("runs", "export", first[:12])
    run("runs", "replay", first[:12])
    clash = next(one[0] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
    several = run("runs", "show", clash, code=2).err
    assert f"runs begin with '{clash}'" in several
    assert "Say more" in several
    for unknown in ("nothing", "*", "[0-9a-f]", first[:12] + "\\", ""):
        assert "No run is named" in run("runs", "show", unknown, code=2).err


def test_agents_are_listed_and_a_broken_settings_file_is_told(run, tmp_path):
    (tmp_path / "treadle.toml").write_text("modle = 'x'\n")
    told = run("agents", code=2)
    assert "buyer" in told.out
    assert "treadle.toml" in told.err


def test_json_of_a_dry_run_says_what_it_waits_for(run):
    told = run("ask", "Order something.", "-a", "buyer", "--dry-run", "--json")
    waits_for = json.loads(told.out)["waits_for"]
    assert [one["value"] for one in waits_for] == [ORDER]
