"""Reading agents from YAML files, with errors that carry the line."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from treadle.agents._definition import Agent, Budget, MemorySettings
from treadle.agents._policy import Rule
from treadle.core.errors import ConfigError, nearest

_MAX_BYTES = 1_000_000
_SECTIONS: dict[str, type[BaseModel]] = {
    "memory": MemorySettings,
    "budget": Budget,
    "policy": Rule,
}


def read_agent(path: Path) -> Agent:
    """Read an agent from a YAML file; see `Agent.from_file`."""
    text = _read(path)
    data, lines = _parse(path, text)
    data.setdefault("name", path.stem)
    try:
        return Agent.model_validate(data)
    except ValidationError as error:
        # An unknown field often explains a missing one.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise _explain(first, path, lines) from None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"is larger than {_MAX_BYTES} bytes.", path=path)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", path=path) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text.", path=path) from None


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    """Return the file's data, and the line of each of its values by their place in it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = f"this is not valid YAML: {error.problem or error}."
        raise ConfigError(problem, path=path, line=line) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"this is not valid YAML: {error}.", path=path) from None
    if not isinstance(data, dict):
        raise ConfigError(
            f"an agent file holds 'field: value' lines; this one holds a {type(data).__name__}.",
            path=path,
            line=1,
        )
    return data, _lines(root)


def _lines(
    node: yaml.Node | None, place: tuple[str | int, ...] = ()
) -> dict[tuple[str | int, ...], int]:
    lines: dict[tuple[str | int, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            lines[inner] = key.start_mark.line + 1
            lines |= _lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*place, index] = value.start_mark.line + 1
            lines |= _lines(value, (*place, index))
    return lines


def _explain(
    error: ErrorDetails, path: Path, lines: dict[tuple[str | int, ...], int]
) -> ConfigError:
    place = error["loc"]
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), 1)
    name = ".".join(str(part) for part in place)
    if error["type"] == "extra_forbidden":
        section = _SECTIONS.get(str(place[0]), Agent) if len(place) > 1 else Agent
        known = sorted(section.model_fields)
        close = nearest(str(place[-1]), known)
        offer = f" Did you mean {close!r}?" if close else ""
        message = f"there is no field {name!r}.{offer} Fields: {', '.join(known)}."
    else:
        problem = re.sub(r"^Value error, ", "", error["msg"])
        message = f"{name}: {problem}; it is {error['input']!r}."
    return ConfigError(message, path=path, line=line)
