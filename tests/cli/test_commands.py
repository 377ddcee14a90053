"""The command line as a person or a script uses it: a real process, its output and exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from tests.support.waiting import wait_until
from tests.support.warm import TREADLE, run_warm, warm
from treadle.runtime.testing import ScriptedOpenAI, call, hang, say, server_error, unauthorized

DOCUMENT = "# Looms\n\nA floor loom of the Kestrel workshop has four shafts and six treadles.\n"


@pytest.fixture
def run(short_tmp_path, tmp_path, redis_url):
    """Run a command in an empty project, with a Redis of its own and no keys."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "looms.md").write_text(DOCUMENT)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept |= {"TREADLE_HOME": str(short_tmp_path), "TREADLE_REDIS_URL": redis_url, "COLUMNS": "100"}

    def run_command(*arguments, text=None, **variables):
        return run_warm(
            [TREADLE, *arguments],
            cwd=tmp_path,
            env={**kept, **variables},
            text=text,
        )

    run_command.environment = kept
    run_command.folder = tmp_path
    return run_command


def provider(server):
    return {"TREADLE_MODEL": "openai:gpt-5-mini", **server.environment}


def test_the_main_job_from_documents_to_memory(run):
    """What the README promises first: index, ask, be cited, be remembered."""
    indexed = run("index", "docs")
    assert indexed.returncode == 0, indexed.stderr
    assert "1 added" in indexed.stderr
    assert "1 unchanged" in run("index", "docs").stderr

    question = "I weave linen. How many shafts has a floor loom of the Kestrel workshop?"
    first = run("ask", question, "--thread", "t")
    assert first.returncode == 0, first.stderr
    assert "four shafts" in first.stdout
    assert "[1]" in first.stdout
    assert "docs/looms.md" in first.stdout
    assert "search_documents(" in first.stderr
    assert "thread t" in first.stderr

    second = run("ask", "What did I say that I weave?", "--thread", "t", "--quiet")
    assert "linen" in second.stdout
    assert second.stderr == ""

    listed = json.loads(run("threads", "list", "--json").stdout)
    assert [(thread["id"], thread["turns"]) for thread in listed] == [("t", 2)]
    shown = run("threads", "show", "t").stdout
    assert "linen" in shown
    page = run("threads", "show", "t", "--limit", "1")
    assert "linen" in page.stdout
    assert "treadle threads show t --before" in page.stderr
    found = run("threads", "search", "t", "kestrel SHAFTS", "--json")
    assert "floor loom" in json.loads(found.stdout)[-1]["text"]
    assert "Nothing was found" in run("threads", "search", "t", "xylophone").stderr
    assert json.loads(run("threads", "export", "t", "--json").stdout)["id"] == "t"
    assert run("threads", "forget", "t", "--yes").returncode == 0
    assert run("threads", "show", "t").returncode == 2
    assert "No threads yet" in run("threads", "list").stderr


def test_json_holds_the_whole_reply(run):
    run("index", "docs")
    reply = run("ask", "How many shafts has a Kestrel floor loom?", "--json")
    data = json.loads(reply.stdout)
    assert data["citations"][0]["uri"] == "docs/looms.md"
    assert data["usage"]["tool_calls"] == 1


def test_the_question_can_come_from_standard_input(run):
    assert "name is Ada" in run("ask", "-", text="My name is Ada.").stdout


