"""Responses that nobody waits for: a worker makes them."""

import time
import uuid
from typing import Any

from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.runs import RunOptions, RunRequest
from treadle.server._turn import Turn, asked, waiting
from treadle.server.openai._kept import Kept, keep_beginning, kept
from treadle.server.openai._making import Head
from treadle.server.openai._response_fields import ResponseRequest

_CHANGED = ("prompt", "client_tools", "output", "budget")
"""What a request can change about an agent."""


async def put_into_background(rt: Runtime, turn: Turn, body: ResponseRequest) -> Kept:
    """Put a turn into the queue, and return the response that will come of it.

    Raises:
        InputError: it is not to be stored, or goes on with a run that waits.
    """
    if body.store is False:
        raise InputError("A response in the background must be stored: leave 'store' out.")
    if await waiting(rt, turn) is not None:
        raise InputError(
            "What a run waits for cannot be answered in the background.",
            hint="Leave 'background' out: the run goes on at once.",
        )
    messages, thread_id = await asked(rt, turn)
    request = RunRequest(
        turn.agent.name,
        {"messages": list(messages)},
        thread_id=thread_id,
        user=turn.user,
        key=f"openai-response:{uuid.uuid4().hex}",
        options=RunOptions(model_settings=turn.settings.values),
        changes=_changes(rt, turn),
    )
    run_id = request.run_id(rt.settings.prefix)
    head = Head(run_id, thread_id, 1, int(time.time()), body.as_asked())
    # Before it is queued: whoever reads the response finds it as soon as there is a run.
    await keep_beginning(rt, head, is_threads_own=turn.thread_id is None)
    await rt.queue.submit(request)
    return await kept(rt, head.id)


def _changes(rt: Runtime, turn: Turn) -> dict[str, Any]:
    usual = rt.agent(turn.agent.name).model_dump(mode="json")
    wanted = turn.agent.model_dump(mode="json")
    return {name: wanted[name] for name in _CHANGED if wanted[name] != usual[name]}
