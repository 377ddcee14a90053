"""The approvals of a tenant in Redis."""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from importlib.resources import files
from typing import Any

from treadle.agents import MAX_EXPIRES
from treadle.core.errors import ApprovalError, UnknownNameError
from treadle.memory import encoded, thread_root
from treadle.runtime.approvals._record import Approval, ApprovalStatus, Question

_PAGE = 100
_MS = timedelta(milliseconds=1)


def _script(name: str) -> str:
    return (files(__package__) / "lua" / f"{name}.lua").read_text()


class ApprovalStore:
    """The approvals of one tenant.

    An approval lies with its thread. Beside it there is a way to it by its id, and the list of
    those that wait; both are made again when the run asks again, and what leads nowhere is dropped
    when it is met.

    Args:
        client: the connection to Redis.
        prefix: the tenant's key prefix.
        keep: how long an approval is kept after the time for an answer is over.
    """

    def __init__(self, client: Any, prefix: str, keep: timedelta) -> None:
        self._client = client
        self._prefix = prefix
        self._keep = keep
        self._get = client.register_script(_script("read"))
        self._ask = client.register_script(_script("ask"))
        self._answer = client.register_script(_script("answer"))
        self._use = client.register_script(_script("use"))
        self._withdraw = client.register_script(_script("withdraw"))
        self._waiting = f"{prefix}{{approvals}}:waiting"

    async def ask(self, question: Question) -> Approval:
        """Keep a question, unless it is kept already, and return it as it stands."""
        thread_id, id_ = question.call.position.thread_id, question.id
        expires = question.rule.expires
        ttl_ms = _ms(self._keep + expires)
        flat = [part for pair in question.fields().items() for part in pair]
        now_ms, _, fields = await self._ask(
            [self._record(thread_id, id_), self._of_thread(thread_id)],
            [ttl_ms, id_, _ms(expires), *flat],
        )
        approval = Approval.from_hash(id_, _pairs(fields), int(now_ms))
        if approval.status is ApprovalStatus.PENDING:
            await self._client.set(self._way(id_), thread_id, px=ttl_ms)
            await self._client.zadd(self._waiting, {id_: _asked_ms(approval)})
            await self._client.pexpire(self._waiting, _ms(self._keep + MAX_EXPIRES))
        return approval

    async def answer(
        self, approval: Approval, status: ApprovalStatus, fields: Mapping[str, str]
    ) -> None:
        """Answer a question.

        Raises:
            ApprovalError: it is answered already, expired, gone, or no longer what was answered.
        """
        flat = [part for pair in fields.items() for part in pair]
        reply = await self._answer(
            [self._record(approval.thread_id, approval.id)], [status.value, approval.digest, *flat]
        )
        if reply[0] != b"ok":
            raise refused(approval, reply)
        await self._client.zrem(self._waiting, approval.id)

    async def use(self, approval: Approval, call_id: str, digest: str) -> bool:
        """Use an approval for a call; return whether it was still in time.

        Args:
            approval: as it was read.
            call_id: the call.
            digest: of what is about to be done.

        Raises:
            ApprovalError: it is not for that, used, gone, or was changed.
        """
        reply = await self._use(
            [self._record(approval.thread_id, approval.id)],
            [call_id, digest, approval.edited_digest],
        )
        if reply[0] not in {b"ok", b"expired"}:
            raise refused(approval, reply)
        return bool(reply[0] == b"ok")

    async def withdraw(self, thread_id: str, id_: str) -> bool:
        """Let an answer hold for nothing; return whether it could still have been used."""
        return bool(await self._withdraw([self._record(thread_id, id_)]))

    async def remove(self, thread_id: str, id_: str) -> int:
        """Remove an approval, so that its call is asked about anew; return whether there was one.

        What leads to it stays, for the next time that it is asked.
        """
        return int(await self._client.unlink(self._record(thread_id, id_)))

    async def get(self, id_: str) -> Approval:
        """Return an approval.

        Raises:
            UnknownNameError: there is none of that id, or it is no longer kept.
            ApprovalError: it is damaged.
        """
        found = await self.find(id_)
        if found is None:
            known = [id_.decode() for id_ in await self._client.zrange(self._waiting, 0, 9)]
            raise UnknownNameError(
                "approval", id_, known, hint="'treadle approvals list' shows those that wait."
            )
        return found

    async def waiting(self, after: Approval | None = None) -> AsyncGenerator[Approval]:
        """Yield the approvals that wait for an answer, the longest waiting first.

        Args:
            after: only those that were asked after this one.
        """
        start, since = 0, "-inf" if after is None else _asked_ms(after)
        while True:
            ids = await self._client.zrange(
                self._waiting, since, "+inf", byscore=True, offset=start, num=_PAGE
            )
            if not ids:
                return
            gone = []
            for id_ in ids:
                try:
                    found = await self.find(id_.decode())
                except ApprovalError:
                    continue  # It is damaged; 'get' says so to who asks for it.
                if found is None or found.status is not ApprovalStatus.PENDING:
                    gone.append(id_)
                elif _is_behind(found, after):
                    yield found
            if gone:
                await self._client.zrem(self._waiting, *gone)
            start += len(ids) - len(gone)

    async def of_thread(
        self, thread_id: str, after: Approval | None = None
    ) -> AsyncGenerator[Approval]:
        """Yield the approvals of a thread, oldest first; only those asked after ``after``."""
        for id_ in await self._client.zrange(self._of_thread(thread_id), 0, -1):
            try:
                found = await self._read(thread_id, id_.decode())
            except ApprovalError:
                continue  # It is damaged, as in `waiting`.
            if found is not None and _is_behind(found, after):
                yield found

    async def forget_thread(self, thread_id: str) -> int:
        """Remove the approvals of a thread; return how many there were."""
        of_thread = self._of_thread(thread_id)
        ids = [id_.decode() for id_ in await self._client.zrange(of_thread, 0, -1)]
        count = 0
        for id_ in ids:
            count += await self.remove(thread_id, id_)
            await self._client.unlink(self._way(id_))
            await self._client.zrem(self._waiting, id_)
        await self._client.unlink(of_thread)
        return count

    async def find(self, id_: str) -> Approval | None:
        """Return an approval, or ``None`` where there is none of that id."""
        thread = await self._client.get(self._way(id_))
        return await self._read(thread.decode(), id_) if thread is not None else None

    async def _read(self, thread_id: str, id_: str) -> Approval | None:
        now_ms, fields = await self._get([self._record(thread_id, id_)])
        return Approval.from_hash(id_, _pairs(fields), int(now_ms)) if fields else None

    def _record(self, thread_id: str, id_: str) -> str:
        return f"{thread_root(self._prefix, thread_id)}:approval:{id_}"

    def _of_thread(self, thread_id: str) -> str:
        return f"{thread_root(self._prefix, thread_id)}:approvals"

    def _way(self, id_: str) -> str:
        return f"{self._prefix}{{approval:{encoded(id_)}}}:thread"


