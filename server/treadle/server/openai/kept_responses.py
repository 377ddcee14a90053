"""``/v1/responses/{response_id}``: reading, following, stopping and removing a response."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from treadle.core.errors import InputError
from treadle.server._problems import refused
from treadle.server._sse import EventStream
from treadle.server.langgraph import Rt
from treadle.server.openai._input_items import After, Include, Limit, Order, input_items, page_of
from treadle.server.openai._kept import followed, kept, remove, response_of, stop
from treadle.server.openai._making import PREFIX

ResponseId = Annotated[str, Path(min_length=1, max_length=200)]
router = APIRouter(prefix="/v1", tags=["openai"])


@router.get("/responses/{response_id}")
async def read(  # noqa: PLR0917 - the words of the protocol
    rt: Rt,
    response_id: ResponseId,
    stream: bool = False,
    starting_after: Annotated[int | None, Query(ge=0, le=1_000_000_000)] = None,
    include: Include = None,
    include_obfuscation: bool = False,
) -> Response:
    """Return a response, or stream its events from a sequence number on.

    While it is made, one that is made in the background can be followed.

    Raises:
        InputError: it is not, and is still being made.
    """
    del include, include_obfuscation  # Nothing is added here, whatever is wanted.
    one = await kept(rt, response_id)
    if starting_after is not None and not stream:
        raise refused("starting_after", "it needs 'stream'", place="query")
    if not stream:
        return JSONResponse(await response_of(rt, one))
    whole = one.events is not None or one.head.is_background
    if not whole and (await response_of(rt, one))["status"] == "in_progress":
        raise InputError(
            f"The response {response_id!r} cannot be followed: it is not made in the background.",
            hint="Ask for it with 'background', or wait for its end.",
        )
    return EventStream(followed(rt, one, -1 if starting_after is None else starting_after))


@router.delete("/responses/{response_id}")
async def delete(rt: Rt, response_id: ResponseId) -> dict[str, Any]:
    """Remove a response; what was said stays on a conversation that was named or went on."""
    one = await kept(rt, response_id)
    await remove(rt, one)
    return {"id": one.head.id, "object": "response", "deleted": True}


@router.post("/responses/{response_id}/cancel")
async def cancel(rt: Rt, response_id: ResponseId) -> Response:
    """Stop a response that is made in the background."""
    return JSONResponse(await response_of(rt, await stop(rt, await kept(rt, response_id))))


@router.get("/responses/{response_id}/input_items")
async def list_input(  # noqa: PLR0917 - the words of the protocol
    rt: Rt,
    response_id: ResponseId,
    after: After = None,
    limit: Limit = 20,
    order: Order = "desc",
    include: Include = None,
) -> Response:
    """List what the request for a response brought; what was said before is its conversation's."""
    del include
    one = await kept(rt, response_id)
    items = input_items(one.head.asked, one.head.id.removeprefix(PREFIX))
    return JSONResponse(page_of(items, after=after, limit=limit, order=order))
