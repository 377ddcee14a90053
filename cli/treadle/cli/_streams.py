"""The standard streams, as whoever started the command left them."""

import os
import sys


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
