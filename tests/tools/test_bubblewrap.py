"""CPython in namespaces of its own: it has its library, and nothing of the host."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from tests.tools.test_run_python import ESCAPES, SECRET, is_untouched
from treadle.core.errors import ConfigError
from treadle.core.settings import Settings
from treadle.tools import ToolContext, build_tool
from treadle.tools.run_python import Bubblewrap, make_tool


def _unusable() -> str:
    try:
        Bubblewrap().check()
    except ConfigError as error:
        return str(error)
    return ""


_REASON = _unusable()
sandboxed = pytest.mark.skipif(bool(_REASON), reason=f"no sandbox here: {_REASON}")


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRET", SECRET)
    (tmp_path / "secret.txt").write_text(SECRET)
    return tmp_path / "secret.txt"


async def run(code: str, **bounds: float) -> str:
    made = make_tool(Bubblewrap(**{"seconds": 20, **bounds}))  # type: ignore[arg-type]
    return str(await made.ainvoke({"code": code}))


@sandboxed
async def test_it_computes_with_all_of_the_library() -> None:
    assert await run("import statistics\nprint('hi')\nstatistics.mean([1, 2])") == "hi\n→ 1.5"
    assert "no value" in await run("x = 1")
    told = await run("print('before')\n\n1 / 0")
    assert "before" in told
    assert 'File "code.py", line 3' in told
    assert "ZeroDivisionError" in told
    assert "SyntaxError" in await run("x = (")


@sandboxed
async def test_what_it_writes_is_gone_with_it() -> None:
    write = "import pathlib\npathlib.Path('kept').write_text('x')\npathlib.Path('kept').read_text()"
    assert await run(write) == "→ 'x'"
    assert "FileNotFoundError" in await run("open('/tmp/kept')")


HOST = [
    *ESCAPES,
    "import socket\nsocket.create_connection(('{address}', {port}), 1)",
    "import os, signal\nos.kill({pid}, signal.SIGTERM)",
    "import os\nprint(os.listdir('/proc'))\nopen('/proc/{pid}/environ').read()",
    "import os\nos.listdir('/home')",
    "import os\nos.listdir('/root/.ssh')",
    "open('/etc/passwd').read()",
    "open('/etc/shadow').read()",
    "open('/usr/x', 'w')",
    "open('/x', 'w')",
    "import os\nos.chroot('/usr')",
    "import os\nos.setuid(0)",
    "import ctypes\nctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, 0) and 1 / 0",
    "import ctypes\nctypes.CDLL(None).unshare(0x10000000) and 1 / 0",
    "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "import os\nos.mknod('/tmp/sda', 0o60600, os.makedev(8, 0))",
    "import os\nos.setresuid(0, 0, 0)",
    "import os\nos.setgroups([0])",
    "import os, signal\nos.kill(1, signal.SIGKILL)",
    "import os\nprint(open('/proc/1/environ').read(), os.listdir('/proc/1/root/root'))",
    "open('/dev/sda', 'rb').read(1)",
    "open('/dev/kmsg').read(1)",
    "open('/proc/sysrq-trigger', 'w').write('b')",
    "open('/proc/sys/kernel/core_pattern', 'w').write('|/bin/sh')",
    "open('/sys/kernel/uevent_helper', 'w').write('/tmp/x')",
    "import os\nos.open('/proc/self/fd/0/../../../..{file}', 0)",
    "import fcntl, sys, termios\nfor c in 'id\\n': fcntl.ioctl(0, termios.TIOCSTI, c)",
    "import ctypes, os\nctypes.CDLL(None).ptrace(16, 1, 0, 0) and 1 / 0",
]


@sandboxed
@pytest.mark.parametrize("trick", HOST)
async def test_no_trick_gets_anything_from_outside(trick: str, outside: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address, port = listener.getsockname()
        values = {"address": address, "port": port, "pid": os.getpid()}
        told = await run(trick.format(file=str(outside), folder=str(outside.parent), **values))
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert SECRET not in told
    assert "uid=0" not in told
    assert "root:" not in told
    assert is_untouched(outside)


@sandboxed
async def test_nothing_of_the_environment_is_inside(outside: Path) -> None:
    told = await run("import os\nsorted(os.environ)")
    assert "SECRET" not in told
    assert "PATH" not in told
    processes = await run("import os\nlen([n for n in os.listdir('/proc') if n.isdigit()])")
    assert int(processes.removeprefix("→ ")) <= 3


FORKS = """
import os, time
for _ in range(200):
    if not os.fork():
        time.sleep(60)
"""
THREADS = """
import threading, time
for _ in range(200):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""
BOUNDS = [
    ("while True: pass", "TimeoutError"),
    ("import time\ntime.sleep(60)", "TimeoutError"),
    ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while 1: 1'])", "Timeout"),
    ("x = 'a' * 10**10", "MemoryError"),
    ("while True: print('x' * 1000)", "printed more than 20,000 bytes"),
    ("open('big', 'wb').write(b'x' * 60_000_000)", "OSError"),
    ("def f(): return f()\nf()", "RecursionError"),
    ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')", "TimeoutError"),
    ("import os\nos.kill(os.getpid(), 9)", "stopped"),
    ("for n in range(9): open(f'/dev/shm/{n}', 'wb').write(b'x' * 9_000_000)", "OSError"),
    ("for n in range(9): open(f'/tmp/{n}', 'wb').write(b'x' * 9_000_000)", "OSError"),
    ("open('/dev/x', 'w')", "OSError"),
    (FORKS, "BlockingIOError"),
    (THREADS, "can't start new thread"),
]


@sandboxed
@pytest.mark.parametrize(("code", "told"), BOUNDS)
async def test_bounds_hold(code: str, told: str) -> None:
    seconds = 2 if "Timeout" in told else 20
    text = await run(code, seconds=seconds)
    assert told in text
    assert len(text) < 25_000


@sandboxed
async def test_the_code_is_nobody_and_can_become_nobody_else() -> None:
    told = await run("print(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    assert set(status["Uid"].split()).isdisjoint({"0", str(os.geteuid()) if os.geteuid() else "0"})
    assert status["Groups"].strip() == ""
    assert status["NoNewPrivs"] == "1"
    for kind in ("CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0, kind


@sandboxed
async def test_runs_side_by_side_do_not_count_each_others_processes() -> None:
    many = "import os, time\nfor _ in range(40):\n    if not os.fork(): time.sleep(60)\nprint('ok')"
    told = await asyncio.gather(*(run(many) for _ in range(3)))
    assert all("ok" in each for each in told)


def test_a_missing_sandbox_is_an_error_and_never_a_weaker_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.model_validate({"tools": {"run_python": {"sandbox": "bubblewrap"}}})
    context = ToolContext(tmp_path, settings, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="there is no 'bwrap'"):
        build_tool("run_python", context)
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'no namespaces for you' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(ConfigError, match="no namespaces for you"):
        build_tool("run_python", context)
