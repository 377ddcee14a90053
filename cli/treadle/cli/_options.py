"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from treadle.core.errors import InputError


def _named(value: str | None, parameter: typer.CallbackParam) -> str | None:
    """Return what an option names.

    Raises:
        InputError: it names nothing.
    """
    if value is not None and not value.strip():
        raise InputError(f"{parameter.opts[0]} is empty.", hint="Leave it out, or name one.")
    return value


def given_path(text: str) -> Path:
    """Return an argument as a path.

    Raises:
        InputError: it is empty, which would be taken for this folder.
    """
    if not text:
        raise InputError("A path is empty.", hint="This folder is '.'.")
    return Path(text)


Project = Annotated[Path, typer.Option("--project", "-p", help="The project's folder.")]
RedisUrl = Annotated[
    str | None, typer.Option("--redis", help="Where Redis is; your own embedded one by default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
AgentName = Annotated[str, typer.Option("--agent", "-a", help="The agent to ask.")]
ThreadId = Annotated[
    str | None,
    typer.Option("--thread", "-t", callback=_named, help="The conversation to go on with."),
]
UserName = Annotated[
    str | None,
    typer.Option("--user", "-u", callback=_named, help="Whose long-term memory the agent uses."),
]
ModelName = Annotated[
    str | None,
    typer.Option("--model", "-m", help="The default model: a profile or provider:model."),
]
ThreadArgument = Annotated[str, typer.Argument(help="The thread's id.")]
RunArgument = Annotated[str, typer.Argument(help="The run's id, or its beginning.")]

HERE = Path()
