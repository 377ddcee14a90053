"""Finding facts worth keeping in what a person said."""

import hashlib
from collections.abc import Iterator, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field, ValidationError

from treadle.core.boundary import thinking
from treadle.core.errors import BrokenAnswerError, InputError, ModelError
from treadle.graphs._prompts import prompt
from treadle.memory import said_at
from treadle.memory.store import Fact

MAX_FACTS = 20
_MAX_TURNS = 40
_MAX_TURN_CHARS = 4_000
_SPEAKERS = {"human": "user", "ai": "assistant"}


class _Found(BaseModel):
    text: str = Field(description="The fact as one whole sentence.")
    about: str = Field(description="What it is about, in two to four words.")
    turn: int = Field(description="The number of the turn in which the person said it.")


class _Facts(BaseModel):
    """What the conversation says about the person that is worth keeping."""

    facts: list[_Found] = Field(description="The facts; empty where there are none.")


_SCHEMA = _Facts.model_json_schema() | {"title": "facts"}


async def extract_facts(model: BaseChatModel, messages: Sequence[BaseMessage]) -> list[Fact]:
    """Return the facts that the person tells in a conversation, with at most one model call.

    Only what the person said themselves becomes a fact, never what a tool or the assistant said:
    a page that was read cannot write into memory. An answer that cannot be read gives no facts, and
    neither does a model that fills no schemas, as the embedded one. The same messages give facts
    of the same ids if the model answers the same, so keeping them twice does no harm.

    Args:
        model: the model to ask, such as the agent's.
        messages: the last turns; the last 40 that are by the person or the assistant are read.

    Returns:
        At most 20 facts, each with when it was said and, as its source, the message's id.

    Raises:
        ModelError: the provider refused or failed.
        BudgetExceededError: the run's budget is used up.
    """
    turns = [m for m in messages if m.type in _SPEAKERS and m.text.strip()][-_MAX_TURNS:]
    if not any(isinstance(turn, HumanMessage) for turn in turns):
        return []
    try:
        # As a plain schema, so that an answer that does not fit it is still ours to read.
        asked = model.with_structured_output(_SCHEMA, include_raw=True)
    except (ModelError, NotImplementedError):  # it fills no schemas
        return []
    with thinking():
        try:
            answer = await asked.ainvoke(
                [SystemMessage(prompt("extract_facts")), HumanMessage(_transcript(turns))]
            )
        except BrokenAnswerError:
            return []
    found = answer.get("parsed") if isinstance(answer, dict) else None
    return list(_facts(found.get("facts"), turns)) if isinstance(found, dict) else []


def _transcript(turns: Sequence[BaseMessage]) -> str:
    return "\n\n".join(
        f"[{number}] {_SPEAKERS[turn.type]}: {turn.text[:_MAX_TURN_CHARS]}"
        for number, turn in enumerate(turns, start=1)
    )


def _facts(found: object, turns: Sequence[BaseMessage]) -> Iterator[Fact]:
    """Give those of the facts found that fit, and that the person said."""
    for item in found[:MAX_FACTS] if isinstance(found, list) else ():
        try:
            fact = _Found.model_validate(item)
            turn = turns[fact.turn - 1] if 0 < fact.turn <= len(turns) else None
            if isinstance(turn, HumanMessage):
                yield _fact(fact, turn)
        except (ValidationError, InputError):  # it says nothing, or far too much
            continue


def _fact(found: _Found, turn: HumanMessage) -> Fact:
    said = "\0".join((turn.id or turn.text, found.about, found.text))
    return Fact.of(
        found.text,
        found.about,
        said_at=said_at(turn),
        source=turn.id or "",
        id=hashlib.blake2b(said.encode(), digest_size=16).hexdigest(),
    )
