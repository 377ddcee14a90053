"""Messages that are struck out of a transcript leave their places, and never come back."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from treadle.memory import connect
from treadle.memory.transcript import Transcript, export_markdown

IDS = [f"m{number}" for number in range(12)]
some = st.lists(st.sampled_from(IDS), max_size=5, unique=True)
steps = st.lists(
    st.tuples(st.sampled_from(["add", "edit", "strike", "unsay", "forget"]), some), max_size=12
)


@pytest.fixture
async def transcript(redis_url):
    async with connect(redis_url) as client:
        yield Transcript(client)


async def test_what_is_struck_out_is_nowhere_and_the_others_keep_their_numbers(transcript):
    said = [HumanMessage(f"word {n}", id=f"m{n}") for n in range(5)]
    mark = await transcript.add_since("t", said, "")
    assert await transcript.strike("t", ["m1", "m3", "unknown"]) == 2
    assert await transcript.strike("t", ["m1"]) == 0
    assert await transcript.strike("t", []) == 0
    page = await transcript.page("t")
    assert [one.number for one in page.messages] == [0, 2, 4]
    assert (page.total, page.end, await transcript.count("t")) == (3, 5, 3)
    assert await transcript.read("t", "m1") is None
    assert [one.number for one in await transcript.search("t", "word")] == [4, 2, 0]
    whole = "".join([piece async for piece in export_markdown(transcript, "t")])
    assert "word 2" in whole
    assert "word 3" not in whole
    # Whoever read the thread before may note what it read: nothing comes back.
    assert await transcript.add_since("t", said, "") == mark
    await transcript.add("t", said)
    assert (await transcript.page("t")).messages == page.messages


async def test_a_page_looks_past_any_number_of_struck_messages(transcript):
    said = [HumanMessage(f"{n}", id=f"m{n}") for n in range(1_000)]
    await transcript.add("t", said)
    await transcript.strike("t", [message.id for message in said[1:999]])
    for window in ({"after": -1}, {"before": 1_000}, {}):
        page = await transcript.page("t", limit=2, **window)
        assert [one.number for one in page.messages] == [0, 999]
    assert [p.messages[0].number async for p in transcript.pages("t", after=0)] == [999]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps, st.integers(1, 13))
async def test_whatever_is_done_is_what_a_list_with_holes_would_hold(transcript, done, limit):
    await transcript.forget("t")
    held: list[tuple[str, str | None]] = []  # Each message's id and text, None where struck out.
    for number, (what, ids) in enumerate(done):
        known = dict(held)
        if what in {"add", "edit"}:
            texts = {id_: id_ if what == "add" else f"{id_} {number}" for id_ in ids}
            await transcript.add("t", [AIMessage(text, id=id_) for id_, text in texts.items()])
            edited = ((i, texts.get(i, t) if t is not None else None) for i, t in held)
            held = [*edited, *((i, t) for i, t in texts.items() if i not in known)]
        elif what == "strike":
            there = [i for i in ids if known.get(i) is not None]
            assert await transcript.strike("t", ids) == len(there)
            held = [(i, None if i in ids else t) for i, t in held]
        elif what == "unsay":
            await transcript.unsay("t", ids)
            while held and held[-1][0] in ids:
                held.pop()
        else:
            left = [t for _, t in held if t is not None]
            assert await transcript.forget("t") == len(left)
            held = []
    left = [(at, text) for at, (_, text) in enumerate(held) if text is not None]
    page = await transcript.page("t", limit=limit)
    assert (page.total, page.end) == (len(left), len(held))
    assert [(one.number, one.message.text) for one in page.messages] == left[-limit:]
    page = await transcript.page("t", limit=limit, after=-1)
    assert [(one.number, one.message.text) for one in page.messages] == left[:limit]
