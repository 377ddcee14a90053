"""What an agent's tools may do by themselves, what a person is asked first, and what is refused."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import to_jsonable_python

from treadle.core.calls import Effect
from treadle.core.durations import read_duration

MAX_EXPIRES = timedelta(days=30)
"""The longest that a person may take to answer."""

_BOUNDS = {"min", "max"}
_NUMBER: TypeAdapter[float] = TypeAdapter(float)
_BOOL: TypeAdapter[bool] = TypeAdapter(bool)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MISSING: Any = object()


class Decision(StrEnum):
    """What becomes of a call that a rule is for."""

    ALLOW = "allow"
    """It is made."""
    ASK = "ask"
    """A person is asked first; the run waits."""
    DENY = "deny"
    """It is not made; the model is told the rule."""


def _checked_condition(condition: Any) -> Any:
    if isinstance(condition, Mapping):
        _check_bounds(condition)
    elif not isinstance(condition, str | bool | int | float | None):
        raise ValueError("a condition is a text, a number, true, false, null, or {min: , max: }")
    return condition


def _check_bounds(bounds: Mapping[Any, Any]) -> None:
    if not bounds or not bounds.keys() <= _BOUNDS:
        raise ValueError("bounds are {min: NUMBER}, {max: NUMBER} or both")
    for limit in bounds.values():
        if isinstance(limit, bool) or not isinstance(limit, int | float) or math.isnan(limit):
            raise ValueError(f"a bound is a number, and {limit!r} is none")
    if bounds.get("min", -math.inf) > bounds.get("max", math.inf):
        raise ValueError("the smallest value is above the largest")


class Rule(BaseModel):
    """One rule of a policy.

    A text condition is a pattern for the whole argument, such as ``*@example.com``; where the rule
    allows, a text with line breaks or other control characters fits none. A number, ``true``,
    ``false`` and ``null`` are compared by value, as the tool's schema would read the argument: the
    text ``"5"`` is 5. ``{min: , max: }`` bounds a number, both included. An argument that is a list
    fits a rule that allows when all of it does, and one that asks or denies when any of it does;
    so does a path that leads through a list.

    Attributes:
        tool: a pattern for the tool's name.
        effect: only calls of this effect.
        when: conditions on arguments, by name or dotted path; all must hold. An argument that is
            missing fits none.
        then: what becomes of the call.
        expires: how long a person may take to answer; for ``ask`` only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str = Field(default="*", min_length=1, max_length=256)
    effect: Effect | None = None
    when: Mapping[str, Annotated[Any, AfterValidator(_checked_condition)]] = Field(
        default_factory=dict
    )
    then: Decision
    expires: Annotated[
        timedelta, BeforeValidator(read_duration), Field(gt=timedelta(0), le=MAX_EXPIRES)
    ] = timedelta(days=1)

    @model_validator(mode="after")
    def _only_questions_expire(self) -> Self:
        if "expires" in self.model_fields_set and self.then is not Decision.ASK:
            default = type(self).model_fields["expires"].default
            if self.expires != default:
                raise ValueError("only a rule that asks has 'expires'")
        return self

    def fits(self, tool: str, effect: Effect, arguments: Any) -> bool:
        """Tell whether the rule is for this call, given its arguments as JSON would hold them."""
        if self.effect not in (None, effect) or not _pattern(self.tool).fullmatch(tool):
            return False
        wants_all = self.then is Decision.ALLOW
        return all(
            _fits(condition, _at(arguments, path.split(".")), wants_all=wants_all)
            for path, condition in self.when.items()
        )

    def __str__(self) -> str:
        """Return the rule as a line of the file says it."""
        conditions = ", ".join(f"{path}: {wanted!r}" for path, wanted in self.when.items())
        effect = f" of effect {self.effect}" if self.effect else ""
        when = f" when {{{conditions}}}" if conditions else ""
        return f"{self.tool}{effect}{when}: {self.then}"


def first_rule(
    policy: Iterable[Rule], tool: str, effect: Effect, arguments: Mapping[str, Any]
) -> Rule | None:
    """Return the first rule that is for a call; ``None`` where none is, and the call is allowed.

    Args:
        policy: the rules in their order.
        tool: the name of the tool.
        effect: what repeating the call would do.
        arguments: its arguments by name.
    """
    plain = to_jsonable_python(
        dict(arguments), fallback=str, bytes_mode="base64", serialize_unknown=True
    )
    return next((rule for rule in policy if rule.fits(tool, effect, plain)), None)


def _at(value: Any, path: Sequence[str]) -> Any:
    """Return what lies at a path; behind a list that of each item, unless a number picks one."""
    if not path:
        return value
    name, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return _at(value.get(name, _MISSING), rest)
    if not isinstance(value, list):
        return _MISSING
    if not name.isdecimal():
        return [_at(item, path) for item in value]
    return _at(value[int(name)], rest) if int(name) < len(value) else _MISSING


def _fits(condition: Any, value: Any, *, wants_all: bool) -> bool:
    if value is _MISSING:
        return False
    if isinstance(value, list):
        each = [_fits(condition, item, wants_all=wants_all) for item in value]
        return bool(each) and (all(each) if wants_all else any(each))
    match condition:
        case None:
            return value is None
        case str():
            return isinstance(value, str) and _text_fits(condition, value, wants_all=wants_all)
        case bool():
            return _as(_BOOL, value) is condition
        case _:
            return _number_fits(condition, value, wants_all=wants_all)


def _number_fits(condition: Any, value: Any, *, wants_all: bool) -> bool:
    number = value if type(value) is int else _as(_NUMBER, value)
    if number is None:
        return False
    if isinstance(number, float) and math.isnan(number):
        return not wants_all  # It lies within no bounds, and must pass none unseen.
    if isinstance(condition, Mapping):
        return bool(condition.get("min", -math.inf) <= number <= condition.get("max", math.inf))
    return bool(number == condition)


def _text_fits(glob: str, text: str, *, wants_all: bool) -> bool:
    """Tell whether the whole text fits; nothing is allowed because of what a line break hides."""
    if wants_all and _CONTROL.search(text):
        return False
    return _pattern(glob).fullmatch(text) is not None


def _as(kind: TypeAdapter[Any], value: Any) -> Any:
    try:
        return kind.validate_python(value)
    except ValidationError:
        return None


@lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))
