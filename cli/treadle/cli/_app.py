"""The commands and their arguments; see ``treadle --help``."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Literal

import typer

from treadle.cli._approvals_app import approvals_app
from treadle.cli._commands import Commands
from treadle.cli._inbox_app import inbox_app
from treadle.cli._keys_app import keys_app
from treadle.cli._mcp_app import mcp_app
from treadle.cli._notifications_app import notifications_app
from treadle.cli._options import (
    HERE,
    AgentName,
    AsJson,
    ModelName,
    Project,
    RedisUrl,
    ThreadArgument,
    ThreadId,
    UserName,
    given_path,
)
from treadle.cli._queue_app import queue_app
from treadle.cli._runs_app import runs_app
from treadle.cli._schedule_app import schedule_app

app = typer.Typer(
    name="treadle",
    cls=Commands,
    help="Define an agent graph once; run it in a chatbot, over HTTP or on a schedule.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
threads_app = typer.Typer(
    help="Read, export and forget conversations.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(threads_app, name="threads")
app.add_typer(runs_app, name="runs")
app.add_typer(schedule_app, name="schedule")
app.add_typer(inbox_app, name="inbox")
app.add_typer(notifications_app, name="notifications")
app.add_typer(queue_app, name="queue")
app.add_typer(approvals_app, name="approvals")
app.add_typer(keys_app, name="keys")
app.add_typer(mcp_app, name="mcp")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"treadle {installed_version('treadle')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def ask(
    question: Annotated[
        str, typer.Argument(help="The question; '-' reads it from standard input.")
    ],
    agent: AgentName = "assistant",
    thread: ThreadId = None,
    user: UserName = None,
    model: ModelName = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show only the answer, not the way to it.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show each failed try of a model as well.")
    ] = False,
    is_dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what it would do; read, but change nothing."),
    ] = False,
) -> None:
    """Ask an agent a question.

    The answer goes to standard output, the way to it to standard error.
    """
    from treadle.cli._ask import Asking, run_ask, run_dry
    from treadle.cli._opening import Opening

    opening, asking = Opening(project, redis, model), Asking(question, agent, thread, user)
    if is_dry:
        run_dry(opening, asking, as_json=as_json)
    else:
        run_ask(opening, asking, as_json=as_json, quiet=quiet, verbose=verbose)


@app.command()
def chat(
    agent: AgentName = "assistant",
    thread: ThreadId = None,
    user: UserName = None,
    model: ModelName = None,
    project: Project = HERE,
    redis: RedisUrl = None,
) -> None:
    """Talk with an agent in the terminal."""
    from treadle.cli._chat import run_chat
    from treadle.cli._opening import Opening

    run_chat(Opening(project, redis, model), agent, thread, user)


@app.command()
def agents(project: Project = HERE, as_json: AsJson = False) -> None:
    """List the agents, each with what it is made of and why it cannot be asked, if so."""
    from treadle.cli._agents import list_agents

    list_agents(project, as_json=as_json)


@app.command()
def tools(project: Project = HERE, as_json: AsJson = False) -> None:
    """List the tools that agents may name: shipped, of packages, of MCP servers."""
    from treadle.cli._tools import list_tools

    list_tools(project, as_json=as_json)


@app.command()
def graph(
    name: Annotated[str, typer.Argument(help="The name of an agent, or of a graph file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write a picture: FILE.svg, or FILE.mmd for Mermaid."),
    ] = None,
    to: Annotated[
        Literal["picture", "python"],
        typer.Option("--to", help="python: write a graph file as code that makes the same graph."),
    ] = "picture",
    project: Project = HERE,
    as_json: AsJson = False,
) -> None:
    """Draw a graph, as Mermaid text or as a picture; or write a graph file as Python code."""
    from treadle.cli._graph import draw_graph, write_python

    if to == "python":
        write_python(project, name, output)
    else:
        draw_graph(project, name, output, as_json=as_json)


@app.command()
def index(
    paths: Annotated[
        list[Path], typer.Argument(parser=given_path, help="Files and folders to read.")
    ],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Into this collection of the settings.")
    ] = "",
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay, and index again whenever a file changes.")
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Read documents into the index that agents search.

    Markdown, text, HTML and PDF; only what changed is read again.
    """
    from treadle.cli._index import index_documents, watch_documents
    from treadle.cli._opening import Opening

    work = watch_documents if watch else index_documents
    work(Opening(project, redis), paths, collection, as_json=as_json)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port; 0 for any that is free.")
    ] = 8123,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again whenever a file of the project changes.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(min=0, max=64, help="How many workers execute queued runs; 0 for none here."),
    ] = 1,
    without_authentication: Annotated[
        bool,
        typer.Option(
            "--without-authentication", help="Let everybody in who can connect, without a key."
        ),
    ] = False,
    model: ModelName = None,
    project: Project = HERE,
    redis: RedisUrl = None,
) -> None:
    """Serve the agents over HTTP, to the clients people already have.

    Serves the graphs of a langgraph.json as well. Ctrl-C stops it. Where other machines can
    connect, a key is needed: 'treadle keys create' makes one.
    """
    from treadle.cli._opening import Opening
    from treadle.cli._serve import Serving, run_serve
    from treadle.server import Listening

    opening = Opening(project, redis, model)
    listening = Listening(host, port)
    run_serve(Serving(opening, listening, without_authentication, workers), reload=reload)


