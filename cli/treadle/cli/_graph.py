"""``treadle graph``."""

from pathlib import Path

from treadle.agents import Agent, agent_files, build_agent, find_agent
from treadle.agents.models import Models
from treadle.cli._console import err, out, print_json
from treadle.core.errors import InputError, UnknownNameError
from treadle.core.settings import Settings, project_folder
from treadle.graphs import Graph, GraphFile, GraphParts, graph_files, to_mermaid, to_svg
from treadle.tools import ToolContext


def draw_graph(project: Path, name: str, output: Path | None, *, as_json: bool) -> None:
    """Print the graph of an agent or of a graph file as Mermaid text, or write it as a picture.

    Raises:
        InputError: the picture's format is not known, or its file cannot be written.
        UnknownNameError: neither an agent nor a graph file has that name.
    """
    graph = _graph(project_folder(project), name)
    if as_json:
        print_json(graph.get_graph().to_json())
    elif output is None:
        out.print(to_mermaid(graph), markup=False, highlight=False, soft_wrap=True)
    else:
        _write(output, to_svg(graph) if _is_svg(output) else to_mermaid(graph))


def write_python(project: Path, name: str, output: Path | None) -> None:
    """Print a graph file as Python code that makes the same graph, or write it to a file.

    Raises:
        InputError: the agent's graph is no graph file, or the code's file cannot be written.
        UnknownNameError: neither an agent nor a graph file has that name.
    """
    folder = project_folder(project)
    files = graph_files(folder)
    found = _found(folder, name)
    graph = found.graph if isinstance(found, Agent) else name
    if graph not in files:
        raise InputError(
            f"The graph {graph!r} of the agent {name!r} is no graph file of the project.",
            hint=f"There are: {', '.join(files)}." if files else "The project has none.",
        )
    code = GraphFile(files[graph]).to_python()
    if output is None:
        out.print(code, markup=False, highlight=False, soft_wrap=True, end="")
    elif output.suffix != ".py":
        raise InputError(f"Python code is not written to {output.name!r}.", hint="Name it .py.")
    else:
        _write(output, code)


def _graph(folder: Path, name: str) -> Graph:
    settings = Settings.load(folder)
    models = Models(settings)
    found = _found(folder, name)
    if isinstance(found, GraphFile):
        model = models.resolve(settings.model).chat
        return found.drawn(GraphParts(model, name=name, project=folder))
    # Nothing is asked, so no Redis is needed.
    context = ToolContext(folder, settings, redis=None)
    return build_agent(found, context, models, memory=None).graph


def _found(folder: Path, name: str) -> Agent | GraphFile:
    """Return the agent of that name, or else the graph file."""
    agents, files = agent_files(folder), graph_files(folder)
    if name in agents:
        return find_agent(name, folder)
    if name in files:
        return GraphFile(files[name])
    hint = "A graph of your own is a file graphs/NAME.yaml in the project."
    raise UnknownNameError("agent or graph file", name, {*agents, *files}, hint=hint)


def _is_svg(output: Path) -> bool:
    if output.suffix not in {".svg", ".mmd"}:
        raise InputError(
            f"A graph cannot be written as {output.suffix or 'a file without a suffix'!r}.",
            hint="Name the file .svg for a picture or .mmd for Mermaid text.",
        )
    return output.suffix == ".svg"


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.") from None
    err.print(f"Wrote {output}", style="dim")
