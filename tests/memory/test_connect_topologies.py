"""TLS, Sentinel and Cluster, on real servers on loopback."""

import asyncio
import gc
import os
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.support.certificates import Authority, Certificate, self_signed
from tests.support.redis_servers import (
    RedisServer,
    free_port,
    packaged_binary,
    running_cluster,
    running_server,
    system_binary,
)
from tests.support.sentinel_service import SentinelService, running_service
from tests.support.waiting import wait_until
from treadle.core.errors import ConfigError, RedisError
from treadle.memory import connect, connect_sync

pytestmark = pytest.mark.any_keys("these tests use a Redis as anybody may")


async def works(url: str) -> None:
    """Write by one door and read by the other, with more callers at once than connections."""
    async with connect(url) as client:
        await asyncio.gather(*(client.incr("counter") for _ in range(200)))
    with connect_sync(url) as again:
        assert again.get("counter") == b"200"
        with ThreadPoolExecutor(60) as pool:
            list(pool.map(lambda _: again.incr("counter"), range(60)))
        assert again.get("counter") == b"260"


async def refusal(url: str) -> str:
    with pytest.raises(RedisError) as caught:
        async with connect(url):
            pass
    with pytest.raises(RedisError) as again, connect_sync(url):
        pass
    assert str(caught.value) == str(again.value)
    return str(caught.value)


# TLS


@dataclass(frozen=True)
class TlsServer:
    server: RedisServer
    port: int
    files: Certificate

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def running_tls_server(
    folder: Path, files: Certificate | None = None, **settings: str
) -> Iterator[TlsServer]:
    """Run a server that speaks TLS, and on its port nothing else."""
    binary = system_binary()
    if binary is None:
        pytest.skip("no redis-server or valkey-server with TLS is installed on this machine")
    folder.mkdir(exist_ok=True)
    files, port = files or self_signed(folder), free_port()
    settings |= {
        "tls_port": str(port),
        "tls_cert_file": str(files.certificate),
        "tls_key_file": str(files.key),
    }
    settings.setdefault("tls_auth_clients", "no")
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_server(binary, folder, **settings))
        except RuntimeError:
            pytest.skip(f"{binary} was built without TLS")
        yield TlsServer(server, port, files)


@pytest.fixture
def tls_server(short_tmp_path: Path) -> Iterator[TlsServer]:
    with running_tls_server(short_tmp_path) as server:
        yield server


async def test_tls(tls_server: TlsServer) -> None:
    await works(f"rediss://{tls_server.address}?ssl_ca_certs={tls_server.files.certificate}")


async def test_certificates_are_read_once_and_again_when_they_are_renewed(
    tls_server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], ssl.create_default_context

    def counted() -> ssl.SSLContext:
        made.append(make())
        return made[-1]

    certificate = tls_server.files.certificate
    monkeypatch.setattr(ssl, "create_default_context", counted)
    async with connect(f"rediss://{tls_server.address}?ssl_ca_certs={certificate}") as client:
        before = len(made)
        for renewals in range(2):
            await client.connection_pool.disconnect()
            await asyncio.gather(*(client.incr("counter") for _ in range(20)))
            assert len(made) == before + 1 + renewals
            os.utime(certificate, ns=(0, certificate.stat().st_mtime_ns + 1))


async def test_a_certificate_nobody_vouches_for(tls_server: TlsServer) -> None:
    said = await refusal(f"rediss://{tls_server.address}")
    assert said.startswith(f"Redis at rediss://{tls_server.address} shows a certificate that is")
    assert "?ssl_ca_certs=" in said


async def test_a_certificate_for_another_name(tls_server: TlsServer) -> None:
    ca = tls_server.files.certificate
    said = await refusal(f"rediss://localhost:{tls_server.port}?ssl_ca_certs={ca}")
    assert "localhost" in said.split("certificate", 1)[1]


