"""The lock files: every package by version and hash, and nothing about where it came from."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.rooms import ROOT

LOCKS = {name: ROOT / "requirements" / f"{name}.lock" for name in ("run", "dev", "models")}
PIN = re.compile(r"([a-z0-9][a-z0-9-]*)(?:\[[a-z0-9,-]+\])?==([^\s;\\]+)(?: ; [^\\]+?)?(?: \\)?")
HASH = re.compile(r" +--hash=sha256:[0-9a-f]{64}(?: \\)?")
COMMENT = re.compile(r"\s*#.*")
ADDRESS_OR_PATH = re.compile(r"://|\bwww\.|--(?:extra-)?index|--find-links|\bfile:|@|(?:^|\s)[/~]")


def pins(lock: Path) -> dict[str, list[str]]:
    """Return each package's pinned versions; more than one where they depend on the platform."""
    found: dict[str, list[str]] = {}
    for line in lock.read_text("utf-8").splitlines():
        if match := PIN.fullmatch(line):
            found.setdefault(match[1], []).append(match[2])
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index_and_no_path(name: str) -> None:
    lines = LOCKS[name].read_text("utf-8").splitlines()
    assert not [line for line in lines if ADDRESS_OR_PATH.search(line)]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_made_of_pins_with_hashes(name: str) -> None:
    lines = LOCKS[name].read_text("utf-8").splitlines()
    assert not [line for line in lines if not any(p.fullmatch(line) for p in (PIN, HASH, COMMENT))]
    content = [line for line in lines if line and not COMMENT.fullmatch(line)]
    unhashed = [
        line
        for line, below in zip(content, [*content[1:], ""], strict=True)
        if PIN.fullmatch(line) and not HASH.fullmatch(below)
    ]
    assert not unhashed


def test_both_locks_agree() -> None:
    run, dev = pins(LOCKS["run"]), pins(LOCKS["dev"])
    assert {name: dev.get(name) for name in run} == run


def test_the_locks_hold_what_the_project_asks_for() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = [
        need for needs in config["project"]["optional-dependencies"].values() for need in needs
    ]
    run, dev = config["project"]["dependencies"], [*extras, *config["dependency-groups"]["dev"]]
    assert not _names(run) - set(pins(LOCKS["run"]))
    assert not _names(dev) - set(pins(LOCKS["dev"]))


def _names(requirements: list[str]) -> set[str]:
    names = [re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements]
    return {re.sub(r"[._]+", "-", match[0].lower()) for match in names if match}
