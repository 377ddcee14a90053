"""Python in a sandbox of Linux namespaces: all of CPython and its library, and nothing else.

bubblewrap gives the program namespaces of its own: no network, no other processes, an empty file
system with the interpreter in it, read only, and a small ``/tmp`` in memory. Where it cannot be
used there is no sandbox, and no code is run.
"""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from treadle.core.errors import ConfigError, ToolError

MAX_CODE_CHARS = 50_000
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache")

_PROCESSES = 64

# Limits are set before the code is read; nothing inside may raise them again.
_RUNNER = """
import ast, os, resource, sys
seconds, memory, files, processes, user = map(int, sys.argv[1:])
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
for kind, limit in (
    (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, files),
    (resource.RLIMIT_NPROC, processes), (resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_CORE, 0),
):
    resource.setrlimit(kind, (limit, limit))
source = sys.stdin.buffer.read().decode()
tree = ast.parse(source, "code.py")
last = None
if tree.body and isinstance(tree.body[-1], ast.Expr):
    last = ast.Expression(tree.body.pop().value)
names = {"__name__": "__main__"}
exec(compile(tree, "code.py", "exec"), names)
value = None if last is None else eval(compile(last, "code.py", "eval"), names)
if value is not None:
    print("\\u2192", repr(value))
"""


@dataclass(frozen=True)
class Bubblewrap:
    """Bounds of one run.

    Attributes:
        seconds: how long it may take, and compute.
        memory_bytes: how much a process of it may hold.
        output_bytes: how much it may print.
        disk_bytes: how much it may write to its ``/tmp``, and to its ``/dev/shm``.
    """

    seconds: float = 10
    memory_bytes: int = 512_000_000
    output_bytes: int = 20_000
    disk_bytes: int = 32_000_000

    has = (
        "It has all of Python's standard library, no network, and of files only an empty /tmp that "
        "is gone afterwards."
    )

    def check(self) -> None:
        """Make sure that the sandbox can be used.

        Raises:
            ConfigError: bubblewrap is not installed, or the system lets it make no namespaces.
        """
        hint = 'Install bubblewrap, or take sandbox = "monty" under [tools.run_python].'
        if shutil.which("bwrap") is None:
            raise ConfigError("run_python needs bubblewrap: there is no 'bwrap'.", hint=hint)
        command = self._command()
        try:
            tried = subprocess.run(  # noqa: S603 - our own command
                command, input=b"pass", capture_output=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"bubblewrap cannot be used: {error}.", hint=hint) from None
        if tried.returncode != 0:
            told = tried.stderr.decode("utf-8", "replace").strip()[-300:]
            raise ConfigError(f"bubblewrap cannot be used here: {told}", hint=hint)

    async def run(self, code: str) -> str:
        """Run code and return what it printed, then the value of its last expression.

        Raises:
            ToolError: the code is wrong, passes a bound or asks for what it may not have.
        """
        if len(code) > MAX_CODE_CHARS:
            raise ToolError(f"The code is longer than {MAX_CODE_CHARS:,} characters.")
        process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(self.seconds):
                printed = await self._printed(process, code)
                status = await process.wait()
        except TimeoutError:
            raise ToolError(
                f"TimeoutError: the code ran for more than {self.seconds:g} seconds.",
                hint="Correct the code and run it again.",
            ) from None
        finally:
            await _ended(process)
        if status != 0:
            told = printed[-2_000:] or f"The code was stopped (status {status})."
            raise ToolError(told.strip(), hint="Correct the code and run it again.")
        return printed.rstrip("\n") or "(It printed nothing, and its last line has no value.)"

    async def _printed(self, process: asyncio.subprocess.Process, code: str) -> str:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        assert process.stdout is not None  # noqa: S101 - it was asked for
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(code.encode("utf-8", "replace"))
            await process.stdin.drain()
            process.stdin.close()
        printed = b""
        while piece := await process.stdout.read(8_192):
            printed += piece
            if len(printed) > self.output_bytes:
                text = printed[:1_000].decode("utf-8", "replace")
                raise ToolError(
                    f"MemoryError: the code printed more than {self.output_bytes:,} bytes. "
                    f"They begin:\n{text}",
                    hint="Print less and run it again.",
                )
        return printed.decode("utf-8", "replace")

    def _command(self) -> list[str]:
        """Return the command that reads code from its standard input and runs it."""
        user = _spare_user()
        limits = (int(self.seconds) + 1, self.memory_bytes, self.disk_bytes, _PROCESSES, user)
        size = str(self.disk_bytes)
        return [
            *("bwrap", "--die-with-parent", "--new-session", "--clearenv"),
            *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
            *("--unshare-cgroup-try", "--hostname", "sandbox", "--cap-drop", "ALL"),
            *(_AS_ROOT if user else _AS_USER),
            *_mounts(),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--perms", "1777", "--size", size, "--tmpfs", "/dev/shm"),  # noqa: S108
            *("--perms", "1777", "--size", size, "--tmpfs", "/tmp", "--chdir", "/tmp"),  # noqa: S108
            *("--remount-ro", "/dev", "--remount-ro", "/", "--"),
            *(_interpreter(), "-I", "-X", "utf8", "-B", "-c", _RUNNER, *map(str, limits)),
        ]


# The kernel bounds the processes of every user but root, in whatever namespace. So for root the
# code gives up being root, for a user of its own, rather than being root under another name.
_AS_USER = ("--unshare-user", "--uid", "65534", "--gid", "65534")
_AS_ROOT = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")


def _spare_user() -> int:
    """Return a user that nobody else is, where this process is root; else 0."""
    if os.geteuid() != 0:
        return 0
    lines = Path("/proc/self/uid_map").read_text("ascii").splitlines()
    first, _, count = map(int, lines[-1].split())
    highest = min(first + count, 2**31) - 1
    lowest = max(first, highest // 2, 1_000)
    return lowest + secrets.randbelow(highest - lowest) if lowest < highest else 0


def _interpreter() -> str:
    """Return the interpreter itself, not the environment it runs in, whose packages stay out."""
    return os.path.realpath(sys.executable)


def _mounts() -> Iterator[str]:
    places = dict.fromkeys([*_SYSTEM, sys.base_prefix])
    for place in places:
        path = Path(place)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), place)
        elif path.exists() and not any(
            other != place and Path(place).is_relative_to(other) for other in places
        ):
            # Of themselves, the folders above would be as closed as they are outside.
            for above in reversed(path.parents[:-1]):
                yield from ("--dir", str(above))
            yield from ("--ro-bind", place, place)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End what still runs: with bubblewrap goes its namespace, and all that is in it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    if process.stdout is not None:  # Unread, it would hold up the news that the process ended.
        while await process.stdout.read(65_536):
            continue
    await process.wait()
