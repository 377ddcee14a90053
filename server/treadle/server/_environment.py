"""What a ``langgraph.json`` says about the process its graphs run in."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

from treadle.agents import LANGGRAPH_FILE, langgraph_file
from treadle.core.errors import ConfigError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def adopt_environment(
    project: Path, environment: MutableMapping[str, str] = os.environ
) -> list[str]:
    """Set the variables that a project's ``langgraph.json`` names, and let its folders be imported.

    A variable that is set already keeps its value.

    Returns:
        What is to be said about it: what was ignored.

    Raises:
        ConfigError: the file, or the file of variables it names, cannot be read.
    """
    file = langgraph_file(project)
    found = file.env or {}
    variables = _read(project / found) if isinstance(found, str) else found
    for name, value in variables.items():
        environment.setdefault(name, value)
    for folder in file.local_folders(project):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    packages = file.packages(project)
    if not packages:
        return []
    named = ", ".join(packages)
    return [f"{LANGGRAPH_FILE}: dependencies are not installed by Treadle: {named}."]


def _read(path: Path) -> Mapping[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file of variables cannot be read: {error}.", path=path) from None
    return dict(_assignments(text))


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of a file in which each line is ``NAME=value``, quoted or not."""
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue  # Empty, or a comment.
        name, value = match.groups()
        quote = value[:1]
        if quote in {"'", '"'} and (end := value.find(quote, 1)) > 0:
            yield name, value[1:end]
        else:
            yield name, re.sub(r"\s+#.*", "", value).strip()
