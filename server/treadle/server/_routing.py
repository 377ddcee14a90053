"""Finding a request's route without trying every other one."""

from collections import defaultdict
from collections.abc import Sequence

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send


def collected(*routers: APIRouter) -> APIRouter:
    """Return a router with the routes of others at its own level.

    FastAPI keeps included routers as they are, and tries the routes of each once to know that one
    is the request's and once more to know which; for a run that took more than reading the request.
    """
    made = APIRouter()
    for router in routers:
        made.routes.extend(router.routes)
    return made


class Shortcut(BaseRoute):
    """Stands before an application's routes and tries those first that can be the request's.

    What it does not find is left to the routes behind it, which know how to refuse it.

    Args:
        routes: the routes.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._candidates: dict[tuple[str, str], list[BaseRoute]] = defaultdict(list)
        for route in routes:
            for method in getattr(route, "methods", None) or ():
                self._candidates[method, _beginning(getattr(route, "path", "/"))].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether one of the routes is the request's."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for route in self._candidates.get((scope["method"], _beginning(path)), ()):
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, "treadle.route": route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the route answer that was found."""
        await scope["treadle.route"].handle(scope, receive, send)


def _beginning(path: str) -> str:
    """Return the first part of a path."""
    return path.partition("/")[2].partition("/")[0]
