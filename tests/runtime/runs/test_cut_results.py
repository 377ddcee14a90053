"""Runs whose model was shown a result in part: replayed, forked, and read on in."""

import re

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.runtime import Runtime
from treadle.runtime.runs import JournalFile, Replayer
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

BOOKS = '''
from treadle.core.calls import Effect
from treadle.tools import tool

@tool(effect=Effect.READ, max_chars=100_000)
def fetch(book: str) -> str:
    """Fetch a book.

    Args:
        book: its name.
    """
    return "".join(f"{book}, line {n}\\n" for n in range(5_000))
'''
NOTED = re.compile(r"read_more\(ref='([^']+)', offset=(\d+)\)")
READER = Agent(name="reader", tools=("tools.py:fetch",), memory={"window_tokens": 2_000})


def reading(request):
    """Fetch two books, read on in both, and say what was read."""
    results = list(request.tool_outputs.values())
    if not results:
        return calls(call("fetch", book="Moby"), call("fetch", book="Emma"))
    noted = [NOTED.search(one) for one in results]
    if all(noted):
        return calls(*(call("read_more", ref=one[1], offset=int(one[2])) for one in noted))
    return say(" ".join(re.search(r"\n(\w+), line", one)[1] for one in results[-2:]))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "tools.py").write_text(BOOKS)
    return tmp_path


async def test_a_run_that_read_on_replays_and_forks_as_it_was(redis_url, project):
    with ScriptedOpenAI(reading) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            reply = await rt.ask(READER, "Read both.")
            assert reply.text == "Moby Emma"
            assert (await rt.runs.replay(reply.run_id)).difference is None
            fork = await rt.fork(reply.run_id)
            assert (fork.text, fork.usage.model_calls) == ("Moby Emma", 0)


async def test_a_fork_reads_on_where_its_run_was_cut(redis_url, project):
    def script(request):
        is_first = "Fetch both." in request.last_user_text
        return say("No more.") if is_first and request.tool_outputs else reading(request)

    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as rt:
            first = await rt.ask(READER, "Fetch both.", thread="books")
            assert first.text == "No more."
            fork = await rt.fork(first.run_id, question="Fetch both, and read on.")
            assert fork.text == "Moby Emma"
            assert (await rt.runs.replay(fork.run_id)).difference is None


async def test_its_journal_passes_as_a_test(redis_url, project):
    with ScriptedOpenAI(reading) as server:
        settings = settings_for(server)
        async with Runtime.open(redis_url, project, settings=settings) as rt:
            reply = await rt.ask(READER, "Read both.")
            file = await rt.runs.export(reply.run_id)
    file = JournalFile.from_text(file.to_text())
    assert (await Replayer(project, settings).replay(file, READER)).difference is None
