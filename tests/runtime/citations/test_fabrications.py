"""Nothing invented is delivered unmarked, and nothing that is honest is touched."""

import re
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.citations.articles import conversation
from tests.runtime.citations.fabrications import Answer, fabricated, honest
from treadle.core.events import Reply
from treadle.core.usage import Usage
from treadle.runtime._replies import make_reply

ANSWERS = 250


def delivered(answer: Answer) -> Reply:
    return make_reply(conversation(answer.text), Usage(), "run", "thread")


def numbered(text: str) -> str:
    """Return a text with its labels numbered in the order of their first use."""
    labels: dict[str, int] = {}
    return re.sub(
        r"\[\^(\w{6})\]", lambda m: f"[{labels.setdefault(m[1], len(labels) + 1)}]", text
    ).strip()


def check_invention(answer: Answer) -> None:
    reply = delivered(answer)
    of_kind = [item for item in reply.unverified if item.kind == answer.kind]
    assert of_kind, answer
    if answer.kind == "link":
        assert answer.invented not in reply.text
        assert "[unverified link removed]" in reply.text
    elif answer.kind == "quote":
        assert "[not a quotation found in the sources]" in reply.text
        for left, right in ("\u201c\u201d", "\u00ab\u00bb", '""', "\u2018\u2019", "\u201e\u201c"):
            assert f"{left}{answer.invented}{right}" not in reply.text
    else:
        assert any(f"[unverified: {item.text}]" in reply.text for item in of_kind)


def test_no_invention_is_delivered_unmarked() -> None:
    answers = list(islice(fabricated(1), ANSWERS))
    assert {answer.kind for answer in answers} == {"link", "quote", "number"}
    for answer in answers:
        check_invention(answer)


def test_honest_answers_are_not_touched() -> None:
    for answer in islice(honest(1), ANSWERS):
        reply = delivered(answer)
        assert reply.unverified == (), answer
        assert reply.text == numbered(answer.text)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(0, 2**32))
def test_no_seed_gets_an_honest_answer_touched(seed: int) -> None:
    assert delivered(next(honest(seed))).unverified == ()


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(0, 2**32))
def test_no_seed_gets_an_invention_through(seed: int) -> None:
    check_invention(next(fabricated(seed)))
