"""The application in this process, asked over ASGI, with keys for those who ask."""

import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.serving import serving
from treadle.core.settings import Settings
from treadle.runtime import Runtime
from treadle.server import app
from treadle.server.security import ApiKeys

GRAPHS = Path(__file__).with_name("graphs.py")
BASE = "http://127.0.0.1:8123"


def make_graphs_project(folder):
    """Make a project with the graphs of ``graphs.py``."""
    (folder / "agents").mkdir()
    shutil.copy(GRAPHS, folder)
    for name in ("talk", "ask", "hold", "count_up"):
        (folder / "agents" / f"{name}.yaml").write_text(f"graph: graphs.py:{name}\n")
    return folder


@dataclass
class Local:
    """An application, and what it keeps.

    Attributes:
        app: the application.
        runtime: the runtime it serves.
        client: asks without a key.
        keys: makes keys.
    """

    app: object
    runtime: Runtime
    client: httpx.AsyncClient
    keys: ApiKeys

    async def client_of(self, name="reader", **about):
        """Return a client that shows a key made for it, and what is kept of the key."""
        made = await self.keys.create(name, **{"tenant": "main", **about})
        headers = {"Authorization": f"Bearer {made.key}"}
        return httpx.AsyncClient(
            transport=self.client._transport, base_url=BASE, headers=headers
        ), made.about


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "plain.yaml").write_text("prompt: You help.\n")
    return tmp_path


@pytest.fixture(scope="module")
def served_graphs(redis_6_2, tmp_path_factory):
    """Serve the graphs of ``graphs.py`` in a process of its own."""
    project = make_graphs_project(tmp_path_factory.mktemp("graphs"))
    environment = {"TREADLE_HOME": str(tmp_path_factory.mktemp("home"))}
    with serving(project, redis_6_2.url, environment=environment) as served:
        yield served


@pytest.fixture
def local(redis_url):
    """Give what opens a project's application."""

    @asynccontextmanager
    async def opened(project, *, requires_key=True, **settings):
        chosen = Settings.model_validate(settings)
        async with Runtime.open(redis_url, project, settings=chosen) as runtime:
            made = app(runtime, requires_key=requires_key)
            transport = httpx.ASGITransport(made, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                yield Local(made, runtime, client, ApiKeys(runtime.redis))

    return opened


@pytest.fixture
def local_app(local):
    """Give what opens a client of a project's application that asks for no key."""

    @asynccontextmanager
    async def opened(project, **settings):
        async with local(project, requires_key=False, **settings) as made:
            yield made.client

    return opened
