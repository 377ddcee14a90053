"""What the query of a request may hold: what its route knows, and once what is one thing."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from inspect import isclass
from typing import Any, get_args, get_origin

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from treadle.server._problems import refused


class QueriedRoute(APIRoute):
    """A route that refuses parameters it does not know, and a second value of one thing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which looks at the query first."""
        handle, repeats = super().get_route_handler(), dict(_parameters(self))

        async def answer(request: Request) -> Response:
            if request.scope["query_string"]:
                _check([name for name, _ in request.query_params.multi_items()], repeats)
            return await handle(request)

        return answer


def _check(given: Sequence[str], repeats: Mapping[str, bool]) -> None:
    """Refuse what does not belong into a query; ``repeats`` says what may stand in it twice.

    Raises:
        RequestValidationError: there is such a parameter; it names it.
    """
    for name in given:
        if name not in repeats:
            raise refused(name, "It is not supported; leave it out", place="query")
        if not repeats[name] and given.count(name) > 1:
            raise refused(name, "It is given more than once", place="query")


def _parameters(route: APIRoute) -> Iterator[tuple[str, bool]]:
    """Yield each parameter of a route's query, and whether it is a list."""
    for parameter in route.dependant.query_params:
        kind = parameter.field_info.annotation
        if isclass(kind) and issubclass(kind, BaseModel):
            for name, field in kind.model_fields.items():
                yield field.alias or name, _is_list(field.annotation)
        else:
            yield parameter.alias, _is_list(kind)


def _is_list(kind: Any) -> bool:
    return list in {get_origin(one) for one in (kind, *get_args(kind))}
