"""What Prometheus is told."""

import time
from collections.abc import MutableMapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.runtime.queue import QueueStats

_UNKNOWN = "(unknown)"


class Metrics:
    """The counts of one application.

    Attributes:
        registry: where Prometheus finds them.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "treadle_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "treadle_http_request_seconds",
            "How long answers took, streams to their end.",
            ["method", "route"],
            registry=self.registry,
        )
        self._open = Gauge(
            "treadle_http_requests_open", "Requests being answered.", registry=self.registry
        )

        self._queue = Gauge(
            "treadle_queue_runs",
            "Queued runs of all tenants that are served here, by named queue and where they stand.",
            ["queue", "state"],
            registry=self.registry,
        )

    def queued(self, stats: Sequence[QueueStats]) -> None:
        """Take over how full the tenants' queues are."""
        self._queue.clear()
        for one in stats:
            for state, counts in (("ready", one.ready), ("running", one.running)):
                for queue, count in counts.items():
                    self._queue.labels(queue, state).inc(count)
            self._queue.labels("", "delayed").inc(one.delayed)
            self._queue.labels("", "dead").inc(one.dead)

    def began(self) -> None:
        """Count a request that is being answered."""
        self._open.inc()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; ``route`` is a template, never an address."""
        self._open.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class MeasuringMiddleware:
    """Counts requests by their route and status, and times them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        self._metrics.began()
        try:
            await self._app(scope, receive, watched)
        finally:
            # Of methods and paths that clients invent there would be no end.
            route = getattr(scope.get("route"), "path", _UNKNOWN)
            method = scope["method"] if route != _UNKNOWN else _UNKNOWN
            self._metrics.ended(method, route, status, time.perf_counter() - began)
