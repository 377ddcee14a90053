"""Journals that were cut off, edited, of a newer version or of another graph; tools that misbehave.

Each is a named error, nothing is executed, and what was there stays.
"""

import json

import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.errors import RunError, TreadleError
from treadle.runtime import Runtime
from treadle.runtime.journal import JournalError, first_difference, from_data, to_data
from treadle.runtime.runs import JournalFile, RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, say, unauthorized

CALCULATOR = Agent(name="calculator", tools=("calculate",))
SCRIPT = [call("calculate", expression="2+2"), say("It is 4.")]
QUESTION = "What is 2+2? " + "Think well. " * 500
"""Long, so that a part of it is kept by its hash."""


@pytest.fixture
async def asked(redis_url, tmp_path):
    """A run that came to its end, in a runtime whose model has nothing more to say."""
    with ScriptedOpenAI(SCRIPT) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(CALCULATOR, QUESTION)
            yield rt, reply.run_id
            assert len(server.requests) == 2


@pytest.fixture
async def client(redis_url):
    client = redis.asyncio.from_url(redis_url)
    yield client
    await client.aclose()


async def test_a_file_cut_off_anywhere_is_refused(asked):
    rt, run_id = asked
    text = (await rt.runs.export(run_id)).to_text()
    for end in range(0, len(text) - 1, 97):
        with pytest.raises(JournalError):
            JournalFile.from_text(text[:end])
    lines = text.splitlines(keepends=True)
    for number in range(len(lines)):
        with pytest.raises(JournalError):
            JournalFile.from_text("".join(lines[:number] + lines[number + 1 :]))


async def test_a_file_edited_by_hand_is_refused(asked):
    rt, run_id = asked
    text = (await rt.runs.export(run_id)).to_text()
    with pytest.raises(JournalError, match="changed after it was exported"):
        JournalFile.from_text(text.replace("It is 4.", "It is 5."))


async def test_a_file_of_a_newer_version_says_so(asked):
    rt, run_id = asked
    text = (await rt.runs.export(run_id)).to_text()
    with pytest.raises(JournalError, match="version 2"):
        JournalFile.from_text(text.replace('"version": 1', '"version": 2', 1))


@pytest.mark.parametrize(
    "damage",
    ["not json", "no object", "newer", "no version", "no text", "no beginning", "no end", "a hole"],
)
async def test_a_journal_damaged_in_redis_is_refused(damage, asked, client):
    rt, run_id = asked
    [entries] = [key async for key in client.scan_iter(match=f"*:run:{run_id}:entries")]
    [blobs] = [key async for key in client.scan_iter(match=f"*:run:{run_id}:blobs")]
    [(first, fields), (second, _), *_, (last, _)] = await client.xrange(entries)
    if damage == "no text":
        await client.delete(blobs)
    elif (
        gone := {"no beginning": first, "a hole": second, "no end": last}.get(damage)
    ) is not None:
        await client.xdel(entries, gone)
    else:
        changed = {
            "not json": {b"data": b'{"a": '},
            "no object": {b"data": b"[1]"},
            "newer": {b"version": b"7"},
            "no version": {b"version": b"x"},
        }[damage]
        await client.xadd(entries, {**fields, **changed})
    before = await client.xlen(entries)
    for work in (rt.runs.replay, rt.fork):
        with pytest.raises(JournalError):
            await work(run_id)
    assert await client.xlen(entries) == before
    assert (await rt.runs.get(run_id)).status is RunStatus.SUCCESS


async def test_a_graph_that_has_changed_since_is_named(asked):
    rt, run_id = asked
    changed = Agent(name="calculator", graph="chain_of_thought")
    replay = await rt.runs.replay(run_id, agent=changed)
    assert replay.difference is not None
    gone = Agent(name="calculator", tools=("gone.py:tool",))
    with pytest.raises(TreadleError, match=r"gone\.py"):
        await rt.runs.replay(run_id, agent=gone)


async def test_a_run_whose_journal_was_cut_off_goes_on_with_nothing(redis_url, tmp_path, client):
    (tmp_path / "tools.py").write_text(
        "from pathlib import Path\n"
        "def send() -> str:\n"
        '    """Send it."""\n'
        "    with Path(__file__).with_name('sent').open('a') as file:\n"
        "        file.write('x')\n"
        "    return 'Sent.'\n"
    )
    sender = Agent(name="sender", tools=("tools.py:send",))
    with ScriptedOpenAI([call("send"), unauthorized()]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            with pytest.raises(RunError):
                await rt.ask(sender, "Send it.")
            [run] = await rt.runs.recent()
            [entries] = [key async for key in client.scan_iter(match=f"*:run:{run.id}:entries")]
            told = await client.xrange(entries)
            begun = next(i for i, (_, one) in enumerate(told) if b'"once"' in one[b"data"])
            await client.xdel(entries, *(entry_id for entry_id, _ in told[begun:]))
            with pytest.raises(JournalError, match="are missing at its end"):
                await rt.resume(run.id, agent=sender)
            assert (tmp_path / "sent").read_text() == "x"
            assert len(server.requests) == 2


TOOLS = """
import asyncio

class Odd:
    pass

RETURNS = {
    "50 MB": lambda: "x" * (50 << 20),
    "bytes": lambda: b"\\x00\\xff",
    "object": Odd,
}

class Stop(BaseException):
    pass

RAISES = {"exit": SystemExit, "interrupt": KeyboardInterrupt, "stop": Stop,
          "cancel": asyncio.CancelledError, "close": GeneratorExit, "end": StopIteration}

def odd(what: str):
    '''Do something odd.

    Args:
        what: what.
    '''
    if what in RAISES:
        raise RAISES[what]("odd")
    return RETURNS[what]()

async def odd_async(what: str):
    '''Do something odd.

    Args:
        what: what.
    '''
    return odd(what)
"""


@pytest.mark.parametrize("tool", ["odd", "odd_async"])
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("50 MB", "xxx"),
        ("bytes", ""),
        ("object", ""),
        ("exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("stop", "Stop"),
        ("cancel", "failed: CancelledError: odd. It may"),
        ("close", "failed: GeneratorExit: odd. It may"),
        ("end", "failed: StopIteration: odd. It may"),
    ],
)
async def test_whatever_a_tool_does_the_model_is_told(what, expected, tool, redis_url, tmp_path):
    (tmp_path / "tools.py").write_text(TOOLS)
    agent = Agent(name="odd", tools=(f"tools.py:{tool}",))
    with ScriptedOpenAI([call(tool, what=what), say("Done.")]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent, "Do it.")
            told = next(iter(server.requests[-1].tool_outputs.values()))
            file = await rt.runs.export(reply.run_id)
            assert reply.text == "Done."
            assert expected in told
            assert (await rt.runs.replay(file)).difference is None
            assert len(file.to_text()) < 100_000


DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.sampled_from(["$tuple", "$bytes", "$blob", "$x"]), inner)
    ),
    max_leaves=20,
)


@given(DATA)
def test_data_comes_back_as_it_was(value):
    assert from_data(json.loads(json.dumps(to_data(value)))) == value


@given(DATA)
def test_what_is_the_same_has_no_difference(value):
    data = to_data(value)
    assert first_difference(data, json.loads(json.dumps(data))) is None


@given(DATA, DATA)
def test_a_difference_is_found_wherever_there_is_one(left, right):
    left, right = to_data({"a": left}), to_data({"a": right})
    found = first_difference(left, right)
    if json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True):
        assert found is None
    else:
        assert found is not None
        assert found[0].startswith("a")
        assert first_difference(right, left) is not None
