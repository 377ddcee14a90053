"""What is the same for every command: the check of its arguments, and a reader that leaves."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from treadle.cli._streams import ReaderLeftError
from treadle.core.errors import InputError

_SHOWN = 60


class Commands(TyperGroup):
    """All commands of ``treadle``."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Read the arguments, or print the help they ask for.

        Raises:
            InputError: one is not text.
            ReaderLeftError: whoever read the output left.
        """
        _check(args)
        with _read():
            return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Do what a command does.

        Raises:
            ReaderLeftError: whoever read the output left.
        """
        with _read():
            return super().invoke(ctx)


def _check(arguments: Iterable[str]) -> None:
    for one in arguments:
        try:
            one.encode()
        except UnicodeEncodeError:
            shown = repr(os.fsencode(one)[:_SHOWN])[1:]
            raise InputError(f"The argument {shown} is not UTF-8 text.") from None


@contextmanager
def _read() -> Iterator[None]:
    """Keep a broken pipe from Typer, which would take it for a failure."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderLeftError from None
