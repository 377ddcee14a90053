"""Standard input, output and error as schedulers, pipes and full disks leave them."""

import json
import os
import subprocess

import pytest

from tests.support.warm import TREADLE


@pytest.fixture
def shell(short_tmp_path, tmp_path, redis_url):
    """Run a line of a shell in an empty project; ``treadle`` in it is the installed command."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept |= {"TREADLE_HOME": str(short_tmp_path), "TREADLE_REDIS_URL": redis_url}
    kept["PYTHONDONTWRITEBYTECODE"] = "1"  # it is cut off where files cannot grow

    def run_line(line):
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", f'treadle() {{ {TREADLE} "$@"; }}; {line}'],
            cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    run_line.folder = tmp_path
    return run_line


@pytest.mark.parametrize(
    ("closed", "answer"), [("<&-", "2+3 = 5.\n"), (">&-", ""), ("2>&- <&-", "2+3 = 5.\n")]
)
def test_a_command_works_without_one_of_the_standard_streams(shell, closed, answer):
    done = shell(f"treadle ask -q 'What is 2+3?' {closed}")
    assert (done.returncode, done.stdout, done.stderr) == (0, answer, "")


@pytest.mark.parametrize(
    "command",
    [
        r"queue add $'caf\xe9'",
        r"runs show $'caf\xe9'",
        r"ask --user $'caf\xe9' hi",
        r"ask $'caf\xe9'",
        r"keys create $'caf\xe9'",
        r"schedule add $'caf\xe9' hi --every 1h",
        r"index docs/$'caf\xe9'",
        r"--$'caf\xe9'",
    ],
)
def test_an_argument_that_is_no_text_is_refused(shell, command):
    done = shell(f"treadle {command}")
    assert done.returncode == 2
    assert done.stderr.endswith("caf\\xe9' is not UTF-8 text.\n")
    assert done.stderr.startswith("error: The argument '")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["chat", "ask -", "queue add -", "approvals edit id -"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_input_that_is_no_text_is_refused(shell, command, locale):
    done = shell(rf"printf 'caf\xe9\n' | LC_ALL={locale} treadle {command}")
    assert done.returncode == 2
    assert "error: Standard input is not UTF-8 text." in done.stderr
    assert "defect" not in done.stderr


# No file can grow: what is written to one fails as on a disk that is full, and is as real.
FULL = "ulimit -f 0; "


@pytest.mark.parametrize("command", ["doctor", "doctor --json", "threads export t", "--version"])
def test_output_that_cannot_be_written_is_no_defect(shell, command):
    shell("treadle ask -q -t t hello")
    done = shell(f"{FULL} treadle {command} >out")
    assert done.returncode == 1
    assert done.stderr.endswith(" cannot be written: File too large.\n")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("how", "command"), [("", "show"), ("--json", "show"), ("--dry-run", "plan")]
)
def test_an_answer_that_cannot_be_written_is_found_again(shell, how, command):
    done = shell(f"{FULL} treadle ask -q {how} 'What is 2+3?' >out")
    assert done.returncode == 1
    assert "Standard output cannot be written: File too large." in done.stderr
    told = done.stderr.partition("The answer is kept: ")[2].strip()
    assert told.startswith(f"treadle runs {command} ")
    assert "2+3 = 5." in shell(told).stdout


def test_an_answer_is_given_where_the_way_to_it_cannot_be_written(shell):
    done = shell(f"{FULL} treadle ask 'What is 2+3?' 2>err")
    assert (done.returncode, done.stdout) == (0, "2+3 = 5.\n")


def test_an_export_that_does_not_fit_is_told_of_and_replaces_no_pipe(shell):
    asked = json.loads(shell("treadle ask --json 'What is 2+3?'").stdout)
    export = f"treadle runs export {asked['run_id']} -o"
    refused = shell(f"{FULL} {export} a.journal.jsonl")
    assert refused.returncode == 2
    assert "a.journal.jsonl cannot be written: File too large." in refused.stderr
    assert list(shell.folder.iterdir()) == []
    piped = shell(f"mkfifo pipe; cat pipe & {export} pipe; wait")
    assert (piped.returncode, piped.stdout.count('"end"')) == (0, 1)
    assert (shell.folder / "pipe").is_fifo()


@pytest.mark.parametrize("command", ["agents", "agents --json", "threads export t", "--help"])
def test_a_reader_that_leaves_is_no_failure(shell, command):
    shell("treadle ask -q -t t hello")
    done = shell(f"mkfifo gone; (exec 3<gone; :) & treadle {command} >gone")
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_broken_into_lines_where_it_goes_to_a_pipe(shell):
    thread, queue = "t" * 120, "q" * 60
    told = shell(f"treadle ask 'What is 2+3?' -t {thread}")
    assert f"thread {thread}\n" in told.stderr
    shell(f"treadle schedule add {'s' * 90} 'What is 2+3?' -a assistant --every 1h --queue {queue}")
    shell(f"treadle keys create {'k' * 90}")
    for command in (
        "threads list",
        "schedule list",
        f"schedule show {'s' * 90}",
        "keys list",
    ):
        lines = shell(f"treadle {command}").stdout.splitlines()
        assert any(len(line) > 85 for line in lines), command
        assert max(map(len, lines)) < 2_000, command
