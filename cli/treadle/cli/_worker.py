"""``treadle worker``."""

import asyncio
import signal
from collections.abc import Sequence

from treadle.cli._console import counted, err, log_runs
from treadle.cli._opening import Opening
from treadle.cli._sharing import tell_of_neighbour
from treadle.runtime import Runtime
from treadle.runtime.queue import Worker


def run_worker(
    opening: Opening, queues: Sequence[str], concurrency: int | None, others: Sequence[str] = ()
) -> None:
    """Execute queued runs until somebody stops it; fire schedules and tell others meanwhile.

    The first SIGTERM or Ctrl-C lets its runs go on to the end of their step and hands them over;
    a second one hands them over as they stand.

    Args:
        opening: how its runtime is opened.
        queues: the named queues it serves.
        concurrency: how many runs of a tenant it works on at once.
        others: the tenants it serves beside that of the runtime.
    """
    log_runs()

    async def within(runtime: Runtime) -> None:
        await tell_of_neighbour(runtime)
        tenants = dict.fromkeys((runtime.settings.tenant, *others))
        workers = [
            runtime.of_tenant(tenant).worker(queues, concurrency=concurrency) for tenant in tenants
        ]
        async with runtime.unattended(tenants.__contains__):
            working = [asyncio.create_task(worker.run()) for worker in workers]
            _stop_at_signals(workers, working)
            of_whom = f" of {', '.join(tenants)}" if others else ""
            said = f"Working on {', '.join(queues)}{of_whom}; "
            err.print(
                f"{said}Ctrl-C hands its runs over and stops it.", markup=False, highlight=False
            )
            await _worked(workers, working)

    opening.run(within)


async def _worked(workers: Sequence[Worker], working: Sequence["asyncio.Task[None]"]) -> None:
    """Return when all have stopped; where one fails the others stop too, so that it is noticed."""
    await asyncio.wait(working, return_when=asyncio.FIRST_EXCEPTION)
    for worker in workers:
        worker.stop()
    for ended in await asyncio.gather(*working, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _stop_at_signals(workers: Sequence[Worker], working: Sequence["asyncio.Task[None]"]) -> None:
    def stop() -> None:
        if all(worker.is_stopping for worker in workers):
            for task in working:
                task.cancel()
            return
        err.print(
            f"Stopping; {counted(sum(one.busy for one in workers), 'run')} at work.",
            highlight=False,
        )
        for worker in workers:
            worker.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