def test_a_real_model_is_asked_with_one_variable(run):
    with ScriptedOpenAI([call("calculate", expression="6*7"), say("It is 42.")]) as server:
        done = run("ask", "What is six times seven?", **provider(server))
    assert done.stdout.strip() == "It is 42."
    assert "calculate(" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ask", "hi", "--agent", "asistant"], "Did you mean 'assistant'"),
        (["ask", ""], "question is empty"),
        (["ask", "hi", "--model", "nope"], "No model is named 'nope'"),
        (["ask", "hi", "--model", "openai:gpt-5-mini"], "OPENAI_API_KEY is not set"),
        (["ask", "hi", "--project", "nowhere"], "does not exist"),
        (["ask", "hi", "--redis", "redis://127.0.0.1:1"], "127.0.0.1:1"),
        (["ask", "hi", "--redis", "nope://x"], "redis://"),
        (["graph", "asistant"], "Did you mean 'assistant'"),
        (["graph", "assistant", "-o", "a.doc"], ".svg"),
        (["index", "nowhere"], "nowhere"),
        (["threads", "show", "nope"], "No thread is named 'nope'"),
        (["new", "docs"], "already holds something"),
        (["aks"], "No such command"),
    ],
)
def test_what_a_person_can_get_wrong_is_one_message_and_exit_code_2(run, arguments, expected):
    done = run(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_question_of_a_megabyte_is_refused_with_advice(run):
    done = run("ask", "-", text="word " * 200_000)
    assert done.returncode == 2
    assert "treadle index" in done.stderr


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("treadle.toml", "modle = 'x'", "treadle.toml"),
        ("agents/mine.yaml", "graph: react\ntols: []\n", "mine.yaml:2"),
        ("agents/mine.yaml", "graph: mine.py:graph\n", "mine.py:1: ZeroDivisionError"),
    ],
)
def test_a_wrong_project_is_named_with_file_and_line(run, file, text, expected):
    (run.folder / "agents").mkdir()
    (run.folder / "mine.py").write_text("1 / 0\n")
    (run.folder / file).write_text(text)
    done = run("ask", "hi", "--agent", "mine")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(unauthorized(), "OPENAI_API_KEY"), (server_error(400), "refused")],
)
def test_a_run_that_fails_ends_with_exit_code_1(run, failure, expected):
    with ScriptedOpenAI([failure]) as server:
        done = run("ask", "hi", **provider(server))
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_keeps_the_question(run):
    with ScriptedOpenAI([hang(say("Slow."), after_chunks=2), say("Now.")]) as server:
        environment = {**run.environment, **provider(server)}
        command = [TREADLE, "ask", "Are you there?", "--thread", "t"]
        said = run.folder / "stderr"
        with (
            said.open("w") as stderr,
            warm(command, cwd=run.folder, env=environment, stderr=stderr) as process,
        ):
            wait_until(lambda: len(server.requests) == 1, within_seconds=50)
            process.send_signal(signal.SIGINT)
            assert process.wait(50) == 130
        stderr = said.read_text()
        assert "--thread t" in stderr
        assert "Traceback" not in stderr
        run("ask", "And now?", "--thread", "t", **provider(server))
    texts = [message["content"] for message in server.requests[1].messages[1:]]
    assert texts == ["Are you there?", "And now?"]


def test_a_chat_goes_on_over_turns_and_after_an_error(run):
    with ScriptedOpenAI([say("Hello."), server_error(400), say("Goodbye.")]) as server:
        done = run("chat", "--thread", "t", text="hi\nfail\nbye\n\n", **provider(server))
    assert done.returncode == 0
    assert "Hello." in done.stdout
    assert "Goodbye." in done.stdout
    assert "error:" in done.stderr


def test_agents_are_listed_with_what_is_wrong_with_them(run):
    (run.folder / "agents").mkdir()
    (run.folder / "agents" / "bad.yaml").write_text("tols: []\n")
    listed = {agent["name"]: agent for agent in json.loads(run("agents", "--json").stdout)}
    assert listed["assistant"]["graph"] == "react"
    assert "bad.yaml:1" in listed["bad"]["error"]
    assert "bad.yaml:1" in run("agents").stdout


