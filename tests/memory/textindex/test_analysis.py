"""From text to terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.memory.textindex import Analyzer

english = Analyzer()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The runners were running", ["runner", "run"]),
        ("Caroline's cat isn't Zoë\u2019s", ["carolin", "cat", "zoe"]),
        ("RedisSaver", ["redi", "saver", "redissaver"]),
        ("redis_saver __init__", ["redi", "saver", "redissaver", "init"]),
        ("HTTPServer", ["http", "server", "httpserver"]),
        ("foo.bar", ["foo", "bar", "foo.bar"]),
        ("read-only", ["read", "readonly"]),
        ("Python 3.11, sha256", ["python", "3", "11", "3.11", "sha256"]),
        ("CAFÉ cafe\u0301 ﬁne", ["cafe", "cafe", "fine"]),
        ("Straße", ["strass"]),
        ("東京都 tokyo", ["東京", "京都", "tokyo"]),
        ("猫", ["猫"]),
        ("", []),
        ("?! ...", []),
    ],
)
def test_english(text, terms):
    assert english.terms(text) == terms


def test_a_word_of_devanagari_stays_whole():
    assert len(english.terms("हिन्दी")) == 1


def test_other_languages_have_their_own_stems():
    assert Analyzer("german").terms("Häuser") == Analyzer("german").terms("Haus")
    assert Analyzer("french").terms("maisons") == ["maison"]


@given(st.text(max_size=300))
def test_any_text_gives_short_terms_and_the_same_ones_each_time(text):
    terms = english.terms(text)
    assert terms == Analyzer().terms(text)
    assert all(0 < len(term) <= 64 + 20 for term in terms)


def test_a_megabyte_without_a_space_is_one_short_term():
    (term,) = english.terms("x" * 1_000_000)
    assert len(term) <= 64
