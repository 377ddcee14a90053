"""The transcript: what was said stays readable, in order, whatever left the graph's state."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from treadle.core.errors import ConfigError, InputError
from treadle.memory import connect, said_at, stamped
from treadle.memory.saver import AesGcmCipher, RecordError
from treadle.memory.transcript import Transcript, export_json, export_markdown

KEYS = ["treadle:main:{t}:said", "treadle:main:{t}:said:places"]


@pytest.fixture
async def client(redis_url):
    async with connect(redis_url) as opened:
        yield opened


@pytest.fixture
def transcript(client):
    return Transcript(client)


def conversation(turns: int, start: int = 0):
    for n in range(start, start + turns):
        yield HumanMessage(f"question {n}", id=f"q{n}")
        yield AIMessage(f"answer {n}", id=f"a{n}")


async def texts(transcript, **page):
    return [said.message.text for said in (await transcript.page("t", **page)).messages]


async def test_adding_again_changes_nothing_and_an_edit_keeps_its_place(transcript):
    said = list(conversation(3))
    await transcript.add("t", said)
    first = (await transcript.page("t")).messages
    await transcript.add("t", said)
    await transcript.add("t", [AIMessage("better", id="a1"), *conversation(1, start=3)])
    page = await transcript.page("t")
    assert page.total == await transcript.count("t") == 8
    assert [s.message.id for s in page.messages] == ["q0", "a0", "q1", "a1", "q2", "a2", "q3", "a3"]
    assert page.messages[3].message.text == "better"
    assert [s.at for s in page.messages[:6]] == [s.at for s in first]
    assert [s.by for s in page.messages[:2]] == ["user", "assistant"]


async def test_a_mark_holds_while_nothing_but_appending_is_done(transcript):
    mark = await transcript.add_since("t", list(conversation(2)), "")
    assert await transcript.add_since("t", list(conversation(2)), "") == mark
    assert await transcript.add_since("t", list(conversation(1, start=2)), mark) == mark
    assert await transcript.add_since("t", [], mark) == mark
    edited = await transcript.add_since("t", [AIMessage("better", id="a1")], mark)
    assert edited not in (mark, None)
    assert await transcript.add_since("t", list(conversation(1, start=3)), mark) is None
    await transcript.unsay("t", ["a2"])
    assert await transcript.add_since("t", list(conversation(1, start=3)), edited) is None
    again = await transcript.add_since("t", list(conversation(1, start=3)), "")
    await transcript.forget("t")
    assert await transcript.add_since("t", list(conversation(1, start=4)), again) is None
    assert await transcript.count("t") == 0


async def test_messages_carry_when_they_were_said(transcript):
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    told = stamped(HumanMessage("hello", id="1"), moment)
    kept = await transcript.add("t", [told, AIMessage("hi", id="2")])
    page = await transcript.page("t")
    assert [said_at(m) for m in kept] == [said_at(s.message) for s in page.messages]
    assert page.messages[0].at == moment
    assert page.messages[1].at > moment


async def test_pages_follow_one_another_in_both_directions(transcript):
    await transcript.add("t", list(conversation(10)))
    assert await texts(transcript, limit=2) == ["question 9", "answer 9"]
    assert await texts(transcript, limit=2, before=18) == ["question 8", "answer 8"]
    assert await texts(transcript, limit=3, after=-1) == ["question 0", "answer 0", "question 1"]
    assert await texts(transcript, limit=3, after=18) == ["answer 9"]
    assert await texts(transcript, after=19) == await texts(transcript, before=0) == []
    assert await texts(transcript, before=1_000, limit=1) == ["answer 9"]
    forwards = [s.number async for page in transcript.pages("t") for s in page.messages]
    assert forwards == list(range(20))


async def test_a_page_of_large_messages_is_cut_where_it_grows_too_large(transcript):
    large = [HumanMessage(f"{n}" + "x" * 3_000_000, id=f"{n}") for n in range(3)]
    await transcript.add("t", large)
    assert [s.number for s in (await transcript.page("t", after=-1)).messages] == [0]
    assert [s.number for s in (await transcript.page("t")).messages] == [2]
    assert [s.number async for page in transcript.pages("t") for s in page.messages] == [0, 1, 2]


async def test_adding_is_one_round_trip_however_long_the_thread(client, transcript):
    await transcript.add("t", list(conversation(500)))
    before = await client.info("commandstats")
    await transcript.add("t", [HumanMessage("more", id="more")])
    after = await client.info("commandstats")
    calls = [s.get("cmdstat_evalsha", {}).get("calls", 0) for s in (before, after)]
    assert calls[1] - calls[0] == 1


async def test_two_writers_lose_nothing(transcript, client):
    other = Transcript(client)
    added = [
        writer.add("t", [HumanMessage(f"{n}", id=f"{n}"), HumanMessage("both", id="both")])
        for n, writer in enumerate([transcript, other] * 20)
    ]
    await asyncio.gather(*added)
    page = await transcript.page("t")
    assert sorted({s.message.id for s in page.messages}) == sorted([*map(str, range(40)), "both"])
    assert page.total == 41


async def test_search_finds_the_latest_messages_that_hold_every_word(transcript):
    await transcript.add("t", list(conversation(300)))
    await transcript.add("t", [HumanMessage("My Loom has FOUR shafts.", id="x")])
    assert [s.message.id for s in await transcript.search("t", "loom four")] == ["x"]
    found = await transcript.search("t", "question 1", limit=3)
    assert [s.message.text for s in found] == ["question 291", "question 281", "question 271"]
    assert await transcript.search("t", "loom seven") == []
    assert await transcript.search("nobody", "loom") == []


async def test_a_thread_is_exported_piece_by_piece(transcript):
    call = {"name": "look_up", "args": {"topic": "loom"}, "id": "1", "type": "tool_call"}
    messages = [
        HumanMessage("How many\nshafts?", id="1"),
        AIMessage("", id="2", tool_calls=[call]),
        ToolMessage("four", tool_call_id="1", name="look_up", id="3"),
        AIMessage("Four.", id="4"),
    ]
    await transcript.add("t", messages)
    pieces = [piece async for piece in export_json(transcript, "t", about={"agent": "a"})]
    data = json.loads("".join(pieces))
    assert len(pieces) == 2 + len(messages)
    assert (data["id"], data["agent"]) == ("t", "a")
    assert [m["role"] for m in data["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert data["messages"][1]["calls"] == ['look_up(topic="loom")']
    markdown = "".join([piece async for piece in export_markdown(transcript, "t")])
    assert markdown.startswith("# Thread t\n\n## User\n\nHow many\nshafts?\n")
    assert "## Tool look_up\n\nfour\n" in markdown
    empty = "".join([piece async for piece in export_json(transcript, "none")])
    assert json.loads(empty) == {"id": "none", "messages": []}


async def test_every_key_expires_and_is_refreshed_together(client):
    transcript = Transcript(client, ttl=timedelta(hours=1))
    await transcript.add("t", list(conversation(1)))
    for key in KEYS:
        assert await client.pexpire(key, 1_000)
    await transcript.add("t", list(conversation(1)))
    assert sorted(await client.keys("*")) == [key.encode() for key in KEYS]
    assert all([await client.pttl(key) > 3_000_000 for key in KEYS])


async def test_forgetting_leaves_no_key(client, transcript):
    await transcript.add("t", list(conversation(2)))
    assert await transcript.forget("t") == 4
    assert await transcript.forget("t") == 0
    assert await client.keys("*") == []


async def test_what_is_stored_is_encrypted(client):
    transcript = Transcript(client, cipher=AesGcmCipher({"k": b"k" * 32}))
    await transcript.add("t", [HumanMessage("canary-7261", id="1")])
    await transcript.add("t", [HumanMessage("canary-7261", id="1")])
    assert b"canary" not in b"".join(await client.lrange(KEYS[0], 0, -1))
    assert await texts(transcript) == ["canary-7261"]
    with pytest.raises(RecordError, match="encrypted"):
        await Transcript(client).page("t")


@pytest.mark.parametrize("forged", [b"", b"x", b"9" * 14 + b"pickle\ncos\nsystem\n", b"\xff" * 40])
async def test_a_forged_message_is_named_and_the_others_stay_readable(client, transcript, forged):
    await transcript.add("t", list(conversation(2)))
    await client.lset(KEYS[0], 1, forged)
    with pytest.raises(RecordError, match="message 1 of the thread 't'"):
        await transcript.page("t")
    assert await texts(transcript, after=1) == ["question 1", "answer 1"]
    assert await texts(transcript, before=1) == ["question 0"]


async def test_bad_input_says_what_to_do(client, transcript):
    with pytest.raises(InputError, match="has no id"):
        await transcript.add("t", [HumanMessage("hello")])
    with pytest.raises(InputError, match="empty"):
        await transcript.add("", [])
    with pytest.raises(InputError, match="0 messages"):
        await transcript.page("t", limit=0)
    with pytest.raises(InputError, match="not both"):
        await transcript.page("t", after=1, before=2)
    with pytest.raises(InputError, match="nothing to find"):
        await transcript.search("t", "  ")
    with pytest.raises(ConfigError, match="not positive"):
        Transcript(client, ttl=timedelta(0))
    odd = "a{b}\n/é" * 20
    await transcript.add(odd, [HumanMessage("kept", id="1")])
    assert await transcript.count(odd) == 1


async def test_it_works_on_a_cluster(cluster_url):
    async with connect(cluster_url) as client:
        transcript = Transcript(client)
        for thread in ("a", "b", "c"):
            await transcript.add(thread, list(conversation(2)))
            assert await transcript.forget(thread) == 4
