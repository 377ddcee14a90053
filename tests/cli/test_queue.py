"""``treadle queue`` and ``treadle worker``: queueing, looking after what is queued, working."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.cli import main

TREADLE = Path(sys.executable).with_name("treadle")


@pytest.fixture
def run(short_tmp_path, tmp_path, redis_url, monkeypatch, capsys):
    """Run a command in an empty project, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TREADLE_HOME", str(short_tmp_path))
    monkeypatch.setenv("TREADLE_REDIS_URL", redis_url)
    monkeypatch.setenv("TREADLE_MODEL", "embedded")
    monkeypatch.setenv("COLUMNS", "100")

    def run_command(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["treadle", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == code
        return capsys.readouterr()

    return run_command


def test_what_is_queued_is_seen_worked_on_and_answered(run):
    run_id = run("queue", "add", "What is 3*9?", "--key", "k").out.strip()
    assert run("queue", "add", "What is 3*9?", "--key", "k").out.strip() == run_id
    status = run("queue", "status")
    assert status.out.splitlines()[1].split() == ["default", "1", "0", "0"]
    assert "Nobody serves 'default': start 'treadle worker --queue default'." in status.err
    assert "nobody serves it" in run("doctor", code=2).out
    shown = " ".join(run("runs", "show", run_id).out.split())
    assert "waits in default for a worker; nobody serves it: start 'treadle worker" in shown
    place = json.loads(run("runs", "show", run_id, "--json").out)["queued"]
    assert (place["state"], place["workers"]) == ("ready", 0)
    with subprocess.Popen([TREADLE, "worker"], stderr=subprocess.PIPE, text=True) as worker:
        said = worker.stderr.readline()
        assert said == "Working on default; Ctrl-C hands its runs over and stops it.\n"
        answer = run("queue", "add", "What is 2*9?", "--wait")
        assert answer.out == "2*9 = 18.\n"
        plan = run("queue", "add", "What is 2*9?", "--wait", "--dry-run")
        assert "It would change nothing." in plan.out
        assert "calculate" in plan.out.split("It read")[1]
        assert "2*9 = 18." in plan.out.split("It would answer")[1]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert json.loads(run("runs", "show", run_id, "--json").out)["queued"] is None
    shown = json.loads(run("runs", "list", "--json").out)
    assert {one["status"] for one in shown} == {"success"}
    [dry] = [one["id"] for one in shown if one["mode"] == "dry"]
    assert json.loads(run("runs", "plan", dry, "--json").out)["effects"] == []
    assert "is no dry run" in run("runs", "plan", run_id, code=1).err
    assert json.loads(run("queue", "status", "--json").out)["ready"] == {"default": 0}


def test_a_worker_serves_the_tenants_it_is_told(run, monkeypatch):
    queued = {}
    for tenant in ("main", "ada", "bob"):
        monkeypatch.setenv("TREADLE_TENANT", tenant)
        queued[tenant] = run("queue", "add", "What is 3*9?").out.strip()
    command = [TREADLE, "worker", "--tenant", "ada", "--tenant", "bob", "--tenant", "ada"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr.readline().startswith("Working on default of ada, bob; ")
        for tenant in ("ada", "bob"):
            monkeypatch.setenv("TREADLE_TENANT", tenant)
            assert run("queue", "add", "What is 2*9?", "--wait").out == "2*9 = 18.\n"
            shown = json.loads(run("runs", "list", "--json").out)
            assert [one["status"] for one in shown] == ["success"] * 2
            assert shown[1]["id"] == queued[tenant]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    monkeypatch.setenv("TREADLE_TENANT", "main")
    assert json.loads(run("runs", "show", queued["main"], "--json").out)["status"] == "pending"


@pytest.mark.parametrize("tenants", [["No good"], ["ada", "No good"]])
def test_a_tenant_that_nobody_can_have_is_refused(run, tenants):
    arguments = [part for tenant in tenants for part in ("--tenant", tenant)]
    assert "'No good'" in run("worker", *arguments, code=2).err


def test_a_run_is_stopped_and_queued_again(run):
    run_id = run("queue", "add", "What is 3*9?").out.strip()
    assert f"The run {run_id} was stopped." in run("queue", "cancel", run_id).err
    assert f"The run {run_id} is at its end" in run("queue", "cancel", run_id, code=1).err
    assert f"The run {run_id} is queued again." in run("queue", "retry", run_id).err
    assert run("queue", "dead").out == "No run was given up.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "x", "--queue", "No Good"], "no name that can be used"),
        (["add", "x", "--multitask", "hope"], "is not known"),
        (["add", " "], "empty"),
        (["add", "x", "--agent", "nobody"], "No agent is named 'nobody'"),
        (["cancel", "nothing"], "No run is named 'nothing'"),
        (["retry", "nothing"], "No run is named 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(run, arguments, said):
    found = run("queue", *arguments, code=2)
    assert said in found.err
    assert "Traceback" not in found.err