async def test_a_certificate_that_is_not_well_formed(
    short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company, make = Authority(short_tmp_path, well_formed=False), ssl.create_default_context

    def strict() -> ssl.SSLContext:
        """Return what Python makes from 3.13 on."""
        context = make()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    with running_tls_server(short_tmp_path, company.issue("127.0.0.1")) as server:
        url = f"rediss://{server.address}?ssl_ca_certs={company.certificate}"
        said = await refusal(url)
        assert "is not trusted: Missing Authority Key Identifier." in said
        assert "made anew" in said
        assert "?ssl_exclude_verify_flags=VERIFY_X509_STRICT" in said
        await works(f"{url}&ssl_exclude_verify_flags=VERIFY_X509_STRICT")
    with pytest.raises(ConfigError, match="ssl_exclude_verify_flags"):
        async with connect(f"{url}&ssl_exclude_verify_flags=STRICT"):
            pass


async def test_a_ca_file_that_is_missing(tls_server: TlsServer) -> None:
    with pytest.raises(ConfigError, match="its ssl_ca_certs names no file"):
        async with connect(f"rediss://{tls_server.address}?ssl_ca_certs=/no/such/ca.pem"):
            pass


async def test_plain_redis_where_tls_is_spoken(tls_server: TlsServer) -> None:
    said = await refusal(f"redis://{tls_server.address}")
    assert "use rediss:// instead of redis://" in said


async def test_tls_where_plain_redis_is_spoken(short_tmp_path: Path) -> None:
    with running_server(packaged_binary(), short_tmp_path, tcp=True) as server:
        said = await refusal(f"rediss://127.0.0.1:{server.port}?socket_timeout=0.2")
        assert "use redis:// instead of rediss://" in said


async def test_a_client_certificate_that_is_asked_for(tls_server: TlsServer) -> None:
    with tls_server.server.client() as admin:
        admin.config_set("tls-ca-cert-file", str(tls_server.files.certificate))
        admin.config_set("tls-auth-clients", "yes")
    url = f"rediss://{tls_server.address}?ssl_ca_certs={tls_server.files.certificate}"
    with pytest.raises(RedisError, match="ssl_certfile"):
        async with connect(url):
            pass
    await works(
        f"{url}&ssl_certfile={tls_server.files.certificate}&ssl_keyfile={tls_server.files.key}"
    )


def joined(*certificates: Path) -> Path:
    """Return a file with all of them."""
    together = certificates[0].with_name("together.pem")
    together.write_text("".join(certificate.read_text() for certificate in certificates))
    return together


async def test_a_sentinel_service_with_tls(tls_server: TlsServer, short_tmp_path: Path) -> None:
    watching = {
        "sentinel monitor": f"main 127.0.0.1 {tls_server.port} 1",
        "tls_replication": "yes",
        "tls_ca_cert_file": str(tls_server.files.certificate),
    }
    folder = short_tmp_path / "sentinel"
    with running_tls_server(folder, sentinel=True, **watching) as sentinel:
        both = joined(tls_server.files.certificate, sentinel.files.certificate)
        await works(f"rediss+sentinel://{sentinel.address}/main?ssl_ca_certs={both}")
        said = await refusal(f"rediss+sentinel://{sentinel.address}/main")
        assert f"These did not tell: {sentinel.address} (ConnectionError)" in said


async def test_a_cluster_with_tls(short_tmp_path: Path) -> None:
    files = self_signed(short_tmp_path)
    speaking = {"cluster_enabled": "yes", "tls_cluster": "yes"}
    ca = {"tls_ca_cert_file": str(files.certificate)}
    with running_tls_server(short_tmp_path, **speaking, **ca) as node:
        with node.server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTS", *range(16_384))
            wait_until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        await works(f"rediss+cluster://{node.address}?ssl_ca_certs={node.files.certificate}")
        said = await refusal(f"rediss+cluster://{node.address}")
        assert "shows a certificate that is not trusted" in said


# Sentinel


@pytest.fixture
def service(short_tmp_path: Path) -> Iterator[SentinelService]:
    with running_service(short_tmp_path) as running:
        yield running


async def test_a_sentinel_service(service: SentinelService) -> None:
    await works(service.url)


async def test_a_sentinel_that_is_down_is_passed_over(service: SentinelService) -> None:
    await works(service.url.replace("@", f"@127.0.0.1:{free_port()},"))


async def test_clients_follow_a_failover(service: SentinelService) -> None:
    async with connect(service.url) as client:
        with connect_sync(service.url) as other:
            await client.set("kept", 1)
            service.fail_over()
            assert await client.get("kept") == b"1"
            assert other.get("kept") == b"1"


async def test_a_service_the_sentinels_do_not_know(service: SentinelService) -> None:
    said = await refusal(service.url.replace("/main", "/other"))
    assert "has no primary: no Sentinel names one for the service 'other'." in said


async def test_no_sentinel_listens() -> None:
    said = await refusal(f"redis+sentinel://:s3cret@127.0.0.1:{(port := free_port())}/main")
    assert f"These did not tell: 127.0.0.1:{port} (ConnectionError)." in said
    assert "<" not in said
    assert "s3cret" not in said


async def test_a_sentinel_service_whose_primary_wants_another_password(
    service: SentinelService,
) -> None:
    said = await refusal(service.url.replace("s3cret", "wr0ng"))
    assert "refused the user name or password" in said
    assert "wr0ng" not in said


# Cluster


async def test_a_cluster(cluster_url: str, cluster_nodes: list[RedisServer]) -> None:
    await works(cluster_url)
    async with connect(cluster_url) as client:
        await asyncio.gather(*(client.set(f"key:{number}", number) for number in range(50)))
    with connect_sync(cluster_url) as other:
        values = [other.get(f"key:{number}") for number in range(50)]
    assert values == [str(number).encode() for number in range(50)]
    assert all(dbsize(node) for node in cluster_nodes)


async def test_callers_of_a_cluster_wait_for_their_turn(
    cluster_url: str, cluster_nodes: list[RedisServer]
) -> None:
    async with connect(f"{cluster_url}?max_connections=3") as client:

        async def increment() -> None:
            pipeline = client.pipeline(transaction=False)
            pipeline.incr("by pipeline")
            await pipeline.execute()
            await client.incr("by command")

        await asyncio.gather(*(increment() for _ in range(200)))
        assert await client.mget_nonatomic("by pipeline", "by command") == [b"200", b"200"]
        for node in cluster_nodes:
            with node.client() as observer:
                assert len(observer.client_list()) < 10


async def test_a_cluster_client_closes_completely_after_its_nodes_died(
    short_tmp_path: Path,
) -> None:
    with running_cluster(packaged_binary(), short_tmp_path) as nodes:
        async with connect(f"redis+cluster://127.0.0.1:{nodes[0].port}") as client:
            await client.set("a", 1)
            for node in nodes:
                node.kill()
            with pytest.raises((redis.RedisError, redis.exceptions.RedisClusterException)):
                await client.get("a")
    gc.collect()  # an unclosed connection would warn, and warnings are errors


def dbsize(node: RedisServer) -> int:
    with node.client() as client:
        return int(client.dbsize())


async def test_a_cluster_node_that_is_down_is_passed_over(cluster_url: str) -> None:
    await works(cluster_url.replace("://", f"://127.0.0.1:{free_port()},"))


async def test_no_cluster_node_listens() -> None:
    said = await refusal(f"redis+cluster://:s3cret@127.0.0.1:{free_port()}")
    assert "cannot be reached" in said
    assert "s3cret" not in said


async def test_a_server_that_is_no_cluster(short_tmp_path: Path) -> None:
    with running_server(packaged_binary(), short_tmp_path, tcp=True) as server:
        said = await refusal(f"redis+cluster://127.0.0.1:{server.port}")
        assert "for a single server use redis://host:port" in said


async def test_a_cluster_that_wants_another_password(short_tmp_path: Path) -> None:
    with running_cluster(packaged_binary(), short_tmp_path, requirepass="s3cret") as nodes:
        hosts = f"127.0.0.1:{nodes[0].port}"
        async with connect(f"redis+cluster://:s3cret@{hosts}") as client:
            await client.set("a", 1)
        said = await refusal(f"redis+cluster://:wr0ng@{hosts}")
        assert "refused the user name or password" in said
        assert "wr0ng" not in said
        assert "asks for a password" in await refusal(f"redis+cluster://{hosts}")


# All of them


@pytest.fixture(params=["server", "sentinel", "cluster"])
def any_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sentinel":
        return str(request.getfixturevalue("service").url)
    fixture = "redis_url" if request.param == "server" else "cluster_url"
    return str(request.getfixturevalue(fixture))


async def test_a_late_answer_is_not_given_to_the_next_command(any_url: str) -> None:
    url = f"{any_url}?socket_timeout=0.15&max_connections=1"
    slow = """
    local function now() local time = redis.call('TIME') return time[1] + time[2] / 1e6 end
    local start = now()
    repeat until now() > start + 0.4
    return 'late'
    """
    async with connect(any_url) as patient:
        await patient.set("a", b"right")
        async with connect(url) as client:
            with pytest.raises(redis.TimeoutError):
                await client.eval(slow, 1, "a")
            await patient.get("a")  # the server has time again
            assert await client.get("a") == b"right"
        with connect_sync(url) as client:
            with pytest.raises(redis.TimeoutError):
                client.eval(slow, 1, "a")
            await patient.get("a")
            assert client.get("a") == b"right"
