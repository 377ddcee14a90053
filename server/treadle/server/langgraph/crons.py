"""``/runs/crons``: runs that begin by themselves, as a cron line says."""

from fastapi import APIRouter, Response

from treadle.server.langgraph._answers import (
    Id,
    Route,
    answered,
    chosen,
    no_content,
    sorted_page,
)
from treadle.server.langgraph._cron_bodies import (
    CronCreate,
    CronFilter,
    CronSearch,
    CronUpdate,
    StatelessCronCreate,
)
from treadle.server.langgraph._crons import ProtocolCrons, described
from treadle.server.langgraph._tenant import Rt

router = APIRouter(tags=["crons"], route_class=Route)


@router.post("/threads/{thread_id}/runs/crons")
async def create_for_thread(rt: Rt, thread_id: Id, body: CronCreate) -> Response:
    """Begin runs on a thread at planned times."""
    return answered(await ProtocolCrons(rt).create(body, thread_id))


@router.post("/runs/crons")
async def create(rt: Rt, body: StatelessCronCreate) -> Response:
    """Begin runs at planned times, each on a thread of its own."""
    return answered(await ProtocolCrons(rt).create(body, None))


@router.post("/runs/crons/search")
async def search(rt: Rt, body: CronSearch) -> Response:
    """Find crons."""
    found = await ProtocolCrons(rt).matching(body)
    page = sorted_page(found, body.sort_by, body.sort_order, limit=body.limit, offset=body.offset)
    return answered([chosen(cron, body.select) for cron in page])


@router.post("/runs/crons/count")
async def count(rt: Rt, body: CronFilter) -> int:
    """Count crons."""
    return len(await ProtocolCrons(rt).matching(body))


@router.get("/runs/crons/{cron_id}")
async def get(rt: Rt, cron_id: Id) -> Response:
    """Return a cron."""
    return answered(described(await ProtocolCrons(rt).get(cron_id)))


@router.patch("/runs/crons/{cron_id}")
async def update(rt: Rt, cron_id: Id, body: CronUpdate) -> Response:
    """Change a cron."""
    return answered(await ProtocolCrons(rt).update(cron_id, body))


@router.delete("/runs/crons/{cron_id}", status_code=204)
async def delete(rt: Rt, cron_id: Id) -> Response:
    """Remove a cron."""
    await ProtocolCrons(rt).delete(cron_id)
    return no_content()
