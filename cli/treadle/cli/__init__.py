"""The command line: ``treadle``.

Each command is declared in `_app`, which loads nothing heavy, so that ``treadle --help`` answers at
once; what a command does stands in a module of its own, loaded when it is called.
"""

import atexit
import gc
import sys

from treadle.cli._exit import exit_code
from treadle.cli._streams import open_standard_streams


def main() -> None:
    """Run the ``treadle`` command and leave with its exit code.

    0: done. 1: the run failed. 2: a wrong argument or configuration. 3: the run waits for a person.
    4: the run was stopped early, by its budget for example, and answered with what it knew.
    130: stopped with Ctrl-C.
    """
    open_standard_streams()
    # What is loaded stays: looking through it for garbage again and again, and once more at the
    # end, was a quarter of what a command cost. `Opening.runtime` lets the collector work.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        from treadle.cli._app import app  # noqa: PLC0415 - only when the command line is used

        sys.exit(exit_code(app))
    finally:
        gc.enable()
