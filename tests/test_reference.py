"""The pages that list every field, setting, command and class say what the code says."""

import pytest

from tests.support.reference import MARK, PAGES, made
from tests.support.rooms import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_page_lists_what_there_is(name: str) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert MARK in page
    assert page == made(name), "Write it anew: python -m tests.support.reference"


def test_the_tables_hold_what_is_known_to_be_there() -> None:
    assert "| `policy` |" in PAGES["agent-files.md"]()
    assert "## `[models.NAME]`" in PAGES["settings.md"]()
    assert "| `keep_days` | `30" in PAGES["settings.md"]()
    assert "| `treadle runs resume RUN` |" in PAGES["command-line.md"]()
    assert "__" not in PAGES["python.md"]()
    assert "| `interrupt_before` |" in PAGES["python.md"]()
    assert (
        "`ask(agent, text, *, thread=None, user=None, model_settings=None)`" in PAGES["python.md"]()
    )
