"""Leave that a person gives or refuses where a run's user interface asks for it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from treadle.core.errors import InputError
from treadle.runtime import Runtime
from treadle.runtime.approvals import MAX_REASON_CHARS, ApprovalStatus, is_approval
from treadle.server._problems import ProblemError
from treadle.server._waiting import Asked
from treadle.server.security import Scope, current_principal

_OPERATOR = "operator"


class Decision(BaseModel):
    """What a person says of a call that waits for leave."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True
    )

    approved: bool
    edited_args: dict[str, Any] | None = Field(
        default=None, description="All of the call's arguments, in place of those it was asked with"
    )
    reason: str = Field(
        default="", max_length=MAX_REASON_CHARS, description="Why not, for the model"
    )


DECISION_SCHEMA = Decision.model_json_schema(by_alias=True)
"""What a decision looks like, as JSON Schema."""


async def decide(rt: Runtime, waiting: Asked, said: Mapping[str, Any]) -> dict[str, Any]:
    """Give or refuse leave as is said, and return what is said to the questions, by interrupt.

    Whoever may see a run may refuse a call of it. Leave is given by administrators alone, as the
    operator gives it with ``treadle approvals``; the first answer holds.

    Args:
        rt: the caller's runtime.
        waiting: what the run waits for.
        said: by interrupt; ``None`` where nothing is said of an approval.

    Raises:
        InputError: what is said of an approval is no `Decision`.
        ProblemError: 403, when the caller may not give leave.
    """
    values = {str(one["id"]): one["value"] for one in waiting}
    approvals = {id_ for id_ in said if is_approval(values[id_])}
    decisions = {id_: _read(id_, said[id_]) for id_ in approvals if said[id_] is not None}
    for id_, decision in decisions.items():
        await _give(rt, str(values[id_]["approval"]), decision)
    return {id_: one for id_, one in said.items() if id_ not in approvals}


def _read(interrupt_id: str, said: Any) -> Decision:
    try:
        return Decision.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("payload", *first["loc"]))
        raise InputError(
            f"The answer to {interrupt_id!r} is no decision: {place}: {first['msg']}.",
            hint='Say {"approved": true} or {"approved": false, "reason": "…"}.',
        ) from None


async def _give(rt: Runtime, approval: str, decision: Decision) -> None:
    if (await rt.approvals.get(approval)).status is not ApprovalStatus.PENDING:
        return
    principal = current_principal()
    by = principal.subject or _OPERATOR
    if not decision.approved:
        await rt.approvals.reject(approval, decision.reason, by=by)
    elif not principal.may(Scope.ADMIN):
        raise ProblemError(
            403,
            f"This key gives no leave: the approval {approval} needs the scope 'admin', or a "
            "person with 'treadle approvals'.",
        )
    elif decision.edited_args is not None:
        await rt.approvals.edit(approval, decision.edited_args, by=by)
    else:
        await rt.approvals.approve(approval, by=by)
