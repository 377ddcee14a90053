"""The fields of a graph's state: of what type each is, and what fits into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from treadle.core.errors import ConfigError, UnknownNameError
from treadle.graphs._reasoning import listed
from treadle.graphs._repair import fit
from treadle.graphs.turns._state import TurnState

TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}
"""The Python type of each type that a field may have; the names are JSON Schema's."""

_MOST_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the state.

    Attributes:
        type: one of `TYPES`.
        is_reduced: whether writes are put together with what was there.
    """

    type: str
    is_reduced: bool

    @property
    def empty(self) -> Any:
        """What it is as long as nothing was written."""
        return TYPES[self.type]()

    def takes(self, value: object) -> bool:
        """Tell whether a value is of its type."""
        return is_of(value, self.type)

    def read(self, answer: Any) -> Any:
        """Return what a model, a tool or a person said, as the field takes it."""
        if self.type == "array" and self.is_reduced:
            return [answer]
        if self.type == "array" and isinstance(answer, str):
            return listed(answer, _MOST_ITEMS)
        return fit(answer, {"type": self.type})


def is_of(value: object, kind: str) -> bool:
    """Tell whether a value is of a type of `TYPES`; a whole number is a number too."""
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, (int, float) if kind == "number" else TYPES[kind])


def fields_of(state: type) -> dict[str, Field]:
    """Return the fields that a state has beside those of every `TurnState`."""
    own = get_type_hints(TurnState)
    hints = get_type_hints(state, include_extras=True)
    return {name: _field(name, hint) for name, hint in hints.items() if name not in own}


def _field(name: str, hint: Any) -> Field:
    is_reduced = get_origin(hint) is Annotated
    plain = get_args(hint)[0] if is_reduced else hint
    plain = get_origin(plain) or plain
    for kind, type_ in TYPES.items():
        if plain is type_:
            return Field(kind, is_reduced)
    raise ConfigError(
        f"the field {name!r} of the state is a {hint!r}.",
        hint="Make it a str, int, float, bool, list or dict.",
    )


def check_update(fields: Mapping[str, Field], update: Mapping[str, Any], writer: str) -> None:
    """Refuse what does not fit the state.

    Raises:
        UnknownNameError: there is no such field.
        ConfigError: a value is of another type than its field.
    """
    for name, value in update.items():
        if name == "messages":
            continue
        if name not in fields:
            raise UnknownNameError(f"field of the state, which {writer} writes,", name, fields)
        if not fields[name].takes(value):
            raise ConfigError(
                f"{writer} writes {value!r} to {name!r}, which is of type {fields[name].type!r}."
            )
