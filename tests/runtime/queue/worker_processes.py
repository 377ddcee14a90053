"""Workers in processes of their own, as ``treadle worker`` runs them."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from treadle.cli._opening import Opening
from treadle.cli._worker import run_worker
from treadle.runtime.schedules import QueueLauncher, ScheduleStore, _store

_context = multiprocessing.get_context("forkserver")
# The imports are made once; each worker is a fork of a process that has them.
_context.set_forkserver_preload(["treadle.cli._worker", "treadle.agents._build", "openai"])


@dataclass(frozen=True)
class Dying:
    """How the first scheduler that handles a fire dies, as ``kill -9`` does it.

    Attributes:
        at: ``launch`` (it has claimed the fire) or ``launched`` (the queue has its run).
    """

    at: str

    def prepare(self) -> None:
        """Have this process die so."""
        owner = QueueLauncher if self.at == "launch" else ScheduleStore

        async def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, self.at, die)


def _work(
    project: Path, redis_url: str, variables: dict[str, str], lease: timedelta, dying: Dying | None
) -> None:
    os.environ |= variables
    _store.LEASE = lease
    if dying is not None:
        dying.prepare()
    run_worker(Opening(project, redis_url), ["default"], None)


class Workers:
    """A few workers on one project.

    Args:
        project: the project's folder.
        redis_url: where their Redis is.
        lease: how long what a scheduler took up is left to it.
    """

    def __init__(self, project: Path, redis_url: str, lease: timedelta = _store.LEASE) -> None:
        self._arguments = (project, redis_url, {"TEST_KEY": os.environ["TEST_KEY"]}, lease)
        self.alive: list[multiprocessing.process.BaseProcess] = []

    def start(self, dying: Dying | None = None) -> "multiprocessing.process.BaseProcess":
        """Start one more."""
        process = _context.Process(target=_work, args=(*self._arguments, dying))
        process.start()
        self.alive.append(process)
        return process

    def kill(self, index: int = 0) -> None:
        """Kill one with SIGKILL, and wait until it is gone."""
        process = self.alive.pop(index)
        process.kill()
        process.join()

    def stop(self, index: int = 0) -> int | None:
        """Stop one with SIGTERM; return its exit code."""
        process = self.alive.pop(index)
        process.terminate()
        process.join(30)
        return process.exitcode

    def signal(self, number: signal.Signals, index: int = 0) -> None:
        """Send one a signal."""
        pid = self.alive[index].pid
        assert pid is not None
        os.kill(pid, number)

    def close(self) -> None:
        """End all that are left."""
        for process in self.alive:
            process.kill()
            process.join()


@contextmanager
def workers(
    project: Path, redis_url: str, count: int, *, lease: timedelta = _store.LEASE
) -> Iterator[Workers]:
    """Run so many workers."""
    team = Workers(project, redis_url, lease)
    try:
        for _ in range(count):
            team.start()
        yield team
    finally:
        team.close()


SETTINGS = """
model = "one"
[models.one]
model = "openai:gpt-5-mini"
base_url = "{url}"
api_key_env = "TEST_KEY"
max_retries = 0
[runs]
lease_seconds = {lease}
concurrent = {concurrent}
[queue]
attempts = {attempts}
backoff_seconds = 0.05
drain_seconds = {drain}
"""


def write_settings(project: Path, url: str, **changes: float) -> None:
    """Write the project's settings: a model on loopback, and short leases."""
    usual = {"lease": 1, "attempts": 50, "concurrent": 32, "drain": 20}
    text = SETTINGS.format(url=url, **{**usual, **changes})
    (project / "treadle.toml").write_text(text)
