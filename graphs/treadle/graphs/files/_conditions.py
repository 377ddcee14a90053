"""Conditions as data: what a choice of a graph file compares, and nothing it could run."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from treadle.graphs.turns import at, contains, number

_Scalar = str | bool | int | float | None
_Number = StrictInt | Annotated[float, Field(strict=True, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Test:
    """One way to compare a value.

    Attributes:
        holds: compares it.
        code: writes the same comparison as Python, of the code of both sides.
        types: the types of fields that can be compared like that.
    """

    holds: Callable[[Any, Any], bool]
    code: Callable[[str, str], str]
    types: frozenset[str]


def _order(sign: str, holds: Callable[[float, Any], bool]) -> Test:
    return Test(
        lambda value, wanted: holds(number(value), wanted),
        lambda value, wanted: f"{value} {sign} {wanted}",
        _NUMBERS,
    )


def _is(value: Any, wanted: Any) -> bool:
    is_one_of_a_kind = wanted is None or isinstance(wanted, bool)
    return value is wanted if is_one_of_a_kind else bool(value == wanted)


def _sign(wanted: str, of_a_kind: str, equals: str) -> str:
    return of_a_kind if wanted in {"True", "False", "None"} else equals


_NUMBERS = frozenset({"integer", "number"})
_PLAIN = _NUMBERS | {"string", "boolean"}
_WITH_ITEMS = frozenset({"string", "array"})

TESTS: dict[str, Test] = {
    "is": Test(_is, lambda v, w: f"{v} {_sign(w, 'is', '==')} {w}", _PLAIN),
    "is_not": Test(
        lambda v, w: not _is(v, w), lambda v, w: f"{v} {_sign(w, 'is not', '!=')} {w}", _PLAIN
    ),
    "in": Test(lambda v, w: v in w, lambda v, w: f"{v} in {w}", _NUMBERS | {"string"}),
    "contains": Test(contains, lambda v, w: f"contains({v}, {w})", _WITH_ITEMS),
    "above": _order(">", lambda v, w: v > w),
    "below": _order("<", lambda v, w: v < w),
    "at_least": _order(">=", lambda v, w: v >= w),
    "at_most": _order("<=", lambda v, w: v <= w),
    "empty": Test(
        lambda v, w: (not v) == w,
        lambda v, w: f"not {v}" if w == "True" else v,
        _WITH_ITEMS | {"object"},
    ),
}
"""How a value can be compared, by the word for it in a file."""


class Condition(BaseModel):
    """What must hold for a choice: one comparison of one field, or several conditions together.

    Attributes:
        field: what is compared: a field, or a place inside one such as ``verdict.score``.
        is_: it equals this.
        is_not: it does not equal this.
        in_: it equals one of these.
        contains: a text has this in it, whatever its case; a list has this item.
        above: it is a number above this.
        below: it is a number below this.
        at_least: it is a number, this or above.
        at_most: it is a number, this or below.
        empty: whether there is nothing in it.
        all: all of these conditions hold.
        any: one of these conditions holds.
        not_: this condition does not hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*(\.\w+)*$")
    is_: _Scalar = Field(default=None, alias="is")
    is_not: _Scalar = None
    in_: tuple[str | int | float, ...] | None = Field(default=None, alias="in", min_length=1)
    contains: str | int | float | None = None
    above: _Number | None = None
    below: _Number | None = None
    at_least: _Number | None = None
    at_most: _Number | None = None
    empty: StrictBool | None = None
    all: "tuple[Condition, ...] | None" = Field(default=None, min_length=1)
    any: "tuple[Condition, ...] | None" = Field(default=None, min_length=1)
    not_: "Condition | None" = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _is_one(self) -> "Condition":
        if self.given & {"all", "any", "not"}:
            if len(self.given) > 1:
                raise ValueError("'all', 'any' and 'not' each stand alone: put the rest inside")
        elif self.field is None or len(self.given) != 2:
            words = ", ".join(TESTS)
            raise ValueError(f"a condition is a 'field' and one of {words}; or all, any, not")
        return self

    @property
    def given(self) -> frozenset[str]:
        """The words that the file uses."""
        return frozenset(name.rstrip("_") for name in self.model_fields_set)

    @property
    def inner(self) -> "tuple[Condition, ...]":
        """The conditions that it puts together; none when it compares a field."""
        return self.all or self.any or ((self.not_,) if self.not_ else ())

    @property
    def test(self) -> str:
        """The word for its comparison."""
        (word,) = self.given - {"field"}
        return word

    @property
    def wanted(self) -> Any:
        """What the field is compared with."""
        return getattr(self, {"is": "is_", "in": "in_"}.get(self.test, self.test))

    def comparisons(self) -> "Iterator[Condition]":
        """Yield the comparisons in it."""
        if not self.inner:
            yield self
        for part in self.inner:
            yield from part.comparisons()

    def holds(self, state: Mapping[str, Any]) -> bool:
        """Tell whether it holds."""
        if self.all is not None:
            return all(part.holds(state) for part in self.all)
        if self.any is not None:
            return any(part.holds(state) for part in self.any)
        if self.not_ is not None:
            return not self.not_.holds(state)
        return TESTS[self.test].holds(at(state, self.field or ""), self.wanted)

    def code(self) -> str:
        """Return it as a Python expression of ``state``."""
        if self.all is not None:
            return " and ".join(part._inside() for part in self.all)
        if self.any is not None:
            return " or ".join(part._inside() for part in self.any)
        if self.not_ is not None:
            return f"not {self.not_._inside()}"
        return TESTS[self.test].code(self._value(), literal(self.wanted))

    def _inside(self) -> str:
        code = self.code()
        return f"({code})" if self.inner or code.startswith("not ") else code

    def _value(self) -> str:
        field = self.field or ""
        if "." not in field:
            return f'state["{field}"]'
        place = f'at(state, "{field}")'
        return f"number({place})" if TESTS[self.test].types == _NUMBERS else place


def literal(value: object) -> str:
    """Return a value of a file as Python writes it."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        entries = (f"{literal(key)}: {literal(part)}" for key, part in value.items())
        return f"{{{', '.join(entries)}}}"
    if isinstance(value, (list, tuple)):
        items = ", ".join(map(literal, value))
        return f"[{items}]" if isinstance(value, list) else f"({items}{',' * (len(value) == 1)})"
    is_plain = not isinstance(value, float) or math.isfinite(value)
    return repr(value) if is_plain else f'float("{value}")'


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    if '"' not in text or "'" in text:
        return quoted
    inner = quoted[1:-1].replace('\\"', '"')
    return f"'{inner}'"