@pytest.mark.parametrize("columns", [80, 40])
def test_what_is_listed_can_be_copied_from_a_narrow_terminal(run, columns):
    narrow = {"COLUMNS": str(columns)}
    asked = json.loads(run("ask", "Hello, hello, hello, hello, hello!", "--json").stdout)
    listed = run("threads", "list", **narrow).stdout
    [first, second] = listed.splitlines()
    assert first.startswith(f"{asked['thread_id']}  ")
    assert first.endswith("assistant, 1 turn")
    assert second.startswith("  Hello, hello")
    assert asked["run_id"] in run("runs", "list", **narrow).stdout

    daily = ("--cron", "0 8 * * MON-FRI", "--agent", "assistant")
    assert run("schedule", "add", "the-morning-digest", "News.", *daily, **narrow).returncode == 0
    for command in (("schedule", "list"), ("schedule", "show", "the-morning-digest")):
        shown = run(*command, **narrow).stdout
        assert "the-morning-digest" in shown, shown
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", shown), shown

    made = run("keys", "create", "a-rather-long-name-of-a-key", "--json").stdout
    key = json.loads(made)["id"]
    shown = run("keys", "list", **narrow).stdout
    for cell in (key, "a-rather-long-name-of-a-key"):
        assert cell in shown
    agents = run("agents", **narrow).stdout
    assert "search_documents" in agents


WRONG = {
    "options": ("options: {max_stepz: 3}", "option 'max_stepz'"),
    "model": ('model: "openai:"', "openai:"),
    "tool": ("tools: [calculat]", "Did you mean 'calculate'"),
    "tool-file": ('tools: ["none.py:x"]', "there is no such file"),
    "embeddings": ("memory: {embeddings: nosuch}", "nosuch"),
    "graph-file": ('graph: "none.py:x"', "there is no such file"),
    "colleague": ("graph: supervisor\nagents: [nosuch]", "No agent is named 'nosuch'"),
    "circle": ("graph: supervisor\nagents: [circle]", "in a circle"),
    "nobody": ("graph: route", "there are none"),
    "price": ("budget: {usd: 1}", "is not known"),
    "toolless": ("graph: chain_of_thought\ntools: [calculate]", "calls no tools"),
    "rule": ("tools: [calculate]\npolicy: [{tool: calculat, then: ask}]", "mean 'calculate'"),
}


def test_agents_are_listed_with_what_a_run_of_them_would_be_refused_for(run):
    (run.folder / "agents").mkdir()
    for name, (text, _) in WRONG.items():
        (run.folder / "agents" / f"{name}.yaml").write_text(f"description: It.\n{text}\n")
    offline = {"TREADLE_MODEL": "openai:gpt-5-mini", "OPENAI_API_KEY": "sk-none"}
    offline["TREADLE_REDIS_URL"] = "redis://127.0.0.1:1"
    told = run("agents", "--json", **offline)
    assert told.returncode == 2, told.stderr
    listed = {agent["name"]: agent for agent in json.loads(told.stdout)}
    for name, (_, problem) in WRONG.items():
        assert problem in listed[name]["error"], name
        assert listed[name]["description"] == "It."
    assert listed["assistant"]["error"] == ""
    examined = json.loads(run("doctor", "--json", **offline).stdout)
    wrong = [
        one["detail"] for one in examined if (one["about"], one["state"]) == ("agents", "wrong")
    ]
    for name, (_, problem) in WRONG.items():
        assert any(name in one and problem in one for one in wrong), name
    asked = run("ask", "x", "--agent", "rule", TREADLE_MODEL="embedded")
    assert "mean 'calculate'" in asked.stderr


def test_a_graph_is_drawn_as_text_and_as_a_picture(run):
    assert "-->" in run("graph", "assistant").stdout
    assert run("graph", "assistant", "-o", "graph.svg").returncode == 0
    assert ET.parse(run.folder / "graph.svg").getroot().tag.endswith("svg")


