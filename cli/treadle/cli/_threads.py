"""``treadle threads``."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import TextIO

import typer
from rich.markdown import Markdown
from rich.text import Text

from treadle.cli._console import confirmed, counted, err, hint, out, print_json, rows
from treadle.cli._opening import Opening
from treadle.cli._safe import one_line, visible, visible_json
from treadle.cli._streams import printing
from treadle.core.errors import InputError
from treadle.memory.transcript import to_markdown
from treadle.runtime import Runtime, Thread, Turn
from treadle.runtime.runs import dry_thread

_EXCERPT_CHARS = 120


def list_threads(opening: Opening, limit: int, *, as_json: bool) -> None:
    """Print the conversations, newest first."""
    threads = opening.run(lambda runtime: runtime.threads.recent(limit))
    if as_json:
        print_json([asdict(thread) for thread in threads])
    elif not threads:
        hint("No threads yet. Begin one with: treadle ask 'a question'")
    else:
        for thread in threads:
            _print_listed(thread)


def _print_listed(thread: Thread) -> None:
    """Print a conversation in two lines, as one of many."""
    line = Text(f"{visible(thread.id)}  ", style="bold")
    updated = datetime.fromisoformat(thread.updated).astimezone()
    line.append(f"{updated:%Y-%m-%d %H:%M}  ", "dim")
    line.append(f"{visible(thread.agent)}, {counted(thread.turns, 'turn')}", "default")
    out.print(line, soft_wrap=True)
    out.print(Text(f"  {one_line(thread.title, out.width - 2)}", style="dim"))


def show_thread(
    opening: Opening, thread: str, limit: int, before: int | None, *, as_json: bool
) -> None:
    """Print some of what was said in a conversation, the latest unless another place is named."""
    turns = opening.run(lambda runtime: runtime.threads.show(thread, before=before, limit=limit))
    if as_json:
        print_json({"id": thread, "messages": [asdict(turn) for turn in turns]})
        return
    _print_turns(thread, turns)
    if turns and turns[0].number:
        hint(
            f"{turns[0].number:,} earlier messages: "
            f"treadle threads show {quote(thread)} --before {turns[0].number}"
        )


def search_thread(opening: Opening, thread: str, query: str, limit: int, *, as_json: bool) -> None:
    """Print the messages of a conversation that hold every word of the query, newest first."""
    turns = opening.run(lambda runtime: runtime.threads.search(thread, query, limit))
    if as_json:
        print_json([asdict(turn) for turn in turns])
    elif not turns:
        err.print("Nothing was found.", style="dim")
    else:
        rows(
            ["number", "when", "by", "text"],
            [[str(t.number), t.at, t.tool or t.role, _excerpt(t.text, query)] for t in turns],
            prose=["text"],
        )


def export_thread(opening: Opening, thread: str, output: Path | None, *, as_json: bool) -> None:
    """Write a conversation to a file or to standard output, a page at a time.

    Raises:
        InputError: the file cannot be written.
    """

    async def write(runtime: Runtime) -> None:
        threads, is_read = runtime.threads, output is None and out.is_terminal
        shown = (visible_json if as_json else visible) if is_read else str
        pieces = threads.export_json(thread) if as_json else threads.export_markdown(thread)
        first = await anext(pieces)  # an unknown thread leaves no file behind
        with _opened(output) as file:
            file.write(shown(first))
            async for piece in pieces:
                file.write(shown(piece))

    opening.run(write)
    if output is not None:
        err.print(f"Wrote {output}", style="dim")


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        with printing():
            yield sys.stdout
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.") from None


def _print_turns(thread: str, turns: Sequence[Turn]) -> None:
    text = "\n\n".join([f"# Thread {thread}", *map(to_markdown, turns)]) + "\n"
    if out.is_terminal:
        out.print(Markdown(text))
    else:
        out.print(text, markup=False, highlight=False, soft_wrap=True, end="")


def _excerpt(text: str, query: str) -> str:
    """Return the text around the first word of the query that it holds."""
    line = " ".join(text.split())
    place = line.casefold().find(query.casefold().split()[0])
    start = max(0, place - _EXCERPT_CHARS // 3)
    excerpt = line[start : start + _EXCERPT_CHARS]
    return f"{'…' if start else ''}{excerpt}{'…' if start + _EXCERPT_CHARS < len(line) else ''}"


def forget(
    opening: Opening, thread: str | None, user: str | None, *, yes: bool, as_json: bool
) -> None:
    """Remove a conversation or a user, after asking unless told not to.

    Raises:
        InputError: neither is named, or both.
    """
    if thread is not None and user is None:
        if not yes:
            opening.run(lambda rt: _check(rt, thread))
        counts = _forget(
            opening, f"the thread {thread}", lambda rt: rt.forget_thread(thread), yes=yes
        )
    elif user is not None and thread is None:
        counts = _forget(
            opening,
            f"the user {user} with every thread they asked on",
            lambda rt: rt.forget_user(user),
            yes=yes,
        )
    else:
        raise InputError("Name what to forget: a thread, or a user with --user.")
    if as_json:
        print_json(counts)
        return
    removed = ", ".join(
        f"{count:,} {kind.removesuffix('s') if count == 1 else kind}"
        for kind, count in counts.items()
    )
    err.print(f"Forgotten: {removed}.", style="dim")


async def _check(runtime: Runtime, thread: str) -> None:
    """See that there is something to forget.

    Raises:
        UnknownNameError: there is no such thread.
    """
    for id_ in (thread, dry_thread(thread)):  # that of a dry run holds nothing but runs
        if await runtime.runs.recent(1, thread=id_):
            return
    await runtime.threads.check(thread)


def _forget(
    opening: Opening,
    what: str,
    work: Callable[[Runtime], Awaitable[dict[str, int]]],
    *,
    yes: bool,
) -> dict[str, int]:
    if not yes and not confirmed(f"Remove {what} for good?"):
        raise typer.Exit(1)
    return opening.run(work)
