"""A primary, its replica and the Sentinel that watches them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.redis_servers import RedisServer, packaged_binary, running_server
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class SentinelService:
    """A service named ``main``, whose servers ask for a password."""

    primary: RedisServer
    replica: RedisServer
    sentinel: RedisServer

    @property
    def url(self) -> str:
        return f"redis+sentinel://:s3cret@127.0.0.1:{self.sentinel.port}/main"

    def fail_over(self) -> None:
        """Kill the primary once the replica has all of it; return when the replica took over."""
        with self.primary.client() as client:
            client.ping()  # WAIT waits for what was written before the connection's last command
            assert client.wait(1, 5_000) == 1
        self.primary.kill()
        with self.sentinel.client() as admin:
            wait_until(
                lambda: admin.sentinel_get_master_addr_by_name("main")[1] == self.replica.port
            )
        with self.replica.client() as client:
            wait_until(lambda: client.role()[0] == b"master")


@contextmanager
def running_service(folder: Path) -> Iterator[SentinelService]:
    """Run a service, and give it when its Sentinel knows the replica."""
    binary = packaged_binary()
    guarded = {"requirepass": "s3cret", "masterauth": "s3cret", "repl_diskless_sync_delay": "0"}
    with ExitStack() as stack:

        def start(name: str, **settings: str) -> RedisServer:
            sentinel = name == "sentinel"
            return stack.enter_context(
                running_server(binary, folder / name, tcp=True, sentinel=sentinel, **settings)
            )

        primary = start("primary", **guarded)
        replica = start("replica", **guarded)
        watched = {
            "sentinel monitor": f"main 127.0.0.1 {primary.port} 1",
            "sentinel auth-pass": "main s3cret",
            "sentinel down-after-milliseconds": "main 200",
        }
        with replica.client() as client:
            client.replicaof("127.0.0.1", primary.port)
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")
        sentinel = start("sentinel", **watched)
        with sentinel.client() as client:
            wait_until(lambda: client.sentinel_slaves("main"))
        yield SentinelService(primary, replica, sentinel)
