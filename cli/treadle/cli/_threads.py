"""``treadle threads``."""

import json
from dataclasses import asdict
from pathlib import Path

import typer
from rich.markdown import Markdown

from treadle.cli._console import err, out, print_json, rows
from treadle.cli._opening import Opening
from treadle.core.errors import InputError


def list_threads(opening: Opening, limit: int, *, as_json: bool) -> None:
    """Print the conversations, newest first."""
    threads = opening.run(lambda runtime: runtime.threads.recent(limit))
    if as_json:
        print_json([asdict(thread) for thread in threads])
    elif not threads:
        err.print("No threads yet. Begin one with: treadle ask 'a question'", style="dim")
    else:
        rows(
            ["thread", "agent", "turns", "updated", "began with"],
            [[t.id, t.agent, str(t.turns), t.updated, t.title] for t in threads],
        )


def show_thread(opening: Opening, thread: str, *, as_json: bool) -> None:
    """Print what was said in a conversation."""
    if as_json:
        print_json(opening.run(lambda runtime: runtime.threads.export(thread)))
        return
    text = opening.run(lambda runtime: runtime.threads.export_markdown(thread))
    if out.is_terminal:
        out.print(Markdown(text))
    else:
        out.print(text, markup=False, highlight=False, soft_wrap=True, end="")


def export_thread(opening: Opening, thread: str, output: Path | None, *, as_json: bool) -> None:
    """Write a conversation to a file or to standard output.

    Raises:
        InputError: the file cannot be written.
    """
    if as_json:
        data = opening.run(lambda runtime: runtime.threads.export(thread))
        text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    else:
        text = opening.run(lambda runtime: runtime.threads.export_markdown(thread))
    if output is None:
        out.print(text, markup=False, highlight=False, soft_wrap=True, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.") from None
    err.print(f"Wrote {output}", style="dim")


def forget_thread(opening: Opening, thread: str, *, yes: bool, as_json: bool) -> None:
    """Remove a conversation, after asking unless told not to."""
    if not yes:
        typer.confirm(f"Remove the thread {thread} for good?", abort=True, err=True)
    counts = opening.run(lambda runtime: runtime.threads.forget(thread))
    if as_json:
        print_json(counts)
        return
    removed = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    err.print(f"Forgotten: {removed}.", style="dim")
