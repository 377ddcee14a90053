"""Which values a search's filter lets through.

As LangGraph's stores do: a plain value must be equal, a dict is matched key by key, a list item
by item, and ``{"$gt": 3}`` compares. ``$gt``, ``$gte``, ``$lt`` and ``$lte`` compare numbers as
numbers and text as text; a missing value, or one of another kind, does not match. What is equal is
what is the same in JSON, where true is not 1.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from treadle.core.errors import InputError
from treadle.core.json_text import same_json

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": same_json,
    "$ne": lambda value, operand: not same_json(value, operand),
    **_ORDERS,
}


def checked_filter(wanted: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a search's filter, empty where there is none.

    Raises:
        InputError: it holds an operator that is not known.
    """
    wanted = wanted or {}
    for value in wanted.values():
        _check(value)
    return wanted


def matches(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an item's value passes a filter."""
    return all(_fits(value.get(key), expected) for key, expected in wanted.items())


def _check(wanted: Any) -> None:
    if isinstance(wanted, Mapping):
        if _is_comparison(wanted):
            for name in wanted:
                if name not in _OPERATORS:
                    raise InputError(
                        f"The filter holds the operator {name!r}.",
                        hint=f"There are {', '.join(_OPERATORS)}.",
                    )
        else:
            for value in wanted.values():
                _check(value)
    elif isinstance(wanted, list | tuple):
        for value in wanted:
            _check(value)


def _is_comparison(wanted: Mapping[str, Any]) -> bool:
    return any(str(key).startswith("$") for key in wanted)


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if _is_comparison(wanted):
            return all(_compare(value, name, operand) for name, operand in wanted.items())
        return isinstance(value, dict) and matches(value, wanted)
    if isinstance(wanted, list | tuple):
        return (
            isinstance(value, list) and len(value) == len(wanted) and all(map(_fits, value, wanted))
        )
    return same_json(value, wanted)


def _compare(value: Any, name: str, operand: Any) -> bool:
    if name not in _ORDERS:
        return _OPERATORS[name](value, operand)
    numbers = _number(value), _number(operand)
    if None not in numbers:
        return _ORDERS[name](*numbers)
    return isinstance(value, str) and isinstance(operand, str) and _ORDERS[name](value, operand)


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
