"""What is wrong with a request, told in the words of whoever sent it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

_NO_OBJECT = {"model_attributes_type", "model_type", "dict_type"}
"""What pydantic calls something that is no object where one is needed."""


class Fault(BaseModel):
    """One thing that is wrong with a request.

    Attributes:
        loc: where, such as ``["body", "limit"]``.
        msg: what.
    """

    loc: list[str | int]
    msg: str


def faults_of(error: RequestValidationError) -> list[Fault]:
    """Return what is wrong with a request, without what it held: that may be a secret.

    Where a field may be of several kinds, it is told what is wrong with it as the kind that fits it
    furthest, and of no other.
    """
    found: dict[tuple[str | int, ...], Fault] = {}
    for one in error.errors():
        place = _place_in(error.body, one)
        found.setdefault(place, Fault(loc=list(place), msg=_said_of(one)))
    return [
        fault
        for place, fault in found.items()
        if not any(place != other and place == other[: len(place)] for other in found)
    ]


def _place_in(body: Any, fault: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Return where a fault is, without the names of kinds that pydantic puts between fields."""
    first, *rest = fault["loc"]
    if first != "body" or body is None:  # A route that refuses a field itself names its place.
        return tuple(fault["loc"])
    place: list[str | int] = [first]
    for number, part in enumerate(rest, 1):
        if _holds(body, part):
            body = body[part]
        elif fault["type"] != "missing" or number < len(rest):
            continue
        place.append(part)
    return tuple(place)


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and part in value


def _said_of(fault: Mapping[str, Any]) -> str:
    kind = fault["type"]
    if kind == "extra_forbidden":
        return "It is not supported; leave it out"
    if kind == "json_invalid":
        return f"It is no JSON: {fault['ctx']['error']} at character {fault['loc'][-1]}"
    if kind == "missing" and len(fault["loc"]) == 1:
        return "A JSON object is needed"
    if isinstance(fault.get("input"), bytes):
        return "It was not sent as JSON: add the header 'Content-Type: application/json'"
    if kind in _NO_OBJECT:
        return "Input should be an object"
    return str(fault["msg"]).removeprefix("Value error, ")  # What follows is our own sentence.


def place_of(fault: Fault) -> str:
    """Return which field of the body a fault is in."""
    return ".".join(str(part) for part in fault.loc[1:])


def sentence_of(faults: Sequence[Fault]) -> str:
    """Return the faults as a sentence each."""
    places = (".".join(str(part) for part in fault.loc) for fault in faults)
    return " ".join(
        f"{place}: {fault.msg}." for place, fault in zip(places, faults, strict=True)
    ).replace("..", ".")
