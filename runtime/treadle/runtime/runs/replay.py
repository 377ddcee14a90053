"""Replaying a run: the same graph, with every outcome from the journal and nothing else."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver

from treadle.agents import Agent
from treadle.core.boundary import GateChain, boundary
from treadle.core.calls import Call, Outcome, Purpose
from treadle.core.errors import TreadleError
from treadle.core.headroom import metered
from treadle.core.model_settings import ModelSettingError
from treadle.core.redaction import Redactor
from treadle.core.usage import Usage
from treadle.graphs import Graph
from treadle.memory.saver import StrictSerializer
from treadle.runtime._replies import make_reply
from treadle.runtime.approvals import WaitingAgain, for_the_graph, is_approval
from treadle.runtime.journal import (
    CallJournal,
    Difference,
    Entry,
    EntryType,
    Journal,
    JournalError,
    KnownOutcomes,
    Recording,
    first_difference,
    from_data,
    to_data,
)
from treadle.runtime.runs._file import JournalFile
from treadle.runtime.runs._options import RunOptions
from treadle.runtime.runs._record import Run
from treadle.runtime.runs._resumption import Change
from treadle.runtime.runs._torn import Ending, Torn, cut_off, ending, last_end, superseded
from treadle.runtime.runs.before import put_state
from treadle.runtime.runs.invoking import checked_state, config_of, failure_of, reply_to_data
from treadle.runtime.runs.made_of import recorded
from treadle.runtime.runs.standing import CHANGED

GraphWith = Callable[[BaseCheckpointSaver[Any]], Graph]
"""Makes an agent's graph with a checkpointer."""


@dataclass(frozen=True)
class Replay:
    """What came of replaying a run.

    Attributes:
        run_id: the run.
        agent: its agent.
        calls: how many calls of models and tools were answered from the journal.
        difference: the first thing that was not as recorded; ``None`` when all was.
        changes: what its agent is made of otherwise than it was: fields of its definition, prompts,
            the version of Treadle. That alone is no difference of the run.
    """

    run_id: str
    agent: str
    calls: int
    difference: Difference | None = None
    changes: tuple[Difference, ...] = ()


def definition_of(journal: Journal) -> Agent:
    """Return the agent as it was when the run was recorded.

    Raises:
        JournalError: the journal does not hold it.
    """
    started = journal.of_type(EntryType.RUN_STARTED)
    if not started:
        raise JournalError("The journal does not tell how the run began.")
    return Agent.model_validate(started[0].data["definition"])


def recorded_input(journal: Journal) -> Any:
    """Return what the run's graph was given.

    Raises:
        JournalError: the journal does not hold it.
    """
    started = journal.of_type(EntryType.RUN_STARTED)
    if not started:
        raise JournalError("The journal does not tell how the run began.")
    return from_data(started[0].data["input"])


def recorded_options(journal: Journal) -> RunOptions:
    """Return how the run's graph was executed.

    Raises:
        JournalError: the journal tells of it in words that this program does not know.
    """
    told = from_data(recorded(journal).get("options", {}))
    try:
        return RunOptions.from_dict(told)
    except (TypeError, ModelSettingError) as problem:
        raise JournalError(f"The options of the run cannot be read: {problem}.") from problem


async def replay(
    file: JournalFile, agent: Agent, graph_with: GraphWith, redactor: Redactor
) -> Replay:
    """Execute a run again with outcomes from its journal only, and compare all that happens.

    No model, tool or memory is asked. The graph is made with a memory of its own.

    Args:
        file: the journal.
        agent: the agent to replay it with: as recorded, or as it is now.
        graph_with: makes the agent's graph, given a checkpointer.
        redactor: takes secrets out, as it did when the run was recorded.

    Raises:
        JournalError: the journal cannot be replayed.
        ConfigError: the agent cannot be made.
    """
    journal = file.journal
    run = Run.from_dict(journal.run)
    saver = InMemorySaver(serde=StrictSerializer())
    await put_state(saver, run.thread_id, file.before)
    source = Recording(
        journal.calls(),
        journal.blobs,
        is_strict=True,
        may_break_off=ending(journal) is not Ending.WHOLE,
        optional=superseded(journal.entries) | cut_off(journal),
    )
    torn = Torn(journal, source)
    calls = CallJournal(source, None, redactor, _Nobody())
    waiting = WaitingAgain(journal, calls)
    gates = GateChain([torn.in_order, waiting, KnownOutcomes(calls), torn.unanswered])
    failure: TreadleError | None = None
    state: Mapping[str, Any] | None = {}
    graph = graph_with(saver)
    limited = metered(_no_headroom) if _is_metered(journal) else nullcontext()
    options = recorded_options(journal)
    asked = options.model_settings
    opened = boundary(gates, thread_id=run.thread_id, run_id=run.id, model_settings=asked)
    with limited, opened:
        try:
            state = await torn.run(_invoke(graph, saver, file, redactor))
        except Exception as error:
            failure = failure_of(agent.name, error, options)
    difference = source.divergence or torn.difference
    if difference is None and state is None:
        difference = _order(source)  # It broke off as its run did.
    elif difference is None:
        end = _end(
            journal,
            redactor.redact(_found(agent, run, state or {}, failure)),
        )
        # What stopped a replay explains why calls are missing from it.
        difference = (end or _order(source)) if failure is not None else (_order(source) or end)
    count = sum(1 for made, _ in source.made.values() if made.kind.is_told)
    return Replay(run.id, agent.name, count, difference)


