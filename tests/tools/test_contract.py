"""What a tool declares about itself, and what becomes of its results and failures."""

import asyncio
import inspect
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.support.recording import Recording
from treadle.core.boundary import boundary
from treadle.core.calls import MAYBE_DONE
from treadle.core.errors import ConfigError, RunError, UnknownNameError
from treadle.core.settings import Settings
from treadle.tools import (
    Effect,
    Passage,
    Source,
    ToolContext,
    ToolError,
    ToolResult,
    build_tool,
    shipped_tools,
    tool,
)


def called(made, **arguments):
    return made.ainvoke({"type": "tool_call", "id": "1", "name": made.name, "args": arguments})


def test_an_undeclared_tool_is_one_that_must_not_be_repeated():
    @tool
    def send(text: str) -> str:
        """Send it."""
        return text

    assert send.effect is Effect.ONCE


async def test_the_same_call_is_handed_the_same_key_and_another_call_another():
    keys = []

    @tool(effect=Effect.KEYED)
    async def pay(amount: int, idempotency_key: str) -> str:
        """Pay.

        Args:
            amount: how much.
        """
        keys.append(idempotency_key)
        return "paid"

    assert set(pay.args) == {"amount"}
    for _ in range(2):  # The run is repeated from the same place.
        with boundary(Recording(), thread_id="t", run_id="r"):
            await called(pay, amount=1)
            await called(pay, amount=1)
    assert keys[:2] == keys[2:]
    assert keys[0] != keys[1]


def test_a_key_is_taken_by_keyed_tools_only():
    with pytest.raises(ValueError, match="takes 'idempotency_key', and its effect is 'read'"):

        @tool(effect=Effect.READ)
        def read(idempotency_key: str) -> str:
            """Read."""
            return ""

    with pytest.raises(ValueError, match="'keyed', and it does not take the key: add the argument"):

        @tool(effect=Effect.KEYED)
        def write() -> str:
            """Write."""
            return ""


async def test_a_slow_tool_is_stopped_and_the_model_is_told():
    @tool(time_limit=timedelta(milliseconds=20))
    async def slow() -> str:
        """Take for ever."""
        await asyncio.Event().wait()
        return ""

    message = await called(slow)
    assert message.status == "error"
    assert "no answer within 0.02 seconds" in message.text


DOUBTFUL = [effect for effect in Effect if effect is not Effect.READ]


def acting(function, effect):
    """Make a tool of what takes ``idempotency_key``, which only keyed ones take."""

    def unkeyed():
        return function("")

    async def unkeyed_async():
        return await function("")

    plain = unkeyed_async if inspect.iscoroutinefunction(function) else unkeyed
    chosen = function if effect is Effect.KEYED else plain
    chosen.__doc__ = "Act."
    return tool(name="act", effect=effect, time_limit=timedelta(milliseconds=20))(chosen)


@pytest.mark.parametrize("effect", DOUBTFUL)
async def test_what_may_have_acted_when_its_time_was_up_is_not_to_be_called_again(effect):
    async def act(idempotency_key: str) -> str:
        await asyncio.Event().wait()
        return ""

    text = (await called(acting(act, effect))).text
    assert text == f"act gave no answer within 0.02 seconds. {MAYBE_DONE}"


@pytest.mark.parametrize("effect", [Effect.ONCE, Effect.KEYED])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("bad"), f"act failed: ValueError: bad. {MAYBE_DONE}"),
        (RunError("It broke.", hint="Mend it."), f"act: It broke. Mend it. {MAYBE_DONE}"),
        (ToolError("There is none.", hint="Do else."), "act: There is none. Do else."),
    ],
)
async def test_what_may_have_acted_before_it_failed_says_so_unless_it_knows(effect, error, said):
    def act(idempotency_key: str) -> str:
        raise error

    assert (await called(acting(act, effect))).text == said


@pytest.mark.parametrize("does", ["hang", "fail"])
async def test_what_only_reads_may_be_called_again(does):
    async def act() -> str:
        """Act."""
        if does == "fail":
            raise ValueError("bad")
        await asyncio.Event().wait()
        return ""

    made = tool(effect=Effect.READ, time_limit=timedelta(milliseconds=20))(act)
    text = (await called(made)).text
    assert MAYBE_DONE not in text
    assert "Try o" in text


async def test_a_time_out_of_the_tools_own_is_not_taken_for_the_limit():
    @tool
    async def elsewhere() -> str:
        """Ask elsewhere."""
        raise TimeoutError("the server was silent")

    assert "TimeoutError: the server was silent" in (await called(elsewhere)).text


