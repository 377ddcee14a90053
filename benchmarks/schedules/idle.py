"""What schedules cost while nothing is due: a scheduler beside 0, 1,000 and 10,000 of them.

``python -m benchmarks.schedules.idle [SECONDS]``: for each number a Redis of its own, and one
scheduler that runs for that long (60 seconds without) in this process. Columns: commands that
reached Redis in that time, those of ours left out; CPU of the scheduler and of Redis in that time,
in milliseconds; what Redis holds for each schedule, in bytes; and how much this process grew.
"""

import asyncio
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.redis_servers import packaged_binary, running_server
from treadle.core.scheduling import ScheduleSettings
from treadle.memory import connect
from treadle.runtime.schedules import Ended, Fire, Launched, Schedule, Scheduler, ScheduleStore

NUMBERS = (0, 1_000, 10_000)
SECONDS = 60.0


@dataclass
class Row:
    """What one number of schedules cost."""

    schedules: int
    commands: int
    scheduler_ms: float
    redis_ms: float
    bytes_each: float
    process_kb: int


class Nothing:
    """Executes no runs: nothing is due here."""

    async def launch(self, schedule: Schedule, fire: Fire) -> Launched:
        raise AssertionError(f"{fire.id} was not to fire")

    async def cancel(self, run_id: str) -> None: ...

    async def wait(self, run_id: str) -> Ended:
        raise AssertionError(run_id)


async def fill(store: ScheduleStore, count: int) -> None:
    now = await store.now()
    for number in range(count):
        told = ScheduleSettings(
            agent="digest", input="News of looms", cron="0 8 1 1 *", tz="Europe/Paris"
        )
        following = told.timing(now).after(now + timedelta(days=2))
        await store.put(Schedule(f"schedule-{number}", told, "a file", now, next=following))


async def measured(url: str, count: int, seconds: float) -> Row:
    async with connect(url) as client:
        store = ScheduleStore(client, "treadle:main:", timedelta(days=30))
        empty = await _used(client)
        await fill(store, count)
        held = await _used(client) - empty
        scheduler = Scheduler(store, Nothing())
        running = asyncio.create_task(scheduler.run())
        await asyncio.sleep(1)  # What the first look costs is no part of being idle.
        before, cpu, size = await client.info("all"), time.process_time(), _rss_kb()
        await asyncio.sleep(seconds)
        cpu, grown = time.process_time() - cpu, _rss_kb() - size
        after = await client.info("all")
        scheduler.stop()
        await running
    redis_s = sum(after[key] - before[key] for key in ("used_cpu_user", "used_cpu_sys"))
    commands = after["total_commands_processed"] - before["total_commands_processed"] - 1
    each = held / count if count else 0
    return Row(count, commands, cpu * 1000, redis_s * 1000, each, grown)


async def _used(client: Any) -> int:
    return int((await client.info("memory"))["used_memory"])


def _rss_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(seconds: float) -> None:
    print(f"{seconds:g} seconds in which nothing is due")
    print("schedules  commands  scheduler ms  redis ms  bytes each  process kB")
    for count in NUMBERS:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
            server = stack.enter_context(running_server(packaged_binary(), folder))
            row = asyncio.run(measured(server.url, count, seconds))
        print(
            f"{row.schedules:9,}  {row.commands:8}  {row.scheduler_ms:12.1f}  {row.redis_ms:8.1f}"
            f"  {row.bytes_each:10.0f}  {row.process_kb:10}"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
