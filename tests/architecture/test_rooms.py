"""How the house is built: rooms that lie on one another, each with a door."""

import importlib
import tomllib

import pytest

from tests.support.rooms import (
    ORDER,
    ROOMS,
    ROOT,
    imported_names,
    package_name,
    packaged_files,
    python_files,
)

MAX_LINES = 500
NO_LIST_OF_NAMES = {
    "core",  # its modules are the contract, and are imported by name
    "cli",  # it is a command, not a library
}


def test_every_part_of_the_package_is_a_known_room() -> None:
    assert {path.parent.name for path in ROOT.glob("*/treadle")} == set(ROOMS)


def test_every_room_is_packaged_type_checked_and_linted() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    rooms = set(ROOMS)
    assert set(config["hatch"]["build"]["dev-mode-dirs"]) == rooms
    wheel = config["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(wheel) == {f"{room}/treadle" for room in rooms}
    assert set(config["mypy"]["mypy_path"]) == rooms
    assert set(config["ruff"]["src"]) == rooms


def test_the_namespace_has_no_init_file() -> None:
    assert not list(ROOT.glob("*/treadle/__init__.py"))
    strays = [
        path
        for namespace in ROOT.glob("*/treadle")
        for path in namespace.iterdir()
        if path.name not in {namespace.parent.name, "__pycache__"}
    ]
    assert not strays, "a namespace folder holds its room and nothing else"


def violations(source: str, package: str) -> list[str]:
    """Return what code in that package imports from higher rooms, or past another room's door."""
    room = package.split(".")[1]
    wrong = []
    for line, name in imported_names(source, package):
        namespace, *parts = name.split(".")
        if namespace != "treadle":
            continue
        other = parts[0] if parts else ""
        if other not in ORDER:
            wrong.append(f"line {line}: {name} names no room")
        elif ORDER.index(other) > ORDER.index(room):
            wrong.append(f"line {line}: {name} is in a higher room than {room}")
        elif other != room and any(part.startswith("_") for part in parts):
            wrong.append(f"line {line}: {name} is private to {other}")
    return wrong


@pytest.mark.parametrize("room", ROOMS)
def test_packages_keep_out_of_each_others_private_modules(room: str) -> None:
    """What two of them need is named without an underscore, or stands above both."""
    wrong = []
    for path in python_files(room):
        own = package_name(path)
        for line, name in imported_names(path.read_text("utf-8"), own):
            parts = name.split(".")
            private = next((at for at, part in enumerate(parts) if part.startswith("_")), None)
            if parts[0] == "treadle" and private is not None:
                owner = ".".join(parts[:private])
                if not f"{own}.".startswith(f"{owner}."):
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {name} is private to {owner}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_lower_rooms_and_through_their_doors(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {problem}"
        for path in python_files(room)
        for problem in violations(path.read_text("utf-8"), package_name(path))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from treadle.core.errors import UserError", False),
        ("from treadle.agents._files import read_agent", False),
        ("from . import _files", False),
        ("import treadle.runtime", True),
        ("from treadle import runtime", True),
        ("from treadle.runtime import Runtime", True),
        ("import treadle", True),
        ("def late():\n    from treadle.cli import main", True),
        ("if TYPE_CHECKING:\n    from treadle.server import app", True),
        ("import importlib\nimportlib.import_module('treadle.cli')", True),
        ("from ...runtime import Runtime", True),
        ("from treadle.tools._contract import Tool", True),
        ("from treadle.tools import _contract", True),
    ],
)
def test_the_check_sees_every_form_of_import(source: str, found: bool) -> None:
    assert bool(violations(source, "treadle.agents.embedded")) == found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_typed_and_says_what_it_is_for(room: str) -> None:
    assert (ROOMS[room] / "py.typed").is_file()
    door = importlib.import_module(f"treadle.{room}")
    assert len((door.__doc__ or "").split()) >= 8


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in NO_LIST_OF_NAMES])
def test_a_door_lists_its_names(room: str) -> None:
    door = importlib.import_module(f"treadle.{room}")
    assert door.__all__
    assert not [name for name in door.__all__ if name.startswith("_") or not hasattr(door, name)]
    assert len(door.__all__) == len(set(door.__all__))


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_is_long(room: str) -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in packaged_files(room)
        if path.suffix in {".py", ".lua", ".md", ".yaml"}
    }
    assert not {path: lines for path, lines in sizes.items() if lines > MAX_LINES}
