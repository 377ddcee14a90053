"""Questions that only the conversation can answer."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from tests.agents.embedded.corpus import VALKEY, label, talk
from treadle.agents.embedded import EmbeddedChatModel

RECALLED: list[tuple[tuple[str, ...], str]] = [
    (("My name is Ana.", "What is my name?"), "My name is Ana."),
    (("I'm Tom.", "Who am I?"), "I'm Tom."),
    (("My name is Ana.", "What did I tell you about my name?"), "My name is Ana."),
    (
        ("I am planning to deploy on Valkey.", "Which database did I say I plan to deploy on?"),
        "I am planning to deploy on Valkey.",
    ),
    (("We use Valkey for sessions.", "Which database do we use?"), "We use Valkey for sessions."),
    (
        ("We use PostgreSQL for orders and Valkey for sessions.", "And where do we keep orders?"),
        "PostgreSQL for orders",
    ),
    (("I live in Lisbon and paint.", "Where do I live?"), "I live in Lisbon"),
    (("My dog's name is Rex.", "What is my dog's name?"), "My dog's name is Rex."),
    (
        ("My dog's name is Rex.", "Actually my dog is called Max.", "What is my dog called?"),
        "Actually my dog is called Max.",
    ),
    (("Please remember that the launch is on 3 March.", "When is the launch?"), "3 March"),
    (("My budget is low and the deadline is Friday.", "What's the deadline?"), "Friday"),
    (("What is 2 + 2?", "What have we talked about so far?"), "You asked: “What is 2 + 2?”"),
    (("The launch is on 3 March.", "Did I mention a launch?"), "Yes. You said:"),
    (("The launch is on 3 March.", "Did I mention a budget?"), "No. I found nothing about"),
    (("My name is Ana. What is my name?",), "My name is Ana."),
    (("My name is Ana.", "What is my favourite colour?"), "I found nothing about"),
    (("What is Valkey?", "What was my first question?"), "“What is Valkey?”"),
    (("My name is Ana.", "What is 2 + 2?", "What was my last question?"), "“What is 2 + 2?”"),
]


@pytest.mark.parametrize(("said", "expected"), RECALLED)
async def test_what_was_said_is_quoted_without_a_tool(said: tuple[str, ...], expected: str) -> None:
    told = (await talk(*said))[-1]
    assert expected in told.text
    assert not told.calls


async def test_a_question_that_one_could_look_up_is_looked_up() -> None:
    told = await talk("I am planning to deploy on Valkey.", "What is Valkey?")
    assert told[-1].calls


STATEMENTS = [
    ("I am planning to deploy on Valkey.", "Noted: you are planning to deploy on Valkey."),
    ("My name is Ana.", "Noted: your name is Ana."),
    ("I live in Oslo. My cat is old.", "Noted: you live in Oslo. Your cat is old."),
    ("Please remember that the launch is on 3 March.", "Noted: “the launch is on 3 March.”"),
    ("You are wrong.", "Noted: “You are wrong.”"),
]


@pytest.mark.parametrize(("said", "restated"), STATEMENTS)
async def test_a_statement_is_restated(said: str, restated: str) -> None:
    [told] = await talk(said)
    assert told.text == restated
    assert not told.calls


async def test_a_summary_tells_each_turn() -> None:
    told = await talk("My name is Ana.", "What is Valkey?", "Summarise what we discussed.")
    assert "- You told me: “My name is Ana.”" in told[-1].text
    assert "- You asked: “What is Valkey?” I answered: Valkey is an open-source" in told[-1].text


async def test_an_answer_is_repeated_with_its_source() -> None:
    told = await talk(
        "What is Valkey?", "What did you say about Valkey?", "Where did you get that?"
    )
    assert told[1].text.startswith("I said: Valkey is")
    assert label(VALKEY) in told[1].text
    assert label(VALKEY) in told[2].text


def test_notes_in_the_system_prompt_are_remembered() -> None:
    system = (
        "You are helpful.\n\n## What is remembered of earlier conversations\n"
        "- The user's favourite colour is green.\n\nBe brief."
    )
    answer = EmbeddedChatModel().invoke(
        [SystemMessage(system), HumanMessage("What is my favourite colour?")]
    )
    assert answer.text == "I have noted: “The user's favourite colour is green.”"


class TestReasoningFirst:
    SYSTEM = SystemMessage("Think first. Write only your reasoning, not the answer.")

    def test_says_what_is_asked_and_what_is_known(self) -> None:
        thought = EmbeddedChatModel().invoke(
            [
                self.SYSTEM,
                HumanMessage("We deploy on Valkey."),
                AIMessage("Noted."),
                HumanMessage("Which database do we deploy on?"),
            ]
        )
        assert "1. Asked: “Which database do we deploy on?”" in thought.text
        assert "2. Key terms: database and deploy." in thought.text
        assert "“We deploy on Valkey.”" in thought.text

    def test_says_when_nothing_is_known(self) -> None:
        thought = EmbeddedChatModel().invoke([self.SYSTEM, HumanMessage("How fast is light?")])
        assert "nothing about it" in thought.text

    def test_the_answer_then_is_honest(self) -> None:
        thought = EmbeddedChatModel().invoke([self.SYSTEM, HumanMessage("How fast is light?")])
        answer = EmbeddedChatModel().invoke(
            [
                SystemMessage(f"Answer.\n\nReasoning:\n{thought.text}"),
                HumanMessage("How fast is light?"),
            ]
        )
        assert answer.text.startswith("I found nothing about “light” in this conversation")
