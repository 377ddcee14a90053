"""``treadle chat``."""

import uuid

from treadle.cli._ask import Asking, ask
from treadle.cli._console import err, out, print_reply
from treadle.cli._opening import Opening
from treadle.cli._run_view import print_waiting
from treadle.core.errors import TreadleError
from treadle.runtime import SyncRuntime

_WELCOME = "Talking with {agent}. An empty line or Ctrl-D ends it; Ctrl-C stops an answer."


def run_chat(opening: Opening, agent: str, thread: str | None, user: str | None) -> None:
    """Ask question after question on one thread."""
    thread_id = thread or uuid.uuid4().hex
    settings = opening.settings()
    with SyncRuntime.open(opening.redis, opening.project, settings=settings) as runtime:
        runtime.runtime.graph(agent)  # A wrong name or setting is said before the first question.
        err.print(_WELCOME.format(agent=agent), style="dim")
        while question := _read():
            _take_turn(runtime, Asking(question, agent, thread_id, user))
    err.print(f"Go on with: treadle chat --agent {agent} --thread {thread_id}", style="dim")


def _take_turn(runtime: SyncRuntime, asking: Asking) -> None:
    try:
        reply = runtime.call(lambda: ask(runtime.runtime, asking, quiet=False))
        waiting = runtime.call(lambda: runtime.runtime.runs.interrupts(reply.run_id))
    except KeyboardInterrupt:
        err.print("Stopped. What was said is kept.", style="dim")
    except TreadleError as error:
        err.print(f"error: {error}", style="red", markup=False)
    else:
        err.print()
        if waiting:
            print_waiting(reply.run_id, waiting)
        else:
            print_reply(reply, out)
        err.print()


def _read() -> str:
    """Return the next line, or nothing at the end."""
    try:
        return out.input("[bold cyan]>[/] ").strip()
    except EOFError:
        return ""
