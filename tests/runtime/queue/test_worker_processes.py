"""Workers that are killed, frozen, cut off and replaced under load: nothing lost, nothing twice."""

import asyncio
import itertools
import logging
import signal
import statistics
from datetime import timedelta

import pytest

from tests.runtime.queue.conftest import submit
from tests.runtime.queue.worker_processes import workers, write_settings
from tests.support.redis_servers import packaged_binary, running_server
from tests.support.tcp_proxy import running_proxy
from tests.support.waiting import eventually
from treadle.runtime import Runtime
from treadle.runtime.queue import RunOptions
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, hang, say

LEASE = timedelta(seconds=2)
_log = logging.getLogger(__name__)


def heard(request):
    """Calculate once, then answer with all that was asked on the thread so far."""
    if request.messages[-1]["role"] == "user":
        return call("calculate", expression="1+1")
    asked = [m["content"] for m in request.messages if m["role"] == "user"]
    return say(" ".join(asked))


async def flood(runtime, threads, per_thread):
    """Queue questions on threads; return each thread's runs in their order."""
    runs = {f"t{n}": [] for n in range(threads)}
    for number in range(per_thread):
        for thread, ids in runs.items():
            queued = await submit(runtime, f"{number}.", thread, key=f"{thread}/{number}")
            ids.append(queued.run_id)
    return runs


async def check(runtime, runs):
    """Check that each run came to its end once, in its thread's order."""
    for thread, ids in runs.items():
        ended = [await runtime.queue.wait(run_id) for run_id in ids]
        assert [run.error for run in ended] == [""] * len(ids)
        assert [run.status for run in ended] == [RunStatus.SUCCESS] * len(ids)
        turns = list(await runtime.threads.show(thread, limit=1_000))
        asked = [turn.text for turn in turns if turn.role == "user"]
        answers = [turn.text for turn in turns if turn.role == "assistant" and turn.text]
        assert asked == [f"{n}." for n in range(len(ids))]
        assert answers == [" ".join(asked[: n + 1]) for n in range(len(ids))]
        for run_id in ids:
            journal = await runtime.runs.journal(run_id)
            assert [e.type for e in journal.entries].count("run.finished") == 1

    async def is_empty():
        stats = await runtime.queue.stats()
        return not (stats.ready["default"] or stats.running["default"] or stats.dead)

    await eventually(is_empty, what="an empty queue")


async def heard_of(runtime, count):
    """Tell whether so many workers have looked for work by now."""
    return (await runtime.queue.stats()).workers["default"] == count


@pytest.fixture
def served(project, redis_url):
    """Give a project whose model answers at once, with short leases."""
    with ScriptedOpenAI(heard) as server:
        write_settings(project, server.base_url)
        yield server


async def now_ms(runtime):
    """Return the moment by Redis's clock, by which journals are dated too."""
    seconds, us = await runtime.redis.time()
    return int(seconds) * 1000 + int(us) // 1000


async def recoveries(runtime, run_ids, kills):
    """Return how long after a worker was killed each run that it left was taken up, in seconds."""
    found = []
    for run_id in run_ids:
        entries = (await runtime.runs.journal(run_id)).entries
        moments = [(int(entry.id.split("-")[0]), entry.type) for entry in entries]
        for (before, left), (moment, type_) in itertools.pairwise(moments):
            if type_ == "run.resumed" and left != "run.paused":
                killed = max((kill for kill in kills if kill < moment), default=before)
                found.append((moment - max(killed, before)) / 1000)
    return found


async def killed_under_load(redis_url, project, *, threads, per_thread, kills, pause):
    """Kill workers; return how long each run that they left waited, in seconds."""
    moments = []
    async with Runtime.open(redis_url, project) as runtime:
        with workers(project, redis_url, 3) as team:
            flooding = asyncio.create_task(flood(runtime, threads, per_thread))
            for number in range(kills):
                await asyncio.sleep(pause)
                moments.append(await now_ms(runtime))
                team.kill(number % 3)
                team.start()
            runs = await flooding
            await check(runtime, runs)
        return await recoveries(runtime, [one for ids in runs.values() for one in ids], moments)


async def test_killed_under_load(redis_url, project, served):
    await killed_under_load(redis_url, project, threads=6, per_thread=8, kills=4, pause=1)


SLOW = """
import time
from treadle.tools import Effect, tool

@tool(effect=Effect.READ)
def calculate(expression: str) -> str:
    "Calculate, so slowly that the load lasts for the minute."
    time.sleep(3)
    return "2"
"""


