"""``treadle approvals``: each command a process of its own; only Redis keeps what waits."""

import json
import os

import pytest

from tests.runtime.approvals.conftest import TOOLS
from tests.support.warm import TREADLE, run_warm
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

AGENT = """\
tools: [effects.py:send_mail, effects.py:pay]
policy:
  - tool: "*"
    then: ask
    expires: 1h
"""
HIDDEN = "Hello\x1b[31m red \u202eevil\u200b."
ASKED = calls(call("send_mail", to="ada@example.org", text=HIDDEN), call("pay", amount=250))


@pytest.fixture
def run(tmp_path, short_tmp_path, redis_url):
    """Run a command in a project whose agent asks before everything."""
    (tmp_path / "effects.py").write_text(TOOLS)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "mailer.yaml").write_text(AGENT)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept |= {"TREADLE_HOME": str(short_tmp_path), "TREADLE_REDIS_URL": redis_url, "COLUMNS": "80"}

    def run_command(*arguments, server, code=0):
        done = run_warm(
            [TREADLE, *arguments],
            cwd=tmp_path,
            env={**kept, "TREADLE_MODEL": "openai:gpt-5-mini", **server.environment},
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run_command


def test_calls_are_listed_shown_and_answered(run, tmp_path):
    with ScriptedOpenAI([ASKED, say("All done.")]) as server:
        run("ask", "Write and pay.", "--agent", "mailer", server=server, code=3)
        waiting = json.loads(run("approvals", "list", "--json", server=server))
        ids = {one["tool"]: one["id"] for one in waiting}
        listed = run("approvals", "list", server=server)
        assert all(len(line) <= 80 for line in listed.splitlines())
        assert set(ids.values()) <= set(listed.split())

        shown = run("approvals", "show", ids["send_mail"], server=server)
        assert r'"text": "Hello\u001b[31m red \u202eevil\u200b."' in shown
        assert all(char.isprintable() or char == "\n" for char in shown)

        wrong = run("approvals", "edit", ids["pay"], '{"amount": "x"}', server=server, code=2)
        assert "amount: Input should be a valid number" in wrong
        kept = ("approvals", "edit", ids["pay"], '{"amount": 99}', "--by", "Grace", "--no-resume")
        assert "99" in run(*kept, server=server)
        assert not (tmp_path / "calls.txt").exists()

        why = ("--reason", "Not to Ada.", "--json")
        told = json.loads(run("approvals", "reject", ids["send_mail"], *why, server=server))
        assert told["reply"]["text"] == "All done."
        assert (told["approval"]["status"], told["waits_for"]) == ("rejected", [])
        assert (tmp_path / "calls.txt").read_text() == "pay 99.0\n"
