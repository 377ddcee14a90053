"""What executing a run and replaying it have in common."""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError

from treadle.core.errors import ConfigError, RunError, TreadleError
from treadle.core.events import Reply
from treadle.core.functions import raised
from treadle.runtime.journal import to_data
from treadle.runtime.runs._options import RunOptions
from treadle.runtime.runs._record import Run
from treadle.runtime.runs._resumption import Change

MAX_STEPS = 1_000
"""LangGraph's recursion limit: a last wall behind the bounds of the graphs themselves."""


def config_of(run: Run, options: RunOptions | None = None) -> RunnableConfig:
    """Return the LangGraph config that a run's graph is invoked with."""
    options = options or RunOptions()
    configurable = {**options.configurable, "thread_id": run.thread_id}
    if run.user:
        configurable["user_id"] = run.user
    if options.checkpoint_id and run.attempt == 0:  # Later attempts go on from the run's own.
        configurable["checkpoint_id"] = options.checkpoint_id
    return {
        "configurable": configurable,
        "metadata": {**options.metadata, "run_id": run.id},
        "tags": list(options.tags),
        "recursion_limit": options.recursion_limit or MAX_STEPS,
    }


def begun_with(given: Any, options: RunOptions) -> Any:
    """Return what a run's graph is given first: the input, or the command it was asked for."""
    change = Change.of(options)
    return change.command() if change else given


def checked_state(state: Any, *, was_asked: bool = True) -> Mapping[str, Any]:
    """Return a graph's final state as it is; a graph that was asked nothing may hold anything.

    Raises:
        ConfigError: it holds no messages, and so no answer.
    """
    if not was_asked:
        return state if isinstance(state, Mapping) else {}
    if not isinstance(state, Mapping) or "messages" not in state:
        raise ConfigError("the graph's state has no 'messages'; an agent's graph needs them.")
    return state


def reply_to_data(reply: Reply) -> dict[str, Any]:
    """Return what a reply says, as JSON; what it cost stands in the run."""
    return {
        "text": reply.text,
        "thought": reply.thought,
        "stopped": reply.stopped,
        "data": to_data(reply.data),
        "citations": [citation.to_dict() for citation in reply.citations],
        "unverified": [one.to_dict() for one in reply.unverified],
    }


def failure_of(agent: str, error: Exception, options: RunOptions | None = None) -> TreadleError:
    """Return what a person is told of an error that ended a run of the agent.

    Args:
        agent: its name.
        error: what ended the run.
        options: how its graph was executed.
    """
    if isinstance(error, TreadleError):
        return error
    if isinstance(error, GraphRecursionError):
        asked = options.recursion_limit if options else None
        more = f", or raise the run's recursion_limit, {asked:,}" if asked else ""
        return RunError(
            f"The graph of the agent {agent!r} took {asked or MAX_STEPS:,} steps without an end.",
            hint=f"Look for a loop without an exit: 'treadle graph' draws it{more}.",
        )
    cause = raised(error)
    reason = " ".join(str(cause).split()) or "no reason given"
    return RunError(f"The agent {agent!r} failed: {type(cause).__name__}: {reason}")
