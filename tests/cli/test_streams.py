"""Standard input, output and error as schedulers, pipes and full disks leave them."""

import os
import subprocess

import pytest

from tests.support.warm import TREADLE


@pytest.fixture
def shell(short_tmp_path, tmp_path, redis_url):
    """Run a line of a shell in an empty project; ``treadle`` in it is the installed command."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept |= {"TREADLE_HOME": str(short_tmp_path), "TREADLE_REDIS_URL": redis_url}

    def run_line(line):
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", f'treadle() {{ {TREADLE} "$@"; }}; {line}'],
            cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    run_line.folder = tmp_path
    return run_line


@pytest.mark.parametrize(
    ("closed", "answer"), [("<&-", "2+3 = 5.\n"), (">&-", ""), ("2>&- <&-", "2+3 = 5.\n")]
)
def test_a_command_works_without_one_of_the_standard_streams(shell, closed, answer):
    done = shell(f"treadle ask -q 'What is 2+3?' {closed}")
    assert (done.returncode, done.stdout, done.stderr) == (0, answer, "")
