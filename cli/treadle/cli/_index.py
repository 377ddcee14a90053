"""``treadle index``."""

import asyncio
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from treadle.cli._console import counted, err, print_json
from treadle.cli._opening import Opening
from treadle.tools.documents import IndexReport


def index_documents(opening: Opening, paths: list[Path], collection: str, *, as_json: bool) -> None:
    """Read documents into one of the project's collections, with a progress bar."""
    columns = (
        TextColumn("Indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[file]}"),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None, file="")

        def on_progress(done: int, total: int, current: Path) -> None:
            bar.update(task, completed=done, total=total, file=current.name)

        report = opening.run(
            lambda rt: rt.documents.index(
                _places(paths), collection=collection, on_progress=on_progress
            )
        )
    if as_json:
        print_json(asdict(report))
    else:
        _print(report)


def watch_documents(opening: Opening, paths: list[Path], collection: str, *, as_json: bool) -> None:
    """Index, and again whenever a file changes, until it is interrupted."""

    async def watching() -> None:
        async with opening.runtime() as runtime:
            async for report in runtime.documents.watch(_places(paths), collection=collection):
                if as_json:
                    print_json(asdict(report))
                else:
                    _print(report)

    asyncio.run(watching())


def _places(paths: list[Path]) -> list[Path]:
    """Return paths as a person types them: relative to where they are, not to the project."""
    return [path.expanduser().absolute() for path in paths]


def _print(report: IndexReport) -> None:
    err.print(
        f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.removed} removed; {counted(report.passages, 'passage')}."
    )
    if report.without_vector:
        err.print(
            f"The embeddings failed: {report.without_vector} passages are found by their words "
            "only. Index again to try again.",
            style="yellow",
        )
    for path, reason in report.skipped:
        err.print(f"skipped {path}: {reason}", style="yellow", markup=False)
