"""The prompts of the patterns, one file each."""

from functools import cache
from importlib.resources import files


@cache
def prompt(name: str) -> str:
    """Return the text of ``prompts/<name>.md``.

    Raises:
        FileNotFoundError: when there is no such prompt.
    """
    return files("treadle.graphs").joinpath("prompts", f"{name}.md").read_text("utf-8").strip()


def join(*parts: str) -> str:
    """Join the parts of a system prompt that are not empty."""
    return "\n\n".join(part.strip() for part in parts if part.strip())
