"""Clients in JavaScript: node, and the packages of ``package-lock.json``."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.conftest import make_graphs_project
from tests.server.openai.conftest import model, server
from tests.support.redis_servers import free_port
from tests.support.serving import serving

__all__ = ["model", "server"]
"""A server with a scripted model behind it, as Python's clients are tried on."""

HERE = Path(__file__).parent
PINNED = ("package.json", "package-lock.json")
NODE_MAJOR = 20


def missing() -> str:
    """Return what this machine lacks for the clients; nothing when all is there."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "node and npm are not installed: the clients in JavaScript are NOT tested"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    is_old = int(version.strip().lstrip("v").split(".")[0]) < NODE_MAJOR
    return f"node {NODE_MAJOR} or newer is needed, not {version.strip()}" if is_old else ""


@pytest.fixture(scope="session")
def packages() -> Path:
    """Give the folder of the installed packages; they are installed once for each lock file."""
    if problem := missing():
        pytest.skip(problem)
    pins = b"".join((HERE / name).read_bytes() for name in PINNED)
    kept = Path(sys.prefix) / "js" / hashlib.sha256(pins).hexdigest()[:16]
    kept.parent.mkdir(exist_ok=True)
    with (kept.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests in another process may ask for them now.
        if not kept.is_dir():
            _install(kept)
    return kept / "node_modules"


def _install(kept: Path) -> None:
    fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
    fresh.mkdir()
    for name in PINNED:
        shutil.copy(HERE / name, fresh)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=fresh, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, f"npm ci: {done.stdout}{done.stderr}"
    fresh.rename(kept)


@pytest.fixture
def start_in_node(packages, tmp_path):
    """Give what starts a file of tests in node, against the server at an address."""

    def start(name: str, **environment: str) -> subprocess.Popen[str]:
        for file in (*HERE.glob("*.mjs"), *HERE.glob("*.jsx")):
            shutil.copy(file, tmp_path)
        (tmp_path / "node_modules").symlink_to(packages)
        return subprocess.Popen(
            ["node", "--test", "--test-reporter=spec", name],
            cwd=tmp_path,
            env={**os.environ, **environment, "FOLDER": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def run_in_node(start_in_node):
    """Give what runs such a file to its end."""

    def run(name: str, **environment: str) -> None:
        passed(start_in_node(name, **environment))

    return run


def passed(process: subprocess.Popen[str]) -> None:
    """Wait for tests in node, which have to pass."""
    try:
        said, _ = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, said


@pytest.fixture(scope="session")
def chromium() -> str:
    """Give the path of Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed: clients in a browser are NOT tested")
    return found


@pytest.fixture(scope="module")
def served_to_pages(redis_6_2, tmp_path_factory):
    """Serve the graphs of ``graphs.py`` to the pages of one origin; give the server and that.

    It has a tenant of its own: its pages count threads, and what other tests left in this Redis
    may still be forgotten meanwhile.
    """
    project = make_graphs_project(tmp_path_factory.mktemp("graphs"))
    origin = f"http://chat.example:{free_port()}"
    (project / "treadle.toml").write_text(f'tenant = "pages"\n[server]\norigins = ["{origin}"]\n')
    environment = {"TREADLE_HOME": str(tmp_path_factory.mktemp("home"))}
    with serving(project, redis_6_2.url, environment=environment) as served:
        yield served, origin
