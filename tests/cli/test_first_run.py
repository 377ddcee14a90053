"""``make run``: the script behind it, and what make gives to it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.rooms import ROOT

PROGRAMS = Path(sys.executable).parent


def make(*arguments):
    """Return what ``make run`` would run, without setting anything up."""
    command = ["make", "--no-print-directory", "-n", "-o", ".venv/.run", "run", *arguments]
    told = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True, env=_clean()
    )
    return told.stdout


def _clean():
    kept = {name: value for name, value in os.environ.items() if name not in {"DOCS", "Q", "AGAIN"}}
    return {**kept, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}


def test_make_asks_on_only_about_its_own_documents():
    assert "Valkey" in make()
    given = make("DOCS=looms", "Q=How many?")
    assert "DOCS='looms' Q='How many?' AGAIN=''" in given
    assert "Valkey" not in make("DOCS=looms")


def test_the_first_run_reads_and_asks_what_it_was_given(tmp_path, short_tmp_path, redis_url):
    documents = tmp_path / "my documents"
    documents.mkdir()
    (documents / "looms.md").write_text("# Looms\n\nA Kestrel loom has four shafts.\n")
    given = {"DOCS": str(documents), "Q": "How many shafts has a Kestrel loom?", "AGAIN": ""}
    place = {"TREADLE_HOME": str(short_tmp_path), "TREADLE_REDIS_URL": redis_url}
    done = subprocess.run(
        ["sh", "examples/first_run.sh"],
        cwd=ROOT, env={**_clean(), **given, **place}, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("treadle ask") == 1
    assert "four shafts" in done.stdout
    assert "looms.md" in done.stdout
    assert "deploy" not in done.stdout + done.stderr
