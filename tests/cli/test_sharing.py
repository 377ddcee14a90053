"""Two projects that were given no tenant, on one Redis: whoever starts one is told of the other."""

import shutil
import sys

import pytest

from tests.support.serving import serving
from treadle.cli import main


@pytest.fixture
def ask(short_tmp_path, redis_url, monkeypatch, capsys):
    """Ask an agent of a project's; return what is said beside the answer."""
    monkeypatch.setenv("TREADLE_HOME", str(short_tmp_path))
    monkeypatch.setenv("TREADLE_REDIS_URL", redis_url)
    monkeypatch.setenv("TREADLE_MODEL", "embedded")

    def run(project, agent):
        place = ("--project", str(project), "-a", agent, "--quiet")
        monkeypatch.setattr(sys, "argv", ["treadle", "ask", "What is 3*9?", *place])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert not ended.value.code, told.err
        return told.err

    return run


@pytest.fixture
def made(tmp_path):
    """Make a project with agents."""

    def make(name, *agents, settings=""):
        folder = tmp_path / name
        (folder / "agents").mkdir(parents=True)
        for agent in agents:
            (folder / "agents" / f"{agent}.yaml").write_text("tools: [calculate]\n")
        (folder / "treadle.toml").write_text(settings)
        return folder

    return make


def test_another_project_is_named_until_one_has_a_tenant(ask, made):
    shop, bank = made("shop", "seller", "packer"), made("bank", "clerk")
    assert ask(shop, "seller") == ""
    told = ask(bank, "clerk")
    assert f"The project {shop} (agents packer, seller) used the tenant 'main'" in told
    assert "treadle.toml" in told
    assert ask(bank, "clerk") == "", "it used the tenant last itself"
    assert str(bank) in ask(shop, "packer")
    (bank / "treadle.toml").write_text('tenant = "bank"\n')
    for project, agent in ((bank, "clerk"), (shop, "seller"), (bank, "clerk")):
        assert ask(project, agent) == ""


def test_a_server_says_it_as_it_starts(ask, made, redis_url):
    bank = made("bank", "clerk")
    ask(made("shop", "seller"), "seller")
    with serving(bank, redis_url) as served:
        assert "used the tenant 'main' of this Redis last" in served.log.read_text()


def test_who_names_the_tenant_is_told_nothing(ask, made):
    ask(made("shop", "seller"), "seller")
    bank = made("bank", "clerk", settings='tenant = "main"\n')
    assert ask(bank, "clerk") == ""


def test_a_project_that_moves_or_is_on_many_machines_is_one(ask, made, tmp_path):
    shop = made("shop", "seller", "packer")
    ask(shop, "seller")
    copies = [tmp_path / f"host-{number}" for number in range(3)]
    for copy in copies:
        shutil.copytree(shop, copy)
        assert ask(copy, "seller") == ""
    shutil.move(shop, moved := tmp_path / "moved")
    (moved / "agents" / "packer.yaml").rename(moved / "agents" / "driver.yaml")
    for project in (moved, copies[0], moved):
        assert ask(project, "seller") == ""
    # All its agents have other names now, where it stands.
    (moved / "agents" / "driver.yaml").unlink()
    (moved / "agents" / "seller.yaml").rename(moved / "agents" / "buyer.yaml")
    assert ask(moved, "buyer") == ""


def test_a_project_without_agents_of_its_own_is_told_of_nobody(ask, made):
    ask(made("shop", "seller"), "seller")
    assert ask(made("empty"), "assistant") == ""
