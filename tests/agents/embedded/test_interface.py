"""The embedded model behind LangChain's chat-model interface."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, HumanMessage
from pydantic import BaseModel

from tests.agents.embedded.corpus import asked, search_documents, usual_tools
from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.errors import ModelError

QUESTION = [HumanMessage("What is Valkey?", id="q1")]
ANSWERED = asked("What is Valkey?", ("search_documents", "Valkey is a data store. It is fast."))


def joined(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def same(one: Any, other: Any) -> bool:
    return (one.text, one.id, one.tool_calls, one.usage_metadata) == (
        other.text,
        other.id,
        other.tool_calls,
        other.usage_metadata,
    )


@pytest.mark.parametrize("messages", [QUESTION, ANSWERED, [HumanMessage("Hello")]])
async def test_all_ways_of_asking_give_the_same(messages: list[Any]) -> None:
    model = EmbeddedChatModel().bind_tools(usual_tools())
    answer = model.invoke(messages)
    assert same(answer, await model.ainvoke(messages))
    assert same(answer, joined(list(model.stream(messages))))
    assert same(answer, joined([chunk async for chunk in model.astream(messages)]))


def test_it_streams_in_pieces() -> None:
    assert len(list(EmbeddedChatModel().stream([HumanMessage("Who are you?")]))) > 20


def test_it_says_what_it_is() -> None:
    answer = EmbeddedChatModel().invoke([HumanMessage("Are you an LLM?")])
    assert "I am not a language model" in answer.text
    assert "TREADLE_MODEL" in answer.text
    assert answer.response_metadata["model_name"] == "embedded"


def test_usage_counts_words_and_marks() -> None:
    usage = EmbeddedChatModel().invoke([HumanMessage("My name is Ana.")]).usage_metadata
    assert usage is not None
    assert usage["input_tokens"] == 5
    assert usage["output_tokens"] == 7  # Noted : your name is Ana .
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_tools_and_their_results_count_as_input() -> None:
    bare = EmbeddedChatModel().invoke(ANSWERED).usage_metadata
    bound = EmbeddedChatModel().bind_tools([search_documents]).invoke(ANSWERED).usage_metadata
    assert bare is not None
    assert bound is not None
    assert bound["input_tokens"] > bare["input_tokens"] > 15


def test_unspaced_scripts_count_by_character() -> None:
    usage = EmbeddedChatModel().invoke([HumanMessage("\u4ec0\u4e48\u662f\u6570")]).usage_metadata
    assert usage is not None
    assert usage["input_tokens"] == 4


def test_a_stop_word_ends_the_answer() -> None:
    answer = EmbeddedChatModel().invoke([HumanMessage("My name is Ana.")], stop=["name"])
    assert answer.text == "Noted: your "


def test_ids_follow_from_what_was_said() -> None:
    model = EmbeddedChatModel().bind_tools(usual_tools())
    first, again = model.invoke(QUESTION), model.invoke(QUESTION)
    other = model.invoke([HumanMessage("What is Valkey?", id="q2")])
    assert first.id == again.id
    assert first.tool_calls[0]["id"] == again.tool_calls[0]["id"]
    assert first.id != other.id, "in a thread, two messages of one id overwrite each other"
    assert first.tool_calls[0]["id"] != other.tool_calls[0]["id"]


class Answer(BaseModel):
    """An answer in parts."""

    name: str
    year: int


class TestStructuredOutput:
    def test_is_refused_with_a_hint(self) -> None:
        with pytest.raises(ModelError, match="TREADLE_MODEL=openai:") as caught:
            EmbeddedChatModel().with_structured_output(Answer)
        assert "OPENAI_API_KEY" in caught.value.hint

    async def test_is_refused_in_an_agent(self) -> None:
        agent = create_agent(EmbeddedChatModel(), [search_documents], response_format=Answer)
        with pytest.raises(ModelError, match="output schema"):
            await agent.ainvoke({"messages": QUESTION})

    def test_is_refused_as_an_option(self) -> None:
        with pytest.raises(ModelError, match="output schema"):
            EmbeddedChatModel().invoke(QUESTION, response_format={"type": "json_object"})

    def test_a_tool_described_by_a_class_is_still_a_tool(self) -> None:
        class SearchNotes(BaseModel):
            """Search the notes."""

            query: str

        [call] = EmbeddedChatModel().bind_tools([SearchNotes]).invoke(QUESTION).tool_calls
        assert (call["name"], call["args"]) == ("SearchNotes", {"query": "Valkey"})
