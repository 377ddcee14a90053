"""Reading what a project says in YAML, with errors that carry the file and the line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from treadle.core.errors import ConfigError, nearest

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]
"""Where in a file a value stands: keys and positions, from the outside in."""

_KINDS: Mapping[type, str] = {list: "a list", str: "a text"}
_MAX_BYTES = 1_000_000
_MAX_VALUES = 50_000
_MAX_DEPTH = 40


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file says.

    Attributes:
        path: the file.
        data: its data.
        lines: the line of each of its values, counted from 1.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest place around it."""
        around = (place[:length] for length in range(len(place), 0, -1))
        return next((self.lines[part] for part in around if part in self.lines), 1)

    def error(self, place: Place, message: str, *, hint: str = "") -> ConfigError:
        """Return the error that says what is wrong at a place."""
        return ConfigError(message, hint=hint, path=self.path, line=self.line(place))

    def parse(self, model: type[M]) -> M:
        """Return the data as that model has it.

        Raises:
            ConfigError: it does not fit, with the line and what is allowed there.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            # An unknown field often explains a missing one.
            first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
            raise self._explained(first, model) from None

    def _explained(self, error: ErrorDetails, model: type[BaseModel]) -> ConfigError:
        place = error["loc"]
        name = ".".join(str(part) for part in place)
        if error["type"] == "extra_forbidden":
            known = sorted(_fields(_section(model, place[:-1]) or model))
            close = nearest(str(place[-1]), known)
            offer = f" Did you mean {close!r}?" if close else ""
            message = f"there is no field {name!r}.{offer} Fields: {', '.join(known)}."
        elif error["type"] == "missing":
            message = f"the field {name!r} is missing."
        else:
            problem = re.sub(r"^Value error, ", "", error["msg"]).replace(
                "valid tuple", "valid list"
            )
            given = repr(error["input"])
            shown = given if len(given) <= 200 else f"{given[:200]} …"
            # What a whole part of the file is refused for is not the part itself.
            at = f"{name}: " if name else ""
            message = f"{at}{problem}; it is {shown}."
        return self.error(place, message)


def read_yaml(path: Path, kind: str) -> YamlFile:
    """Read a YAML file of ``field: value`` lines.

    Args:
        path: the file.
        kind: what it is, such as ``"an agent file"``.

    Raises:
        ConfigError: it cannot be read, is not such a file, says a field twice, or is too large.
    """
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = _Lines(path).of(root)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = f"this is not valid YAML: {error.problem or error}."
        raise ConfigError(problem, path=path, line=line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"this is not valid YAML: {error}.", path=path) from None
    if not isinstance(data, dict):
        found = "is empty" if data is None else f"holds {_KINDS.get(type(data), 'a value')}"
        raise ConfigError(
            f"{kind} holds 'field: value' lines; this one {found}.",
            path=path,
            line=1,
        )
    return YamlFile(path, data, lines)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"is larger than {_MAX_BYTES} bytes.", path=path)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", path=path) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text.", path=path) from None


class _Lines:
    """Finds the line of every value; bounded, as a few aliases can stand for millions of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[Place, int] = {}

    def of(self, root: yaml.Node | None) -> Mapping[Place, int]:
        self._walk(root, ())
        return self._found

    def _walk(self, node: yaml.Node | None, place: Place) -> None:
        if node is None:
            return
        line = node.start_mark.line + 1
        if len(self._found) > _MAX_VALUES or len(place) > _MAX_DEPTH:
            raise ConfigError("holds too many values inside each other.", path=self._path)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner, line = (*place, str(key.value)), key.start_mark.line + 1
                if inner in self._found:
                    raise ConfigError(
                        f"{'.'.join(map(str, inner))} is given twice, first in line "
                        f"{self._found[inner]}.",
                        hint="Keep one of them.",
                        path=self._path,
                        line=line,
                    )
                self._found[inner] = line
                self._walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._found[*place, index] = value.start_mark.line + 1
                self._walk(value, (*place, index))


def _section(kind: object, place: Place) -> type[BaseModel] | None:
    """Return the model that a place inside a model holds, if it holds one."""
    for part in place:
        model = _model_in(kind)
        if model is None:
            return None
        # In a mapping or a list of models, a key or a position leads to the same model.
        kind = _fields(model).get(str(part), model)
    return _model_in(kind)


def _model_in(kind: object) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for part in get_args(kind) if (found := _model_in(part))), None)


def _fields(model: type[BaseModel]) -> dict[str, object]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
