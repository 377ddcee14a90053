"""Citations: labels become numbers, and what no tool returned is marked."""

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from treadle.core.sources import Source
from treadle.core.usage import Usage
from treadle.runtime._replies import make_reply
from treadle.runtime.citations import cite

ONE, TWO = Source("One", "one.md", "lines 1-2"), Source("Two", "two.md")
KNOWN = {source.label: source for source in (ONE, TWO)}


def test_labels_are_numbered_in_the_order_of_their_first_use():
    text, citations = cite(f"B [^{TWO.label}], A [^{ONE.label}], B [^{TWO.label}].", KNOWN)
    assert text == "B [1], A [2], B [1]."
    assert [(c.number, c.source) for c in citations] == [(1, TWO), (2, ONE)]


def test_a_label_that_no_tool_returned_is_marked():
    text, citations = cite("So it is [^zzzzzz].", KNOWN)
    assert text == "So it is [unknown source]."
    assert citations == ()


def test_a_label_repeated_at_once_is_shown_once():
    assert cite(f"A [^{ONE.label}] [^{ONE.label}].", KNOWN)[0] == "A [1] ."


def test_a_source_of_an_earlier_turn_can_still_be_cited():
    artifact = {"sources": [ONE.to_dict()]}
    messages = [
        HumanMessage("first"),
        AIMessage("", tool_calls=[{"name": "t", "args": {}, "id": "1"}]),
        ToolMessage("found", tool_call_id="1", artifact=artifact),
        AIMessage("yes"),
        HumanMessage("again"),
        AIMessage(f"As I said [^{ONE.label}]."),
    ]
    reply = make_reply({"messages": messages}, Usage(), "run", "thread")
    assert reply.text == "As I said [1]."
    assert reply.citations[0].source == ONE


@given(st.text(), st.text())
def test_other_text_is_left_as_it_is(before, after):
    text, _ = cite(f"{before}[^{ONE.label}]{after}", {**KNOWN})
    if "[^" not in before + after:
        assert text == f"{before}[1]{after}"
