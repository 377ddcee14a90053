"""``treadle runs``, ``treadle test`` and dry runs, as a person or a script uses them."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.warm import run_warm
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

BIN = Path(sys.executable).parent
EVIL = "ada\x1b]0;owned\x07\u202e"
TOOLS = '''
def send(to: str) -> str:
    """Send a message.

    Args:
        to: whom.
    """
    with open("sent.txt", "a") as file:
        file.write(to)
    return f"Sent to {to}."


def ask_back(question: str) -> str:
    """Ask the person.

    Args:
        question: what.
    """
    from langgraph.types import interrupt

    return f"They said {interrupt(question)}."
'''
AGENT = "graph: react\ntools: [tools.py:send, tools.py:ask_back, calculate]\n"
SEND = [calls(call("calculate", expression="6*7"), call("send", to=EVIL)), say("Done: 42.")]


@pytest.fixture
def run(short_tmp_path, tmp_path, redis_url):
    """Run a command in a project with one agent, whose model a scripted server answers for."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "mailer.yaml").write_text(AGENT)
    (tmp_path / "tools.py").write_text(TOOLS)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept |= {"TREADLE_HOME": str(short_tmp_path), "COLUMNS": "80"}
    kept["TREADLE_MODEL"] = "openai:gpt-5-mini"

    def run_command(*arguments, server=None, program="treadle", redis=redis_url):
        environment = {**kept, "TREADLE_REDIS_URL": redis}
        return run_warm(
            [BIN / program, *arguments],
            cwd=tmp_path,
            env={**environment, **(server.environment if server else {})},
        )

    run_command.folder = tmp_path
    return run_command


def ask(run, script, *arguments):
    with ScriptedOpenAI(script) as server:
        done = run("ask", "Tell Ada", "-a", "mailer", "--json", *arguments, server=server)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_is_listed_shown_carried_and_replayed(run):
    reply = ask(run, SEND)
    run_id = reply["run_id"]
    listed = run("runs", "list")
    assert run_id in listed.stdout
    assert max(map(len, listed.stdout.splitlines())) <= 80
    shown = run("runs", "show", run_id)
    assert "  1 model openai:gpt-5-mini" in shown.stdout
    assert 'tool calculate(expression="6*7")' in shown.stdout
    assert "once" in shown.stdout
    assert "Done: 42." in shown.stdout
    assert "memory.facts" not in shown.stdout
    assert "memory.facts" in run("runs", "show", "--all", run_id).stdout
    data = json.loads(run("runs", "show", run_id, "--json").stdout)
    assert [one["number"] for one in data["calls"] if one["number"]] == [1, 2, 3, 4]
    assert "The same: 4 calls of mailer" in run("runs", "replay", run_id).stderr
    assert "Wrote" in run("runs", "export", run_id, "-o", "a.journal.jsonl").stderr
    assert run("runs", "import", "a.journal.jsonl").returncode == 2
    forgotten = run("threads", "forget", reply["thread_id"], "--yes")
    assert "1 run," in forgotten.stderr
    assert run("runs", "show", run_id).returncode == 2
    assert run("runs", "import", "a.journal.jsonl").returncode == 0
    assert run("runs", "replay", run_id).returncode == 0


def test_one_of_a_thing_is_counted_as_one(run):
    run_id = ask(run, [say("Hello.")])["run_id"]
    assert "The same: 1 call of mailer" in run("runs", "replay", run_id).stderr


def test_nothing_a_model_or_tool_says_reaches_the_terminal_as_control(run):
    run_id = ask(run, SEND)["run_id"]
    for arguments in (["show"], ["show", "--all"]):
        text = run("runs", *arguments, run_id).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "\\x1b" in text


def test_a_run_that_waits_says_how_to_answer(run):
    script = [call("ask_back", question="Which Ada?"), say("Lovelace it is.")]
    with ScriptedOpenAI(script) as server:
        asked = run("ask", "Tell Ada", "-a", "mailer", server=server)
        assert "Which Ada?" in asked.stdout
        [listed] = json.loads(run("runs", "list", "--status", "interrupted", "--json").stdout)
        assert f"treadle runs resume {listed['id']} --answer" in asked.stdout
        done = run("runs", "resume", listed["id"], "--answer", "Lovelace", server=server)
    assert done.stdout.strip() == "Lovelace it is."
    assert run("runs", "replay", listed["id"]).returncode == 0
    assert "no run has the status" in run("runs", "list", "--status", "x").stderr.lower()


def test_a_fork_and_its_differences(run):
    run_id = ask(run, SEND)["run_id"]
    with ScriptedOpenAI([say("It failed.")]) as server:
        arguments = ["runs", "fork", run_id, "--outcome", "2=no such person", "--json"]
        forked = json.loads(run(*arguments, server=server).stdout)
    assert forked["text"] == "It failed."
    assert (run.folder / "sent.txt").read_text() == EVIL
    found = run("runs", "diff", run_id, forked["run_id"])
    assert found.returncode == 1
    assert "no such person" in found.stdout
    assert found.stdout.startswith("call 2, tool calculate")  # the number that --outcome takes
    assert run("runs", "diff", run_id, run_id).returncode == 0
    for outcome, said in (("x", "names no call"), ("9=x", "no call 9")):
        wrong = run("runs", "fork", run_id, "--outcome", outcome)
        assert wrong.returncode == 2
        assert said in wrong.stderr


def test_a_dry_run_prints_a_plan_and_has_no_effect(run):
    with ScriptedOpenAI(SEND) as server:
        done = run("ask", "Tell Ada", "-a", "mailer", "--dry-run", server=server)
    assert done.returncode == 0, done.stderr
    assert "calculate" in done.stdout
    assert "send" in done.stdout.split("It would do")[1]
    assert "2 model calls" in done.stderr
    assert "\x1b" not in done.stdout
    assert not (run.folder / "sent.txt").exists()


@pytest.mark.parametrize("program", ["treadle", "pytest"])
def test_a_folder_of_journals_is_a_test_without_redis(run, program):
    run_id = ask(run, SEND)["run_id"]
    folder = run.folder / "tests" / "journals"
    folder.mkdir(parents=True)
    (run.folder / "treadle.toml").touch()
    (run.folder / "conftest.py").write_text('pytest_plugins = ["treadle.runtime.testing.plugin"]\n')
    file = folder / "sum.journal.jsonl"
    assert run("runs", "export", run_id, "-o", str(file)).returncode == 0
    check = ["test"] if program == "treadle" else ["-q", "-p", "no:cacheprovider"]
    update = "--update" if program == "treadle" else "--update-journals"
    nowhere = {"program": program, "redis": "redis://127.0.0.1:1"}

    assert run(*check, **nowhere).returncode == 0
    (run.folder / "agents" / "mailer.yaml").write_text(f"prompt: Be brief.\n{AGENT}")
    changed = run(*check, **nowhere)
    assert changed.returncode == 1
    assert "messages[0].content" in changed.stdout
    assert "Be brief." in changed.stdout
    assert "call 1, model openai:gpt-5-mini" in changed.stdout
    with ScriptedOpenAI([call("calculate", expression="6*7"), say("42.")]) as server:
        updated = run(*check, update, program=program, server=server)
    assert updated.returncode == 0, updated.stdout + updated.stderr
    assert run(*check, **nowhere).returncode == 0
    file.write_text(file.read_text()[:-100])
    damaged = run(*check, update, program=program)
    assert damaged.returncode == 1
    assert "cut off" in damaged.stdout + damaged.stderr
