"""What is kept of an approval: which call it is for, what was answered, and until when it holds."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from treadle.agents import Rule
from treadle.core.calls import Call
from treadle.core.errors import ApprovalError

REASON = "approval"
"""The ``reason`` in the value of an interrupt that waits for an approval, and in its answer."""

_ID_CHARS = 16


class ApprovalStatus(StrEnum):
    """Where an approval stands."""

    PENDING = "pending"
    """Nobody has answered yet."""
    APPROVED = "approved"
    """The call may be made as it was asked for."""
    EDITED = "edited"
    """The call may be made with other arguments."""
    REJECTED = "rejected"
    """The call is not made; the model is told why."""
    USED = "used"
    """The call was made, or begun. Nothing follows."""
    WITHDRAWN = "withdrawn"
    """It was answered for something else than the call was when it was to be made. Nothing follows,
    and the call is asked about anew."""
    EXPIRED = "expired"
    """It was not answered, or not used, in time. Nothing follows."""


_LAPSE = {ApprovalStatus.PENDING, ApprovalStatus.APPROVED, ApprovalStatus.EDITED}


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to a person: may this call be made?

    Attributes:
        id: names it; follows from the digest.
        status: where it stands.
        thread_id: the conversation.
        run_id: the run that waits.
        agent: the run's agent.
        call_id: the call; see `Call.id`.
        tool: the tool's name.
        effect: what repeating the call would do.
        arguments: what the tool is to be called with, by name, secrets taken out.
        rule: the rule that asks, as text.
        digest: SHA-256 of tool, arguments, rule and call id.
        asked: when it was asked, by the clock of Redis, as are all times here.
        expires: from when on it can be neither answered nor used.
        by: who answered; empty before.
        answered: when.
        reason: why it was rejected.
        edited: the arguments it was approved with, where those were changed.
        used: when its call was made, or the model was told of the rejection.
    """

    id: str
    status: ApprovalStatus
    thread_id: str
    run_id: str
    agent: str
    call_id: str
    tool: str
    effect: str
    arguments: Mapping[str, Any]
    rule: str
    digest: str
    asked: datetime
    expires: datetime
    by: str = ""
    answered: datetime | None = None
    reason: str = ""
    edited: Mapping[str, Any] | None = None
    used: datetime | None = None
    edited_digest: str = ""

    @classmethod
    def from_hash(cls, id_: str, fields: Mapping[bytes, bytes], now_ms: int) -> "Approval":
        """Return the approval that a hash in Redis holds.

        Args:
            id_: its id.
            fields: the hash.
            now_ms: the time by the clock of Redis.

        Raises:
            ApprovalError: the hash is damaged.
        """
        try:
            text = {name.decode(): value.decode() for name, value in fields.items()}
            status = ApprovalStatus(text["status"])
            if status in _LAPSE and now_ms >= int(text["expires_ms"]):
                status = ApprovalStatus.EXPIRED
            edited = text.get("edited")
            return cls(
                id_,
                status,
                text["thread_id"],
                text["run_id"],
                text["agent"],
                text["call_id"],
                text["tool"],
                text["effect"],
                json.loads(text["arguments"]),
                text["rule"],
                text["digest"],
                _moment(text["asked_ms"]),
                _moment(text["expires_ms"]),
                text.get("by", ""),
                _moment(text["answered_ms"]) if "answered_ms" in text else None,
                text.get("reason", ""),
                json.loads(edited) if edited is not None else None,
                _moment(text["used_ms"]) if "used_ms" in text else None,
                text.get("edited_digest", ""),
            )
        except (KeyError, ValueError, TypeError, OverflowError) as problem:
            raise ApprovalError(
                f"The approval {id_} is damaged: {problem!r}.",
                hint="Nothing was executed. Resume the run to be asked again.",
            ) from None


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: the fields of an approval that follow from the call and the rule."""

    call: Call
    rule: Rule
    agent: str
    arguments: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """What binds an answer to this: SHA-256 of tool, arguments, rule and call id."""
        call = self.call
        bound = [call.name, call.pieces, self.rule.model_dump(mode="json"), call.id]
        return hashlib.sha256(json.dumps(bound, sort_keys=True, default=list).encode()).hexdigest()

    @property
    def id(self) -> str:
        """The approval's id."""
        return self.digest[:_ID_CHARS]

    def is_shown_by(self, approval: Approval) -> bool:
        """Tell whether a person who is shown the approval is shown this."""
        shown = json.dumps(approval.arguments, ensure_ascii=False)
        kept = self.fields()
        return (kept["tool"], kept["arguments"], kept["rule"], kept["effect"]) == (
            approval.tool, shown, approval.rule, approval.effect,
        )  # fmt: skip

    def fields(self) -> dict[str, str]:
        """Return what is kept of it."""
        place = self.call.position
        return {
            "thread_id": place.thread_id,
            "run_id": place.run_id,
            "agent": self.agent,
            "call_id": self.call.id,
            "tool": self.call.name,
            "effect": self.call.effect.value,
            "arguments": json.dumps(self.arguments, ensure_ascii=False),
            "rule": str(self.rule),
            "digest": self.digest,
        }


def is_approval(value: object) -> bool:
    """Tell whether the value of an interrupt, or the answer to one, is of an approval."""
    return isinstance(value, Mapping) and value.get("reason") == REASON


def edited_digest(digest: str, arguments: Mapping[str, Any]) -> str:
    """Return what binds changed arguments to the approval they were given for."""
    content = json.dumps([digest, arguments], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
