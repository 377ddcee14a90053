"""Answers to interrupts: some are for a gate, which knows their call, the others for the graph."""

from collections.abc import Mapping
from typing import Any

from treadle.runtime.approvals._record import is_approval
from treadle.runtime.journal import is_told


def is_for_gate(answer: Any) -> bool:
    """Tell whether a gate looks the answer up by its call.

    Handed to the graph, it would be taken for the answer to what else its task asks.
    """
    return is_approval(answer) or is_told(answer)


def for_the_graph(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers that the graph itself asked for, by the ids of its interrupts."""
    return {id_: one for id_, one in answers.items() if not is_for_gate(one)}
