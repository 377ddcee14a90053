"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[Path, typer.Option("--project", "-p", help="The project's folder.")]
RedisUrl = Annotated[
    str | None, typer.Option("--redis", help="Where Redis is; your own embedded one by default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
AgentName = Annotated[str, typer.Option("--agent", "-a", help="The agent to ask.")]
ThreadId = Annotated[
    str | None, typer.Option("--thread", "-t", help="The conversation to go on with.")
]
UserName = Annotated[
    str | None, typer.Option("--user", "-u", help="Whose long-term memory the agent uses.")
]
ModelName = Annotated[
    str | None,
    typer.Option("--model", "-m", help="The default model: a profile or provider:model."),
]
ThreadArgument = Annotated[str, typer.Argument(help="The thread's id.")]
RunArgument = Annotated[str, typer.Argument(help="The run's id, or its beginning.")]

HERE = Path()
