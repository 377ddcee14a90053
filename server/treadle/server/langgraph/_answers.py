"""What all routes share: strict bodies, JSON of anything a graph holds, errors in its shape."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Annotated, Any, Literal

from fastapi import HTTPException, Path, Request, Response
from langgraph.errors import InvalidUpdateError
from langgraph.store.base import InvalidNamespaceError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
)
from pydantic_core import to_jsonable_python

from treadle.core.errors import RunError, TreadleError, UnknownNameError, UserError
from treadle.core.json_text import as_json
from treadle.runtime.queue import ThreadBusyError
from treadle.server._queries import QueriedRoute
from treadle.server.langgraph._records import Record


def no_flag(value: Any) -> Any:
    """Refuse a flag for a number: Python takes it for 0 or 1.

    Raises:
        ValueError: it is one.
    """
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


def _only_false(value: Any) -> Any:
    """Refuse a 0 for it as well.

    Raises:
        ValueError: it is something else.
    """
    if value is not False:
        raise ValueError("false, or a list, is needed")
    return value


Limit = Annotated[int, Field(ge=1, le=1000), BeforeValidator(no_flag)]
Offset = Annotated[int, Field(ge=0, le=1_000_000_000), BeforeValidator(no_flag)]
Depth = Annotated[int, Field(ge=1, le=100), BeforeValidator(no_flag)]
No = Annotated[Literal[False], BeforeValidator(_only_false)]
Flag = Annotated[bool, Strict()]
Id = Annotated[str, Path(min_length=1, max_length=200)]
IfExists = Literal["raise", "do_nothing"]
Order = Literal["asc", "desc"]
Metadata = dict[str, Any]


class Body(BaseModel):
    """What a request may hold; a field that is not supported is refused by its name."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Route(QueriedRoute):
    """Answers what the caller could have known with a status and a sentence."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the errors of the runtime put into words."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except UnknownNameError as error:
                raise HTTPException(404, str(error)) from error
            except (InvalidNamespaceError, InvalidUpdateError) as error:
                raise HTTPException(400, str(error)) from error
            except UserError as error:
                raise HTTPException(422, str(error)) from error
            except RunError as error:
                raise HTTPException(409, in_words(error)) from error

        return answer


def in_words(error: TreadleError) -> str:
    """Return what is said of an error, with what to do in the protocol's words."""
    if isinstance(error, ThreadBusyError):
        return f"{error.message} Wait for its end, or say 'enqueue' as 'multitask_strategy'."
    return str(error)


def answered(value: Any) -> Response:
    """Return a value as JSON, messages and whatever else a graph's state holds included."""
    return answered_text(as_json(value))


def answered_text(text: bytes) -> Response:
    """Return JSON as it is: what is only handed on is not parsed."""
    return Response(text, media_type="application/json")


def jsonable(value: Any) -> Any:
    """Return a value as JSON holds it; what JSON cannot hold becomes its text."""
    return to_jsonable_python(value, fallback=str, bytes_mode="base64", inf_nan_mode="null")


def no_content() -> Response:
    """Return the answer that has no body."""
    return Response(status_code=204)


def chosen(record: Mapping[str, Any], select: Iterable[str] | None) -> Record:
    """Return the selected fields of a record, or all of them."""
    return dict(record) if select is None else {name: record[name] for name in select}


def sorted_page(
    records: list[Record], by: str, order: Order, *, limit: int, offset: int
) -> list[Record]:
    """Return a page of records, sorted by one of their fields."""
    ordered = sorted(records, key=lambda record: str(record[by]), reverse=order == "desc")
    return ordered[offset : offset + limit]
