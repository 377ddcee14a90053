"""Many readers of streams at once, some of whom read nothing for long."""

import redis
from benchmarks.server.readers import follow, make_project, memory_mb, watched

from tests.support.serving import serving

READERS, SLOW = 100, 10
SMALL = {"count": 100, "size": 500, "pause": 0.01}
BIG = {"count": 1_000, "size": 8_000, "pause": 0}
POOL = 50
"""The most connections that a process opens, beside the one that listens."""


def reads_of(client):
    return client.info("commandstats").get("cmdstat_xrange", {"calls": 0})["calls"]


async def test_all_have_every_event_out_of_few_reads_connections_and_bytes(redis_url, tmp_path):
    with (
        serving(make_project(tmp_path), redis_url) as served,
        redis.Redis.from_url(redis_url) as client,
    ):
        pid = served.process.pid
        await follow(served.url, 4, 2, small=SMALL, big=BIG)
        memory, reads = memory_mb(pid, "VmHWM"), reads_of(client)
        async with watched(redis_url) as connections:
            quick, slow = await follow(served.url, READERS, SLOW, small=SMALL, big=BIG)
        assert all(one.is_whole for one in (*quick, *slow))
        assert len({one.digest for one in quick}) == len({one.digest for one in slow}) == 1
        assert slow[0].size > BIG["count"] * BIG["size"]
        # Readers who are equally far share what is read: of all that was read there is less than
        # a read for each event of each reader.
        assert reads_of(client) - reads < (READERS - SLOW) * SMALL["count"]
        assert max(connections) <= POOL + 3
        unread = SLOW * BIG["count"] * BIG["size"] / 1e6
        assert memory_mb(pid, "VmHWM") - memory < unread / 2
