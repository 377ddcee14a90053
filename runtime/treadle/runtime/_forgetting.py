"""Forgetting a conversation or a person: everything that was derived from them goes too."""

import asyncio
from collections import Counter
from typing import Any

from treadle.core.characters import check_whole
from treadle.core.errors import UnknownNameError
from treadle.memory import encoded
from treadle.memory.bundle import Memory
from treadle.memory.store import user_namespace
from treadle.runtime._threads import Threads
from treadle.runtime.approvals import ApprovalStore
from treadle.runtime.budget import Ledger, run_account
from treadle.runtime.runs import RunStore, dry_thread

Counts = dict[str, int]
"""How many of each kind were removed."""


class Forgetting:
    """Removes all that is kept of a thread or of a user.

    Args:
        redis: the connection to Redis.
        prefix: the tenant's key prefix.
        memory: what is remembered.
        threads: the conversations.
        runs: the runs and their journals.
        approvals: what a person was or is to be asked.
    """

    def __init__(
        self,
        redis: Any,
        prefix: str,
        *,
        memory: Memory,
        threads: Threads,
        runs: RunStore,
        approvals: ApprovalStore,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._memory = memory
        self._threads = threads
        self._runs = runs
        self._approvals = approvals
        self._ledger = Ledger(redis, prefix=prefix)

    async def note_user(self, user: str, thread_id: str) -> None:
        """Remember that a thread is a user's, so that it is forgotten with the user.

        Raises:
            InputError: the user's name is no text that can be kept.
        """
        check_whole("The user's name", user)
        await self._redis.sadd(self._user_key(user), thread_id)

    async def thread(self, thread_id: str) -> Counts:
        """Remove a thread: what was said, summaries, vectors, facts, runs, journals, approvals.

        Raises:
            UnknownNameError: there is no such thread.
        """
        of_it, dry = await asyncio.gather(
            self._runs.forget_thread(thread_id), self._runs.forget_thread(dry_thread(thread_id))
        )
        runs = [*of_it, *dry]
        # A client's key gives the same id again, and that run begins with nothing spent.
        await self._ledger.forget([run_account(run_id) for run_id in runs])
        try:
            await self._threads.check(thread_id)
        except UnknownNameError:
            if not runs:  # The thread of a dry run holds nothing but runs.
                raise
        # What a client of the server wrote about the thread; see `treadle.server.langgraph`.
        described = f"{self._prefix}{{langgraph:threads}}:"
        said, approvals, *_ = await asyncio.gather(
            self._memory.forget(thread_id),
            self._approvals.forget_thread(thread_id),
            self._redis.hdel(f"{described}records", thread_id),
            self._redis.zrem(f"{described}order", thread_id),
        )
        # The thread last: where this is cut off, it is there to be forgotten again.
        threads = await self._threads.drop(thread_id)
        return {"threads": threads, **said, "runs": len(runs), "approvals": approvals}

    async def user(self, user: str) -> Counts:
        """Remove a user: the facts about them, and every thread they asked on.

        Raises:
            UnknownNameError: nothing is kept of that user.
        """
        threads = await self._redis.smembers(self._user_key(user))
        counts: Counter[str] = Counter()
        for thread_id in threads:
            try:
                counts.update(await self.thread(thread_id.decode()))
            except UnknownNameError:
                continue  # It was forgotten, or expired, by itself.
        forgotten = await self._memory.store.aforget(user_namespace(user))
        counts["facts"] += forgotten.items
        await self._redis.unlink(self._user_key(user))
        if not threads and not forgotten.items:
            raise UnknownNameError("user", user, None)
        return dict(counts)

    def _user_key(self, user: str) -> str:
        return f"{self._prefix}{{user:{encoded(user)}}}:threads"
