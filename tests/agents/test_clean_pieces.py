"""The pieces of an answer hold no secret, wherever it is cut, and say what the whole would."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from treadle.agents.models._clean_pieces import CleanPieces
from treadle.core.redaction import Redactor

SECRET = 'Kq-secret"9876543210'
REDACTOR = Redactor({SECRET: "CANARY"})
PARTS = [SECRET, SECRET[:9], SECRET[9:], "word ", "ä\n", "."]
TEXTS = st.lists(st.sampled_from(PARTS)).map("".join)


@st.composite
def cut(draw, text):
    """Return the text in pieces."""
    ends = draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


def block(text):
    return {"content": [{"type": "text", "text": text, "index": 0}]}


def reasoning(text):
    return {"content": [{"type": "thinking", "thinking": text, "index": 1}]}


def beside(text):
    return {"content": "", "additional_kwargs": {"reasoning_content": text}}


def arguments(text, is_first):
    named = ("tell", "call_1") if is_first else (None, None)
    one = {"name": named[0], "args": text, "id": named[1], "index": 0, "type": "tool_call_chunk"}
    return {"content": "", "tool_call_chunks": [one]}


def told(pieces, *, says_last):
    """Return the message that the clean pieces make, and all that was told."""
    clean, seen = CleanPieces(REDACTOR), []
    for number, piece in enumerate(pieces):
        last = "last" if says_last and number == len(pieces) - 1 else None
        chunk = AIMessageChunk(**piece, chunk_position=last)
        seen.append(clean.clean(ChatGenerationChunk(message=chunk)).message)
    if (rest := clean.rest()) is not None:
        seen.append(rest.message)
    whole = seen[0]
    for message in seen[1:]:
        whole += message
    return whole


@settings(max_examples=300)
@given(st.data(), TEXTS, st.booleans(), st.booleans())
def test_every_text_of_an_answer_is_told_as_the_whole_would_be(data, text, in_blocks, says_last):
    spoken = [block(part) if in_blocks else {"content": part} for part in data.draw(cut(text))]
    thought = [reasoning(p) if in_blocks else beside(p) for p in data.draw(cut(text))]
    called = data.draw(cut(json.dumps({"text": text}, ensure_ascii=False)))
    asked = [arguments(part, not number) for number, part in enumerate(called)]
    whole = told([*spoken, *thought, *asked], says_last=says_last)
    clean = REDACTOR.redact_text(text)
    assert whole.text == clean
    if in_blocks:
        assert [one.get("thinking", "") for one in whole.content if one["index"] == 1] == [clean]
    else:
        assert whole.additional_kwargs["reasoning_content"] == clean
    [asked_for] = whole.tool_call_chunks
    assert (asked_for["name"], asked_for["id"]) == ("tell", "call_1")
    assert json.loads(asked_for["args"]) == {"text": clean}


def test_what_has_no_place_in_a_list_is_told_by_itself():
    one = {"name": "tell", "args": json.dumps({"a": SECRET}), "id": "1", "index": None}
    whole = told([{"content": "", "tool_call_chunks": [one, one]}], says_last=False)
    assert [call["args"] for call in whole.tool_calls] == [{"a": "[redacted: CANARY]"}] * 2


def test_without_a_redactor_a_piece_stays_what_it_is():
    piece = ChatGenerationChunk(message=AIMessageChunk(content=SECRET))
    clean = CleanPieces(None)
    assert clean.clean(piece) is piece
    assert clean.rest() is None
