"""How a process ends: with an exit code, and with a sentence where something went wrong."""

import os
import sys
from collections.abc import Callable

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
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        print(f"       {_DEFECT}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"error: {error.message}", file=sys.stderr)  # noqa: T201
    if error.hint:
        print(f"       {error.hint}", file=sys.stderr)  # noqa: T201
    return 2 if isinstance(error, UserError) else 1
