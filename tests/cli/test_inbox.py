"""``treadle inbox``: the runs that wait for a person, and their answers."""

import json
import sys

import pytest

from treadle.cli import main
from treadle.runtime.testing import ScriptedOpenAI, call, say

TOOLS = '''
from pathlib import Path
from treadle.tools import Effect, tool

@tool(effect=Effect.ONCE)
def send_mail(to: str) -> str:
    """Send a mail.

    Args:
        to: to whom.
    """
    Path("sent").write_text(to)
    return "sent"
'''
AGENT = 'tools: [inbox_effects.py:send_mail]\npolicy:\n  - tool: "*"\n    then: ask\n'


@pytest.fixture
def run(short_tmp_path, tmp_path, redis_url, monkeypatch, capsys):
    """Run a command in a project whose agent asks before it sends a mail."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "mailer.yaml").write_text(AGENT)
    (tmp_path / "inbox_effects.py").write_text(TOOLS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TREADLE_HOME", str(short_tmp_path))
    monkeypatch.setenv("TREADLE_REDIS_URL", redis_url)
    monkeypatch.setenv("TREADLE_MODEL", "openai:gpt-5-mini")
    monkeypatch.setenv("COLUMNS", "100")

    def run_command(*arguments, server, code=0):
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["treadle", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        assert left.value.code == code, told.err
        return told.out if code == 0 else told.err

    return run_command


def test_a_run_that_waits_is_listed_shown_and_answered(run, tmp_path):
    with ScriptedOpenAI([call("send_mail", to="ada@example.org"), say("Sent.")]) as server:
        run("ask", "Write to Ada.", "--agent", "mailer", server=server, code=3)
        [waiting] = json.loads(run("inbox", "--json", server=server))
        short = waiting["id"][:12]
        listed = run("inbox", server=server)
        assert short in listed
        assert "send_mail" in listed

        shown = run("inbox", "show", short, server=server)
        assert 'send_mail(to="ada@example.org")' in shown
        assert f"treadle inbox answer {short} approve" in shown
        wrong = run("inbox", "answer", short, "perhaps", server=server, code=2)
        assert "Say 'approve' or 'reject'" in wrong

        assert "Sent." in run("inbox", "answer", short, "approve", server=server)
        assert (tmp_path / "sent").read_text() == "ada@example.org"
        assert json.loads(run("inbox", "--json", server=server)) == []
        gone = run("inbox", "show", short, server=server, code=2)
        assert f"No run that waits is named '{short}'" in gone