@app.command()
def worker(
    queue: Annotated[
        list[str] | None,
        typer.Option("--queue", "-q", help="A named queue it serves, the first first. Repeatable."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="How many runs of a tenant it works on at once.")
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="A tenant it serves; the settings' own by default. Repeatable."),
    ] = None,
    model: ModelName = None,
    project: Project = HERE,
    redis: RedisUrl = None,
) -> None:
    """Execute queued runs and fire schedules, beside any number of other workers."""
    from treadle.cli._opening import Opening
    from treadle.cli._worker import run_worker

    own, *others = tenant or [""]
    opening = Opening(project, redis, model, own or None)
    run_worker(opening, queue or ["default"], concurrency, others)


@app.command()
def new(
    folder: Annotated[
        Path, typer.Argument(parser=given_path, help="The folder to make; it must be new.")
    ],
) -> None:
    """Make a project that runs at once, with a test."""
    from treadle.cli._new import make_project

    make_project(folder)


@app.command("test")
def replay_folder(
    folder: Annotated[Path, typer.Argument(help="The folder of journals.")] = Path(
        "tests/journals"
    ),
    update: Annotated[
        bool,
        typer.Option("--update", help="Record anew those that differ; only what is new is asked."),
    ] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Replay a folder of recorded runs with the agents as they are now.

    Needs no Redis, no key and no network. Exit code 1 when a run goes another way.
    """
    from treadle.cli._journals import replay_journals
    from treadle.cli._opening import Opening

    replay_journals(Opening(project, redis), folder, update=update, as_json=as_json)


@app.command()
def doctor(project: Project = HERE, redis: RedisUrl = None, as_json: AsJson = False) -> None:
    """Say what is configured and what is missing."""
    from treadle.cli._doctor import examine
    from treadle.cli._opening import Opening

    examine(Opening(project, redis), as_json=as_json)


@threads_app.command("list")
def threads_list(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the conversations, newest first."""
    from treadle.cli import _threads
    from treadle.cli._opening import Opening

    _threads.list_threads(Opening(project, redis), limit, as_json=as_json)


@threads_app.command("show")
def threads_show(
    thread: ThreadArgument,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many messages.")] = 50,
    before: Annotated[
        int | None, typer.Option(min=0, help="Show the messages before this number.")
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest of what was said in a conversation."""
    from treadle.cli import _threads
    from treadle.cli._opening import Opening

    _threads.show_thread(Opening(project, redis), thread, limit, before, as_json=as_json)


@threads_app.command("search")
def threads_search(
    thread: ThreadArgument,
    query: Annotated[str, typer.Argument(help="Words that a message must hold, all of them.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = 20,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Find messages in a conversation, newest first."""
    from treadle.cli import _threads
    from treadle.cli._opening import Opening

    _threads.search_thread(Opening(project, redis), thread, query, limit, as_json=as_json)


@threads_app.command("export")
def threads_export(
    thread: ThreadArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; standard output without one.")
    ] = None,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write a conversation as Markdown, or as JSON with --json."""
    from treadle.cli import _threads
    from treadle.cli._opening import Opening

    _threads.export_thread(Opening(project, redis), thread, output, as_json=as_json)


@threads_app.command("forget")
def threads_forget(
    thread: Annotated[str | None, typer.Argument(help="The thread's id.")] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", "-u", help="Instead: everything about this user."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    project: Project = HERE,
    redis: RedisUrl = None,
    as_json: AsJson = False,
) -> None:
    """Remove a conversation, or a user, and everything that was kept of them."""
    from treadle.cli import _threads
    from treadle.cli._opening import Opening

    _threads.forget(Opening(project, redis), thread, user, yes=yes, as_json=as_json)
