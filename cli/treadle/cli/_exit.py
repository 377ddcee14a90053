"""How a process ends: with an exit code, and with a sentence where something went wrong."""

import os
import sys
from collections.abc import Callable

from treadle.cli._safe import visible

_DEFECT = "This is a defect in Treadle. TREADLE_DEBUG=1 shows where; please report it."


def exit_code(work: Callable[[], object]) -> int:
    """Do some work; whatever goes wrong becomes one message on stderr and an exit code."""
    try:
        work()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        # Whoever read our output left; there is nobody to tell, and flushing would fail again.
        sys.stderr.close()
        return 0
    except Exception as error:
        return _explain(error)
    return 0


def _explain(error: Exception) -> int:
    from treadle.core.errors import TreadleError, UserError  # noqa: PLC0415 - only on an error

    if not isinstance(error, TreadleError):
        if os.environ.get("TREADLE_DEBUG"):
            raise error
        _say(f"{type(error).__name__}: {error}", _DEFECT)
        return 1
    _say(error.message, error.hint)
    return 2 if isinstance(error, UserError) else 1


def _say(message: str, hint: str) -> None:
    """Print what was wrong, and what to do; what it quotes cannot command the terminal."""
    print(f"error: {visible(message)}", file=sys.stderr)  # noqa: T201
    if hint:
        print(f"       {visible(hint)}", file=sys.stderr)  # noqa: T201
