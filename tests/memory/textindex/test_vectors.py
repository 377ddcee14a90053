"""Vectors that are kept with texts and read with their scores."""

import numpy as np
import pytest

from treadle.memory import connect
from treadle.memory.textindex import IndexedText, TextIndex, VectorSpace
from treadle.memory.textindex import _index as index_module

KEY = "treadle:main:{test}:recall"
SPACE = VectorSpace("toy", 3)


@pytest.fixture
async def client(redis_server):
    async with connect(redis_server.url) as opened:
        yield opened


@pytest.fixture
def index(client):
    return TextIndex(client, KEY, space=SPACE)


def text(id_: str, *vector: float) -> IndexedText:
    return IndexedText(id_, f"word {id_}", vector=np.array(vector, np.float32) if vector else None)


async def vectors(index: TextIndex) -> dict[str, list[float]]:
    scores = await index.scores("word")
    hits = await index.fetch([(int(number), 1.0) for number in scores.numbers])
    assert scores.vectors is not None
    return {hit.id: row.tolist() for hit, row in zip(hits, scores.vectors, strict=True)}


async def test_vectors_are_read_with_the_scores(index):
    await index.add([text("a", 1, 2, 3), text("b"), text("c", 4, 5, 6)])
    await index.add([text("d", 7, 8, 9)])
    await index.add([text("a", 0.5, 0, 0)])
    await index.remove(["c"])
    assert await vectors(index) == {"b": [0, 0, 0], "d": [7, 8, 9], "a": [0.5, 0, 0]}


async def test_texts_without_vectors_have_none_known(index):
    assert (await index.scores("word")).vectors.shape == (0, 3)
    await index.add([text("a"), text("b")])
    assert await vectors(index) == {"a": [0, 0, 0], "b": [0, 0, 0]}


async def test_an_index_without_a_space_reads_none(client, index):
    await index.add([text("a", 1, 2, 3)])
    plain = TextIndex(client, KEY)
    assert (await plain.scores("word")).vectors is None
    await plain.add([text("b", 9, 9, 9)])
    assert await vectors(index) == {"a": [1, 2, 3], "b": [0, 0, 0]}


async def test_vectors_of_another_space_take_the_place_of_those_there_were(client, index):
    await index.add([text("a", 1, 2, 3)])
    other = TextIndex(client, KEY, space=VectorSpace("toy", 2))
    assert await vectors(other) == {"a": [0, 0]}
    await other.add([text("b", 4, 5)])
    assert await vectors(other) == {"a": [0, 0], "b": [4, 5]}
    assert await vectors(index) == {"a": [0, 0, 0], "b": [0, 0, 0]}


async def test_a_vector_of_another_size_is_refused(index):
    with pytest.raises(ValueError, match="in 3 dimensions"):
        await index.add([text("a", 1, 2)])


async def test_removing_a_text_erases_its_vector(client, index):
    await index.add([text("a", 1, 2, 3), text("b", 4, 5, 6)])
    await index.remove(["a"])
    kept = np.frombuffer(await client.get(f"{KEY}:0:vectors"), np.float16)
    assert kept.tolist() == [0, 0, 0, 4, 5, 6]
    assert await index.drop() == 6


@pytest.mark.parametrize("sweeper", [SPACE, None])
async def test_vectors_survive_a_sweep_by_anybody(client, index, monkeypatch, sweeper):
    monkeypatch.setattr(index_module, "FEWEST_DEAD_TO_SWEEP", 8)
    await index.add([text("a", 1, 2, 3), text("b"), text("c", 4, 5, 6)])
    for _ in range(9):
        await index.add([text("busy", 7, 7, 7)])
    await TextIndex(client, KEY, space=sweeper).add([text("last")])
    assert await client.exists(f"{KEY}:0:vectors") == 0
    held = await vectors(index)
    assert held == {
        "a": [1, 2, 3],
        "b": [0, 0, 0],
        "c": [4, 5, 6],
        "busy": [7, 7, 7],
        "last": [0, 0, 0],
    }


async def test_vectors_are_filled_in_later_for_texts_that_are_still_there(index):
    await index.add([text("a"), text("b", 1, 1, 1), text("gone")])
    await index.remove(["gone"])
    entries = await index.entries()
    missing = entries["a"].first
    assert await index.fill({missing: np.ones(3), 2: np.ones(3), 900: np.ones(3)}) == 1
    assert await vectors(index) == {"a": [1, 1, 1], "b": [1, 1, 1]}
    with pytest.raises(ValueError, match="3 dimensions"):
        await index.fill({missing: np.ones(2)})
