"""The standard streams, as whoever started the command left them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

from treadle.core.errors import InputError, TreadleError


class OutputError(TreadleError):
    """What was to be printed could not be written, where a disk is full for example."""


class ReaderLeftError(Exception):
    """Whoever read the output left: there is nobody to tell."""


def open_standard_streams() -> None:
    """Open on /dev/null what of standard input, output and error was left closed.

    Otherwise the next file or connection that is opened takes the place, and gets what is printed.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one: those below it are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="strict")  # the C locale would let through what is no text


@contextmanager
def printing() -> Iterator[None]:
    """Have it said what went wrong where the block cannot write to standard output.

    Raises:
        OutputError: it cannot be written, for another reason than that its reader left.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise OutputError(f"Standard output cannot be written: {why}.") from None


@contextmanager
def kept(run_id: str, command: str = "show") -> Iterator[None]:
    """Have it said where a run's answer is to be found if the block cannot print it.

    Raises:
        OutputError: it could not; the hint names the command.
    """
    try:
        with printing():
            yield
            sys.stdout.flush()
    except OutputError as error:
        hint = f"The answer is kept: treadle runs {command} {run_id}"
        raise OutputError(error.message, hint=hint) from None


def let_go() -> None:
    """Drop what can no longer be written: Python's last flush would fail for it as well."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def read_input() -> str:
    """Return all of standard input.

    Raises:
        InputError: it is not UTF-8 text.
    """
    with _text():
        return sys.stdin.read()


def read_line() -> str:
    """Return a line of standard input, edited in a terminal.

    Raises:
        EOFError: it has ended.
        KeyboardInterrupt: Ctrl-C was pressed; the line on the terminal is ended.
        InputError: it is not UTF-8 text.
    """
    try:
        with _text():
            return input()
    except KeyboardInterrupt:
        print(file=sys.stderr)  # noqa: T201
        raise


@contextmanager
def _text() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        raise InputError("Standard input is not UTF-8 text.") from None
