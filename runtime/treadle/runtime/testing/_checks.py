"""The checks that every endpoint shares: each takes a value and its place, and raises a 400."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from treadle.runtime.testing._errors import ApiError, bad_request

Check = Callable[[Any, str], None]

_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a decimal"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
    (type(None), "null"),
)
NAME_PATTERN = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
MAX_NAME_LENGTH = 64


def check_parameters(body: Mapping[str, Any], known: Mapping[str, Check]) -> None:
    """Check every parameter of a body; ``null`` stands for a parameter left out.

    Raises:
        ApiError: a parameter is unknown, of a wrong type or value, or not served here.
    """
    for name, value in body.items():
        check = known.get(name)
        if check is None:
            raise bad_request(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
        if value is not None:
            check(value, name)


def require(holder: Mapping[str, Any], name: str, place: str = "") -> Any:
    """Return ``holder[name]``, which must be there and not null."""
    where = f"{place}.{name}" if place else name
    if holder.get(name) is None:
        raise bad_request(
            f"Missing required parameter: '{where}'.",
            param=where,
            code="missing_required_parameter",
        )
    return holder[name]


def wrong_type(value: object, place: str, expected: str) -> ApiError:
    """Return the error for a value of another type than ``expected``, such as ``"a string"``."""
    got = next((words for kind, words in _JSON_TYPES if isinstance(value, kind)), "something else")
    message = f"Invalid type for '{place}': expected {expected}, but got {got} instead."
    return bad_request(message, param=place, code="invalid_type")


def wrong_value(value: object, place: str, allowed: tuple[str, ...]) -> ApiError:
    """Return the error for a value that is none of those allowed."""
    shown = ", ".join(f"'{one}'" for one in allowed)
    message = f"Invalid value: '{value}'. Supported values are: {shown}."
    return bad_request(message, param=place, code="invalid_value")


def anything(_value: Any, _place: str) -> None:
    """Accept a parameter whose value the server neither needs nor judges."""


def string(value: Any, place: str) -> None:
    """Accept a string."""
    if not isinstance(value, str):
        raise wrong_type(value, place, "a string")


def boolean(value: Any, place: str) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise wrong_type(value, place, "a boolean")


def array(value: Any, place: str) -> None:
    """Accept an array."""
    if not isinstance(value, list):
        raise wrong_type(value, place, "an array")


def mapping(value: Any, place: str) -> None:
    """Accept an object."""
    if not isinstance(value, dict):
        raise wrong_type(value, place, "an object")


def one_of(*allowed: str) -> Check:
    """Accept one of these strings."""

    def check(value: Any, place: str) -> None:
        string(value, place)
        if value not in allowed:
            raise wrong_value(value, place, allowed)

    return check


def integer(lowest: int, highest: int | None = None) -> Check:
    """Accept a whole number in the range, both ends included."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(value, place, "an integer")
        _check_range(value, place, lowest, highest, "integer")

    return check


def decimal(lowest: float, highest: float) -> Check:
    """Accept a number in the range, both ends included."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong_type(value, place, "a decimal")
        _check_range(value, place, lowest, highest, "decimal")

    return check


def not_served(*harmless: object) -> Check:
    """Refuse by name what the scripted server cannot do, except for values that ask for nothing."""

    def check(value: Any, place: str) -> None:
        if value not in harmless:
            raise bad_request(
                f"The scripted server does not serve '{place}' = {value!r:.80}.",
                param=place,
                code="unsupported_parameter",
            )

    return check


def check_name(name: Any, place: str) -> None:
    """Accept a name of a function or schema: letters, digits, ``_`` and ``-``, at most 64."""
    string(name, place)
    if len(name) > MAX_NAME_LENGTH:
        message = (
            f"Invalid '{place}': string too long. Expected a string with maximum length "
            f"{MAX_NAME_LENGTH}, but got a string with length {len(name)} instead."
        )
        raise bad_request(message, param=place, code="string_above_max_length")
    if not NAME_PATTERN.fullmatch(name):
        message = (
            f"Invalid '{place}': string does not match pattern. Expected a string that matches "
            f"the pattern '^[a-zA-Z0-9_-]+$', but got {name!r}."
        )
        raise bad_request(message, param=place, code="invalid_value")


def check_not_empty(items: list[Any], place: str) -> None:
    """Accept an array with something in it."""
    if not items:
        message = f"Invalid '{place}': empty array. Expected an array with minimum length 1."
        raise bad_request(message, param=place, code="empty_array")


def check_at_most(items: list[Any], place: str, highest: int) -> None:
    """Accept an array of at most ``highest`` items."""
    if len(items) > highest:
        message = (
            f"Invalid '{place}': array too long. Expected an array with maximum length "
            f"{highest}, but got an array with length {len(items)} instead."
        )
        raise bad_request(message, param=place, code="array_above_max_length")


def _check_range(value: float, place: str, lowest: float, highest: float | None, kind: str) -> None:
    # Written so that NaN, which Python's JSON reader lets through, is out of every range.
    if not value >= lowest:
        message = f"Invalid '{place}': {kind} below minimum value. Expected a value >= {lowest}"
        code = f"{kind}_below_min_value"
    elif highest is not None and not value <= highest:
        message = f"Invalid '{place}': {kind} above maximum value. Expected a value <= {highest}"
        code = f"{kind}_above_max_value"
    else:
        return
    raise bad_request(f"{message}, but got {value} instead.", param=place, code=code)
