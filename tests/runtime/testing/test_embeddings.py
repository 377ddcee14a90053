"""``/v1/embeddings`` through the official client."""

import math

import openai
import pytest

from treadle.runtime.testing import ScriptedOpenAI

MODEL = "text-embedding-3-small"


def dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


@pytest.fixture
def embed(client_of):
    with ScriptedOpenAI([]) as server:
        client = client_of(server)

        def run(texts, **options):
            answer = client.embeddings.create(model=MODEL, input=texts, **options)
            return [one.embedding for one in answer.data]

        run.server = server
        yield run


def test_vectors_are_the_same_each_time_and_of_unit_length(embed):
    [first], [second] = embed("The river Seine."), embed(["The river Seine."])
    assert first == second
    assert len(first) == 1536
    assert math.isclose(dot(first, first), 1, rel_tol=1e-5)
    assert embed.server.billed.requests == 2
    assert embed.server.billed.input_tokens == 8


def test_texts_that_share_words_are_near(embed):
    paris, seine, other = embed(["a river in Paris", "the river of Paris", "quantum chess"])
    assert dot(paris, seine) > 0.4 > dot(paris, other)


def test_plain_floats_and_base64_agree(embed):
    [plain] = embed("river", dimensions=8, encoding_format="float")
    [packed] = embed("river", dimensions=8)
    assert len(plain) == 8
    assert packed == pytest.approx(plain, rel=1e-6)


def test_token_arrays(embed):
    assert embed([[1, 2], [3]]) == [*embed([1, 2]), *embed([3])]


def test_punctuation_alone_has_a_vector(embed):
    assert math.isclose(dot(*embed("!?") * 2), 1, rel_tol=1e-5)


@pytest.mark.parametrize("texts", ["", ["a", ""], [], ["a", 1], [[]], 3, ["a"] * 2049])
def test_what_cannot_be_embedded(embed, texts):
    with pytest.raises(openai.BadRequestError):
        embed(texts)
