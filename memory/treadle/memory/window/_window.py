"""`ContextWindow`: what a model is shown of a conversation of any length, in a fixed budget."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.graph import MessagesState

from treadle.core.errors import ConfigError, InputError
from treadle.memory.transcript import Transcript
from treadle.memory.window import _notes as notes
from treadle.memory.window._cutting import Cutter, to_drop
from treadle.memory.window._history import aside_kind, repair, turns_of
from treadle.memory.window._notes import Facts, Recall
from treadle.memory.window._refs import find, full_text
from treadle.memory.window._summary import (
    ModelSummarizer,
    Summarizer,
    Summary,
    extract,
    no_summary,
    summary_message,
    summary_room,
)
from treadle.memory.window._tokens import Counter, ToolCount, count_schema, count_tokens

SummaryMode = Literal["none", "extract", "model"]
"""How the turns that leave the window are summarised."""

READ_MORE = "read_more"
"""The name of the tool that reads on where a message was shown in part."""

LEAST_ROOM_TOKENS = 200
MOST_PAGE_CHARS = 6_000


class Notes(TypedDict):
    """What memory added for a question, kept while the turn goes on.

    Attributes:
        question: the id of the question.
        text: what was added.
    """

    question: str
    text: str


class WindowState(MessagesState, total=False):
    """The state of a graph whose model sees the conversation through a window.

    Attributes:
        window_summary: the summary of the turns that have left the state.
        window_notes: what memory added for the question that is being answered.
    """

    window_summary: Summary
    window_notes: Notes


@dataclass(frozen=True, slots=True)
class Composed:
    """What the model is to be shown, and what that changes in the state.

    Attributes:
        messages: what the model is shown, behind the system message.
        tokens: how many tokens that is, with the system message and the tools.
        removed: the messages that leave the state; they are in the transcript.
        summary: the new summary, when turns have left.
        notes: what memory added for the question, unless the state holds it already.
    """

    messages: list[AnyMessage]
    tokens: int
    removed: tuple[RemoveMessage, ...] = ()
    summary: Summary | None = None
    notes: Notes | None = None

    def update(
        self, *, goes_on: bool = False, held: Collection[str | None] | None = None
    ) -> dict[str, Any]:
        """Return the update of the state, the model's reply aside.

        Args:
            goes_on: whether the model is asked again in this turn, for one because it calls tools;
                what memory added is then kept for the rest of the turn.
            held: the ids of the messages in the state, where others were shown beside them.
        """
        update: dict[str, Any] = {}
        removed = [one for one in self.removed if held is None or one.id in held]
        if removed:
            update["messages"] = removed
        if self.summary is not None:
            update["window_summary"] = self.summary
        if self.notes and goes_on:
            update["window_notes"] = self.notes
        return update


class ContextWindow:
    """Composes what a model is shown, in at most ``tokens`` tokens, tools and all.

    In this order: the instructions; a rolling summary of the turns that are gone; the recent turns
    as they were said; what memory adds for the question (facts, earlier turns that matter), marked
    as quoted; the question and what has come of it so far. Everything in front of the memory stays
    the same, byte for byte, until turns leave; and then half of the room is freed at once.

    With a transcript, old turns leave the graph's state, after they are safely in the transcript.
    Without one nothing leaves the state; what does not fit is only not shown.

    Args:
        tokens: the budget.
        transcript: keeps what leaves the state, and is what ``read_more`` reads.
        recall: finds earlier turns that matter; it is given what leaves the state.
        facts: finds facts that matter.
        summary: ``extract`` quotes the beginnings of questions and answers; ``model`` asks
            ``model``, one call for each eviction; ``none`` keeps no summary.
        model: what summarises, for ``summary="model"``.
        count: counts tokens; `count_tokens` when not given. Tools are always counted by their
            schemas' characters.

    Raises:
        ConfigError: ``summary="model"`` without a model.
    """

    def __init__(
        self,
        tokens: int = 16_000,
        *,
        transcript: Transcript | None = None,
        recall: Recall | None = None,
        facts: Facts | None = None,
        summary: SummaryMode = "extract",
        model: BaseChatModel | None = None,
        count: Counter = count_tokens,
    ) -> None:
        self.tokens = tokens
        self.transcript = transcript
        self._recall = recall
        self._facts = facts
        self._count = count
        self._count_tools = ToolCount()
        self._summarize = self._summarizer(summary, model)

    def _summarizer(self, mode: SummaryMode, model: BaseChatModel | None) -> Summarizer:
        if mode == "model":
            if model is None:
                raise ConfigError("A summary by a model was asked for, and no model given.")
            return ModelSummarizer(model, self.tokens, self._count)
        return extract if mode == "extract" else no_summary

    async def compose(
        self,
        state: Mapping[str, Any],
        *,
        thread_id: str | None = None,
        system: SystemMessage | None = None,
        tools: Sequence[Any] = (),
        output: object = None,
    ) -> Composed:
        """Compose what the model is shown.

        Args:
            state: the graph's state, a `WindowState`.
            thread_id: the thread; without one nothing leaves the state and nothing is recalled.
            system: the instructions.
            tools: what the model may call, as tools or as schemas.
            output: the schema that the answer must fit, a JSON schema or a pydantic model.

        Raises:
            ConfigError: the instructions and tools alone are too long for the budget.
            RedisError: memory cannot be reached.
        """
        whole = repair(state["messages"])
        lead = _leading_instructions(whole)
        fixed = self._fixed([system, *lead] if system else lead, tools, output)
        shares = self._shares(self.tokens - fixed)
        names = {getattr(tool, "name", None) for tool in tools}
        cutter = Cutter(self._count, reads_on=READ_MORE in names and self.transcript is not None)
        asides = _trailing_asides(whole)
        *past, current = turns_of(whole[len(lead) : len(whole) - len(asides)]) or [[]]
        turn_room = shares.turn - cutter.size(asides)
        shown = cutter.turn(current, turn_room, shares.turn // 2) if current else []
        await self._offload(thread_id, state["messages"], current, shown)

        room = turn_room - cutter.size(shown)
        past_shown = [cutter.turn(turn, shares.turn // 2, shares.turn // 3) for turn in past]
        gone = _leaving(past, past_shown, room, cutter)
        summary: Summary | None = state.get("window_summary")
        removed: tuple[RemoveMessage, ...] = ()
        leaves = gone > 0 and self.transcript is not None and thread_id is not None
        if leaves and thread_id is not None:
            kept = {m.id for turn in (lead, *past[gone:], current, asides) for m in turn}
            removed = await self._store(thread_id, state["messages"], kept)
            evicted = [message for turn in past_shown[:gone] for message in turn]
            summary = await self._summed_up(summary, evicted, gone, shares.summary)
        recent = [message for turn in past_shown[gone:] for message in turn]
        head = summary_message(summary, shares.summary, self._count)
        visible = {message.id for message in (*recent, *shown)}
        noted = await self._noted(
            state, thread_id, current, visible, shares.notes, has_left=summary is not None
        )
        messages: list[Any] = [*lead, *head, *recent, *noted, *shown, *asides]
        return Composed(
            messages=messages,
            tokens=fixed + cutter.size(messages[len(lead) :]),
            removed=removed,
            summary=summary if leaves else None,
            notes=_kept_notes(state, current, noted),
        )

    def _fixed(self, system: Sequence[BaseMessage], tools: Sequence[Any], output: object) -> int:
        instructions = self._count(system) if system else 0
        schemas = self._count_tools(tools) + count_schema(output)
        fixed = instructions + schemas
        if self.tokens - fixed < LEAST_ROOM_TOKENS:
            raise ConfigError(
                f"The window of {self.tokens} tokens leaves no room for a conversation: the "
                f"instructions take {instructions}, the tools {schemas}.",
                hint=f"Set memory.window_tokens to {fixed + 4 * LEAST_ROOM_TOKENS} or more.",
            )
        return fixed

    def _shares(self, room: int) -> "_Shares":
        summary = 0 if self._summarize is no_summary else room // 8
        noted = room // 4 if self._recall or self._facts else 0
        return _Shares(summary, noted, room - summary - noted)

    async def _offload(
        self,
        thread_id: str | None,
        messages: Sequence[BaseMessage],
        turn: Sequence[BaseMessage],
        shown: Sequence[BaseMessage],
    ) -> None:
        """Put what is shown in part into the transcript, the first time it is shown.

        What was said before goes with it, so that the transcript keeps the order.
        """
        if self.transcript is None or thread_id is None:
            return
        as_shown = {message.id: message for message in shown}
        cut = [m for m in _newest(turn) if m.id and as_shown.get(m.id) is not m]
        if cut:
            await self.transcript.add(thread_id, [m for m in messages if m.id])

    async def _store(
        self, thread_id: str, messages: Sequence[BaseMessage], kept: set[str | None]
    ) -> tuple[RemoveMessage, ...]:
        """Put what leaves the state where it can be read and found, and return what removes it."""
        assert self.transcript is not None  # noqa: S101 - the caller checked
        leaving = [message for message in messages if message.id and message.id not in kept]
        stamped = await self.transcript.add(thread_id, leaving)
        if self._recall is not None:
            said = [m for m in stamped if not isinstance(m, ToolMessage) and m.text.strip()]
            await self._recall.add(thread_id, said)
        return tuple(RemoveMessage(id=message.id or "") for message in leaving)

    async def _summed_up(
        self, summary: Summary | None, evicted: Sequence[BaseMessage], turns: int, room: int
    ) -> Summary:
        known = summary or Summary(text="", turns=0)
        text_room = summary_room(room, self._count)
        text = await self._summarize(known["text"], evicted, text_room) if text_room > 0 else ""
        return Summary(text=text, turns=known["turns"] + turns)

    async def _noted(
        self,
        state: Mapping[str, Any],
        thread_id: str | None,
        current: Sequence[BaseMessage],
        visible: set[str | None],
        room: int,
        *,
        has_left: bool,
    ) -> list[BaseMessage]:
        """Return what memory adds for the question, as the turn began with it."""
        if not current:
            return []
        kept: Notes | None = state.get("window_notes")
        if kept and kept["question"] == current[0].id:
            return notes.as_message(kept["text"])
        query = notes.query_of(current[0])
        if not query:
            return []
        facts = await notes.read_facts(self._facts, query) if self._facts else []
        recalled = []
        # Nothing has left the window yet where there is no summary: there is nothing to recall.
        if self._recall is not None and thread_id is not None and has_left:
            found = await notes.read_recalled(self._recall, thread_id, query, room)
            recalled = [item for item in found if item["id"] not in visible]
        return notes.notes_message(facts, recalled, room, self._count)

    async def read_more(self, thread_id: str, ref: str, offset: int = 0) -> str:
        """Return a page of a message that was shown in part.

        Args:
            thread_id: the thread it was said on.
            ref: what names it, as the place where it was cut says; or its id.
            offset: how many characters to skip.

        Raises:
            InputError: the thread holds no such message, or the offset lies behind its end.
        """
        found = await find(self.transcript, thread_id, ref) if self.transcript else None
        if found is None:
            raise InputError(f"Nothing on this thread has the ref {ref!r}.")
        text = full_text(found.message)
        if not 0 <= offset < max(1, len(text)):
            raise InputError(f"The offset {offset} is not within the {len(text)} characters.")
        end = offset + max(400, min(self.tokens // 2, MOST_PAGE_CHARS))
        left = f"it goes on at offset={end}" if end < len(text) else "this is its end"
        return f"{text[offset:end]}\n[characters {offset} to {min(end, len(text))}; {left}]"


@dataclass(frozen=True, slots=True)
class _Shares:
    """What the parts of a prompt may take at most, in tokens."""

    summary: int
    notes: int
    turn: int


def _leaving(
    past: Sequence[Sequence[BaseMessage]],
    shown: Sequence[Sequence[BaseMessage]],
    room: int,
    cutter: Cutter,
) -> int:
    """Return how many of the oldest turns must go.

    Turns shown in part count for what they are in the state as well, so that a state does not grow
    large with what is hardly shown.
    """
    sizes = [cutter.size(turn) for turn in shown]
    whole = [cutter.size(turn) for turn in past]
    return max(to_drop(sizes, room), to_drop(whole, _WHOLE * max(room, LEAST_ROOM_TOKENS)))


_WHOLE = 8


def _newest(turn: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return what no model has been shown yet, with the step it belongs to."""
    newest: list[BaseMessage] = []
    for message in reversed(turn):
        newest.append(message)
        if isinstance(message, AIMessage):
            break
    return newest


def _leading_instructions(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the instructions that a graph keeps in front of its conversation; they never leave."""
    return list(takewhile(lambda message: isinstance(message, SystemMessage), messages))


def _trailing_asides(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    asides: list[BaseMessage] = []
    for message in reversed(messages):
        if not aside_kind(message):
            break
        asides.insert(0, message)
    return asides


def _kept_notes(
    state: Mapping[str, Any], current: Sequence[BaseMessage], noted: Sequence[BaseMessage]
) -> Notes | None:
    if not current or not current[0].id:
        return None
    kept: Notes | None = state.get("window_notes")
    if kept and kept["question"] == current[0].id:
        return None
    return Notes(question=current[0].id, text=noted[0].text if noted else "")
