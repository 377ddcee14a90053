"""``treadle tools`` and ``treadle doctor``: what agents may name, and what packages bring."""

import json

import pytest
from typer.testing import CliRunner

from tests.core.test_plugins import CODE, ENTRIES, install
from treadle.cli._app import app


@pytest.fixture
def run(tmp_path, monkeypatch, redis_url):
    """Run a command in a project, with a package installed that brings things."""
    packages = tmp_path / "packages"
    packages.mkdir()
    install(packages, "acme_kit", CODE, ENTRIES)
    monkeypatch.syspath_prepend(str(packages))
    project = tmp_path / "project"
    project.mkdir()

    def run_command(*arguments):
        return CliRunner().invoke(app, [*arguments, "--project", str(project), "--json"])

    run_command.redis = redis_url
    return run_command


def test_tools_are_listed_with_their_effect_and_where_they_are_from(run):
    done = run("tools")
    assert done.exit_code == 0, done.output
    listed = {tool["name"]: tool for tool in json.loads(done.stdout)}
    assert (listed["calculate"]["effect"], listed["calculate"]["origin"]) == ("read", "shipped")
    assert listed["remember"]["effect"] == "keyed"
    assert "root" in listed["read_file"]["error"]  # and not made without a folder
    assert listed["weather"]["origin"] == "acme_kit 1.0"
    assert (listed["weather"]["effect"], listed["ready"]["effect"]) == ("once", "read")
    assert listed["weather"]["description"] == "Tell the weather."
    assert "missing" in listed["missing"]["error"]  # and stops nothing else


def test_the_doctor_names_what_packages_bring_and_what_of_it_cannot_be_loaded(run):
    done = run("doctor", "--redis", run.redis)
    found = [each for each in json.loads(done.stdout) if each["about"] == "plugin"]
    told = {each["detail"]: each["state"] for each in found}
    assert told["tool weather of acme_kit 1.0"] == "ok"
    assert told["graph echo of acme_kit 1.0"] == "ok"
    assert told["model acme of acme_kit 1.0"] == "ok"
    (wrong,) = [detail for detail, state in told.items() if state == "wrong"]
    assert "the tool 'missing' of the package acme_kit 1.0 cannot be loaded" in wrong
    assert done.exit_code == 2
