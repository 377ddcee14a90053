"""What a terminal is sent: nothing that a model, a tool or an error could command it with."""

import json
import os
import signal
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.support.waiting import wait_until
from tests.support.warm import TREADLE, run_warm, warm
from treadle.runtime.testing import ScriptedOpenAI, hang, say

EVIL = "kaboom \x1b[31m\x1b]0;title\x07\u202e"
HIDDEN = set("\x1b\x07\u202e")
BAD = f"""
from langgraph.graph import MessagesState, StateGraph

def fail(state):
    raise ValueError({EVIL!r})

graph = StateGraph(MessagesState).add_node("fail", fail)
graph = graph.set_entry_point("fail").set_finish_point("fail")
"""


@pytest.fixture
def run(short_tmp_path, tmp_path, redis_url):
    """Run a command in a project with an agent whose graph fails with such an error."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "bad.yaml").write_text("graph: bad.py:graph\n")
    (tmp_path / "bad.py").write_text(BAD)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept |= {"TREADLE_HOME": str(short_tmp_path), "TREADLE_REDIS_URL": redis_url}
    kept |= {"TERM": "dumb"}

    def run_command(*arguments, text=None):
        return run_warm([TREADLE, *arguments], cwd=tmp_path, env=kept, text=text)

    run_command.folder = tmp_path
    run_command.environment = kept
    return run_command


class Terminal:
    """A terminal with a command in it.

    Attributes:
        process: the command.
    """

    def __init__(self, inside: int) -> None:
        self._inside = inside
        self._shown = b""
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._inside, 65_536):
                self._shown += piece
        except OSError:  # the command has closed its end
            return

    def type(self, text: str) -> None:
        os.write(self._inside, text.encode())

    def shows(self, text: str) -> bool:
        return text in self._shown.decode(errors="replace")

    def ended(self) -> str:
        """Return all that it showed, when the command has ended."""
        self._reader.join(50)
        return self._shown.decode()


@contextmanager
def terminal(run, *arguments):
    """Run a command in a terminal."""
    inside, outside = os.openpty()
    one = Terminal(inside)
    try:
        with os.fdopen(outside, "r+b", buffering=0) as file:
            process = warm(
                [TREADLE, *arguments],
                cwd=run.folder, env=run.environment, stdin=file, stdout=file, stderr=file,
            )  # fmt: skip
            one.process = process.__enter__()
        yield one
    finally:
        process.__exit__(None, None, None)
        one.ended()
        os.close(inside)


def is_safe(text):
    return not HIDDEN & set(text)


def test_an_error_commands_no_terminal(run):
    asked = run("ask", "hi", "-a", "bad", "-t", "t")
    assert asked.returncode == 1
    assert r"kaboom \x1b[31m\x1b]0;title\x07\u202e" in asked.stderr
    [failed] = json.loads(run("runs", "list", "--json").stdout)
    chat = run("chat", "-a", "bad", text="hi\n\n")
    resumed = run("runs", "resume", failed["id"])
    for done in (asked, chat, resumed):
        assert "kaboom" in done.stderr
        assert is_safe(done.stderr)


def test_the_log_of_a_worker_commands_no_terminal(run):
    run("queue", "add", "hi", "-a", "bad")
    said = run.folder / "stderr"
    with (
        said.open("w") as stderr,
        warm([TREADLE, "worker"], cwd=run.folder, env=run.environment, stderr=stderr) as process,
    ):
        wait_until(lambda: "kaboom" in said.read_text(), within_seconds=50)
        process.send_signal(signal.SIGTERM)
        assert process.wait(50) == 0
    assert is_safe(said.read_text())


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_an_export_commands_no_terminal_and_is_exact_elsewhere(run, how):
    run("ask", f"What is 2+3? {EVIL}", "-t", "t", "-q")
    written = run("threads", "export", "t", *how).stdout
    text = json.loads(written)["messages"][0]["text"] if how else written
    assert EVIL in text
    with terminal(run, "threads", "export", "t", *how) as shown:
        assert shown.process.wait(50) == 0
        assert is_safe(shown.ended())
        assert "kaboom" in shown.ended()


def test_ctrl_c_at_a_question_is_ctrl_c(run):
    run("ask", "What is 2+3?", "-t", "t", "-q")
    with terminal(run, "threads", "forget", "t") as shown:
        wait_until(lambda: shown.shows("Remove the thread t for good? [y/N] "), within_seconds=50)
        shown.process.send_signal(signal.SIGINT)
        assert shown.process.wait(50) == 130
        assert "Aborted" not in shown.ended()
    assert run("threads", "forget", "t", text="n\n").returncode == 1
    unanswered = run("threads", "forget", "t", text="")
    assert unanswered.returncode == 2
    assert "--yes" in unanswered.stderr
    assert run("threads", "forget", "t", text="y\n").returncode == 0
    nobody = run("threads", "forget", "t", text="y\n")
    assert nobody.returncode == 2
    assert "for good" not in nobody.stderr


def test_ctrl_c_at_the_prompt_of_a_chat_says_how_to_go_on(run):
    with terminal(run, "chat", "-t", "t") as shown:
        wait_until(lambda: shown.shows("> "), within_seconds=50)
        shown.process.send_signal(signal.SIGINT)
        assert shown.process.wait(50) == 130
        last = shown.ended().splitlines()[-1]
    assert last == "Go on with: treadle chat --agent assistant --thread t"


def test_ctrl_c_during_an_answer_in_a_chat_is_told_of_once(run):
    with ScriptedOpenAI([hang(say("Slow."), after_chunks=2)]) as server:
        run.environment.update(server.environment, TREADLE_MODEL="openai:gpt-5-mini")
        with terminal(run, "chat", "-t", "t") as shown:
            wait_until(lambda: shown.shows("> "), within_seconds=50)
            shown.type("hello\n")
            wait_until(lambda: len(server.requests) == 1, within_seconds=50)
            shown.process.send_signal(signal.SIGINT)
            wait_until(lambda: shown.shows("Stopped. What was said is kept."), within_seconds=50)
            shown.type("\n")
            assert shown.process.wait(50) == 0
            assert "The question is kept" not in shown.ended()
