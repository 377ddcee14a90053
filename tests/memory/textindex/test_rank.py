"""Ranking a few texts at hand, as an index of them would."""

import pytest

from treadle.core.errors import UnknownNameError
from treadle.memory import connect
from treadle.memory.textindex import IndexedText, TextIndex, rank

TEXTS = ["The dog sleeps.", "Two dogs and a cat.", "", "A dog's dog.", "Whales sing."]


async def test_the_scores_are_those_of_an_index(redis_url: str) -> None:
    async with connect(redis_url) as client:
        index = TextIndex(client, "treadle:main:{x}:text")
        await index.add([IndexedText(str(n), text) for n, text in enumerate(TEXTS)])
        hits = await index.search("dogs sleeping", k=10)
    found = rank("dogs sleeping", TEXTS)
    assert [(hit.id, hit.score) for hit in hits] == [(str(n), score) for n, score in found]


def test_nothing_in_common_and_nothing_at_all() -> None:
    assert rank("elephants", TEXTS) == []
    assert rank("", TEXTS) == rank("dog", []) == []
    with pytest.raises(UnknownNameError):
        rank("dog", TEXTS, language="klingon")
