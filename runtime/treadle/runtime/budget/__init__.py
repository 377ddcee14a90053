"""Budgets: what a run and all it starts, a day and a project may use, kept in Redis.

`BudgetGate` reserves from each `Account` what a call may cost at most before it is made, and
settles it afterwards; `Ledger` holds the accounts. The first bill that passes a limit is never
written, however many processes spend at once: see docs/budgets.md.
"""

from treadle.runtime.budget._account import (
    Account,
    AccountUsage,
    day_account,
    run_account,
    total_account,
)
from treadle.runtime.budget._amounts import UNITS, Amounts
from treadle.runtime.budget._gate import BudgetGate
from treadle.runtime.budget._ledger import Ledger, Wanted

__all__ = [
    "UNITS",
    "Account",
    "AccountUsage",
    "Amounts",
    "BudgetGate",
    "Ledger",
    "Wanted",
    "day_account",
    "run_account",
    "total_account",
]
