"""Messages in content blocks: whoever reads them gets the message that the model said."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models.chat_model_stream import ChatModelStream
from langchain_core.messages import AIMessage, AIMessageChunk

from treadle.core.json_text import as_json
from treadle.server.langgraph._told_messages import MessageTeller

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
ARGUMENTS = st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=3)
CALLS = st.lists(st.tuples(st.sampled_from(["add", "search"]), ARGUMENTS), max_size=3)


def cut(text, places):
    """Cut a text at places."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[begin:end] for begin, end in pairwise(edges)]


@st.composite
def streamed(draw):
    """Make what a model says, and the chunks in which it says it."""
    text, calls = draw(TEXTS), draw(CALLS)
    places = draw(st.lists(st.integers(0, 50), max_size=5))
    chunks = [AIMessageChunk(part, id="m") for part in cut(text, places)]
    for index, (name, arguments) in enumerate(calls):
        first, *rest = cut(json.dumps(arguments), places)
        begin = {"index": index, "id": f"call_{index}", "name": name, "args": first}
        pieces = [begin, *({"index": index, "id": None, "name": None, "args": a} for a in rest)]
        chunks += [AIMessageChunk("", id="m", tool_call_chunks=[one]) for one in pieces]
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    chunks.append(AIMessageChunk("", id="m", usage_metadata=usage, chunk_position="last"))
    return text, calls, chunks


def read(pieces):
    """Return the message that LangChain's reader makes of what is told of pieces."""
    teller, stream = MessageTeller(), ChatModelStream(message_id="m")
    for piece in pieces:
        for told in teller.tell(json.loads(as_json(piece)), {"langgraph_node": "n"}):
            stream.dispatch(told)
    assert not list(teller.finish()), "it is at its end"
    return stream.output


def calls_of(message):
    """Return the tool calls of a message."""
    return [(call["name"], call["args"], call["id"]) for call in message.tool_calls]


@given(streamed())
def test_what_was_said_in_pieces_is_read_whole(said):
    text, calls, chunks = said
    message = read(chunks)
    assert message.text == text
    assert calls_of(message) == [(n, a, f"call_{i}") for i, (n, a) in enumerate(calls)]
    assert message.usage_metadata["total_tokens"] == 7


@given(TEXTS, CALLS)
def test_what_was_said_at_once_is_read_whole(text, calls):
    made = [{"name": n, "args": a, "id": f"call_{i}"} for i, (n, a) in enumerate(calls)]
    message = read([AIMessage(text, id="m", tool_calls=made)])
    assert message.text == text
    assert calls_of(message) == [(n, a, f"call_{i}") for i, (n, a) in enumerate(calls)]


def test_thoughts_and_arguments_that_are_no_json():
    message = read(
        [
            AIMessageChunk("", id="m", additional_kwargs={"reasoning_content": "Hm."}),
            AIMessageChunk([{"type": "reasoning", "reasoning": " Yes."}], id="m"),
            AIMessageChunk([{"type": "text", "text": "So"}, {"type": "image_url"}], id="m"),
            AIMessageChunk(
                "",
                id="m",
                tool_call_chunks=[{"index": 0, "id": "c", "name": "add", "args": "{no"}],
                chunk_position="last",
            ),
        ]
    )
    kinds = [block["type"] for block in message.content_blocks]
    assert kinds[:2] == ["reasoning", "text"]
    assert message.content_blocks[0]["reasoning"] == "Hm. Yes."
    assert [call["name"] for call in message.invalid_tool_calls] == ["add"]


def test_what_breaks_off_is_finished():
    teller = MessageTeller()
    piece = json.loads(as_json(AIMessageChunk("Half", id="m")))
    begun = [told["event"] for told in teller.tell(piece, {})]
    assert begun == ["message-start", "content-block-start", "content-block-delta"]
    ended = [told["event"] for told in teller.finish()]
    assert ended == ["content-block-finish", "message-finish"]
