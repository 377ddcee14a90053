"""How a process ends: with an exit code, and with a sentence where something went wrong."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from treadle.cli._safe import visible
from treadle.cli._streams import OutputError, ReaderLeftError, let_go, printing
from treadle.core.errors import TreadleError, UserError

_DEFECT = "This is a defect in Treadle. TREADLE_DEBUG=1 shows where; please report it."
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What a system says of a disk on which nothing more can be kept."""
_NO_PLACE = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS}
"""What a system says of a path that names nothing a command could use."""


def exit_code(work: Callable[[], object]) -> int:
    """Do some work; whatever goes wrong becomes one message on stderr and an exit code."""
    try:
        return _flushed(_done(work))
    finally:
        let_go()


def _done(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)  # noqa: T201
        return 130
    except (BrokenPipeError, ReaderLeftError):
        return 0
    except Exception as error:
        return _explain(error)
    return 0


def _flushed(code: int) -> int:
    """Return the code, or another one where the last of the output cannot be written."""
    try:
        with printing():
            sys.stdout.flush()
    except BrokenPipeError:
        return code
    except OutputError as error:
        return code or _explain(error)
    return code


def _explain(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in _FULL:
        what = error.filename or "What was to be kept or printed"
        _say(f"{what} cannot be written: {error.strerror}.", "")
        return 1
    if isinstance(error, OSError) and error.errno in _NO_PLACE and error.filename:
        _say(f"{error.filename} cannot be used: {error.strerror}.", "")
        return 2
    if not isinstance(error, TreadleError):
        if os.environ.get("TREADLE_DEBUG"):
            raise error
        _say(f"{type(error).__name__}: {error}", _DEFECT)
        return 1
    _say(error.message, error.hint)
    return 2 if isinstance(error, UserError) else 1


def _say(message: str, hint: str) -> None:
    """Print what was wrong, and what to do; what it quotes cannot command the terminal."""
    with suppress(OSError):  # there is nowhere else to say it
        print(f"error: {visible(message)}", file=sys.stderr)  # noqa: T201
        if hint:
            print(f"       {visible(hint)}", file=sys.stderr)  # noqa: T201
