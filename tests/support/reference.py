"""The pages of docs/ that list what there is, made of the code.

``python -m tests.support.reference`` writes them. Each page begins with what somebody wrote; what
follows the mark is made anew.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tests.support.rooms import ROOT
from treadle.agents import Agent
from treadle.agents._definition import Budget, MemorySettings
from treadle.agents._policy import Rule
from treadle.cli._app import app
from treadle.core.model_settings import ModelSettings
from treadle.core.settings import Settings
from treadle.runtime import Reply, Runtime, SyncRuntime, Threads
from treadle.runtime.approvals import Approvals
from treadle.runtime.queue import Queue, RunRequest
from treadle.runtime.runs import Run, RunOptions, Runs
from treadle.runtime.schedules import Schedules

MARK = "<!-- What follows is made by tests/support/reference.py. -->"
_SECTION = re.compile(r"Attributes:\n(.*?)(?=\n\S|\Z)", re.DOTALL)
_ITEM = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {6,}.*)*)", re.MULTILINE)
_EVERYWHERE = {"--project", "--redis", "--json", "--help"}
_CLASSES = (
    Runtime,
    SyncRuntime,
    ModelSettings,
    Reply,
    Threads,
    Runs,
    Run,
    Queue,
    RunRequest,
    RunOptions,
    Schedules,
    Approvals,
)


def agent_fields() -> str:
    """Return the tables of an agent file's fields."""
    parts: Sequence[tuple[str, type[BaseModel]]] = (
        ("An agent", Agent),
        ("`memory`", MemorySettings),
        ("`budget`", Budget),
        ("A rule of `policy`", Rule),
    )
    return "\n".join(_model_table(title, model) for title, model in parts)


def settings_fields() -> str:
    """Return the tables of the settings, one for each table of ``treadle.toml``."""
    places: dict[type[BaseModel], list[str]] = {}
    for place, model in _tables("", Settings):
        places.setdefault(model, []).append(f"`[{place}]`" if place else "At the top")
    return "\n".join(_model_table(", ".join(found), model) for model, found in places.items())


def commands() -> str:
    """Return a table of the commands, with those of a group below it."""
    root = typer.main.get_command(app)
    lines = ["| command | what it does | options |", "|---|---|---|"]
    lines += [_row(*each) for each in _commands("treadle", root)]
    return "\n".join(lines) + "\n"


def classes() -> str:
    """Return the tables of the classes that a program uses, with what each has."""
    return "\n".join(_class_table(one) for one in _CLASSES)


PAGES: Mapping[str, Callable[[], str]] = {
    "agent-files.md": agent_fields,
    "settings.md": settings_fields,
    "command-line.md": commands,
    "python.md": classes,
}


def made(name: str) -> str:
    """Return a page as it should be: what was written in it, and what the code says."""
    written = (ROOT / "docs" / name).read_text(encoding="utf-8").partition(MARK)[0]
    return f"{written.rstrip()}\n\n{MARK}\n\n{PAGES[name]()}"


def _tables(place: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield a model and those of its fields that are tables themselves, each with its name."""
    yield place, model
    for name, field in model.model_fields.items():
        inner, is_named = _inner(field)
        if inner is not None:
            yield from _tables(f"{place}.{name}".lstrip(".") + (".NAME" if is_named else ""), inner)


def _inner(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """Return the model that a field holds, and whether it holds several by name."""
    found = [one for one in _types(field.annotation) if _is_model(one)]
    is_named = any(getattr(one, "__origin__", None) is Mapping for one in _types(field.annotation))
    is_named = is_named or "Mapping" in str(field.annotation)
    return (found[0] if found else None), is_named


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _is_model(one: Any) -> bool:
    return inspect.isclass(one) and issubclass(one, BaseModel)


def _model_table(title: str, model: type[BaseModel]) -> str:
    about = _attributes(model)
    lines = [
        f"## {title}",
        "",
        _first(model.__doc__ or ""),
        "",
        "| field | without it | meaning |",
        "|---|---|---|",
    ]
    for name, field in model.model_fields.items():
        lines.append(_row(f"`{name}`", _default(field), about.get(name, "")))
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "it is needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value in (None, "", (), {}):
        return ""
    shown = value if isinstance(value, str | int | float) else str(value)
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _attributes(model: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of each attribute."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        section = _SECTION.search(inspect.cleandoc(one.__doc__ or ""))
        for item in _ITEM.finditer(section[1] if section else ""):
            for name in item[1].split(", "):
                if not name.startswith("_"):  # Those are pydantic's own.
                    found[name] = _plain(item[2])
    return found


def _commands(name: str, command: Any) -> Iterator[tuple[str, str, str]]:
    if hasattr(command, "commands"):  # A group.
        if name != "treadle" and command.invoke_without_command:
            yield _told(name, command)
        for inner, each in command.commands.items():
            yield from _commands(f"{name} {inner}", each)
        return
    yield _told(name, command)


def _told(name: str, command: Any) -> tuple[str, str, str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    names = [(str(one.name).upper(), one.required) for one in arguments]
    shown = [name if is_needed else f"[{name}]" for name, is_needed in names]
    options = [
        max(one.opts, key=len)
        for one in command.params
        if one.param_type_name == "option" and not _EVERYWHERE & set(one.opts)
    ]
    told = ", ".join(f"`{one}`" for one in options)
    return f"`{' '.join([name, *shown])}`", _first(command.help or ""), told


def _class_table(one: type) -> str:
    lines = [f"## `{one.__module__.partition('._')[0]}.{one.__name__}`", ""]
    lines += [_plain(inspect.cleandoc(one.__doc__ or "").partition("\n\n")[0]), ""]
    lines += ["| | |", "|---|---|"]
    lines += [_row(f"`{name}`", text) for name, text in _attributes(one).items()]
    if not is_dataclass(one) or one is RunRequest:
        for name, value in vars(one).items():
            function = getattr(value, "__func__", value)
            if not name.startswith("_") and inspect.isfunction(function):
                call = f"`{name}({_parameters(function)})`"
                lines.append(_row(call, _first(function.__doc__ or "")))
    return "\n".join(lines) + "\n"


def _parameters(function: Callable[..., Any]) -> str:
    shown = []
    for name, one in inspect.signature(function).parameters.items():
        if name in {"self", "cls"}:
            continue
        if one.kind is one.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(name if one.default is one.empty else f"{name}={one.default!r}")
    return ", ".join(shown)


def _first(docstring: str) -> str:
    return _plain(inspect.cleandoc(docstring).partition("\n\n")[0])


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def main(names: Sequence[str] = tuple(PAGES)) -> None:
    """Write the pages."""
    for name in names:
        Path(ROOT / "docs" / name).write_text(made(name), encoding="utf-8")


if __name__ == "__main__":
    main()
