"""Which scope a request needs."""

import re

from treadle.server.security._principal import Scope

PUBLIC = frozenset({"/ok", "/health/live", "/health/ready"})
"""What is answered whoever asks: it holds nothing of anybody."""
DOCS = frozenset({"/docs", "/openapi.json"})
"""What can be asked for; the same for everybody."""
_READS = re.compile(
    r"/(?:assistants|threads)/(?:search|count)"
    r"|/assistants/[^/]+/versions"
    r"|/threads/[^/]+/(?:history|state/checkpoint|stream/events)"
    r"|/runs/crons/(?:search|count)"
    r"|/store/(?:items/search|namespaces)"
    r"|/a2a/[^/]+/tasks/[^/]+:subscribe"
)
"""What is read by POST, because a query does not fit into an address."""
_ADMINISTERS = re.compile(r"/assistants(?:/[^/]+(?:/latest)?)?")
"""What others of the tenant are served differs afterwards."""


def scope_of(method: str, path: str) -> Scope:
    """Return the scope a request needs; whatever is not known to read needs ``run``."""
    if path == "/metrics":  # They count for all tenants.
        return Scope.ADMIN
    if method in {"GET", "HEAD", "OPTIONS"} or (method == "POST" and _READS.fullmatch(path)):
        return Scope.READ
    return Scope.ADMIN if _ADMINISTERS.fullmatch(path) else Scope.RUN