def test_the_doctor_says_what_is_there_and_what_is_wrong(run):
    good = run("doctor", "--json")
    findings = {finding["about"]: finding for finding in json.loads(good.stdout)}
    assert good.returncode == 0
    assert findings["redis"]["state"] == "ok"
    assert findings["model"]["state"] == "note"
    assert run("doctor", "--redis", "redis://127.0.0.1:1").returncode == 2
    keyless = run("doctor", TREADLE_MODEL="openai:gpt-5-mini").stdout
    assert keyless.count("needs a key") == 2  # Of the model, and of all agents that have it.
    assert "assistant, digest" in keyless


def test_a_new_project_passes_its_own_test_offline(run):
    assert run("new", "mine").returncode == 0
    assert 'tenant = "mine"' in (run.folder / "mine" / "treadle.toml").read_text()
    run("ask", "Hello", "--project", "mine")
    assert "No threads yet" in run("threads", "list").stderr
    assert "Hello" in run("threads", "list", "--project", "mine").stdout
    environment = {name: run.environment[name] for name in ("PATH", "TREADLE_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=run.folder / "mine", env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_output_into_a_closed_pipe_is_no_error(run):
    command = f"{TREADLE} agents --json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=run.folder, env=run.environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.stderr == ""


SETTINGS = 'model = "m"\n[models.m]\nmodel = "openai:gpt-5-mini"\nmax_retries = 1\n'


@pytest.mark.parametrize(("how", "times"), [((), 1), (("--quiet",), 1), (("--verbose",), 3)])
def test_a_model_that_fails_is_told_of_once_and_each_try_where_asked(run, how, times):
    (run.folder / "treadle.toml").write_text(SETTINGS)
    with ScriptedOpenAI([server_error(), server_error()]) as server:
        done = run("ask", "hi", *how, **server.environment)
    assert done.returncode == 1
    assert done.stderr.count("the provider failed") == times
    assert done.stderr.count("error: ") == 1


def test_the_agents_that_come_with_treadle_are_left_out_where_settings_say_so(run):
    (run.folder / "agents").mkdir()
    (run.folder / "agents" / "mine.yaml").write_text("description: Mine.\n")

    def listed():
        return [agent["name"] for agent in json.loads(run("agents", "--json").stdout)]

    assert listed() == ["assistant", "digest", "mine", "researcher"]
    (run.folder / "treadle.toml").write_text("shipped_agents = false\n")
    assert listed() == ["mine"]
    asked = run("ask", "What is 6 times 7?", "--quiet")
    assert asked.stdout.startswith("6 * 7 = 42."), "the command line still knows them by name"


def test_help_and_version_load_nothing_heavy():
    heavy = {"langchain", "langgraph", "openai", "redis", "pydantic", "numpy"}
    code = (
        "import sys\nsys.argv = ['treadle', '--help']\nfrom treadle.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & {heavy}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_what_a_new_project_needs_loads_nothing_heavy(tmp_path):
    heavy = {"langchain_core", "langchain", "langgraph", "openai", "redis", "numpy"}
    code = (
        "import sys\nsys.argv = ['treadle', 'new', 'looms']\n"
        "import treadle.core.errors, treadle.core.events, treadle.core.settings\n"
        "from treadle.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & {heavy}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "looms" / "agents").is_dir()


def test_a_question_loads_no_library_of_a_tool_that_is_not_called(tmp_path):
    """Those are what the shipped assistant's tools read pages, PDFs and wikis with."""
    heavy = {"bs4", "pypdf", "soupsieve", "ddgs", "wikipediaapi", "trafilatura", "openai", "mcp"}
    code = (
        "import sys\nsys.argv = ['treadle', 'ask', 'What is 6 times 7?']\n"
        "from treadle.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & {heavy}))"
    )
    environment = {**os.environ, "TREADLE_HOME": str(tmp_path), "TREADLE_MODEL": "embedded"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split("\n")[:2] == ["6 * 7 = 42.", "[]"]


NOTIFICATIONS = """
[notifications.unsigned]
webhook = "https://93.184.216.34/hook"
secret_env = "NO_SECRET"

[notifications.inside]
webhook = "http://127.0.0.1:1/hook"
secret_env = "HOOK_SECRET"

[notifications.outside]
webhook = "https://93.184.216.34/hook"
secret_env = "HOOK_SECRET"

[notifications.gone]
command = ["no-such-program"]

[notifications.there]
command = ["cat"]

[notifications.mail]
email = ["ada@example.org"]
"""


def test_the_doctor_says_which_notifications_cannot_work(run):
    (run.folder / "treadle.toml").write_text(NOTIFICATIONS)
    examined = run("doctor", "--json", HOOK_SECRET="0123456789abcdef")
    assert examined.returncode == 2
    told = {
        finding["detail"].partition(":")[0]: finding
        for finding in json.loads(examined.stdout)
        if finding["about"] == "notify"
    }
    assert {name: one["state"] for name, one in told.items()} == {
        "unsigned": "wrong",
        "inside": "wrong",
        "outside": "ok",
        "gone": "wrong",
        "there": "ok",
        "mail": "wrong",
    }
    assert "NO_SECRET" in told["unsigned"]["detail"]
    assert "[outgoing] allow" in told["inside"]["detail"]
    assert "no such program" in told["gone"]["detail"]
    assert "[smtp]" in told["mail"]["detail"]


@pytest.mark.parametrize("command", ["new", "index", "test", "agents --project"])
def test_a_path_that_no_system_takes_is_no_defect(run, command):
    done = run(*command.split(), "x" * 300)
    assert done.returncode == 2
    assert "File name too long." in done.stderr
    assert "defect" not in done.stderr


def test_a_new_project_is_entered_as_it_is_said(run):
    assert "  cd 'my agent'\n" in run("new", "my agent").stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["index", ""], "A path is empty"),
        (["new", ""], "A path is empty"),
        (["ask", "hi", "--user", ""], "--user is empty"),
        (["ask", "hi", "--thread", " "], "--thread is empty"),
        (["queue", "add", "hi", "-u", ""], "--user is empty"),
        (["schedule", "add", "x", "hi", "--every", "1h", "--user", ""], "--user is empty"),
    ],
)
def test_nothing_is_no_name(run, arguments, expected):
    done = run(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[notifications.x]\nwebhook = "https://a.example"\n', "notifications.x: a webhook is"),
        ("[schedules.x]\ninput = ' '\n", "schedules.x.input = ' ': there is nothing to ask."),
    ],
)
def test_what_is_wrong_with_settings_is_said_in_words(run, text, expected):
    (run.folder / "treadle.toml").write_text(text)
    said = run("agents").stderr
    assert expected in said
    assert "Value error" not in said
    assert "{" not in said


def test_what_is_counted_is_said_as_one_or_many(run):
    assert run("index", "docs").stderr.startswith("1 added, ")
    assert "1 file indexed" in run("doctor").stdout
    listed = run("tools").stdout
    for about in listed.split("\n\n")[1:]:
        assert about.rstrip().endswith((".", ")", ":")), about


def test_json_says_what_became_of_a_run_that_failed(run):
    with ScriptedOpenAI([unauthorized()]) as server:
        done = run("ask", "hi", "--json", "-t", "t", **provider(server))
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["thread_id"], "OPENAI_API_KEY" in told["error"]) == ("t", True)
    assert json.loads(run("runs", "show", told["run_id"], "--json").stdout)["status"] == "error"


def test_lists_in_json_are_lists_also_where_nothing_is_in_them(run):
    for what in ("mcp", "notifications", "keys", "schedule", "threads", "runs"):
        done = run(what, "list", "--json")
        assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_messages_in_json_are_data(run):
    (run.folder / "treadle.toml").write_text(
        '[notifications.desk]\ncommand = ["false"]\non = ["success"]\n'
    )
    run("ask", "What is 2+3?", "-q")
    [message] = json.loads(run("notifications", "list", "--json").stdout)
    assert message["body"]["data"]["question"] == "What is 2+3?"
    assert "T" in message["made"]