def _asked_ms(approval: Approval) -> int:
    return round(approval.asked.timestamp() * 1000)


def _is_behind(one: Approval, other: Approval | None) -> bool:
    """Tell whether an approval was asked after another, as Redis orders them."""
    return other is None or (_asked_ms(one), one.id) > (_asked_ms(other), other.id)


def refused(approval: Approval, reply: list[bytes]) -> ApprovalError:
    """Return the error of an approval that a script refused to answer or to use."""
    why, told = reply[0].decode(), [part.decode() for part in reply[1:]]
    match why:
        case "answered":
            by = f" by {told[1]}" if told[1] else ""
            problem, hint = f"is {told[0]} already{by}", "It can be answered once."
        case "expired":
            at = approval.expires.isoformat(timespec="seconds")
            problem, hint = f"expired at {at}", "Resume the run: the agent is told so."
        case "used":
            problem, hint = f"was used already, for the call {told[0]}", "It holds for one call."
        case "open":
            problem, hint = f"is {told[0]}", "Approve it first."
        case "missing":
            problem, hint = "is no longer kept", "Resume the run to be asked again."
        case _:
            problem = "is for another call, other arguments or another rule"
            hint = "Resume the run to be asked again."
    return ApprovalError(
        f"The approval {approval.id} for {approval.tool!r} {problem}; nothing was executed.",
        hint=hint,
    )


def _pairs(flat: Any) -> Mapping[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _ms(span: timedelta) -> int:
    return max(1, int(span / _MS))
