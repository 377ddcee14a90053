"""The command line: ``treadle``.

Each command is declared in `_app`, which loads nothing heavy, so that ``treadle --help`` answers at
once; what a command does stands in a module of its own, loaded when it is called.
"""

import atexit
import gc
import os
import sys

_DEFECT = "This is a defect in Treadle. TREADLE_DEBUG=1 shows where; please report it."


def main() -> None:
    """Run the ``treadle`` command and leave with its exit code.

    0: done. 1: the run failed. 2: a wrong argument or configuration. 3: the run waits for a person.
    4: the run was stopped early, by its budget for example, and answered with what it knew.
    130: stopped with Ctrl-C.
    """
    # What is loaded stays: looking through it for garbage again and again, and once more at the
    # end, was a quarter of what a command cost. `Opening.runtime` lets the collector work.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        from treadle.cli._app import app  # noqa: PLC0415 - only when the command line is used

        sys.exit(_guarded(app))
    finally:
        gc.enable()


def _guarded(app: object) -> int:
    """Run the app; whatever goes wrong becomes one message on stderr and an exit code."""
    assert callable(app)  # noqa: S101 - a Typer app
    try:
        app()
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
