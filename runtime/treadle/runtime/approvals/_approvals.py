"""What a person does with the approvals of a tenant."""

import json
from collections.abc import Awaitable, Callable, Mapping, Set
from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import Any

from treadle.core.errors import ApprovalError, InputError
from treadle.runtime.approvals._record import (
    REASON,
    Approval,
    ApprovalStatus,
    edited_digest,
)
from treadle.runtime.approvals._store import ApprovalStore

MAX_REASON_CHARS = 2_000
"""The longest reason for a rejection, in characters."""
_MAX_NAME_CHARS = 200
_ANSWERED = {ApprovalStatus.APPROVED, ApprovalStatus.EDITED, ApprovalStatus.REJECTED}
_MAX_ARGUMENT_BYTES = 1 << 20

Checked = Callable[[Approval, Mapping[str, Any]], Awaitable[None]]
"""Checks changed arguments against the schema of an approval's tool."""


class Approvals:
    """The approvals of a tenant: which wait, and the answers to them.

    Each is answered once, and its call is made when the run is resumed:
    ``await runtime.resume(approval.run_id)``.

    Args:
        store: where they are kept.
        check: checks changed arguments.
        redact: takes secrets out of a text.
    """

    def __init__(self, store: ApprovalStore, check: Checked, redact: Callable[[Any], Any]) -> None:
        self._store = store
        self._check = check
        self._redact = redact

    async def pending(
        self,
        thread: str | None = None,
        limit: int = 50,
        *,
        agent: str | None = None,
        tool: str | None = None,
        after: str | None = None,
    ) -> list[Approval]:
        """Return the approvals that wait for an answer, the longest waiting first.

        Args:
            thread: of this thread only.
            limit: at most so many.
            agent: of this agent only.
            tool: of tools whose name fits this pattern, such as ``send_*``.
            after: only those asked after the approval of this id, which may be answered by now:
                the last one of a page leads to the next.

        Raises:
            UnknownNameError: there is no approval ``after``, or it is no longer kept.
        """
        last = None if after is None else await self._store.get(after)
        found = self._store.waiting(last) if thread is None else self._store.of_thread(thread, last)
        chosen: list[Approval] = []
        async with aclosing(found):
            async for one in found:
                if (
                    one.status is ApprovalStatus.PENDING
                    and agent in {None, one.agent}
                    and (tool is None or fnmatchcase(one.tool, tool))
                ):
                    chosen.append(one)
                    if len(chosen) == limit:
                        break
        return chosen

    async def get(self, id: str) -> Approval:  # noqa: A002
        """Return an approval, whatever became of it.

        Raises:
            UnknownNameError: there is none of that id, or it is no longer kept.
        """
        return await self._store.get(id)

    async def approve(self, id: str, *, by: str) -> Approval:  # noqa: A002
        """Let the call be made as it was asked for.

        Args:
            id: the approval.
            by: who answers.

        Raises:
            UnknownNameError: there is no such approval.
            InputError: nobody is named.
            ApprovalError: it is answered already, or expired.
        """
        approval = await self._store.get(id)
        return await self._answer(approval, ApprovalStatus.APPROVED, by, {})

    async def edit(self, id: str, arguments: Mapping[str, Any], *, by: str) -> Approval:  # noqa: A002
        """Let the call be made with other arguments.

        Args:
            id: the approval.
            arguments: all the arguments, by name, as JSON holds them.
            by: who answers.

        Raises:
            UnknownNameError: there is no such approval.
            InputError: the arguments do not fit the tool, or nobody is named.
            ApprovalError: it is answered already, or expired.
        """
        approval = await self._store.get(id)
        edited = _as_json(arguments)
        if "[redacted:" in edited:
            raise InputError(
                "The changed arguments hold the placeholder of a secret.",
                hint="Give the value itself, or approve the call as it is.",
            )
        await self._check(approval, json.loads(edited))
        bound = edited_digest(approval.digest, json.loads(edited))
        fields = {"edited": edited, "edited_digest": bound}
        return await self._answer(approval, ApprovalStatus.EDITED, by, fields)

    async def reject(self, id: str, reason: str = "", *, by: str) -> Approval:  # noqa: A002
        """Refuse the call; the model is told the reason.

        Args:
            id: the approval.
            reason: why, in words for the model; at most `MAX_REASON_CHARS`.
            by: who answers.

        Raises:
            UnknownNameError: there is no such approval.
            InputError: the reason is too long, or nobody is named.
            ApprovalError: it is answered already, or expired.
        """
        approval = await self._store.get(id)
        if len(reason) > MAX_REASON_CHARS:
            raise InputError(
                f"The reason has {len(reason):,} characters.",
                hint=f"Use at most {MAX_REASON_CHARS:,}.",
            )
        fields = {"reason": self._redact(" ".join(reason.split()))}
        return await self._answer(approval, ApprovalStatus.REJECTED, by, fields)

    async def _answer(
        self, approval: Approval, status: ApprovalStatus, by: str, fields: Mapping[str, str]
    ) -> Approval:
        if not by.strip() or len(by) > _MAX_NAME_CHARS or not by.isprintable():
            raise InputError(
                f"{by[:_MAX_NAME_CHARS]!r} does not name who answers.",
                hint=f"Give a name of at most {_MAX_NAME_CHARS} characters.",
            )
        await self._store.answer(approval, status, {"by": by, **fields})
        return await self._store.get(approval.id)

    async def answers(
        self, thread_id: str, run_id: str, waiting: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the answers that a run's graph is given, by the ids of its interrupts.

        Args:
            thread_id: the run's thread.
            run_id: the run.
            waiting: the values of the interrupts that wait for approvals, by id.
        """
        # Calls made side by side in one task interrupt it together, and LangGraph keeps one of
        # the interrupts: an answer to another one is an answer to that one.
        seen = {str(value["approval"]) for value in waiting.values()}
        go_on = await self._is_answered_unseen(thread_id, run_id, seen)
        return {
            interrupt_id: {
                "reason": REASON,
                "approval": value["approval"],
                "call_id": value.get("call_id"),
            }
            for interrupt_id, value in waiting.items()
            if go_on or not await self._is_pending(str(value["approval"]))
        }

    async def _is_answered_unseen(self, thread_id: str, run_id: str, seen: Set[str]) -> bool:
        async for one in self._store.of_thread(thread_id):
            is_open = one.status in _ANSWERED and one.used is None
            if is_open and one.run_id == run_id and one.id not in seen:
                return True
        return False

    async def _is_pending(self, id_: str) -> bool:
        try:
            found = await self._store.find(id_)
        except ApprovalError:
            return False  # It is damaged: the run says so when it goes on.
        # One that is no longer kept is asked for again when the run goes on.
        return found is not None and found.status is ApprovalStatus.PENDING


def _as_json(arguments: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(arguments), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as problem:
        raise InputError(f"The arguments are not JSON: {problem}.") from None
    if len(text) > _MAX_ARGUMENT_BYTES:
        raise InputError(f"The arguments take {len(text):,} characters as JSON; that is too much.")
    return text
