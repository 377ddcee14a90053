"""Conditions are data: they hold when the Python that is written for them does, and run nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from treadle.graphs.files._conditions import Condition
from treadle.graphs.turns import at, contains, number

TEXTS = st.sampled_from(["", "billing", "Billing please", "no", 'a"b', "\\", "🧵"])
NUMBERS = st.integers(-3, 3) | st.floats(-3, 3, allow_nan=False)
SCALARS = TEXTS | NUMBERS | st.booleans() | st.none()
STATES = st.fixed_dictionaries(
    {
        "topic": TEXTS,
        "score": NUMBERS,
        "done": st.booleans(),
        "notes": st.lists(TEXTS, max_size=3),
        "verdict": st.dictionaries(st.sampled_from(["good", "score"]), SCALARS, max_size=2),
    }
)


def compared(field, word, values):
    return st.fixed_dictionaries({"field": st.just(field), word: values})


PLACES = st.sampled_from(["verdict.good", "verdict.score", "verdict.no.where"])
COMPARISONS = st.one_of(
    compared("topic", "is", TEXTS),
    compared("topic", "is_not", TEXTS),
    compared("topic", "in", st.lists(TEXTS, min_size=1, max_size=3)),
    compared("topic", "contains", TEXTS),
    compared("topic", "empty", st.booleans()),
    compared("notes", "contains", TEXTS),
    compared("notes", "empty", st.booleans()),
    compared("done", "is", st.booleans()),
    *(compared("score", word, NUMBERS) for word in ("is", "above", "below", "at_least", "at_most")),
    PLACES.flatmap(lambda place: compared(place, "is", SCALARS)),
    PLACES.flatmap(lambda place: compared(place, "is_not", SCALARS)),
    PLACES.flatmap(lambda place: compared(place, "above", NUMBERS)),
    PLACES.flatmap(lambda place: compared(place, "at_most", NUMBERS)),
    PLACES.flatmap(lambda place: compared(place, "contains", TEXTS)),
    PLACES.flatmap(lambda place: compared(place, "in", st.lists(TEXTS, min_size=1))),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


@given(CONDITIONS, STATES)
def test_a_condition_holds_when_its_python_does(data, state):
    condition = Condition.model_validate(data)
    names = {"state": state, "at": at, "contains": contains, "number": number}
    assert condition.holds(state) is bool(eval(condition.code(), names))


@given(STATES)
def test_numbers_are_compared_with_numbers_only(state):
    state = {**state, "verdict": {"score": "7"}}
    for word in ("above", "below", "at_least", "at_most"):
        condition = Condition.model_validate({"field": "verdict.score", word: 7})
        assert not condition.holds(state)


@pytest.mark.parametrize(
    "wrong",
    [
        "__import__('os').system('true')",
        {"field": "__class__", "is": 1},
        {"field": "topic.__class__['x']", "is": 1},
        {"field": "topic", "is": "{x!r}", "eval": "1"},
        {"field": "score", "above": float("nan")},
        {"field": "score", "above": True},
        {"all": [{"field": "topic", "is": "a"}], "field": "topic"},
        {},
    ],
)
def test_what_is_no_condition(wrong):
    with pytest.raises(ValidationError):
        Condition.model_validate(wrong)


def test_a_place_reads_data_and_no_attributes():
    condition = Condition.model_validate({"field": "verdict.__class__", "is_not": None})
    assert not condition.holds({"verdict": {}})
    assert not condition.holds({"verdict": object()})
