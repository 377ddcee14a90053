"""The gate that holds tool calls to their agent's policy."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from treadle.agents import Decision, Rule, first_rule
from treadle.core.calls import Call, CallKind, Effect, Outcome, Permit, Purpose
from treadle.core.errors import ApprovalError, ToolError
from treadle.runtime.approvals._record import (
    REASON,
    Approval,
    ApprovalStatus,
    Question,
    edited_digest,
)
from treadle.runtime.approvals._store import ApprovalStore, refused
from treadle.runtime.journal import CallJournal, EntryType, to_data


class PolicyGate:
    """Lets a tool call pass, refuses it, or lets the run wait until a person has answered.

    Asked after the outcomes that are known: what was done is not asked about again.

    Args:
        policies: the rules of the run's agent and of those that work for it, by their names.
        agent: the name of the run's agent.
        store: where approvals are kept.
        journal: the run's journal.
        approved: the approvals that the run is resumed with, by the ids of their calls.
        is_dry: whether nothing is to be done anyway, so that nobody is asked.
    """

    def __init__(
        self,
        policies: Mapping[str, Sequence[Rule]],
        *,
        agent: str,
        store: ApprovalStore,
        journal: CallJournal,
        approved: Mapping[str, str] = MappingProxyType({}),
        is_dry: bool = False,
    ) -> None:
        self._policies = policies
        self._agent = agent
        self._store = store
        self._journal = journal
        self._approved = approved
        self._is_dry = is_dry

    async def before(self, call: Call) -> Outcome | Permit | None:
        """Decide by the first rule that fits.

        Raises:
            GraphInterrupt: the run waits for an answer.
            ApprovalError: an answer was given, and it does not hold for this.
        """
        if call.kind is not CallKind.TOOL:
            return None
        rule = self._rule(call, call.request)
        if rule is None or rule.then is Decision.ALLOW:
            return None
        if rule.then is Decision.DENY:
            return _forbidden(call, rule)
        if self._is_dry:
            return _described(call, rule)
        return await self._answered(call, rule)

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Nothing is left to do."""
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Tools stream nothing."""

    def _rule(self, call: Call, arguments: Mapping[str, Any]) -> Rule | None:
        """Return the first rule that fits, of the agent that makes the call."""
        policy = self._policies.get(call.agent or self._agent, ())
        return first_rule(policy, call.name, call.effect, arguments) if policy else None

    async def _answered(self, call: Call, rule: Rule) -> Outcome | Permit | None:
        arguments = self._journal.redact(to_data(dict(call.request)))
        question = Question(call, rule, call.agent or self._agent, arguments)
        try:
            approval = await self._store.ask(question)
            if not question.is_shown_by(approval):
                raise refused(approval, [b"changed"])
            if approval.status is ApprovalStatus.PENDING:
                await self._check(call, approval)
                self._wait(call, approval)
            return await self._decided(approval, question)
        except ApprovalError:
            # It was changed by somebody else. The next attempt asks anew, and does not fail again.
            await self._store.remove(call.position.thread_id, question.id)
            raise

    async def _decided(self, approval: Approval, question: Question) -> Outcome | Permit | None:
        name = question.call.name
        if approval.status is ApprovalStatus.REJECTED:
            await self._store.use(approval, question.call.id, question.digest)
            return _not_called(
                f"{name} was not called: a person rejected it ({approval.reason or 'no reason'}).",
                "Do not ask for the same again.",
            )
        if approval.edited is not None and (denied := self._denied(question.call, approval.edited)):
            return denied
        if approval.status is not ApprovalStatus.EXPIRED and await self._use(approval, question):
            return None if approval.edited is None else Permit(arguments=approval.edited)
        return _not_called(
            f"{name} was not called: nobody approved it in time.",
            "Go on without it, or ask for it again if it still matters.",
        )

    def _denied(self, call: Call, arguments: Mapping[str, Any]) -> Outcome | None:
        """Return what a call with changed arguments comes to, where the policy denies it."""
        rule = self._rule(call, arguments)
        return _forbidden(call, rule) if rule and rule.then is Decision.DENY else None

    async def _use(self, approval: Approval, question: Question) -> bool:
        edited = approval.edited
        bound = edited_digest(question.digest, edited) if edited is not None else ""
        if bound != approval.edited_digest:
            raise refused(approval, [b"changed"])
        if not await self._store.use(approval, question.call.id, question.digest):
            return False
        changed = {} if edited is None else {"arguments": self._journal.redact(edited)}
        used = {"approval": approval.id, "call_id": question.call.id, "by": approval.by, **changed}
        if self._journal.writer is not None:
            self._journal.writer.note(EntryType.APPROVAL_USED, used)
        return True

    def _wait(self, call: Call, approval: Approval) -> NoReturn:
        value = {
            "reason": REASON,
            "approval": approval.id,
            "call_id": call.id,
            "tool": call.name,
            "arguments": approval.arguments,
            "rule": approval.rule,
            "expires": approval.expires.isoformat(),
            "message": f"May {call.name} be called? The rule '{approval.rule}' asks a person.",
        }
        writer = self._journal.writer
        if writer is not None:
            record, pieces = self._journal.record(call)
            asked = self._journal.started(record, pieces)["call"]
            told = {"approval": approval.id, "asked": asked, "value": value}
            writer.note(EntryType.APPROVAL_ASKED, told)
        # Not by 'interrupt()': it would take an answer to another call of the task for its own.
        raise GraphInterrupt((Interrupt(value=value, id=approval.id),))

    async def _check(self, call: Call, approval: Approval) -> None:
        """Refuse an approval that was given for this call when it asked for something else."""
        other = self._approved.get(call.id, approval.id)
        if other != approval.id and await self._store.withdraw(approval.thread_id, other):
            raise ApprovalError(
                f"The approval {other} was given for {call.name!r} with other arguments or under "
                "another rule; nothing was executed.",
                hint="The agent changed in between. Resume the run to be asked again.",
            )


def _forbidden(call: Call, rule: Rule) -> Outcome:
    return _not_called(
        f"{call.name} was not called: the rule '{rule}' of the agent's policy forbids it.",
        "Go on without it.",
    )


def _not_called(message: str, hint: str) -> Outcome:
    return Outcome(error=ToolError(message, hint=hint))


def _described(call: Call, rule: Rule) -> Outcome | None:
    """Return what a dry run makes of a call that would wait; an effect is described elsewhere."""
    if call.effect not in (Effect.READ, Effect.CALLS):
        return None
    text = f"(dry run) {call.name} was not called: a person would be asked, by the rule '{rule}'."
    return Outcome(value=(text, {"sources": []}))
