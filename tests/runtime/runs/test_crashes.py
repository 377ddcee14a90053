"""A worker killed at every point of a run: nothing finished is done again, nothing is lost.

The points are those of `crash_worker`: behind every change of the world. Each is killed at once,
and a second time while the run is taken up again.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests.runtime.runs.crash_worker import AGENTS
from tests.runtime.runs.crashing import TOLD, Crashes, Worker, answer, counting_server
from tests.support.redis_servers import packaged_binary, running_server
from treadle.runtime.testing import ScriptedOpenAI

HAS_EFFECTS = set(AGENTS) - {"chain_of_thought"}

SHORT = ("react", "plain")
"""Graphs of which the normal suite kills more than a worker once; a soak does so of them all."""

OFTEN = [
    graph if graph in SHORT else pytest.param(graph, marks=pytest.mark.soak) for graph in AGENTS
]


@pytest.fixture
def crashes(short_tmp_path, tmp_path) -> Iterator[Callable[[str], Crashes]]:
    """Give a Redis that loses nothing it acknowledged when its process is killed."""
    kept = {"appendonly": "yes", "appendfsync": "no"}  # The kernel has it, and lives on.
    with ExitStack() as stack:
        redis = stack.enter_context(running_server(packaged_binary(), short_tmp_path, **kept))
        effects = stack.enter_context(counting_server(redis))
        model = stack.enter_context(ScriptedOpenAI(answer))

        worker = Worker(tmp_path, redis, effects, model)
        stack.callback(worker.close)
        yield partial(Crashes, redis=redis, effects=effects, model=model, worker=worker)


@contextmanager
def named(place: str, *numbers: int) -> Iterator[None]:
    """Say at which point an assertion failed."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"killed {place}, at point {' and then '.join(map(str, numbers))}")
        raise


@pytest.mark.parametrize("graph", AGENTS)
async def test_killed_at_every_point_of_a_run(graph: str, crashes, record_property) -> None:
    killed = crashes(graph)
    interrupted = 0
    for number in itertools.count(1):
        told = killed.asked(kill_at=number)
        with named(graph, number):
            if not told["killed"]:
                assert told["status"] == "success"
                break
            interrupted += await killed.finish(await killed.left())
    record_property("kills", number - 1)
    # How many there are differs a little: on a busy machine leases are renewed meanwhile.
    assert number > len(killed.points) * 0.75
    assert bool(interrupted) is (graph in HAS_EFFECTS), "no point left the effect's outcome unknown"


@pytest.mark.parametrize("graph", SHORT)
async def test_a_server_killed_at_every_point_of_a_queued_run(graph: str, crashes) -> None:
    """Its worker takes the run as it is submitted; another one goes on with it."""
    killed = crashes(graph)
    for number in itertools.count(1):
        told = killed.submitted(kill_at=number)
        with named(graph, number):
            if not told["killed"]:
                assert (told["status"], told["text"]) == ("success", killed.text), told
                assert not told["is_queued"]
                break
            left = await killed.left()
            if left.run is not None and left.run.status not in {"success", "interrupted"}:
                told = killed.served(left)
                assert "error" not in told, told["error"]
                assert not told["is_queued"]
                after = await killed.left()
                if told["status"] == "success":
                    assert after.billed - left.billed == killed.bill - left.answered
            await killed.finish(await killed.left())
    assert number > 8


async def killed_twice(killed: Crashes, first: int, second: int) -> bool:
    """Kill a run and then what goes on with it; return whether that got so far."""
    told = killed.asked(kill_at=first)
    left = await killed.left()
    if not told["killed"] or left.run is None or left.run.status == "success":
        return False
    is_asked = left.run.status == "interrupted"
    told = killed.resumed(left, kill_at=second, answers=TOLD if is_asked else None)
    if told.get("status") == "interrupted" and second > len(told["points"]):
        is_asked = True
        told = killed.resumed(left, kill_at=second - len(told["points"]), answers=TOLD)
    await killed.finish(await killed.left(), waits=is_asked)
    return bool(told["killed"])


@pytest.mark.parametrize("graph", OFTEN)
async def test_killed_again_while_it_is_taken_up(graph: str, crashes) -> None:
    killed = crashes(graph)
    total = len(killed.points)
    done = set()
    for first in range(1, total + 1):
        # Far apart from each other, so that all points of a second attempt have their turn.
        second = 1 + 7 * first % max(1, total - first)
        with named(graph, first, second):
            if await killed_twice(killed, first, second):
                done.add(second)
    assert len(done) > total / 4


@pytest.mark.soak
@pytest.mark.parametrize("graph", AGENTS)
async def test_killed_again_at_every_point_of_the_second_attempt(
    graph: str, crashes, record_property
) -> None:
    killed = crashes(graph)
    pairs = 0
    for first in range(1, len(killed.points) + 1):
        for second in itertools.count(1):
            with named(graph, first, second):
                if not await killed_twice(killed, first, second):
                    break
                pairs += 1
    record_property("pairs", pairs)


@pytest.mark.parametrize("graph", OFTEN)
async def test_redis_killed_at_every_point_of_a_run(graph: str, crashes, record_property) -> None:
    killed = crashes(graph)
    for number in itertools.count(1):
        told = killed.asked(kill_at=number, kills_redis=True)
        with named(f"Redis under {graph}", number):
            if not killed.effects.times("/restart-redis"):
                assert told["status"] == "success"
                break
            # Clients connect again by themselves; where one does not, the error says whose it is.
            assert told.get("status") == "success" or "RedisError" in told["error"], told
            left = await killed.left()
            if left.run is None or left.run.status != "success":
                await killed.finish(left)
    record_property("kills", number - 1)
