"""``treadle ask``."""

import asyncio
import sys

from treadle.cli._console import RunView, err, out, print_json, print_reply, reply_data, usage_line
from treadle.cli._opening import Opening
from treadle.core.errors import InputError, RunError
from treadle.core.events import Reply, RunFailed, RunFinished, RunStarted
from treadle.runtime import Runtime


def run_ask(
    opening: Opening,
    question: str,
    agent: str,
    thread: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Ask one question and print the reply."""
    text = _read_question(question)
    reply = opening.run(lambda runtime: ask(runtime, agent, text, thread, quiet=quiet))
    if as_json:
        print_json(reply_data(reply))
        return
    if not quiet:
        err.print()
    print_reply(reply, out)
    if not quiet:
        err.print(f"\n{usage_line(reply.usage)} · thread {reply.thread_id}", style="dim")


async def ask(runtime: Runtime, agent: str, text: str, thread: str | None, *, quiet: bool) -> Reply:
    """Ask and show the run's events on standard error.

    Raises:
        RunError: the run failed.
    """
    view = RunView(err)
    thread_id = thread
    try:
        async for event in runtime.stream(agent, text, thread=thread):
            if not quiet:
                view.show(event)
            match event:
                case RunStarted():
                    thread_id = event.thread_id
                case RunFinished():
                    return event.reply
                case RunFailed():
                    raise RunError(event.error)
    except asyncio.CancelledError:
        if thread_id:
            err.print(f"\nThe question is kept: go on with --thread {thread_id}", style="dim")
        raise
    raise RunError("The run ended without a reply.")


def _read_question(question: str) -> str:
    if question != "-":
        return question
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise InputError("Standard input is not UTF-8 text.") from None
