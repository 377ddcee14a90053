"""A server that is told to stop while JavaScript's clients read, and its successor."""

from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.server.conftest import make_graphs_project
from tests.server.js.conftest import passed
from tests.support.serving import serving
from tests.support.waiting import wait_until

STEPS, AFTER = 25, 3
SETTINGS = "[server]\nstop_seconds = 1\n"


@pytest.mark.parametrize(("runs", "readers"), [(5, 10)])
def test_streams_go_on_at_the_next_server(redis_url, tmp_path, start_in_node, runs, readers):
    (folder := tmp_path / "project").mkdir()
    project, gate, begun = make_graphs_project(folder), folder / "gate", tmp_path / "begun"
    (project / "treadle.toml").write_text(SETTINGS)
    numbers = {"RUNS": runs, "READERS": readers, "STEPS": STEPS, "AFTER": AFTER}
    with ExitStack() as stack:
        served = stack.enter_context(serving(project, redis_url, is_new=True))
        asked = {name: str(number) for name, number in numbers.items()}
        reading = start_in_node("restart.mjs", URL=served.url, GATE=str(gate), **asked)
        stack.callback(reading.kill)
        wait_until(lambda: begun.exists() or reading.poll() is not None, within_seconds=60)
        assert served.stop() == 0
        assert reading.poll() is None, reading.communicate()
        gate.touch()  # Until now no run could come to its end.
        port = str(urlsplit(served.url).port)
        stack.enter_context(serving(project, redis_url, "--port", port, is_new=True))
        passed(reading)
