from langchain_core.messages import AIMessage, HumanMessage

from treadle.agents.embedded import EmbeddedChatModel


def test_what_was_told_is_quoted_without_a_tool() -> None:
    answer = EmbeddedChatModel().invoke(
        [
            HumanMessage("My name is Ana."),
            AIMessage("Noted: your name is Ana."),
            HumanMessage("What is my name?"),
        ]
    )
    assert answer.text == "You said: “My name is Ana.”"
    assert not answer.tool_calls