@pytest.mark.soak
async def test_killed_under_load_for_a_minute(redis_url, project):
    """A worker is killed every two seconds while 200 runs on 20 threads are worked on."""

    (project / "slow.py").write_text(SLOW)
    agent = "description: Takes its time.\ntools: ['slow.py:calculate']\n"
    (project / "agents" / "counter.yaml").write_text(agent)
    with ScriptedOpenAI(heard) as server:
        write_settings(project, server.base_url, lease=LEASE.total_seconds())
        waits = await killed_under_load(
            redis_url, project, threads=20, per_thread=10, kills=30, pause=2
        )
    _log.info(
        "%d runs were left by killed workers and taken up after %.2f s (median), %.2f s (longest)",
        *(len(waits), statistics.median(waits), max(waits)),
    )
    assert statistics.median(waits) <= 1.5 * LEASE.total_seconds()


LOOKS = """
import time
from pathlib import Path
from treadle.tools import Effect, tool

@tool(effect=Effect.READ)
def look() -> str:
    "Look; while there is no file 'released', for ever."
    while not Path(__file__).with_name("released").exists():
        time.sleep(0.01)
    return "seen"
"""


async def test_what_a_killed_worker_leaves_is_taken_up_within_its_lease_and_a_half(
    redis_url, project
):
    """By Redis's clock: from the kill to the entry in the journal that the run goes on.

    A lease lapses at most its length after the last renewal, and others look at that very moment;
    the rest of the bound is theirs alone, for a machine that is busy.
    """
    (project / "looking.py").write_text(LOOKS)
    agent = "description: Looks.\ntools: ['looking.py:look']\n"
    (project / "agents" / "counter.yaml").write_text(agent)

    def answer(request):
        if request.tool_outputs or request.messages[-1]["content"] == "Warm up.":
            return say("Seen.")
        return call("look")

    with ScriptedOpenAI(answer) as server:
        write_settings(project, server.base_url, lease=LEASE.total_seconds(), concurrent=5)
        async with Runtime.open(redis_url, project) as runtime:
            with workers(project, redis_url, 1) as team:
                ids = [(await submit(runtime, "Look.", f"t{n}")).run_id for n in range(5)]
                await eventually(lambda: len(server.requests) == 5, within_seconds=60)
                team.start()
                warm = await submit(runtime, "Warm up.", "other")  # The first one has five already.
                assert (await runtime.queue.wait(warm.run_id)).status is RunStatus.SUCCESS
                killed = await now_ms(runtime)
                team.kill(0)
                (project / "released").touch()
                for run_id in ids:
                    assert (await runtime.queue.wait(run_id)).status is RunStatus.SUCCESS
            waits = await recoveries(runtime, ids, [killed])
    assert len(waits) == 5
    assert statistics.median(waits) <= 1.5 * LEASE.total_seconds(), waits


FROZEN = """
import time
from pathlib import Path
from treadle.tools import Effect, tool

HERE = Path(__file__).parent

@tool(effect=Effect.READ)
def look() -> str:
    "Look; whoever looks first waits to be released."
    try:
        (HERE / "looked").touch(exist_ok=False)
    except FileExistsError:
        return "the living"
    while not (HERE / "released").exists():
        time.sleep(0.01)
    (HERE / "woken").touch()
    return "the dead"
"""


async def test_a_frozen_worker_writes_nothing_when_it_wakes(redis_url, project):
    (project / "frozen.py").write_text(FROZEN)
    agent = "description: Looks.\ntools: ['frozen.py:look']\n"
    (project / "agents" / "counter.yaml").write_text(agent)

    def answer(request):
        found = list(request.tool_outputs.values())
        return say(f"From {found[-1]}.") if found else call("look")

    with ScriptedOpenAI(answer) as server:
        write_settings(project, server.base_url)
        async with Runtime.open(redis_url, project) as runtime:
            with workers(project, redis_url, 1) as team:
                options = RunOptions(stream=("messages-tuple",))
                queued = await submit(runtime, "Who?", options=options)
                await eventually((project / "looked").exists)
                team.signal(signal.SIGSTOP)
                frozen = (await runtime.runs.get(queued.run_id)).attempt
                team.start()
                run = await runtime.queue.wait(queued.run_id)
                # A process that still imports what it needs can lose the run once more.
                assert run.status is RunStatus.SUCCESS
                assert run.attempt > frozen
                before = await runtime.runs.journal(run.id)
                events = [one async for one in runtime.queue.events(run.id)]
                team.kill(1)
                (project / "released").touch()
                team.signal(signal.SIGCONT)
                await eventually((project / "woken").exists)
                # It works on: what it does next shows that it is past the run it lost.
                after = await submit(runtime, "And now?", thread="other")
                assert (await runtime.queue.wait(after.run_id)).status is RunStatus.SUCCESS
                assert await runtime.runs.journal(run.id) == before
                assert [one async for one in runtime.queue.events(run.id)] == events
                said = [turn.text for turn in await runtime.threads.show("t") if turn.text]
                assert (said[0], said[-1], len(said)) == ("Who?", "From the living.", 3)


