"""``treadle approvals``."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.padding import Padding
from rich.text import Text

from treadle.cli._console import err, hint, out, print_json, reply_data, rows
from treadle.cli._ending import Ended
from treadle.cli._opening import Opening
from treadle.cli._safe import one_line
from treadle.cli._streams import kept, read_input
from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.approvals import Approval, ApprovalStatus

_STYLES = {
    ApprovalStatus.PENDING: "yellow",
    ApprovalStatus.REJECTED: "red",
    ApprovalStatus.EXPIRED: "red",
    ApprovalStatus.WITHDRAWN: "red",
}
_EXCERPT_CHARS = 200

Answer = Callable[[Runtime], Awaitable[Approval]]
"""Gives an answer to an approval, and returns the approval as it is then."""


def list_approvals(opening: Opening, limit: int, *, as_json: bool, **chosen: str | None) -> None:
    """Print the calls that wait for an answer, the longest waiting first.

    Args:
        opening: the project.
        limit: how many.
        as_json: print data.
        chosen: which; see `Approvals.pending`.
    """
    waiting = opening.run(lambda rt: rt.approvals.pending(limit=limit, **chosen))
    if as_json:
        print_json([_data(one) for one in waiting])
    elif not waiting:
        err.print("Nothing waits for an answer.", style="dim")
    else:
        rows(
            ["approval", "agent", "tool", "left", "arguments"],
            [
                [
                    one.id,
                    one.agent,
                    one.tool,
                    _left(one),
                    one_line(_exact(one.arguments), _EXCERPT_CHARS),
                ]
                for one in waiting
            ],
            prose=["arguments"],
        )
        hint(f"Look closer: treadle approvals show {waiting[0].id}")
        if len(waiting) == limit:
            hint(f"There may be more: --after {waiting[-1].id}")


def show_approval(opening: Opening, id_: str, *, as_json: bool) -> None:
    """Print an approval, its arguments in full."""
    approval = opening.run(lambda rt: rt.approvals.get(id_))
    if as_json:
        print_json(_data(approval))
    else:
        _print(approval)


def approving(id_: str, *, by: str) -> Answer:
    """Return the answer that lets a call be made."""
    return lambda rt: rt.approvals.approve(id_, by=by)


def editing(id_: str, arguments: str, *, by: str) -> Answer:
    """Return the answer that lets a call be made with other arguments.

    Raises:
        InputError: they are not a JSON object.
    """
    text = read_input() if arguments == "-" else arguments
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise InputError(
            f"The arguments are not JSON: {problem}.",
            hint="""Give all of them, such as '{"to": "ada@example.org"}'.""",
        ) from None
    if not isinstance(read, dict):
        raise InputError("The arguments are not a JSON object with their names.")
    return lambda rt: rt.approvals.edit(id_, read, by=by)


def rejecting(id_: str, reason: str, *, by: str) -> Answer:
    """Return the answer that refuses a call."""
    return lambda rt: rt.approvals.reject(id_, reason, by=by)


def answer(opening: Opening, give: Answer, *, resume: bool, as_json: bool) -> None:
    """Give an answer, go on with the run unless told not to, and print what came of it."""

    async def work(runtime: Runtime) -> tuple[Approval, Ended | None, Sequence[Approval]]:
        approval = await give(runtime)
        reply = await runtime.resume(approval.run_id) if resume else None
        ended = await Ended.of(runtime, reply) if reply is not None else None
        waiting = await runtime.approvals.pending(approval.thread_id)
        return await runtime.approvals.get(approval.id), ended, waiting

    approval, ended, waiting = opening.run(work)
    others = [one for one in waiting if one.run_id == approval.run_id]
    if as_json:
        data = {"approval": _data(approval), "waits_for": [_data(one) for one in others]}
        with kept(approval.run_id):
            print_json({**data, "reply": reply_data(ended.reply) if ended is not None else None})
    elif ended is None:
        _print(approval)
        hint(f"\nGo on with it: treadle runs resume {approval.run_id}")
        for one in others:
            hint(f"The run waits for more: treadle approvals show {one.id}")
    else:
        ended.show()
    if ended is not None:
        ended.leave()


def _print(approval: Approval) -> None:
    status = Text(approval.status.value, style=_STYLES.get(approval.status, "green"))
    if approval.status is ApprovalStatus.PENDING:
        status.append(f", {_left(approval)} left", style="default")
    _field("approval", Text(approval.id, style="bold"))
    _field("status", status)
    _field("agent", Text(approval.agent))
    _field("thread", Text(_shown(approval.thread_id)))
    _field("run", Text(approval.run_id))
    _field("rule", Text(_shown(approval.rule)))
    _field("asked", _when(approval.asked))
    _field("expires", _when(approval.expires))
    if approval.answered is not None:
        _field("answered", _when(approval.answered).append(f" by {_shown(approval.by)}"))
    if approval.reason:
        _field("reason", Text(_shown(approval.reason)))
    if approval.used is not None:
        _field("used", _when(approval.used))
    _field("tool", Text.assemble((approval.tool, "bold"), f"  (effect: {approval.effect})"))
    _print_arguments("arguments", approval.arguments)
    if approval.edited is not None:
        _print_arguments("changed to", approval.edited)


def _field(name: str, value: Text) -> None:
    first, *others = value.wrap(out, max(20, out.width - 10))
    out.print(Text(f"{name:10}", style="dim") + first)
    for line in others:
        out.print(Padding(line, (0, 0, 0, 10), expand=False))


def _print_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Print arguments whole, so that what is approved is what was seen."""
    out.print()
    out.print(Text(name, style="dim"))
    text = Text(_exact(arguments, indent=2))
    if out.is_terminal:
        out.print(Padding(text, (0, 0, 0, 2)))
    else:
        out.print(text, soft_wrap=True)


def _exact(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON in which no character hides or moves another."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if character <= "\x7f" else json.dumps(character)[1:-1]


def _shown(text: str) -> str:
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _when(moment: datetime) -> Text:
    return Text(f"{moment.astimezone():%Y-%m-%d %H:%M:%S}")


def _left(approval: Approval) -> str:
    """Return how long an answer may still take, roughly."""
    seconds = max(0, int((approval.expires - datetime.now(UTC)).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _data(approval: Approval) -> dict[str, Any]:
    data = asdict(approval)
    del data["edited_digest"]
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in data.items()
    }
