"""What a person sees: answers on standard output, progress on standard error."""

import json
import logging
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Literal

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Markdown
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from treadle.cli._safe import VisibleFormatter, visible, visible_json
from treadle.cli._streams import OutputError, printing, read_line
from treadle.core.calls import CallKind
from treadle.core.errors import InputError
from treadle.core.events import CallFinished, CallStarted, Event, Reply, RunFinished, RunStarted
from treadle.core.usage import Usage

MAX_OBSERVATION_LINES = 6
_UNBROKEN = 1_000_000
"""How wide a line may be where nothing needs to fit."""
_LEAST_PROSE = 20
"""How wide a column of text must be at least, so that it can be read in further lines."""
_MAX_ARGUMENT_CHARS = 100
_MAX_UNVERIFIED_CHARS = 32
_MARK = (
    r"\[unverified(?: link removed|: [^\]]*)\]|\[not a quotation found in the sources\]"
    r"|\[unknown source\]"
)


class _Console(Console):
    """A console that no text from elsewhere commands, where a person reads it.

    What goes to a pipe or a file from standard output stays as it is.
    """

    @property  # type: ignore[misc]  # nobody sets it
    def size(self) -> ConsoleDimensions:
        """The terminal's size; elsewhere no line is broken, but for ``COLUMNS``."""
        found = super().size
        if self.is_terminal or os.environ.get("COLUMNS"):
            return found
        return ConsoleDimensions(_UNBROKEN, found.height)

    @property
    def _is_read(self) -> bool:
        return self.stderr or self.is_terminal

    def print(self, *objects: Any, **options: Any) -> None:
        """Print.

        Raises:
            OutputError: standard output cannot be written.
            BrokenPipeError: whoever read it left.
        """
        try:
            with printing():
                super().print(*objects, **options)
        except (BrokenPipeError, OutputError):
            self.quiet = True  # what is left would fail again
            if not self.stderr:  # The way to an answer is worth less than the answer.
                raise

    def on_broken_pipe(self) -> None:
        """Leave it to whoever prints; Rich would end the process."""
        raise  # noqa: PLE0704 - it is called where a `BrokenPipeError` is handled

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text, what a terminal would obey written out."""
        return super().render_str(visible(text) if self._is_read else text, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is printed, what a terminal would obey written out, but for our own."""
        for piece in super().render(renderable, options):
            if self._is_read and not piece.control:
                yield Segment(visible(piece.text), piece.style)
            else:
                yield piece


out = _Console()
err = _Console(stderr=True)


