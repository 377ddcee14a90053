"""Passages found by words and by meaning: ``embeddings`` under ``[tools.documents]``."""

import pytest
from langchain_core.embeddings import Embeddings

from tests.tools.documents.test_collections import ask, context_of, write
from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.settings import Settings
from treadle.memory import connect
from treadle.tools import build_tool
from treadle.tools.documents import index

TOPICS = [{"car", "automobile", "vehicle"}, {"feline", "cat", "kitten"}, {"loom", "weaving"}]
FILES = {
    "cars.md": "The automobile stands in the garage.",
    "cats.md": "A kitten sleeps on the sofa.",
    "looms.md": "Weaving needs a warp.",
    "other.md": "Rain is expected.",
}


class Topics(Embeddings):
    """Embeddings that know three topics by their words, and may be out of reach."""

    model = "topics"

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.fails_after = 10**6

    def embed_query(self, text: str) -> list[float]:
        if len(self.embedded) >= self.fails_after:
            raise OSError("out of reach")
        words = set(text.lower().replace(".", "").split())
        return [*(float(bool(words & topic)) for topic in TOPICS), 0.1]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors = [self.embed_query(text) for text in texts]
        self.embedded += texts
        return vectors


@pytest.fixture
def embeddings(monkeypatch) -> Topics:
    """Stand in for the model that the settings name."""
    made = Topics()
    named = "treadle.memory.recall._embedder.embeddings_named"
    monkeypatch.setattr(named, lambda name: made)
    return made


@pytest.fixture
async def context(redis_url, tmp_path, embeddings):
    write(tmp_path, FILES)
    async with connect(redis_url) as client:
        yield context_of(tmp_path, client, embeddings="minilm")


async def test_a_passage_is_found_by_what_it_means(context):
    await index(["."], context)
    for query, word in (("vehicle", "automobile"), ("cat", "kitten"), ("loom", "Weaving")):
        assert word in await ask(context, query, max_results=1)


async def test_its_words_still_count(context):
    await index(["."], context)
    assert "Rain is expected." in await ask(context, "rain", max_results=1)


async def test_only_what_is_new_is_embedded(context, tmp_path, embeddings):
    await index(["."], context)
    assert len(embeddings.embedded) == 4
    await index(["."], context)
    assert len(embeddings.embedded) == 4
    write(tmp_path, {"cats.md": "A feline dreams of mice."})
    await index(["."], context)
    assert len(embeddings.embedded) == 5
    assert "dreams" in await ask(context, "kitten", max_results=1)


async def test_interrupted_work_is_gone_on_with(context, tmp_path, embeddings, monkeypatch):
    monkeypatch.setattr("treadle.tools.documents._hybrid.PASSAGES_PER_EMBEDDING", 2)
    embeddings.fails_after = 2
    report = await index(["."], context)
    assert (report.added, report.without_vector) == (4, 2)
    assert "Rain is expected." in await ask(context, "rain", max_results=1)  # by its words
    embeddings.fails_after = 10**6
    report = await index(["."], context)
    assert (report.unchanged, report.without_vector) == (4, 0)
    assert len(embeddings.embedded) == 4  # and none of the first two again


async def test_conditions_hold_for_meaning_too(context):
    await index(["."], context)
    told = await ask(context, "vehicle", where={"path": ["cats.md", "other.md"]})
    assert "kitten" in told
    assert "automobile" not in told


async def test_another_model_makes_all_vectors_anew(context, embeddings):
    await index(["."], context)
    other = Settings(tools={"documents": {"embeddings": "openai:other"}})
    changed = type(context)(context.project, other, context.redis)
    assert "automobile" not in await ask(changed, "vehicle")  # none of its own yet
    report = await index(["."], changed)
    assert (report.unchanged, report.without_vector) == (4, 0)
    assert len(embeddings.embedded) == 8
    assert "automobile" in await ask(changed, "vehicle", max_results=1)


async def test_an_empty_collection_says_so(context):
    assert "No documents are indexed" in await ask(context, "vehicle")


async def test_the_small_model_finds_by_meaning(redis_url, tmp_path):
    write(tmp_path, FILES)
    async with connect(redis_url) as client:
        context = context_of(tmp_path, client, embeddings="minilm")
        await index(["."], context)
        assert "automobile" in await ask(context, "Where is my car?", max_results=1)
        assert "kitten" in await ask(context, "What is the cat doing?", max_results=1)


def test_what_is_no_embeddings_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="minilm"):
        build_tool("search_documents", context_of(tmp_path, None, embeddings="minillm"))
    with pytest.raises(ConfigError, match="which model"):
        build_tool("search_documents", context_of(tmp_path, None, embeddings="openai"))
    with pytest.raises(ValueError, match="'vector_store' takes its place"):
        Settings(tools={"documents": {"embeddings": "minilm", "vector_store": "a.py:b"}})
