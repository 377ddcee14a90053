"""Listing tasks, page by page."""

from a2a.types.a2a_pb2 import ListTasksRequest, ListTasksResponse, TaskState
from a2a.utils.constants import DEFAULT_LIST_TASKS_PAGE_SIZE, MAX_LIST_TASKS_PAGE_SIZE
from a2a.utils.errors import InvalidParamsError

from treadle.runtime.runs import Run
from treadle.server.a2a._messages import STATES
from treadle.server.a2a._tasks import Tasks


async def list_tasks(tasks: Tasks, params: ListTasksRequest) -> ListTasksResponse:
    """Return a page of an agent's tasks, the newest first.

    A page's token is the last task on it, so that tasks that begin meanwhile move nothing.

    Raises:
        A2AError: a page that cannot be.
    """
    size = params.page_size if params.HasField("page_size") else DEFAULT_LIST_TASKS_PAGE_SIZE
    if not 1 <= size <= MAX_LIST_TASKS_PAGE_SIZE:
        raise InvalidParamsError(f"pageSize is {size}; it is 1 to {MAX_LIST_TASKS_PAGE_SIZE}.")
    if params.history_length < 0:
        raise InvalidParamsError(f"historyLength is {params.history_length}; it is 0 or more.")
    found = [run async for run in tasks.newest(params.context_id) if _fits(run, params)]
    begin = 0
    if params.page_token:
        places = [at for at, run in enumerate(found) if run.id == params.page_token]
        if not places:
            raise InvalidParamsError(f"There is no page {params.page_token!r}; begin anew.")
        begin = places[0] + 1
    page = found[begin : begin + size]
    history = params.history_length if params.HasField("history_length") else None
    return ListTasksResponse(
        tasks=[
            await tasks.described(run, history, with_answer=params.include_artifacts)
            for run in page
        ],
        next_page_token=page[-1].id if begin + size < len(found) else "",
        page_size=size,
        total_size=len(found),
    )


def _fits(run: Run, params: ListTasksRequest) -> bool:
    if params.status not in (TaskState.TASK_STATE_UNSPECIFIED, STATES[run.status]):
        return False
    if not params.HasField("status_timestamp_after"):
        return True
    after: int = params.status_timestamp_after.ToMicroseconds()
    return (run.ended or run.created).timestamp() * 1_000_000 >= after
