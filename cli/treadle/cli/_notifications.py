"""``treadle notifications``."""

import json
from dataclasses import asdict
from typing import Any

from treadle.cli._console import err, out, print_json, rows
from treadle.cli._opening import Opening
from treadle.cli._safe import one_line
from treadle.runtime import Runtime
from treadle.runtime.notifications import Message

_WHY_CHARS = 100
_MOST = 1_000


def list_messages(opening: Opening, limit: int, *, dead: bool, as_json: bool) -> None:
    """Print messages that were not taken yet."""

    async def read(runtime: Runtime) -> list[Message]:
        found = [] if dead else list(await runtime.notifications.open(limit))
        return found + list(await runtime.notifications.dead(limit))

    found = opening.run(read)[:limit]
    if as_json:
        print_json([_data(message) for message in found])
        return
    if not found:
        err.print("Nothing waits to be sent.", style="dim")
        return
    rows(
        ["message", "to", "of run", "which is", "state", "tries", "why"],
        [
            [
                one.id,
                one.target,
                one.run_id,
                one.status,
                one.state,
                str(one.tries),
                one_line(one.why, _WHY_CHARS),
            ]
            for one in found
        ],
        prose=["why"],
    )


def _data(message: Message) -> dict[str, Any]:
    """Return a message as plain data."""
    made = message.made.isoformat() if message.made is not None else None
    return {**asdict(message), "made": made, "body": json.loads(message.body)}


def replay_messages(opening: Opening, id_: str | None, *, as_json: bool) -> None:
    """Send messages again that were given up."""

    async def replay(runtime: Runtime) -> list[str]:
        dead = await runtime.notifications.dead(_MOST)
        ids = [id_] if id_ is not None else [message.id for message in dead]
        for one in ids:
            await runtime.notifications.replay(one)
        return ids

    ids = opening.run(replay)
    if as_json:
        print_json({"replayed": ids})
    else:
        said = "message is" if len(ids) == 1 else "messages are"
        out.print(f"{len(ids)} {said} sent again.", highlight=False)


def send_test(opening: Opening, name: str, *, as_json: bool) -> None:
    """Tell somebody of a run that never was."""
    message = opening.run(lambda rt: rt.notifications.test(name))
    if as_json:
        print_json({"sent": message.id, "to": name})
    else:
        out.print(f"{name} took it: {message.id}", highlight=False)
