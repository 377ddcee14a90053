"""``treadle mcp`` as a person uses it."""

import json
import os
import shutil
import sys

import pytest

from tests.support.rooms import ROOT
from tests.support.warm import TREADLE, run_warm


@pytest.fixture
def run(tmp_path):
    shutil.copy(ROOT / "tests" / "support" / "mcp_raw_server.py", tmp_path / "server.py")
    (tmp_path / "treadle.toml").write_text(
        f'[mcp.raw]\ncommand = ["{sys.executable}", "-S", "server.py"]\ntools = ["echo", "act"]\n'
    )

    def run_command(*arguments, text=None):
        return run_warm(
            [TREADLE, *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "100"},
            text=text,
        )

    return run_command


def test_a_server_is_looked_at_accepted_and_watched(run, tmp_path):
    new = run("mcp", "list")
    assert (new.returncode, "2 tools; new" in new.stdout) == (1, True)

    refused = run("mcp", "trust", "raw", text="n\n")
    assert refused.returncode == 1
    assert "raw__echo  once, new" in refused.stdout
    assert "Returns the text." in refused.stdout
    assert not (tmp_path / "mcp.lock").exists()

    accepted = run("mcp", "trust", "raw", text="y\n")
    assert accepted.returncode == 0, accepted.stderr
    assert "Agents name the tools: raw__*" in accepted.stderr
    assert run("mcp", "list").returncode == 0

    (tmp_path / "description").write_text("Now \x1b[31mred\x1b[0m.")
    changed = run("mcp", "list", "--json")
    [found] = json.loads(changed.stdout)
    assert (changed.returncode, found["state"]) == (1, "changed")
    assert found["changes"]["changed"] == ["echo"]
    shown = run("mcp", "trust", "raw", "--yes").stdout
    assert "- Returns the text." in shown
    assert "+ Now [31mred[0m." in shown
    assert "\x1b" not in shown
    assert "Nothing changed" in run("mcp", "trust", "raw").stderr


def test_what_is_wrong_is_said_in_a_sentence(run, tmp_path):
    assert "No MCP server is named 'rw'" in run("mcp", "trust", "rw").stderr
    (tmp_path / "mcp.lock").write_text("{")
    broken = run("mcp", "list")
    assert (broken.returncode, "Traceback" in broken.stderr) == (2, False)
    assert "no lock file of MCP servers" in broken.stderr
    (tmp_path / "treadle.toml").write_text('[mcp.raw]\nurl = "http://a"\ncommand = ["b"]\n')
    assert "give either a 'command' or a 'url'" in run("mcp", "list").stderr
    (tmp_path / "treadle.toml").write_text("")
    assert "No MCP server is configured" in run("mcp", "list").stderr
