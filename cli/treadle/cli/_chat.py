"""``treadle chat``."""

import getpass
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from shlex import quote
from typing import Any

from treadle.cli._ask import told
from treadle.cli._console import err, hint, out
from treadle.cli._ending import Ended
from treadle.cli._opening import Opening
from treadle.cli._run_view import print_question
from treadle.cli._streams import read_line
from treadle.core.errors import InputError, TreadleError
from treadle.runtime import Event, Runtime, SyncRuntime
from treadle.runtime.approvals import is_approval
from treadle.runtime.questions import answered

_WELCOME = "Talking with {agent}. An empty line or Ctrl-D ends it; Ctrl-C stops an answer."


def run_chat(opening: Opening, agent: str, thread: str | None, user: str | None) -> None:
    """Ask question after question on one thread, and answer what its runs ask."""
    thread_id = thread or uuid.uuid4().hex
    settings = opening.settings()
    with SyncRuntime.open(opening.redis, opening.project, settings=settings) as runtime:
        runtime.runtime.graph(agent)  # A wrong name or setting is said before the first question.
        err.print(_WELCOME.format(agent=agent), style="dim")
        talk = _Talk(runtime.runtime, agent, thread_id, user)
        try:
            while True:
                runtime.call(talk.look)
                if not (line := _read()):
                    break
                _take_turn(runtime, talk, line)
        finally:  # however it ends, it can be gone on with
            talk.tell_how_to_go_on()


class _Talk:
    """A conversation.

    Attributes:
        run_id: the run that waits for the next line.
        waiting: what it waits for; nothing where the next line is a question.
    """

    def __init__(self, runtime: Runtime, agent: str, thread_id: str, user: str | None) -> None:
        self._runtime = runtime
        self._agent = agent
        self._thread_id = thread_id
        self._user = user
        self.run_id = ""
        self.waiting: Sequence[Mapping[str, Any]] = ()

    def tell_how_to_go_on(self) -> None:
        """Say where the conversation is found again, and what waits."""
        if self.waiting:
            hint(f"The run waits on: treadle inbox show {self.run_id[:12]}", "yellow")
        go_on = f"treadle chat --agent {quote(self._agent)} --thread {quote(self._thread_id)}"
        hint(f"Go on with: {go_on}")

    async def look(self) -> None:
        """Show what the next line is to answer, where a run of the thread waits."""
        run = await self._runtime.runs.waiting_on(self._thread_id)
        self.run_id = run.id if run is not None else ""
        self.waiting = await self._runtime.runs.interrupts(run.id) if run is not None else ()
        if self.waiting:
            value = self.waiting[0]["value"]
            print_question(value)
            if is_approval(value):
                out.print("  approve, or reject and why", style="cyan")

    async def take(self, line: str) -> Ended:
        """Answer what is waited for, or ask.

        Raises:
            InputError: a call waits for leave, and the line neither gives nor refuses it.
            TreadleError: the run failed.
        """
        return await Ended.of(self._runtime, await told(await self._events(line), is_alone=False))

    async def _events(self, line: str) -> AsyncGenerator[Event]:
        if not self.waiting:
            return self._runtime.stream(self._agent, line, thread=self._thread_id, user=self._user)
        first = self.waiting[0]
        answers = None
        if is_approval(first["value"]):
            await self._decide(str(first["value"]["approval"]), line)
        else:
            answers = answered([first], line)
        return self._runtime.stream_resumed(self.run_id, answers)

    async def _decide(self, approval: str, line: str) -> None:
        word, _, reason = line.partition(" ")
        by = getpass.getuser()
        match word.rstrip(":,").lower():
            case "approve" if not reason:
                await self._runtime.approvals.approve(approval, by=by)
            case "reject":
                await self._runtime.approvals.reject(approval, reason.strip(), by=by)
            case _:
                raise InputError(
                    "A call waits for leave.",
                    hint="Say 'approve', or 'reject' and why; "
                    f"'treadle approvals edit {approval}' changes its arguments.",
                )


def _take_turn(runtime: SyncRuntime, talk: _Talk, line: str) -> None:
    try:
        ended = runtime.call(lambda: talk.take(line))
    except KeyboardInterrupt:
        err.print("\nStopped. What was said is kept.", style="dim")
    except TreadleError as error:
        err.print(f"error: {error}", style="red", markup=False)
    else:
        err.print()
        if not ended.waiting:
            ended.show()
            out.print()


def _read() -> str:
    """Return the next line, or nothing at the end."""
    try:
        out.print("[bold cyan]>[/] ", end="")
        return read_line().strip()
    except EOFError:
        return ""
