"""The rooms of the house: the top-level folders that hold a part of the package each."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORDER = ("core", "memory", "tools", "graphs", "agents", "runtime", "server", "cli")
"""From the lowest to the highest; a room imports only from lower ones."""

ROOMS = {name: ROOT / name / "treadle" / name for name in ORDER if (ROOT / name).is_dir()}
"""The folder of each room that is built."""


def python_files(room: str) -> list[Path]:
    """Return the room's Python files."""
    return sorted(ROOMS[room].rglob("*.py"))


def packaged_files(room: str) -> Iterator[Path]:
    """Return all of the room's files, without what Python leaves behind."""
    for path in sorted(ROOMS[room].rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def module_name(path: Path) -> str:
    """Return the name by which a room's Python file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_name(path: Path) -> str:
    """Return the package that a room's Python file stands in."""
    return ".".join(path.relative_to(ROOT).parent.parts[1:])


def imported_names(source: str, package: str) -> list[tuple[int, str]]:
    """Return the dotted names that code imports, with their lines, wherever it imports them.

    ``from a.b import c`` counts as ``a.b.c``; so does a call such as ``import_module("a.b.c")``.

    Args:
        source: the code.
        package: the package it stands in, from which relative imports start.
    """
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func).rpartition(".")[2]
            first = node.args[0]
            if name in {"import_module", "__import__"} and isinstance(first, ast.Constant):
                found.append((node.lineno, str(first.value)))
    return found
