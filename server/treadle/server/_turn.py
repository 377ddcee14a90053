"""One turn of a conversation: what an agent is given, and the run that answers."""

import base64
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from treadle.agents import Agent, ClientTool
from treadle.core.errors import InputError, UnknownNameError
from treadle.core.events import Event, Reply
from treadle.core.json_schemas import object_schema
from treadle.runtime import Runtime
from treadle.runtime.questions import answered
from treadle.runtime.runs import Run, RunStatus
from treadle.server._asked_settings import AskedSettings
from treadle.server._telling import content_of
from treadle.server._waiting import asked_on, is_clients, named_in, told
from treadle.server.security import Ownership, current_principal
from treadle.tools import CLIENT_CALL

_HOW = "the next message here is the answer"
_CALL = re.compile(r"call_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class ClientCall:
    """A call that the client is to make.

    Attributes:
        id: names the run that waits and the interrupt it waits at.
        name: the tool.
        arguments: what it is called with.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Ending:
    """What is told at the end of a run, or where it waits.

    Attributes:
        answer: what it answered.
        waits_for: the questions and approvals it waits for, as `Runs.interrupts` returns them.
        question: those in words, where the client is to make no calls.
        calls: those that the client is to make.
    """

    answer: str
    waits_for: Sequence[Mapping[str, Any]] = ()
    question: str = ""
    calls: Sequence[ClientCall] = ()

    @property
    def text(self) -> str:
        """All of it as one text."""
        return "\n\n".join(part for part in (self.answer, self.question) if part)

    def after(self, *, has_answer: bool) -> str:
        """Return what is left to be told where the answer was told already, or not."""
        if not has_answer:
            return self.text
        return f"\n\n{self.question}" if self.question else ""


@dataclass(frozen=True)
class Turn:
    """What is asked.

    Attributes:
        agent: the agent, with what the request adds to it.
        messages: the conversation, as far as the client tells it.
        thread_id: the thread to go on with; ``None`` for a new one.
        user: whose long-term memory is used.
        keep: whether the thread is kept.
        is_new: whether the thread is told all of the conversation though it is named.
        settings: what the models of the run are given.
    """

    agent: Agent
    messages: Sequence[AnyMessage]
    thread_id: str | None = None
    user: str | None = None
    keep: bool = True
    is_new: bool = False
    settings: AskedSettings = field(default_factory=AskedSettings)


@dataclass(frozen=True)
class Answering:
    """A run that waits for what a turn says.

    Attributes:
        run: the run.
        answers: what is said, by interrupt; ``None`` where the run waits for leave alone, which
            no message gives.
    """

    run: Run
    answers: Mapping[str, Any] | None


def arguments_of(text: str) -> dict[str, Any]:
    """Return the arguments of a call.

    Raises:
        ValueError: they are no JSON object.
    """
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        raise ValueError("arguments are a JSON object")
    return found


def agents_of(rt: Runtime) -> list[str]:
    """Return the names of the agents that the caller may ask."""
    return current_principal().askable(rt.agents())


def adapted(
    agent: Agent,
    *,
    instructions: str,
    tools: Sequence[ClientTool],
    output: Mapping[str, Any] | None,
    max_tokens: int | None,
) -> Agent:
    """Return an agent with what a request adds to it.

    Raises:
        InputError: its graph cannot be given it.
    """
    changes: dict[str, Any] = {}
    if (instructions or tools or output is not None) and agent.graph != "react":
        raise InputError(
            f"The model {agent.name!r} takes no instructions, tools or response format: its graph "
            f"is {agent.graph!r}."
        )
    if clash := sorted({tool.name for tool in tools} & set(agent.tools)):
        raise InputError(f"The model {agent.name!r} has a tool {clash[0]!r} of its own.")
    if instructions:
        changes["prompt"] = "\n\n".join(part for part in (agent.prompt, instructions) if part)
    if tools:
        changes["client_tools"] = tuple(tools)
    if output is not None:
        changes["output"] = object_schema(output, "answer")
    if max_tokens is not None:
        limit = agent.budget.output_tokens
        fewer = max_tokens if limit is None else min(limit, max_tokens)
        changes["budget"] = agent.budget.model_copy(update={"output_tokens": fewer})
    return agent.model_copy(update=changes) if changes else agent


async def begin(rt: Runtime, turn: Turn, *, pieces: bool) -> tuple[AsyncGenerator[Event], int]:
    """Begin to answer a turn and return the run's events, and which of its answers they make.

    Client tools' results go to the run that waits for them, and so does an answer in words to what
    a run asked. Otherwise a thread is told what is new, and a new thread all of the conversation.

    Raises:
        ProblemError: 404, when the thread is another's.
        InputError: there is nothing to answer.
        RunStateError: the run waits for leave, and nobody gave it yet.
        RequestValidationError: the run that goes on began with other model settings.
    """
    answering = await waiting(rt, turn)
    if answering is not None:
        run = answering.run
        turn.settings.check_same(run.id, await rt.runs.model_settings(run))
        events = rt.stream_resumed(run.id, answering.answers, agent=turn.agent, pieces=pieces)
        return events, run.attempt + 1
    messages, thread_id = await asked(rt, turn)
    events = rt.stream(
        turn.agent,
        messages,
        thread=thread_id,
        user=turn.user,
        pieces=pieces,
        model_settings=turn.settings.values,
    )
    return events, 1


async def asked(rt: Runtime, turn: Turn) -> tuple[Sequence[AnyMessage], str]:
    """Return what is new, and the thread it is said on, which is the caller's from now on.

    Raises: as `begin`.
    """
    is_new = turn.is_new or turn.thread_id is None
    messages = turn.messages if is_new else _new_in(turn.messages)
    if not messages or not isinstance(messages[-1], HumanMessage | ToolMessage):
        why = "the last message is the model's own" if turn.messages else "nobody says anything"
        raise InputError(
            f"There is nothing to answer: {why}.", hint="Let the last message be a user's."
        )
    thread_id = turn.thread_id or rt.threads.new_id()
    if not await Ownership(rt).begin(thread_id):
        raise UnknownNameError("thread", thread_id, None)
    return messages, thread_id


async def ending_of(rt: Runtime, reply: Reply) -> Ending:
    """Return what is told at the end of a run, or where it waits."""
    ending = await left_at(rt, reply.run_id, reply.text) if reply.is_question else Ending("")
    return ending if ending.calls or ending.waits_for else Ending(content_of(reply))


async def left_at(rt: Runtime, run_id: str, answer: str = "") -> Ending:
    """Return what a run that waits is told to wait for, after what it answered until then."""
    waiting = await rt.runs.interrupts(run_id)
    calls = [
        ClientCall(
            _call_id(run_id, one["id"]), one["value"][CLIENT_CALL], one["value"]["arguments"]
        )
        for one in waiting
        if is_clients(one["value"])
    ]
    others = [one for one in waiting if not is_clients(one["value"])]
    question = told(run_id, others, _HOW) if others and not calls else ""
    return Ending(answer, others, question, calls)


async def waiting(rt: Runtime, turn: Turn) -> Answering | None:
    """Return the run that waits for the last messages: results of client tools, or an answer."""
    if results := _results(turn.messages):
        return await _waiting_for_results(rt, turn, results)
    said = [one.text for one in _new_in(turn.messages) if isinstance(one, HumanMessage)]
    thread_id = turn.thread_id or await _thread_that_asked(rt, turn.messages)
    if thread_id is None or not said:
        return None
    found = await asked_on(rt, thread_id, turn.agent.name)
    return Answering(found[0], answered(found[1], "\n\n".join(said))) if found else None


async def _thread_that_asked(rt: Runtime, messages: Sequence[AnyMessage]) -> str | None:
    """Return the thread of the run that the model's last message names as waiting."""
    last = next((one for one in reversed(messages) if isinstance(one, AIMessage)), None)
    run_id = named_in(last.text) if last is not None else None
    if run_id is None:
        return None
    with suppress(UnknownNameError):  # It is kept no longer: the conversation is told anew.
        return (await rt.runs.get(run_id)).thread_id
    return None


async def _waiting_for_results(
    rt: Runtime, turn: Turn, results: Mapping[str, str]
) -> Answering | None:
    named = [_parsed(call_id) for call_id in results]
    if None in named:
        return None
    [run_id, *others] = {pair[0] for pair in named if pair}
    try:
        run = await rt.runs.get(run_id)
    except UnknownNameError:
        return None  # It is kept no longer: the client tells the whole conversation anyway.
    if others or not await Ownership(rt).sees(run.thread_id):
        return None
    if turn.thread_id not in (None, run.thread_id) or run.agent != turn.agent.name:
        return None
    asked = {one["id"] for one in await rt.runs.interrupts(run_id)}
    answers = {pair[1]: text for pair, text in zip(named, results.values(), strict=True) if pair}
    if run.status is not RunStatus.INTERRUPTED or set(answers) != asked:
        return None
    return Answering(run, answers)


def _results(messages: Sequence[AnyMessage]) -> dict[str, str]:
    found: dict[str, str] = {}
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            break
        found[message.tool_call_id] = message.text
    return found


def _new_in(messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
    """Return the messages after the model's last: what is before them is on the thread."""
    places = [at for at, message in enumerate(messages) if isinstance(message, AIMessage)]
    return messages[places[-1] + 1 :] if places else messages


def _call_id(run_id: str, interrupt_id: str) -> str:
    packed = bytes.fromhex(run_id + interrupt_id)
    return f"call_{base64.urlsafe_b64encode(packed).rstrip(b'=').decode()}"


def _parsed(call_id: str) -> tuple[str, str] | None:
    match = _CALL.fullmatch(call_id)
    if match is None:
        return None
    packed = base64.urlsafe_b64decode(match[1] + "=").hex()
    return packed[:32], packed[32:]
