"""A search that reads only what is new finds what one that reads everything finds."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.memory import connect
from treadle.memory.textindex import IndexedText, KnownIndexes, TextIndex, VectorSpace
from treadle.memory.textindex import _index as index_module

KEY = "treadle:main:{test}:recall"
SPACE = VectorSpace("toy", 2)
OTHER = VectorSpace("other", 3)
WORDS = ("red", "green", "blue")


@pytest.fixture
async def client(redis_server):
    async with connect(redis_server.url) as opened:
        yield opened


def text(id_: str, words: str, size: int) -> IndexedText:
    vector = np.arange(1, size + 1, dtype=np.float32) if size else None
    return IndexedText(id_, words, vector=vector)


async def sent_by(client, work) -> int:
    """Return how many bytes Redis sent for some work."""
    before = (await client.info("stats"))["total_net_output_bytes"]
    own = (await client.info("stats"))["total_net_output_bytes"] - before
    await work
    return (await client.info("stats"))["total_net_output_bytes"] - before - 2 * own


ID = st.sampled_from(["a", "b", "c", "d"])
CHANGES = st.one_of(
    st.tuples(st.just("add"), ID, st.lists(st.sampled_from(WORDS), min_size=1).map(" ".join)),
    st.tuples(st.just("plain"), ID, st.sampled_from(WORDS)),
    st.tuples(st.just("other"), ID, st.sampled_from(WORDS)),
    st.tuples(st.just("remove"), ID, st.just("")),
    st.tuples(st.just("fill"), ID, st.just("")),
    st.tuples(st.just("drop"), ID, st.just("")),
)


async def change(client, kind: str, id_: str, words: str) -> None:
    """Change the index as some other process would."""
    index = TextIndex(client, KEY, space={"plain": None, "other": OTHER}.get(kind, SPACE))
    match kind:
        case "add" | "other":
            await index.add([text(id_, words, 2 if kind == "add" else 3)])
        case "plain":
            await index.add([text(id_, words, 0)])
        case "remove":
            await index.remove([id_])
        case "fill":
            entries = await index.entries([id_])
            await index.fill({entry.first: np.full(2, 9.0) for entry in entries.values()})
        case _:
            await index.drop()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(CHANGES, st.sampled_from([*WORDS, "red blue"])), max_size=25))
async def test_whatever_others_write_and_remove(client, monkeypatch, steps):
    await client.flushall()
    monkeypatch.setattr(index_module, "FEWEST_DEAD_TO_SWEEP", 4)
    known = KnownIndexes(1 << 20)
    for (kind, id_, words), query in steps:
        await change(client, kind, id_, words)
        got = await TextIndex(client, KEY, space=SPACE, known=known).scores(query)
        want = await TextIndex(client, KEY, space=SPACE).scores(query)
        assert got.numbers.tolist() == want.numbers.tolist()
        assert got.values.tolist() == want.values.tolist()
        assert got.vectors.tolist() == want.vectors.tolist()


async def test_a_search_of_a_known_index_reads_what_was_added_since(client):
    known = KnownIndexes(1 << 20)
    index = TextIndex(client, KEY, space=SPACE, known=known)
    read = []
    for number in range(1_000):
        await index.add([text(f"t{number}", "a red word", 2)])
        if number in (20, 21, 998, 999):
            read.append(await sent_by(client, index.scores("red")))
    first, second, catching_up, last = read
    assert second == last < first < catching_up
    assert (await index.scores("red")).numbers.tolist() == list(range(1_000))


async def test_what_takes_too_much_memory_is_read_again(client):
    known = KnownIndexes(2_000)
    small, large = (TextIndex(client, f"{KEY}:{n}", known=known) for n in "ab")
    await large.add([text(f"t{number}", "a red word", 0) for number in range(2_000)])
    await small.add([text("one", "a red word", 0)])
    for _ in range(2):
        assert len((await large.scores("red")).numbers) == 2_000
        assert await sent_by(client, large.scores("red")) > 10_000
        assert (await small.scores("red")).numbers.tolist() == [0]
    assert await sent_by(client, small.scores("red")) < 200


async def test_an_index_of_an_earlier_version_is_known_once_it_was_written_to(client):
    known = KnownIndexes(1 << 20)
    index = TextIndex(client, KEY, known=known)
    await index.add([text("a", "red", 0)])
    await client.hdel(f"{KEY}:meta", "epoch")
    for _ in range(2):
        assert (await index.scores("red")).numbers.tolist() == [0]
    await index.add([text("b", "red", 0)])
    assert (await index.scores("red")).numbers.tolist() == [0, 1]
    assert await sent_by(client, index.scores("red")) < 100