def log_runs() -> None:
    """Have what is logged written to standard error, with the runs that failed among it."""
    handler = logging.StreamHandler()
    handler.setFormatter(VisibleFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("treadle.runs").setLevel(logging.INFO)


def hint(text: str, style: str = "dim") -> None:
    """Print what can be done next on standard error; a command in it stays in one piece."""
    err.print(Text(visible(text), style=style), soft_wrap=True)


def print_json(data: object) -> None:
    """Print data as JSON on standard output."""
    text = json.dumps(data, ensure_ascii=False, indent=2, default=_plain)
    with printing():
        sys.stdout.write(visible_json(text) + "\n")


def confirmed(question: str) -> bool:
    """Ask a person on standard error, and return whether they said yes.

    Raises:
        InputError: nobody is there to answer.
    """
    err.print(f"{question} [y/N] ", end="", markup=False, highlight=False, soft_wrap=True)
    try:
        answer = read_line()
    except EOFError:
        err.print()
        raise InputError("Nobody answered.", hint="With --yes nobody is asked.") from None
    return answer.strip().lower() in {"y", "yes"}


class RunView:
    """Shows the events of a run as they happen: thoughts, tool calls, observations.

    Args:
        console: where.
        is_verbose: whether each failed try of a model is shown too. Another one follows, or the
            run's own error says the same.
    """

    def __init__(self, console: Console, *, is_verbose: bool = False) -> None:
        self._console = console
        self._is_verbose = is_verbose

    def show(self, event: Event) -> None:
        """Show one event, if a person wants to see it."""
        match event:
            case RunStarted():
                self._line("●", "bold cyan", Text(event.question, style="bold"))
            case CallStarted(kind=CallKind.TOOL):
                call = Text(event.name, style="bold")
                call.append(f"({_arguments(event.arguments)})", style="default")
                self._line("→", "yellow", call)
            case CallFinished(kind=CallKind.TOOL):
                self._observation(event)
            case CallFinished(error=error) if error:
                if self._is_verbose:
                    self._line("✗", "red", Text(error, style="red"))
            case CallFinished(thought=thought) if thought:
                self._line("…", "magenta", Text(thought.strip(), style="italic"))
            case RunFinished(reply=reply) if reply.stopped and not reply.is_question:
                self._line("!", "yellow", Text(f"stopped early: {reply.stopped}"))

    def _observation(self, event: CallFinished) -> None:
        if event.error:
            self._line("✗", "red", Text(event.error, style="red"))
            return
        lines = [line for line in event.text.splitlines() if line.strip()]
        shown = "\n".join(lines[:MAX_OBSERVATION_LINES])
        if len(lines) > MAX_OBSERVATION_LINES:
            more = counted(len(lines) - MAX_OBSERVATION_LINES, "more line")
            shown += f"\n… {more}"
        self._line("←", "green", Text(shown, style="dim"))

    def _line(self, mark: str, style: str, body: Text) -> None:
        body.plain = visible(body.plain)
        grid = Text(f"{mark} ", style=style)
        if "\n" in body.plain or len(body) > self._console.width - 2:
            self._console.print(grid, end="")
            wrapped = body.wrap(self._console, max(20, self._console.width - 2))
            first, *others = wrapped
            self._console.print(first)
            for line in others:
                self._console.print(Padding(line, (0, 0, 0, 2), expand=False))
        else:
            self._console.print(grid + body)


def print_reply(reply: Reply, console: Console) -> None:
    """Print the answer and its sources."""
    if reply.data is not None:
        console.print_json(json.dumps(reply.data, default=_plain))
    elif console.is_terminal:
        console.print(_with_marks(reply))
    else:
        console.print(reply.text, markup=False, highlight=False, soft_wrap=True)
    if reply.citations:
        console.print()
    for citation in reply.citations:
        source = citation.source
        place = f"{source.uri} {source.locator}".strip()
        line = Text(f"[{citation.number}] ", style="cyan")
        line.append(source.title)
        line.append(f"  {place}", style="dim")
        console.print(line, soft_wrap=True)
    if reply.unverified:
        console.print()
        _print_unverified(reply, console)


def _with_marks(reply: Reply) -> RenderableType:
    """Return the answer as it is shown in a terminal, the marks in it in a colour of their own."""
    answer = Markdown(visible(reply.text))
    if not reply.unverified:
        return answer
    return _Marked(answer)


class _Marked:
    """Markdown in which the marks of what is not borne out stand out."""

    def __init__(self, answer: Markdown) -> None:
        self._answer = answer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in console.render_lines(self._answer, options, pad=False):
            text = Text.assemble(*((piece.text, piece.style or "") for piece in line))
            text.highlight_regex(_MARK, "yellow")
            yield text


def _print_unverified(reply: Reply, console: Console) -> None:
    """Print what the sources do not bear out, a line each."""
    for item in reply.unverified:
        said = " ".join(item.text.split())
        if len(said) > _MAX_UNVERIFIED_CHARS:
            said = f"{said[:_MAX_UNVERIFIED_CHARS]}…"
        line = Text.assemble(("! ", "yellow"), (f"{item.kind} ", "bold"))
        line.append(said)
        line.append(f"  {item.reason}", style="dim")
        console.print(line, soft_wrap=not console.is_terminal)


def usage_line(usage: Usage) -> str:
    """Return what a run cost, in a line."""
    calls = f"{counted(usage.model_calls, 'model call')}, {counted(usage.tool_calls, 'tool call')}"
    tokens = f"{counted(usage.input_tokens, 'token')} in, {usage.output_tokens:,} out"
    if usage.unpriced_calls:
        known = f"${usage.usd:.4f} and " if usage.usd else ""
        return f"{calls}, {tokens}, {known}{counted(usage.unpriced_calls, 'call')} of unknown cost"
    return f"{calls}, {tokens}, ${usage.usd:.4f}"


def counted(number: int, what: str) -> str:
    """Return how many of something there are: ``1 file``, ``2 files``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def reply_data(reply: Reply) -> dict[str, Any]:
    """Return a reply as plain data."""
    data = asdict(reply)
    data["citations"] = [citation.to_dict() for citation in reply.citations]
    return data


def rows(
    headings: Sequence[str],
    lines: Sequence[Sequence[str | Text]],
    *,
    prose: Collection[str] = (),
    right: Collection[str] = (),
) -> None:
    """Print a table on standard output; where it does not fit, each of its lines as a list.

    No id, name or time is broken, so that each can be copied.

    Args:
        headings: the columns'.
        lines: the cells of each line; the first cell names the line.
        prose: the columns whose text may go on in further lines.
        right: the columns of numbers.
    """
    told = [[Text(visible(c)) if isinstance(c, str) else c for c in line] for line in lines]
    widths = [
        max(len(heading), *(cell.cell_len for cell in column))
        for heading, column in zip(headings, zip(*told, strict=True), strict=False)
    ]
    least = [
        min(width, _LEAST_PROSE) if heading in prose else width
        for heading, width in zip(headings, widths, strict=False)
    ]
    if sum(least) + 2 * (len(least) - 1) > out.width:
        _print_entries(headings, told)
        return
    from rich.table import Table  # noqa: PLC0415 - only some commands print tables

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        is_prose = heading in prose
        table.add_column(heading, overflow="fold", no_wrap=not is_prose, justify=justify)
    for line in told:
        table.add_row(*line)
    out.print(table)


def _print_entries(headings: Sequence[str], lines: Sequence[Sequence[Text]]) -> None:
    """Print each line as a list: its name, and below it the other cells with their headings."""
    width = max(map(len, headings[1:]))
    for name, *others in lines:
        name.stylize("bold")
        out.print(name, soft_wrap=True)
        for heading, cell in zip(headings[1:], others, strict=True):
            if cell.plain:
                out.print(Text(f"  {heading:{width}}  ", style="dim") + cell, soft_wrap=True)


def _arguments(arguments: Mapping[str, Any]) -> str:
    shown = []
    for name, value in arguments.items():
        text = json.dumps(value, ensure_ascii=False, default=str)
        if len(text) > _MAX_ARGUMENT_CHARS:
            text = f"{text[:_MAX_ARGUMENT_CHARS]}…"
        shown.append(f"{name}={text}")
    return ", ".join(shown)


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)
