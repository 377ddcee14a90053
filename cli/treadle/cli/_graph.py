"""``treadle graph``."""

from pathlib import Path

from treadle.agents import build_agent, find_agent
from treadle.agents.models import Models
from treadle.cli._console import err, out, print_json
from treadle.core.errors import InputError
from treadle.core.settings import Settings, project_folder
from treadle.graphs import to_mermaid, to_svg
from treadle.tools import ToolContext


def draw_graph(project: Path, name: str, output: Path | None, *, as_json: bool) -> None:
    """Print an agent's graph as Mermaid text, or write it as a picture.

    Raises:
        InputError: the picture's format is not known, or its file cannot be written.
    """
    folder = project_folder(project)
    settings = Settings.load(folder)
    # Nothing is asked, so no Redis is needed.
    context = ToolContext(folder, settings, redis=None)
    graph = build_agent(find_agent(name, folder), context, Models(settings), memory=None)
    if as_json:
        print_json(graph.get_graph().to_json())
    elif output is None:
        out.print(to_mermaid(graph), markup=False, highlight=False, soft_wrap=True)
    else:
        _write(output, to_svg(graph) if _is_svg(output) else to_mermaid(graph))
        err.print(f"Wrote {output}", style="dim")


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
