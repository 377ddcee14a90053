"""``treadle worker``."""

import asyncio
import logging
import signal
from collections.abc import Sequence

from treadle.cli._console import err
from treadle.cli._opening import Opening
from treadle.runtime import Runtime
from treadle.runtime.queue import Worker


def run_worker(opening: Opening, queues: Sequence[str], concurrency: int | None) -> None:
    """Execute queued runs until somebody stops it; fire schedules and tell others meanwhile.

    The first SIGTERM or Ctrl-C lets its runs go on to the end of their step and hands them over;
    a second one hands them over as they stand.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def within(runtime: Runtime) -> None:
        worker = runtime.worker(queues, concurrency=concurrency)
        async with runtime.unattended():
            working = asyncio.create_task(worker.run())
            _stop_at_signals(worker, working)
            said = f"Working on {', '.join(queues)}; Ctrl-C hands its runs over and stops it."
            err.print(said, markup=False, highlight=False)
            await asyncio.gather(working, return_exceptions=True)

    opening.run(within)


def _stop_at_signals(worker: Worker, working: "asyncio.Task[None]") -> None:
    def stop() -> None:
        if worker.is_stopping:
            working.cancel()
        else:
            err.print(f"Stopping; {worker.busy} runs at work.", highlight=False)
            worker.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
