"""``treadle ask``."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from treadle.cli._console import RunView, err, print_json, usage_line
from treadle.cli._ending import Ended
from treadle.cli._opening import Opening
from treadle.cli._plan import Found, print_plan
from treadle.cli._sharing import tell_of_neighbour
from treadle.cli._streams import read_input
from treadle.core.errors import RunError
from treadle.core.events import Event, Reply, RunFailed, RunFinished, RunStarted
from treadle.runtime import Runtime


@dataclass(frozen=True)
class Asking:
    """A question as the command line was given it: whom it is for, and where it belongs.

    Attributes:
        question: what is asked; ``-`` reads it from standard input.
        agent: the agent's name.
        thread: the conversation to go on with, when one was named.
        user: whose long-term memory is used, when somebody was named.
    """

    question: str
    agent: str
    thread: str | None
    user: str | None


def run_ask(opening: Opening, asking: Asking, *, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Ask one question and print the reply, or what the run waits for; see `Ended` for the code."""
    asking = replace(asking, question=_read_question(asking.question))

    async def both(runtime: Runtime) -> Ended:
        await tell_of_neighbour(runtime)
        asked = runtime.stream(
            asking.agent, asking.question, thread=asking.thread, user=asking.user
        )
        return await Ended.of(runtime, await told(asked, quiet=quiet, verbose=verbose))

    try:
        ended = opening.run(both)
    except FailedRunError as error:
        if as_json:
            print_json({"run_id": error.run_id, "thread_id": error.thread_id, "error": str(error)})
        raise
    is_shown = not (quiet or as_json)
    if is_shown:
        err.print()
    ended.show(as_json=as_json)
    if is_shown:
        reply = ended.reply
        ids = f"thread {reply.thread_id}"  # on a line of its own it is whole
        err.print(f"\n{usage_line(reply.usage)}\n{ids}", style="dim", soft_wrap=True)
    ended.leave()


def run_dry(opening: Opening, asking: Asking, *, as_json: bool) -> None:
    """Print what an agent would do, without doing it."""
    asked = (asking.agent, _read_question(asking.question))

    async def plan(runtime: Runtime) -> Found:
        made = await runtime.dry_run(*asked, thread=asking.thread, user=asking.user)
        return await Found.of(runtime, made)

    print_plan(opening.run(plan), as_json=as_json)


class FailedRunError(RunError):
    """A run failed after it began.

    Attributes:
        run_id: its id.
        thread_id: the conversation.
    """

    def __init__(self, failed: RunFailed, thread_id: str) -> None:
        super().__init__(failed.error)
        self.run_id = failed.run_id
        self.thread_id = thread_id


async def told(
    events: AsyncGenerator[Event],
    *,
    quiet: bool = False,
    verbose: bool = False,
    is_alone: bool = True,
) -> Reply:
    """Show a run's events on standard error, and return its reply.

    Args:
        events: the events.
        quiet: show none.
        verbose: show each failed try of a model as well.
        is_alone: whether the question stands alone, so that how to go on with it is said where
            the run is stopped.

    Raises:
        FailedRunError: the run failed.
    """
    view, thread_id = RunView(err, is_verbose=verbose), ""
    try:
        async with aclosing(events):
            async for event in events:
                if not quiet:
                    view.show(event)
                match event:
                    case RunStarted():
                        thread_id = event.thread_id
                    case RunFinished():
                        return event.reply
                    case RunFailed():
                        raise FailedRunError(event, thread_id)
    except asyncio.CancelledError:
        if thread_id and is_alone:
            err.print(f"\nThe question is kept: go on with --thread {thread_id}", style="dim")
        raise
    raise RunError("The run ended without a reply.")


def _read_question(question: str) -> str:
    return read_input() if question == "-" else question
