"""Which tool is called, with what, and why."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from tests.agents.embedded.corpus import asked, search_documents, talk, usual_tools, wikipedia
from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.errors import ModelError
from treadle.tools import ToolError, tool

ARITHMETIC = [
    ("What is 15% of 240?", "15% of 240", "15% of 240 = 36."),
    ("12*(3+4)", "12*(3+4)", "12*(3+4) = 84."),
    ("What's the square root of 144?", "sqrt(144)", "sqrt(144) = 12."),
    ("What is the average of 3, 5 and 10?", "mean(3, 5, 10)", "mean(3, 5, 10) = 6."),
    ("How much is 1,250.50 times 3, please?", "1,250.50 * 3", "1250.50 * 3 = 3751.5."),
    ("Calculate 2 to the power of 10", "2 ^ 10", "2 ** 10 = 1024."),
]


@pytest.mark.parametrize(("question", "expression", "answer"), ARITHMETIC)
async def test_arithmetic_is_calculated(question: str, expression: str, answer: str) -> None:
    [told] = await talk(question)
    assert told.calls == [("calculate", {"expression": expression})]
    assert told.text == answer


@pytest.mark.parametrize(
    "question",
    ["What is 2024-01-15?", "What changed in version 3.11?", "Who won 3 medals in 1900?"],
)
async def test_other_questions_with_numbers_are_not(question: str) -> None:
    [told] = await talk(question)
    assert "calculate" not in dict(told.calls)


@pytest.mark.parametrize(
    ("question", "arguments", "said"),
    [
        ("What time is it in Tokyo?", {"timezone": "Tokyo"}, "17:30:00 in Asia/Tokyo"),
        ("What time is it in New York now?", {"timezone": "New York"}, "America/New_York"),
        ("What is the date today?", {}, "24 November 2026"),
        ("Which day of the week is it? What day is it?", {}, "Tuesday"),
    ],
)
async def test_the_clock_is_asked(question: str, arguments: dict[str, str], said: str) -> None:
    [told] = await talk(question)
    assert told.calls == [("current_time", arguments)]
    assert said in told.text


async def test_a_calculator_that_fails_is_quoted() -> None:
    [told] = await talk("What is 1 / 0?")
    assert "divides by zero" in told.text


async def test_documents_come_first_and_each_tool_is_called_once() -> None:
    [told] = await talk("Who is the CEO of Acme?")
    assert [name for name, _ in told.calls] == ["search_documents", "wikipedia"]
    assert told.calls[0][1] == {"query": "CEO Acme"}


async def test_a_named_place_to_look_comes_first() -> None:
    [told] = await talk("Search Wikipedia for Mount Kenya")
    assert told.calls == [("wikipedia", {"query": "Mount Kenya"})]


async def test_the_thought_says_why() -> None:
    [told] = await talk("How tall is Mount Kenya?")
    assert told.thoughts == [
        "The question asks for a number, so I search the documents for “Mount Kenya”.",
        (
            "search_documents did not answer the question, "
            "so I look in the encyclopaedia for “Mount Kenya”."
        ),
    ]


async def test_a_follow_up_begins_where_the_last_answer_was_found() -> None:
    told = await talk("How tall is Mount Kenya?", "Where does it lie?")
    assert told[-1].calls == [("wikipedia", {"query": "lie Mount Kenya"})]


@tool
def find_products(words: str, limit: int = 5) -> list[dict[str, Any]]:
    """Find products in the shop's catalogue.

    Args:
        words: key words.
        limit: how many to return.
    """
    kettle = "A steel kettle with a blue lid. It holds 1.7 litres and weighs 900 g."
    return [
        {"name": "Blue kettle", "price_eur": 24, "about": kettle},
        {"name": "Red pan", "price_eur": 31, "about": "A pan of cast iron, for every kind of hob."},
    ]


@tool
def web_search(query: str) -> str:
    """Search the web.

    Args:
        query: what to look for.
    """
    raise ToolError("the search engine refused us (429).", hint="Try again later.")


@tool
def delete_user(name: str) -> str:
    """Find a user and delete them.

    Args:
        name: the user.
    """
    raise AssertionError(name)


@tool
def book_table(place: str, people: int) -> str:
    """Look for a free table and book it.

    Args:
        place: where.
        people: how many.
    """
    raise AssertionError(place, people)


STRANGERS = [find_products, web_search, delete_user, book_table]


async def test_a_tool_of_another_kind_is_understood_by_its_schema() -> None:
    [told] = await talk("How many litres does the blue kettle hold?", tools=STRANGERS)
    assert told.calls == [("find_products", {"words": "litres blue kettle hold"})]
    assert "It holds 1.7 litres and weighs 900 g." in told.text
    assert "[^" not in told.text


async def test_a_failed_tool_is_told_and_the_next_is_tried() -> None:
    [told] = await talk("Who painted the Mona Lisa?", tools=STRANGERS)
    assert [name for name, _ in told.calls] == ["find_products", "web_search"]
    assert "web_search failed: the search engine refused us (429)." in told.text


@pytest.mark.parametrize("said", ["Delete the user Bob", "Book a table in Rome for 4 people"])
async def test_what_has_effects_is_never_called_unasked(said: str) -> None:
    [told] = await talk(said, tools=STRANGERS)
    assert {"delete_user", "book_table"}.isdisjoint(dict(told.calls))


class TestToolChoice:
    def ask(self, text: str, choice: Any) -> Any:
        model = EmbeddedChatModel().bind_tools(usual_tools(), tool_choice=choice)
        return model.invoke([HumanMessage(text)])

    def test_none_forbids(self) -> None:
        answer = self.ask("What is Valkey?", "none")
        assert not answer.tool_calls
        assert answer.text.startswith("I found nothing about “Valkey”")

    def test_auto_leaves_the_choice(self) -> None:
        assert not self.ask("Hello", "auto").tool_calls
        assert self.ask("What is Valkey?", "auto").tool_calls

    @pytest.mark.parametrize("choice", ["required", "any"])
    def test_required_calls_one_even_where_none_is_needed(self, choice: str) -> None:
        assert self.ask("Hello", choice).tool_calls

    @pytest.mark.parametrize(
        "choice", ["wikipedia", {"type": "function", "function": {"name": "wikipedia"}}]
    )
    def test_a_name_calls_that_one(self, choice: Any) -> None:
        [call] = self.ask("What is 2 + 2?", choice).tool_calls
        assert call["name"] == "wikipedia"
        assert call["args"]["query"]

    def test_an_unknown_name_is_refused(self) -> None:
        with pytest.raises(ModelError, match="'nothing_like_it'"):
            self.ask("Hello", "nothing_like_it")

    def test_a_tool_that_needs_more_than_a_text_is_refused(self) -> None:
        model = EmbeddedChatModel().bind_tools([book_table], tool_choice="book_table")
        with pytest.raises(ModelError, match="book_table"):
            model.invoke([HumanMessage("Book a table")])

    def test_an_empty_message_fills_no_argument(self) -> None:
        model = EmbeddedChatModel().bind_tools([wikipedia], tool_choice="required")
        with pytest.raises(ModelError, match="empty"):
            model.invoke([HumanMessage("")])


def test_an_order_to_finish_is_no_new_question() -> None:
    messages = asked("What is Valkey?", ("search_documents", "Valkey is a data store."))
    model = EmbeddedChatModel().bind_tools([search_documents, wikipedia])
    finish = HumanMessage("Call no more tools. Answer the question now with what you have.")
    assert "Valkey is a data store." in model.invoke([*messages, finish]).text