async def test_redis_killed_under_load(short_tmp_path, project):
    with (
        ScriptedOpenAI(heard) as server,
        running_server(
            packaged_binary(), short_tmp_path, appendonly="yes", appendfsync="everysec"
        ) as redis,
    ):
        write_settings(project, server.base_url)
        async with Runtime.open(redis.url, project) as runtime:
            with workers(project, redis.url, 3):
                runs = await flood(runtime, 6, 6)
                for _ in range(2):
                    await asyncio.sleep(1)
                    redis.kill()
                    redis.start()
                await check(runtime, runs)


@pytest.mark.parametrize("seconds", [0.5, 3])
async def test_cut_off_from_redis(redis_6_2, redis_url, project, served, seconds):
    """The line between workers and Redis is cut, for less and for more than the lease."""
    with running_proxy(str(redis_6_2.socket_path)) as proxy:
        async with Runtime.open(redis_url, project) as runtime:
            with workers(project, proxy.url, 2):
                runs = await flood(runtime, 4, 4)
                await eventually(lambda: served.requests)
                proxy.cut()
                await asyncio.sleep(seconds)
                proxy.mend()
                await check(runtime, runs)


async def test_workers_replaced_under_load(redis_url, project, served):
    # What a worker loses because it stood still for a second is asked for twice.
    write_settings(project, served.base_url, lease=30)
    async with Runtime.open(redis_url, project) as runtime:
        with workers(project, redis_url, 3) as team:
            flooding = asyncio.create_task(flood(runtime, 6, 8))
            for number in range(4):
                await eventually(lambda n=number: heard_of(runtime, 3 + n))
                assert await asyncio.to_thread(team.stop) == 0
                team.start()
            runs = await flooding
            await check(runtime, runs)
            # Handed over between two steps, no run asks its model for anything twice.
            assert len(served.requests) == 2 * sum(len(ids) for ids in runs.values())


async def test_a_second_signal_hands_over_what_does_not_come_to_the_end_of_its_step(
    redis_url, project
):
    with ScriptedOpenAI(lambda _: hang() if len(server.requests) == 1 else say("Done.")) as server:
        write_settings(project, server.base_url, drain=3_600, lease=30)
        async with Runtime.open(redis_url, project) as runtime:
            with workers(project, redis_url, 1) as team:
                queued = await submit(runtime)
                await eventually(lambda: server.requests, within_seconds=60)
                process = team.alive[0]
                team.signal(signal.SIGTERM)
                team.signal(signal.SIGINT)
                await asyncio.to_thread(process.join, 60)
                assert process.exitcode == 0
                place = await runtime.queue.place(queued.run_id)
                assert (place.state, place.reason) == ("ready", "It was stopped.")
                team.start()
                run = await runtime.queue.wait(queued.run_id)
                assert (run.status, run.attempt) == (RunStatus.SUCCESS, 2)


async def test_a_run_that_kills_its_workers_is_given_up(redis_url, project):
    (project / "poison.py").write_text(
        "import os\n"
        "from treadle.tools import Effect, tool\n"
        "@tool(effect=Effect.READ)\n"
        "def poison() -> str:\n"
        "    'Be deadly.'\n"
        "    os._exit(9)\n"
    )
    agent = "description: Dies.\ntools: ['poison.py:poison']\n"
    (project / "agents" / "counter.yaml").write_text(agent)
    with ScriptedOpenAI(lambda _: call("poison")) as server:
        write_settings(project, server.base_url, attempts=2)
        async with Runtime.open(redis_url, project) as runtime:
            with workers(project, redis_url, 3):
                queued = await submit(runtime)
                run = await runtime.queue.wait(queued.run_id)
                assert run.status is RunStatus.ERROR
                assert "given up after 2 attempts: " in run.error
                # It is put aside behind its end.
                await eventually(runtime.queue.dead)
                assert await runtime.queue.dead() == [(run.id, run.error)]
                assert (await runtime.queue.stats()).dead == 1
