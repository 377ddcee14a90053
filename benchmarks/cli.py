"""CPU time of the command line: ``treadle --help``, and one ``ask`` on the embedded model.

Run it with ``make bench``. CPU time (user and system, of the process and its children) is the
median of several runs; wall time says little on a shared machine and is not reported.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TREADLE = Path(sys.executable).parent / "treadle"
RUNS = 5


def cpu_seconds(*arguments: str, home: str) -> float:
    """Return the CPU time of one command in seconds; it must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "TREADLE_HOME": home, "TREADLE_MODEL": "embedded"}
    subprocess.run([TREADLE, *arguments], env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="treadle-") as home:
        first = cpu_seconds("ask", "What is 6 times 7?", home=home)
        rows = [
            ("python -c pass", [_python_cpu() for _ in range(RUNS)]),
            ("treadle --help", [cpu_seconds("--help", home=home) for _ in range(RUNS)]),
            ("treadle ask, first in a new home", [first]),
            (
                "treadle ask, again",
                [cpu_seconds("ask", "What is 6 times 7?", home=home) for _ in range(RUNS)],
            ),
        ]
    print(f"{'command':<36}{'CPU s, median':>14}{'runs':>6}")
    for name, seconds in rows:
        print(f"{name:<36}{statistics.median(seconds):>14.3f}{len(seconds):>6}")


def _python_cpu() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
