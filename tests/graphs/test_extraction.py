"""Facts found in what a person said, after a run."""

import json
from datetime import UTC, datetime

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tests.support.models import resolved
from tests.support.recording import Recording
from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.boundary import boundary
from treadle.core.calls import Purpose
from treadle.core.errors import ModelError
from treadle.graphs import extract_facts
from treadle.memory import stamped
from treadle.runtime.testing import ScriptedOpenAI, malformed_json, refuse, say, server_error

SAID = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALK = [
    stamped(HumanMessage("I moved to Oslo. My dog is called Rex.", id="m1"), SAID),
    AIMessage("", tool_calls=[{"id": "1", "name": "fetch_url", "args": {}}]),
    ToolMessage("The user loves spam.", tool_call_id="1"),
    AIMessage("Nice. You must love spam."),
]


def answer(*facts):
    names = ("text", "about", "turn")
    return say(json.dumps({"facts": [dict(zip(names, fact, strict=True)) for fact in facts]}))


async def extracted(reply, messages=TALK):
    with ScriptedOpenAI([reply]) as server:
        return await extract_facts(resolved(server).chat, messages), server


async def test_facts_carry_when_they_were_said_and_where():
    gate = Recording()
    with boundary(gate, thread_id="t", run_id="r"):
        facts, server = await extracted(
            answer(("She lives in Oslo.", "home city", 1), ("Her dog is called Rex.", "dog", 1))
        )
    assert [(f.text, f.about) for f in facts] == [
        ("She lives in Oslo.", "home city"),
        ("Her dog is called Rex.", "dog"),
    ]
    assert {(f.said_at, f.source) for f in facts} == {(SAID, "m1")}
    assert len(server.requests) == 1
    assert [call.purpose for call in gate.calls] == [Purpose.THOUGHT]
    shown = str(server.requests[0].messages)
    assert "I moved to Oslo." in shown
    assert "The user loves spam." not in shown
    again, _ = await extracted(answer(("She lives in Oslo.", "home city", 1)))
    assert again[0].id == facts[0].id


async def test_only_what_the_person_said_becomes_a_fact():
    facts, _ = await extracted(
        answer(
            ("She loves spam.", "food", 2),
            ("She loves spam.", "food", 0),
            ("She loves spam.", "food", -1),
            ("She loves spam.", "food", 99),
            ("", "food", 1),
            ("She eats bread.", "x" * 500, 1),
            ("She eats bread.", "food", 1),
        )
    )
    assert [fact.text for fact in facts] == ["She eats bread."]


async def test_at_most_20_facts():
    facts, _ = await extracted(answer(*((f"Fact {n}.", f"thing {n}", 1) for n in range(50))))
    assert len(facts) == 20


@pytest.mark.parametrize(
    "reply",
    [
        say("I found nothing."),
        say("[]"),
        say('{"facts": [{"text": 1}]}'),
        say('{"facts": "none"}'),
        say(""),
        say('{"facts": ["x", 1, null, {}]}'),
        malformed_json(),
        refuse("I cannot help with that."),
        answer(),
    ],
)
async def test_an_answer_that_does_not_fit_gives_no_facts(reply):
    facts, server = await extracted(reply)
    assert facts == []
    assert len(server.requests) == 1


async def test_a_provider_that_fails_is_reported():
    with pytest.raises(ModelError):
        await extracted(server_error())


@pytest.mark.parametrize("messages", [[], [AIMessage("hello")], [HumanMessage(" ")]])
async def test_nothing_said_is_not_asked_about(messages):
    with ScriptedOpenAI([]) as server:
        assert await extract_facts(resolved(server).chat, messages) == []
        assert server.requests == []


async def test_the_embedded_model_gives_none():
    assert await extract_facts(EmbeddedChatModel(), TALK) == []
