"""What the patterns share: asking a model within the run's budget, and the answer at the end."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, SystemMessage
from langchain_core.runnables import Runnable

from treadle.core.boundary import thinking
from treadle.core.errors import BrokenAnswerError, BudgetExceededError, ConfigError, ModelError
from treadle.graphs._cut_short import cut_short, words_of
from treadle.graphs._guards import STOPPED, leave_one, partial_answer
from treadle.graphs._output import MisfitError, filled, structured
from treadle.graphs._parts import GraphParts
from treadle.graphs._prompts import join
from treadle.graphs._repair import read_arguments
from treadle.graphs._sharing import side_by_side
from treadle.memory.window import WindowState, running_thread, since_last_question


def gather(known: list[Any], new: list[Any] | None) -> list[Any]:
    """Add what parallel branches found, in the order they were sent; ``None`` begins anew."""
    return [] if new is None else [*known, *new]


def first_reason(known: str, new: str | None) -> str:
    """Keep the first reason to stop; ``None`` takes it back."""
    return "" if new is None else known or new


class ThoughtState(WindowState):
    """The conversation, and the reasoning behind its last answer.

    Attributes:
        reasoning: what the model worked out before it answered the last question.
        structured_response: the answer as the output schema has it, when there is one.
    """

    reasoning: str
    structured_response: Any


class PatternState(ThoughtState, total=False):
    """What every pattern of several steps keeps while it works.

    Attributes:
        stopped: why the work must end; empty while it may go on.
    """

    stopped: Annotated[str, first_reason]


class Said(TypedDict):
    """What the model said to itself.

    Attributes:
        text: its words; empty when it was not asked.
        stopped: why it was not asked; empty when it was.
        cut: why its words are not whole; empty when they are.
    """

    text: str
    stopped: str
    cut: str


class Branch(TypedDict):
    """What a node is sent that asks the model one thing.

    Attributes:
        prompt: what the model is asked.
    """

    prompt: Sequence[BaseMessage]


@dataclass(frozen=True, slots=True)
class Shown:
    """A prompt with the conversation in it, and what composing it changes in the state."""

    system: SystemMessage
    messages: list[AnyMessage]
    update: dict[str, Any]

    @property
    def prompt(self) -> list[AnyMessage]:
        """What the model is asked."""
        return [self.system, *self.messages]


class Reasoner:
    """Asks a pattern's model: it keeps to the budget and shows the conversation by the window.

    Args:
        parts: the pattern's parts.
    """

    def __init__(self, parts: GraphParts) -> None:
        self.parts = parts

    @property
    def room(self) -> int:
        """How many characters of working may stand in a prompt: a quarter of the window."""
        return self.parts.window.tokens

    async def shown(
        self, state: Mapping[str, Any], name: str, working: str = "", output: object = None
    ) -> Shown:
        """Return the conversation behind the prompt of that name and what was worked out so far."""
        return await self.composed(state, self.system(name, working), output=output)

    async def composed(
        self,
        state: Mapping[str, Any],
        system: SystemMessage,
        *,
        output: object = None,
        tools: Sequence[Any] = (),
    ) -> Shown:
        """Return the conversation behind those instructions."""
        composed = await self.parts.window.compose(
            state, thread_id=running_thread(), system=system, output=output, tools=tools
        )
        return Shown(system, composed.messages, composed.update(goes_on=True))

    def system(self, name: str, working: str = "") -> SystemMessage:
        """Return the instructions of that name, with what was worked out so far."""
        parts = self.parts
        return SystemMessage(join(parts.prompt, parts.prompts(name), working[: self.room]))

    async def think(
        self,
        prompt: Sequence[BaseMessage],
        *,
        may_be_last: bool = False,
        output: dict[str, Any] | None = None,
    ) -> Said:
        """Ask for a thought, unless that would take the call that is left for the answer.

        Args:
            prompt: what to ask.
            may_be_last: whether the last call that the budget allows may be spent on it.
            output: a schema; what is said is then JSON that fits it, or nothing.
        """
        try:
            if output is not None:
                text = await self._fitting(prompt, output, may_be_last)
                return Said(text=text, stopped="", cut="")
            reply = await self._thought(robust(self.parts), prompt, may_be_last)
        except BudgetExceededError as error:
            return Said(text="", stopped=f"budget: {error.message}", cut="")
        return Said(text=words_of(reply), stopped="", cut=cut_short(reply))

    async def _thought(
        self, model: Runnable[Any, Any], prompt: Sequence[BaseMessage], may_be_last: bool
    ) -> Any:
        async def ask() -> Any:
            if not may_be_last:
                await leave_one()
            return await model.ainvoke(prompt)

        with thinking():
            return await side_by_side(ask)

    def fills(self, schema: dict[str, Any]) -> bool:
        """Tell whether the model can be asked for data of that schema."""
        try:
            structured(schema)(self.parts.model)
        except (ModelError, NotImplementedError):
            return False
        return True

    async def fill(
        self, prompt: Sequence[BaseMessage], schema: dict[str, Any], *, may_be_last: bool = False
    ) -> Any:
        """Ask for data of that schema, as a thought; ``None`` when the answer is no data.

        Raises:
            BudgetExceededError: the budget does not allow it.
            ModelError: the model fills no schemas, or failed.
        """
        model = robust(self.parts, structured(schema))
        result = await self._thought(model, prompt, may_be_last)
        data = result["parsed"]
        return read_arguments(result["raw"].text) if data is None else data

    async def _fitting(
        self, prompt: Sequence[BaseMessage], schema: dict[str, Any], may_be_last: bool
    ) -> str:
        """Ask for data that fits a schema, as a thought; return its JSON, or nothing."""
        model = robust(self.parts, structured(schema))

        async def ask(messages: Sequence[BaseMessage]) -> Any:
            return await self._thought(model, messages, may_be_last)

        try:
            _, data = await filled(ask, prompt, schema, self.parts.prompts)
        except MisfitError:
            return ""
        return "" if data is None else json.dumps(data, sort_keys=True, ensure_ascii=False)

    async def answer(
        self,
        state: Mapping[str, Any],
        name: str,
        working: str,
        *,
        best: str = "",
        stopped: str = "",
        reasoning: str = "",
    ) -> dict[str, Any]:
        """Ask for the answer and return the update that ends the turn.

        Args:
            state: the graph's state.
            name: the prompt's name.
            working: what was worked out, for the model.
            best: the answer when the budget allows no further call; what tools found without it.
            stopped: why the work ended before it was done.
            reasoning: what is kept as the reasoning behind the answer; the working without it.

        Raises:
            ModelError: the answer does not fit the output schema.
        """
        shown = await self.shown(state, name, working, self.parts.output)
        return await self.answer_to(
            shown, state, best=best, stopped=stopped, reasoning=reasoning or working
        )

    async def answer_to(
        self,
        shown: Shown,
        state: Mapping[str, Any],
        *,
        best: str = "",
        stopped: str = "",
        reasoning: str = "",
    ) -> dict[str, Any]:
        """Ask for the answer to what is shown; see `answer`.

        Raises:
            ModelError: the answer does not fit the output schema.
        """
        output, data = self.parts.output, None
        try:
            if output is None:
                reply = await robust(self.parts).ainvoke(shown.prompt)
            else:
                ask = robust(self.parts, structured(output)).ainvoke
                reply, data = await filled(ask, shown.prompt, output, self.parts.prompts)
        except BudgetExceededError as error:
            turn = since_last_question(state["messages"])
            reply = AIMessage(best or partial_answer(turn))
            stopped = stopped or f"budget: {error.message}"
        return ended(shown.update, reply, data, stopped, reasoning)


def ended(
    update: Mapping[str, Any], reply: AIMessage, data: Any, stopped: str, reasoning: str
) -> dict[str, Any]:
    """Return the update that ends a turn with that answer."""
    if stopped:
        reply = reply.model_copy(
            update={"response_metadata": {**reply.response_metadata, STOPPED: stopped}}
        )
    return {
        **update,
        "messages": [*update.get("messages", ()), reply],
        "reasoning": reasoning,
        "structured_response": data,
    }


def robust(
    parts: GraphParts,
    prepare: Callable[[BaseChatModel], Runnable[Any, Any]] = lambda model: model,
) -> Runnable[Any, Any]:
    """Return the model with broken answers asked for again and its fallbacks behind it."""
    first, *others = (
        prepare(candidate).with_retry(
            retry_if_exception_type=(BrokenAnswerError,),
            stop_after_attempt=3,
            exponential_jitter_params={"initial": 0.2, "jitter": 0.1},
        )
        for candidate in (parts.model, *parts.fallbacks)
    )
    return first.with_fallbacks(others) if others else first


def without_tools(parts: GraphParts, pattern: str) -> Reasoner:
    """Return what asks the model of a pattern that calls no tools.

    Raises:
        ConfigError: when tools are given.
    """
    if parts.tools:
        raise ConfigError(
            f"the graph {pattern!r} calls no tools.",
            hint="Use the graph 'react', 'plan_execute' or 'reflexion' for tools.",
        )
    return Reasoner(parts)


_ITEM = re.compile(r"^[ \t]*(?:\d{1,3}[.):]|[-*•])[ \t]+", re.MULTILINE)


def listed(text: str, most: int) -> list[str]:
    """Return the first items of a list that a model wrote; none when it wrote no list."""
    items = (item.strip() for item in _ITEM.split(text)[1:])
    return [item for item in items if item][:most]


def within(texts: Sequence[str], room: int) -> list[str]:
    """Return the texts, each cut to its share of so many characters."""
    share = room // max(1, len(texts))
    return [text if len(text) <= share else f"{text[:share]} …" for text in texts]


def so_far(texts: Sequence[str], room: int = 1_500) -> str:
    """Return what was worked out as an answer of last resort; nothing when there is nothing."""
    if not texts:
        return ""
    return "I had to stop before I was done. This is what I worked out:\n\n" + "\n\n".join(
        within(texts, room)
    )
