"""The sandbox: it computes, keeps its bounds, and lets nothing out."""

import os
from pathlib import Path

import pytest

from treadle.core.calls import Effect
from treadle.core.errors import ConfigError
from treadle.core.settings import Settings
from treadle.tools import ToolContext, build_tool, run_python
from treadle.tools.run_python import Sandbox, make_tool

SECRET = "a-word-that-only-the-host-knows"

ESCAPES = [
    "open({file!r}).read()",
    "open({file!r}, 'w').write('x')",
    "import pathlib\npathlib.Path({file!r}).read_text()",
    "from pathlib import Path\nPath({file!r}).unlink()",
    "import os\nos.environ['SECRET']",
    "import os\nos.getenv('SECRET')",
    "import os\nos.listdir({folder!r})",
    "import os\nos.system('cat ' + {file!r})",
    "import os\nos.popen('cat ' + {file!r}).read()",
    "import os\nos.fork()",
    "import subprocess\nsubprocess.run(['cat', {file!r}])",
    "import socket\nsocket.create_connection(('127.0.0.1', 80))",
    "import urllib.request\nurllib.request.urlopen('file://' + {file!r}).read()",
    "import ctypes\nctypes.string_at(0)",
    "import importlib\nimportlib.import_module('subprocess')",
    "__import__('os').system('id')",
    "__builtins__['open']({file!r}).read()",
    "__builtins__.open({file!r}).read()",
    "globals()['__builtins__']",
    "().__class__.__base__.__subclasses__()",
    "''.__class__.__mro__[1].__subclasses__()",
    "(lambda: 0).__globals__['os']",
    "(lambda: 0).__code__.co_consts",
    "[].append.__self__.__class__.__base__",
    "type('X', (), {{}}).__subclasses__()",
    "getattr((), '__cl' + 'ass__').__base__",
    "'{{0.__class__.__base__}}'.format(())",
    "'{{0.__globals__}}'.format(lambda: 0)",
    "def f():\n    yield\nf().gi_frame.f_back.f_globals",
    "try:\n    1/0\nexcept Exception as e:\n    e.__traceback__.tb_frame.f_globals['os']",
    "eval(\"__import__('os').system('id')\")",
    'exec("open(\'" + {file!r} + "\').read()")',
    "compile('1', 'x', 'eval').co_code",
    "import sys\nsys.modules['os'].system('id')",
    "import sys\nsys._getframe(0).f_globals",
    "import gc\ngc.get_objects()",
    "import inspect\ninspect.stack()",
    "import pickle\npickle.loads(b\"cos\\nsystem\\n(S'id'\\ntR.\")",
    "import builtins\nbuiltins.open({file!r})",
    "import threading\nthreading.Thread(target=print).start()",
    "import multiprocessing\nmultiprocessing.Process()",
    "import code\ncode.interact()",
    "open('/proc/self/environ').read()",
    "open('/proc/self/mem', 'rb').read(1)",
    "open('../../../../../../' + {file!r}).read()",
    "import signal\nsignal.alarm(1)",
    "breakpoint()",
    "import treadle",
]

BOUNDS = [
    ("while True: pass", "TimeoutError"),
    ("sum(i for i in range(10**12))", "Error"),
    ("x = 'a' * 10**9", "MemoryError"),
    ("x = []\nwhile True: x.append('a' * 1000)", "MemoryError"),
    ("2 ** 10**9", "MemoryError"),
    ("while True: print('x' * 1000)", "MemoryError"),
    ("def f(): return f()\nf()", "RecursionError"),
    ("'(' * 100", "→"),
    ("(" * 5_000, "Error"),
    ("x = " + "[" * 900 + "]" * 900, ""),
    ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')", ""),
]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRET", SECRET)
    (tmp_path / "secret.txt").write_text(SECRET)
    return tmp_path / "secret.txt"


def is_untouched(file: Path) -> bool:
    return file.read_text() == SECRET and list(file.parent.iterdir()) == [file]


async def run(code: str, **bounds: float) -> str:
    made = make_tool(Sandbox(**{"seconds": 1, "memory_bytes": 20_000_000, **bounds}))  # type: ignore[arg-type]
    return str(await made.ainvoke({"code": code}))


async def test_it_computes_prints_and_tells_the_last_value() -> None:
    assert await run("import math\nprint('hi')\nmath.factorial(20)") == "hi\n→ 2432902008176640000"
    assert "no value" in await run("x = 1")


async def test_each_run_starts_anew() -> None:
    await run("kept = 1")
    assert "NameError" in await run("kept")


async def test_a_mistake_comes_back_with_its_line_and_what_was_printed() -> None:
    told = await run("print('before')\n1 / 0")
    assert "ZeroDivisionError" in told
    assert "line 2" in told
    assert "before" in told


@pytest.mark.parametrize("trick", ESCAPES)
async def test_no_trick_gets_anything_from_outside(trick: str, outside: Path) -> None:
    told = await run(trick.format(file=str(outside), folder=str(outside.parent)))
    assert SECRET not in told
    assert f"uid={os.getuid()}" not in told
    assert is_untouched(outside)
    assert "Error" in told or "Expected" in told, f"nothing refused {trick!r}: {told}"


@pytest.mark.parametrize(("code", "told"), BOUNDS)
async def test_bounds_hold(code: str, told: str) -> None:
    text = await run(code)
    assert told in text
    assert len(text) < 25_000


async def test_the_shipped_tool_reads_only(tmp_path: Path) -> None:
    built = build_tool("run_python", ToolContext(tmp_path, Settings(), None))
    assert built.effect is Effect.READ  # type: ignore[attr-defined]


def test_without_the_package_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(run_python, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'treadle\[python\]'"):
        build_tool("run_python", ToolContext(tmp_path, Settings(), None))
