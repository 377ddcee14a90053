"""Workers in processes of their own, as ``treadle worker`` runs them."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treadle.cli._opening import Opening
from treadle.cli._worker import run_worker

_context = multiprocessing.get_context("forkserver")
# The imports are made once; each worker is a fork of a process that has them.
_context.set_forkserver_preload(["treadle.cli._worker", "treadle.agents._build", "openai"])


def _work(project: Path, redis_url: str, variables: dict[str, str]) -> None:
    os.environ |= variables
    run_worker(Opening(project, redis_url), ["default"], None)


class Workers:
    """A few workers on one project.

    Args:
        project: the project's folder.
        redis_url: where their Redis is.
    """

    def __init__(self, project: Path, redis_url: str) -> None:
        self._arguments = (project, redis_url, {"TEST_KEY": os.environ["TEST_KEY"]})
        self.alive: list[multiprocessing.process.BaseProcess] = []

    def start(self) -> "multiprocessing.process.BaseProcess":
        """Start one more."""
        process = _context.Process(target=_work, args=self._arguments)
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
def workers(project: Path, redis_url: str, count: int) -> Iterator[Workers]:
    """Run so many workers."""
    team = Workers(project, redis_url)
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
[queue]
attempts = {attempts}
backoff_seconds = 0.05
drain_seconds = 20
"""


def write_settings(project: Path, url: str, *, lease: float = 1, attempts: int = 50) -> None:
    """Write the project's settings: a model on loopback, and short leases."""
    text = SETTINGS.format(url=url, lease=lease, attempts=attempts)
    (project / "treadle.toml").write_text(text)
