"""Approvals: calls that wait for a person, and the answers to them.

A rule of an agent's policy that asks makes the run wait with an `Approval`; it is answered through
`Approvals`, also after a restart, and the run is resumed. An answer holds for one call with the
arguments it was given for, for one rule, once, and for a time.
"""

from treadle.runtime.approvals._answers import for_the_graph, is_for_gate
from treadle.runtime.approvals._approvals import MAX_REASON_CHARS, Approvals
from treadle.runtime.approvals._gate import PolicyGate
from treadle.runtime.approvals._record import Approval, ApprovalStatus, is_approval
from treadle.runtime.approvals._store import ApprovalStore
from treadle.runtime.approvals._waiting import WaitingAgain

__all__ = [
    "MAX_REASON_CHARS",
    "Approval",
    "ApprovalStatus",
    "ApprovalStore",
    "Approvals",
    "PolicyGate",
    "WaitingAgain",
    "for_the_graph",
    "is_approval",
    "is_for_gate",
]
