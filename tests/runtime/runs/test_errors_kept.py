"""An error in a journal comes back as what it was, with all it tells."""

import pytest

from treadle.core.calls import Outcome
from treadle.core.errors import (
    BudgetExceededError,
    ConfigError,
    ModelUnavailableError,
    ToolError,
    UnknownNameError,
)
from treadle.runtime.journal import outcome_from_data, outcome_to_data

ERRORS = [
    BudgetExceededError("no more.", unit="tokens", hint="Raise it.", is_cut_off=True),
    ModelUnavailableError("busy.", is_free=True, retry_after_seconds=2.5),
    UnknownNameError("agent", "finde", ["finder"]),
    ToolError("no.", hint="Try another."),
    ConfigError("wrong.", line=3),
    ValueError("plain"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_kept(error):
    found = outcome_from_data(outcome_to_data(Outcome(error=error))).error
    assert type(found) is type(error)
    assert (str(found), vars(found)) == (str(error), vars(error))


def test_an_error_of_an_older_journal_has_what_it_tells_by_default():
    old = {"error": {"type": "BudgetExceededError", "message": "no more.", "hint": ""}}
    assert outcome_from_data(old).error.unit == ""


def test_nothing_else_is_set_on_it():
    details = {"__class__": "x", "_hidden": 1, "not a name": 2, "unit": "usd"}
    old = {"error": {"type": "BudgetExceededError", "message": "", "details": details}}
    told = {"message": "", "hint": "", "unit": "usd", "is_cut_off": False}
    assert vars(outcome_from_data(old).error) == told
