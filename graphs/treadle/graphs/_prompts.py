"""The prompts of the patterns, one file each, and a project's own in their place."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from treadle.core.errors import ConfigError

MAX_PROMPT_CHARS = 20_000
"""How long a project's own prompt may be."""


@cache
def _shipped() -> Mapping[str, str]:
    folder = files("treadle.graphs").joinpath("prompts")
    return MappingProxyType(
        {
            file.name.removesuffix(".md"): file.read_text("utf-8").strip()
            for file in folder.iterdir()
            if file.name.endswith(".md")
        }
    )


@cache
def _shipped_digest() -> str:
    return digest(json.dumps(dict(_shipped()), sort_keys=True).encode())


def digest(data: bytes) -> str:
    """Return a short digest, which tells versions apart."""
    return hashlib.sha256(data).hexdigest()[:16]


def prompt(name: str) -> str:
    """Return the text of the shipped ``prompts/<name>.md``.

    Raises:
        KeyError: when there is no such prompt.
    """
    return _shipped()[name]


class Prompts:
    """The prompts of one project: its own ``prompts/<name>.md`` where it has one, else the shipped.

    They are read at once, so that a file that cannot be used is told before anything runs, and a
    file that changes does not change a graph that was made.

    Args:
        project: the project's folder; only the shipped prompts without one.

    Attributes:
        digests: what tells one version of the prompts from another: a digest of each of the
            project's own by its name, and one of all that are shipped.

    Raises:
        ConfigError: a file of the project is empty, too long, or cannot be read.
    """

    def __init__(self, project: Path | None = None) -> None:
        own = {} if project is None else _own(project / "prompts")
        self._texts = {**_shipped(), **own}
        self.digests = {
            "shipped": _shipped_digest(),
            **{n: digest(t.encode()) for n, t in own.items()},
        }

    def __call__(self, name: str) -> str:
        """Return the prompt of that name.

        Raises:
            KeyError: when there is no such prompt.
        """
        return self._texts[name]


def _own(folder: Path) -> dict[str, str]:
    paths = {name: folder / f"{name}.md" for name in _shipped()}
    return {name: _read(path) for name, path in paths.items() if path.exists()}


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, ValueError) else error.strerror
        raise ConfigError(f"the prompt cannot be read: {reason}.", path=path) from None
    if not text:
        raise ConfigError(
            "the prompt is empty.", hint="Remove the file to use the shipped prompt.", path=path
        )
    if len(text) > MAX_PROMPT_CHARS:
        raise ConfigError(
            f"the prompt has {len(text):,} characters; {MAX_PROMPT_CHARS:,} is the most.", path=path
        )
    return text


def join(*parts: str) -> str:
    """Join the parts of a system prompt that are not empty."""
    return "\n\n".join(part.strip() for part in parts if part.strip())
