"""Every call gets the answer that ``langgraph dev`` was recorded to give, or a reason why not."""

import json
import re
import uuid

import pytest

from tests.server.langgraph.app import running
from tests.server.langgraph.test_compatibility import CALLS
from tests.server.parity.__main__ import RECORD, asked
from tests.server.parity.compare import Difference, count, differences, plain
from tests.server.parity.explained import EXPLAINED
from tests.server.parity.graphs import GRAPHS
from tests.server.parity.steps import STEPS

THEIRS = json.loads(RECORD.read_text())["answers"]


@pytest.fixture
async def ours(redis_url, tmp_path):
    (tmp_path / "agents").mkdir()
    for name in GRAPHS:
        agent = f"graph: parity_graphs.py:{name}\n"
        (tmp_path / "agents" / f"{name}.yaml").write_text(agent)
    (tmp_path / "parity_graphs.py").write_text(RECORD.with_name("graphs.py").read_text())
    async with running(redis_url, tmp_path) as (url, _):
        return await asked(url)


def test_every_method_that_is_served_is_compared():
    asked_for = {name.replace(",", "").split()[0] for name in STEPS}
    assert asked_for == set(CALLS)


async def test_every_difference_is_explained(ours):
    assert list(ours) == list(STEPS)
    assert ours.keys() == THEIRS.keys(), "record again what langgraph dev answers"
    found = [one for name in STEPS for one in differences(name, THEIRS[name], ours[name])]
    unexplained = [str(one) for one in found if not any(e.covers(one.place) for e in EXPLAINED)]
    assert not unexplained, "\n".join(unexplained)
    unneeded = [
        pattern
        for explained in EXPLAINED
        for pattern in explained.places
        if not any(_covers(pattern, one) for one in found)
    ]
    assert not unneeded, f"nothing differs there any more: {unneeded}"
    assert sum(map(count, THEIRS.values())) > 1_000, "so many values were compared"


def test_what_differs_is_found():
    theirs = {"a": [1, {"b": None}], "c": True}
    ours = {"a": [1, {"b": 0}, 2], "c": 1, "d": ""}
    places = [one.place for one in differences("x", theirs, ours)]
    assert places == ["x.a[1].b", "x.a[2]", "x.c", "x.d"]
    assert not list(differences("x", theirs, theirs))


def test_what_is_new_in_every_run_is_named_by_its_kind():
    made = {"id": f"run-{uuid.uuid4()}", "at": "2026-01-01T00:00:00.123+00:00", "n": 7}
    assert plain(made) == {"id": "run-<uuid>", "at": "<time>", "n": 7}
    assert plain(["http://127.0.0.1:8123/x", 1_795_763_773_078]) == ["<server>/x", "<time>"]


def _covers(pattern: str, one: Difference) -> bool:
    return re.fullmatch(pattern, one.place) is not None