@pytest.mark.parametrize("failure", [ValueError("bad"), ToolError("bad", hint="Do else.")])
async def test_a_failure_is_a_message_and_the_gate_hears_of_it(failure):
    @tool
    def broken() -> str:
        """Break."""
        raise failure

    gate = Recording()
    with boundary(gate, thread_id="t", run_id="r"):
        message = await called(broken)
    assert message.status == "error"
    assert message.text.startswith("broken")
    assert isinstance(gate.outcomes[0].error, ToolError)


@given(st.text(max_size=400), st.integers(min_value=1, max_value=200))
def test_a_long_result_is_cut_and_says_so(text, limit):
    @tool(max_chars=limit)
    def talk() -> str:
        """Talk."""
        return text

    shown = talk.invoke({})
    assert shown.startswith(text[:limit])
    assert ("cut here" in shown) == (len(text) > limit)


async def test_passages_are_labelled_and_kept_beside_the_text():
    sources = [Source("Looms", f"docs/{n}.md", "lines 1-2") for n in range(5)]

    @tool(effect=Effect.READ, max_chars=150)
    def find() -> ToolResult:
        """Find."""
        return ToolResult("Found:", [Passage("shaft " * 5, source) for source in sources])

    message = await called(find)
    shown = [source for source in sources if f"[^{source.label}]" in message.text]
    assert 1 <= len(shown) < 5
    assert message.artifact == {"sources": [source.to_dict() for source in shown]}
    assert f"{5 - len(shown)} more results were left out" in message.text


@pytest.mark.parametrize("kind", [ValueError, RunError, ToolError])
async def test_a_long_error_is_cut_as_a_result_is(kind):
    @tool(effect=Effect.READ, max_chars=100)
    def broken() -> str:
        """Break."""
        raise kind("row 7; " * 5_000)

    text = (await called(broken)).text
    assert "characters left out" in text
    assert len(text) < 300


class Item(BaseModel):
    name: str
    tags: frozenset[str] = frozenset()


@dataclass
class Box:
    items: list[Item]


class Plain:
    pass


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Item(name="x", tags=frozenset("ba")), {"name": "x", "tags": ["a", "b"]}),
        (Box([Item(name="x")]), {"items": [{"name": "x", "tags": []}]}),
        ({3, 1, 2}, [1, 2, 3]),
        ([Effect.READ, datetime(2026, 1, 2, tzinfo=UTC)], ["read", "2026-01-02T00:00:00Z"]),
        (Decimal("0.10"), "0.10"),
        (object(), "<object object>"),
        ([Plain()], ["<tests.tools.test_contract.Plain object>"]),
    ],
)
async def test_what_json_has_no_word_for_is_data_and_the_same_in_each_run(value, shown):
    @tool(effect=Effect.READ)
    def look() -> object:
        """Look."""
        return value

    assert json.loads((await called(look)).text) == shown


async def test_what_cannot_be_shown_is_not_told_as_a_call_that_was_not_made():
    @tool
    def act() -> object:
        """Act."""
        return {(1, 2): 3}

    message = await called(act)
    assert message.status == "error"
    assert message.text.startswith("act was called, and what it returned cannot be shown: Type")
    assert message.text.endswith("Do not call it again for the same.")


async def test_anything_json_can_hold_may_be_returned():
    @tool
    def data() -> dict:
        """Return data."""
        return {"é": [1, None]}

    assert (await called(data)).text == '{"é": [1, null]}'


def test_every_shipped_tool_is_made_and_declares_what_it_does(tmp_path):
    (tmp_path / "treadle.toml").write_text('[tools.files]\nroot = "."\n')
    context = ToolContext(tmp_path, Settings.load(tmp_path), redis=None)
    effects = {"remember": Effect.KEYED, "write_file": Effect.ONCE}
    for name in shipped_tools():
        made = build_tool(name, context)
        assert made.name == name
        assert made.effect is effects.get(name, Effect.READ)
        assert made.description


def test_a_function_of_the_project_becomes_a_tool(tmp_path):
    (tmp_path / "mine.py").write_text(
        'def double(n: int) -> int:\n    """Double it."""\n    return 2 * n\nvalue = 3\n'
        "def bare(n): return n\n"
    )
    context = ToolContext(tmp_path, Settings(), redis=None)
    assert build_tool("mine.py:double", context).invoke({"n": 4}) == "8"
    with pytest.raises(ConfigError, match="is a int"):
        build_tool("mine.py:value", context)
    with pytest.raises(ConfigError, match="cannot be made a tool"):
        build_tool("mine.py:bare", context)
    with pytest.raises(UnknownNameError, match="Did you mean 'wikipedia'"):
        build_tool("wikipeda", context)
