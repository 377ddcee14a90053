"""What is published: a wheel, built from the sdist, that works where nothing else of ours is."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.rooms import ROOMS, ROOT, module_name, packaged_files, python_files

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
PUBLISHED = {
    *ROOMS,
    *("tests", "benchmarks", "docs", "examples", "requirements"),
    *("pyproject.toml", "Makefile", ".gitignore", "PKG-INFO"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
}
LEFTOVERS = re.compile(
    r"__pycache__|\.py[co]$|\.egg-info|\.log$|\.rdb$|\.aof$|\.sock$|\.pem$|\.key$|~$|\.swp$"
)


@dataclass(frozen=True)
class Distributions:
    """The files that would be published."""

    sdist: Path
    wheel: Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel in it, and what it runs in: an empty home."""

    folder: Path
    home: Path

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment and return what it prints."""
        variables = {"HOME": str(self.home), "PATH": os.defpath, "LANG": "C.UTF-8"}
        return _output([str(self.folder / "bin" / program), *arguments], self.home, variables)


def _output(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Build the sdist, and the wheel from it and nothing else."""
    folder = tmp_path_factory.mktemp("dist")
    # Run from elsewhere: a folder named 'build' here must not be taken for the module.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    _output(command, folder)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Distributions(sdist, wheel)


@pytest.fixture(scope="module")
def installed(built: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the wheel into a new environment, which sees the dependencies of this one.

    They are added as a plain folder, so that the ``.pth`` files in it, by which an editable
    install is found, are not followed: of ours there is only what came with the wheel.
    """
    folder, home = tmp_path_factory.mktemp("venv"), tmp_path_factory.mktemp("home")
    _output([sys.executable, "-m", "venv", "--without-pip", str(folder)], home)
    python = str(folder / "bin" / "python")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    _output([sys.executable, "-m", "pip", "--python", python, *install, str(built.wheel)], home)
    packages = next((folder / "lib").glob("python*/site-packages"))
    ours = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in ours))
    return Environment(folder, home)


def _sdist_names(sdist: Path) -> list[str]:
    with tarfile.open(sdist) as archive:
        return [name.split("/", 1)[1] for name in archive.getnames()]


def _wheel_names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_sdist_holds_the_project_and_nothing_private(built: Distributions) -> None:
    names = _sdist_names(built.sdist)
    assert {name.split("/")[0] for name in names} <= PUBLISHED
    assert not [name for name in names if LEFTOVERS.search(name)]
    hidden = [part for name in names for part in name.split("/") if part.startswith(".")]
    assert set(hidden) <= {".gitignore"}


def test_the_wheel_holds_every_file_of_every_room(built: Distributions) -> None:
    names = [name for name in _wheel_names(built.wheel) if not name.startswith("treadle-")]
    expected = [
        str(path.relative_to(ROOT / room)) for room in ROOMS for path in packaged_files(room)
    ]
    assert sorted(names) == sorted(expected)


@pytest.mark.parametrize(
    "pattern",
    [
        *(rf"treadle/{room}/py\.typed" for room in ROOMS),
        r"treadle/graphs/prompts/\w+\.md",
        r"treadle/agents/shipped/\w+\.yaml",
        r"treadle-[\d.]+\.dist-info/licenses/LICENSE",
    ],
)
def test_the_wheel_holds_what_is_read_at_run_time(pattern: str, built: Distributions) -> None:
    assert any(re.fullmatch(pattern, name) for name in _wheel_names(built.wheel))


def test_the_installed_package_is_the_wheels_and_has_its_version(installed: Environment) -> None:
    code = (
        "import importlib.metadata as m, json, treadle;"
        "found = m.distribution('treadle');"
        "print(json.dumps([found.version, str(found.locate_file('')), list(treadle.__path__)]))"
    )
    version, place, path = json.loads(installed.run("python", "-I", "-c", code))
    assert version == VERSION
    assert Path(place).is_relative_to(installed.folder)
    assert [Path(part).is_relative_to(installed.folder) for part in path] == [True]


def test_every_module_of_every_room_can_be_imported(installed: Environment) -> None:
    modules = [module_name(path) for room in ROOMS for path in python_files(room)]
    # What is a template for users' projects is not imported from here.
    modules = [name for name in modules if all(part.isidentifier() for part in name.split("."))]
    code = (
        "import importlib, json, sys;"
        "print(json.dumps([importlib.import_module(n).__file__ for n in json.loads(sys.argv[1])]))"
    )
    files = json.loads(installed.run("python", "-I", "-c", code, json.dumps(modules)))
    assert len(files) == len(modules)
    assert all(Path(file).is_relative_to(installed.folder) for file in files)


def test_the_command_tells_its_version(installed: Environment) -> None:
    assert installed.run("treadle", "--version") == f"treadle {VERSION}\n"