def _is_metered(journal: Journal) -> bool:
    """Tell whether a budget limited the run; its graph then asked how much was left."""
    return bool(recorded(journal).get("metered"))


async def _no_headroom() -> None:
    """The journal answers before this is asked."""


async def _invoke(
    graph: Graph, saver: BaseCheckpointSaver[Any], file: JournalFile, redactor: Redactor
) -> Mapping[str, Any]:
    """Invoke the graph with all that the run was given: its input, then answers to interrupts."""
    journal, run = file.journal, Run.from_dict(file.journal.run)
    options = recorded_options(journal)
    invoke = partial(
        graph.ainvoke,
        context=options.context,
        interrupt_before=options.interrupt_before or None,
        interrupt_after=options.interrupt_after or None,
        durability="sync",
    )
    config = config_of(run, options)
    state = await invoke(recorded_input(journal), _begun_at(file, options, config))
    asked: Sequence[Any] = ()
    for entry in journal.entries:
        if entry.type == EntryType.RUN_INTERRUPTED:
            asked = entry.data["interrupts"]
        if entry.type != EntryType.RUN_RESUMED:
            continue
        given = from_data(entry.data.get("answers", {}))
        if changed := entry.data.get(CHANGED):
            await put_state(saver, run.thread_id, _now(changed))
            answer = list(for_the_graph(given).values())
            state = await invoke(_change(entry).command_anew(answer), config)
        elif answers := _answers(given, asked, state, redactor):
            # Else it went on after a crash, or with what the outcomes already hold.
            state = await invoke(_change(entry).command(answers), config)
    return checked_state(state, was_asked=bool(run.question))


def _now(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a recorded state as the latest of its thread: ids of checkpoints tell their order."""
    return {**state, "checkpoint": {**state["checkpoint"], "id": str(uuid6())}}


def _change(entry: Entry) -> Change:
    """Return what was done with the answers beside."""
    return Change(from_data(entry.data.get("update")), from_data(entry.data.get("goto", [])))


def _begun_at(file: JournalFile, options: RunOptions, config: RunnableConfig) -> RunnableConfig:
    """Return the config that the graph was first invoked with."""
    if not options.checkpoint_id or file.before is None:
        return config
    # LangGraph counts a step for going back to a checkpoint, also where that is the latest one.
    id_ = file.before["checkpoint"]["id"]
    return {**config, "configurable": {**config["configurable"], "checkpoint_id": id_}}


def _answers(
    given: Mapping[str, Any], asked: Sequence[Any], state: Any, redactor: Redactor
) -> dict[str, Any]:
    """Return the answers to what the replay waits for, by the ids of its own interrupts.

    The ids follow from the checkpoints', which are new in a replay: questions are told apart by
    what they ask, and by their order where they ask the same. Approvals are no questions: outcomes
    already hold what was made of them.
    """
    interrupts = state.get("__interrupt__", ()) if isinstance(state, Mapping) else ()
    waiting = [(one.id, redactor.redact(to_data(one.value))) for one in interrupts]
    answers = {}
    for question in asked:
        match = next((one for one in waiting if one[1] == question["value"]), None)
        if match is None:
            continue
        waiting.remove(match)
        answer = given.get(question["id"])
        if question["id"] in given and not is_approval(answer):
            answers[match[0]] = answer
    return answers


def _order(source: Recording) -> Difference | None:
    """Return the first call that was asked for otherwise than recorded."""
    for made, known in source.made.values():
        if known is None:
            continue
        for field in ("step", "purpose", "effect"):
            before, now = getattr(known, field), getattr(made, field)
            if before != now:
                return Difference(source.where(known), field, before, now)
    return source.left()


def _found(
    agent: Agent, run: Run, state: Mapping[str, Any], failure: TreadleError | None
) -> dict[str, Any]:
    """Return how the replay ended, as the last entry of a journal says it."""
    if failure is not None:
        return {"error": str(failure)}
    if waiting := state.get("__interrupt__"):
        return {"interrupts": sorted((to_data(one.value) for one in waiting), key=json.dumps)}
    reply = make_reply(state, Usage(), run.id, run.thread_id, citations=agent.citations)
    return {"reply": reply_to_data(reply)}


def _end(journal: Journal, found: Mapping[str, Any]) -> Difference | None:
    """Return the first difference between how the run ended and how its replay did."""
    ended = last_end(journal)
    if ended is None:
        return None  # It was stopped, died, or was recorded while it was under way.
    data = ended.data
    told: dict[str, Any] = {name: data[name] for name in ("error", "reply") if name in data}
    if "interrupts" in data:
        # Branches that wait have no order.
        told = {"interrupts": sorted((i["value"] for i in data["interrupts"]), key=json.dumps)}
    if told.keys() != found.keys():
        return Difference("the run", "end", told, dict(found))
    inner = first_difference(told, dict(found))
    return None if inner is None else Difference("the end of the run", *inner)


class _Nobody:
    """Nobody watches a replay."""

    def began(self, call: Call) -> None: ...
    def piece(self, call: Call, text: str, purpose: Purpose) -> None: ...
    def ended(self, call: Call, outcome: Outcome) -> None: ...
