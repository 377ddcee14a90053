"""Whatever the history, the prompt is inside its budget, well formed, and asks the question."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.utils import count_tokens_approximately

from treadle.memory.window import ContextWindow, aside, aside_kind, count_tokens
from treadle.tools import tool

SYSTEM = SystemMessage("You know looms. " * 10)


@tool
def look_up(topic: str) -> str:
    """Look a topic up."""
    return topic


sizes = st.one_of(st.integers(0, 60), st.integers(0, 4_000), st.just(100_000))
letters = st.sampled_from(["word ", "織機", "é", "x", "\n> "])
texts = st.builds(lambda size, letter: letter * (size // len(letter)), sizes, letters)


@st.composite
def steps(draw: Any, number: int) -> list[BaseMessage]:
    """Return a model's message, and results for some of its calls, in some order."""
    amount = draw(st.one_of(st.integers(0, 3), st.just(200)))
    argument = draw(texts) if amount < 4 else "loom"
    reused = draw(st.booleans())
    ids = [f"call_{n}" if reused else f"call_{number}_{n}" for n in range(amount)]
    calls = [{"name": "look_up", "args": {"topic": argument}, "id": id_} for id_ in ids]
    answered = ids if draw(st.booleans()) else ids[::-2]
    text = draw(texts)
    return [
        AIMessage(draw(texts), id=f"ai{number}", tool_calls=calls),
        *(ToolMessage(text, tool_call_id=i, id=f"t{number}_{i}") for i in answered),
    ]


class History(list[BaseMessage]):
    """Messages, shown by their types and sizes."""

    def __repr__(self) -> str:
        return ", ".join(f"{m.type}({len(str(m.content))})" for m in self)


@st.composite
def histories(draw: Any) -> History:
    messages = History()
    kinds = st.sampled_from(["human", "human", "step", "step", "picture", "orphan", "system"])
    for number, kind in enumerate(draw(st.lists(kinds, max_size=12))):
        if kind == "human":
            messages.append(HumanMessage(draw(texts), id=f"h{number}"))
        elif kind == "step":
            messages += draw(steps(number))
        elif kind == "picture":
            blocks = [
                {"type": "text", "text": draw(texts)},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]
            messages.append(HumanMessage(blocks, id=f"h{number}"))
        elif kind == "system" and any(m.type == "human" for m in messages):
            messages.append(SystemMessage(draw(texts), id=f"s{number}"))
        else:
            messages.append(ToolMessage(draw(texts), tool_call_id="gone", id=f"o{number}"))
    messages.append(HumanMessage(draw(texts), id="question"))
    for number in range(draw(st.integers(0, 3))):
        messages += draw(steps(100 + number))
    if draw(st.booleans()):
        messages.append(aside("Call no more tools. Answer now."))
    return messages


@given(histories(), st.sampled_from([360, 500, 1_000, 4_000, 16_000]))
@settings(max_examples=150, deadline=None)
async def test_it_fits_is_well_formed_and_asks_the_question(history: History, budget: int) -> None:
    composed = await ContextWindow(budget).compose(
        {"messages": history}, system=SYSTEM, tools=[look_up]
    )
    shown = [SYSTEM, *composed.messages]
    counted = count_tokens_approximately(shown, tools=[look_up])
    assert counted <= composed.tokens <= budget
    assert composed.tokens >= count_tokens(shown)
    assert_well_formed(composed.messages)
    questions = [m for m in shown if isinstance(m, HumanMessage) and not aside_kind(m)]
    assert questions[-1].id == "question"
    assert composed.removed == ()


def assert_well_formed(messages: list[Any]) -> None:
    """Every call has its result directly behind it, and every result its call."""
    waiting: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            assert waiting, "a result without a call"
            assert message.tool_call_id == waiting.pop(0)
            continue
        assert not waiting, "a call without a result"
        if isinstance(message, AIMessage):
            waiting = [call["id"] or "" for call in message.tool_calls]
    assert not waiting, "a call without a result"


@given(histories())
@settings(max_examples=20, deadline=None)
@example(History([HumanMessage("", id="question")]))
async def test_it_is_the_same_every_time(history: History) -> None:
    window = ContextWindow(2_000)
    one, other = [await window.compose({"messages": history}) for _ in range(2)]
    assert one == other
