"""What a running server holds."""

import logging
import os
from functools import cached_property

from fastapi import Request

from treadle.core.redaction import Redactor
from treadle.runtime import Runtime
from treadle.server._metrics import Metrics

log = logging.getLogger("treadle.server")


class Serving:
    """The runtime that is served, and what was found when it was opened.

    Args:
        runtime: the runtime.
        metrics: what is counted.

    Attributes:
        failed: why agents cannot be asked, by their names; the others are served.
    """

    def __init__(self, runtime: Runtime, metrics: Metrics) -> None:
        self.runtime = runtime
        self.metrics = metrics
        self.failed = self._load_agents()

    def _load_agents(self) -> dict[str, str]:
        """Make every agent's graph, so that the first question does not wait for it."""
        failed: dict[str, str] = {}
        redact = Redactor.from_settings(self.runtime.settings, os.environ).redact
        for name in self.runtime.agents():
            try:
                self.runtime.graph(name)
            except Exception as error:  # A project's own code may raise anything.
                failed[name] = redact(str(error) or type(error).__name__)
                log.warning("The agent %r is not served: %s", name, failed[name])
        return failed

    @cached_property
    def agents(self) -> list[str]:
        """The names of the agents that can be asked."""
        return [name for name in self.runtime.agents() if name not in self.failed]


def of_request(request: Request) -> Serving:
    """Return what serves a request."""
    serving: Serving = request.app.state.serving
    return serving
