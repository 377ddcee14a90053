"""What every encyclopedia answers with, be it a wiki on the network or a file."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an article under one heading.

    Attributes:
        heading: its heading behind those above it, such as ``"Life / Death"``; empty for the
            part before the first heading.
        text: its paragraphs, a line each.
    """

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """An article as plain text.

    Attributes:
        title: its title, after redirects.
        url: where a person can read it.
        sections: its parts that hold text, in order.
        lists_meanings: whether it only lists the articles that its title may mean.
    """

    title: str
    url: str
    sections: tuple[Section, ...]
    lists_meanings: bool = False


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found.

    Attributes:
        titles: the articles, best first.
        suggestion: another spelling of the query, where the wiki offers one.
    """

    titles: tuple[str, ...] = ()
    suggestion: str = ""


class Wiki(Protocol):
    """An encyclopedia that is open.

    Its methods raise `ToolError` when it cannot be reached or read.
    """

    async def search(self, query: str, limit: int) -> Hits:
        """Find articles."""

    async def article(self, title: str) -> Article | None:
        """Return the article of that title, following redirects; ``None`` if there is none."""


class Encyclopedia(Protocol):
    """A place to look things up.

    Attributes:
        name: what a person would call it.
    """

    @property
    def name(self) -> str:
        """What a person would call it."""
        ...

    def opened(self, language: str) -> AbstractAsyncContextManager[Wiki]:
        """Open the edition in a language, the default one for ``""``.

        Raises:
            ToolError: when ``language`` is no language code.
        """


@dataclass
class Outline:
    """Collects an article's headings and paragraphs into sections."""

    _open: list[tuple[int, str]] = field(default_factory=list)
    _texts: dict[str, list[str]] = field(default_factory=dict)

    def heading(self, level: int, text: str) -> None:
        """Begin a section; a smaller level stands higher."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, text))

    def paragraph(self, text: str) -> None:
        """Add to the section begun last."""
        if text:
            path = " / ".join(heading for _, heading in self._open)
            self._texts.setdefault(path, []).append(text)

    def sections(self) -> tuple[Section, ...]:
        """Return the sections that hold text."""
        return tuple(Section(path, "\n".join(lines)) for path, lines in self._texts.items())
