"""Whose threads, runs and stored items are."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from treadle.memory.store import user_namespace
from treadle.runtime import Runtime, check_thread_id
from treadle.runtime.runs import Run, RunMode, is_dry_thread
from treadle.server._problems import ProblemError
from treadle.server.security._principal import Principal, Scope, current_principal

T = TypeVar("T")
_PAGE = 200


class Ownership:
    """What a caller sees of a tenant's threads.

    Threads that a program or the command line made belong to nobody; administrators see them.

    Args:
        runtime: the tenant's runtime.
        principal: who asks; whoever asks at the moment when not given.
    """

    def __init__(self, runtime: Runtime, principal: Principal | None = None) -> None:
        self._threads = runtime.threads
        self._runs = runtime.runs
        self._principal = principal or current_principal()

    async def sees(self, thread_id: str) -> bool:
        """Return whether the caller sees a thread, if there is one."""
        if self._principal.may(Scope.ADMIN):
            return True
        if is_dry_thread(thread_id):  # Its name is known to whoever knows a thread's.
            return False
        [owner] = await self._threads.owners([thread_id])
        return self._principal.sees(owner)

    async def sees_run(self, run: Run) -> bool:
        """Return whether the caller sees a run: whoever sees the thread that it was asked on."""
        return await self.sees(await self.thread_of(run))

    async def thread_of(self, run: Run) -> str:
        """Return the thread that a run was asked on.

        A dry run that was asked for over HTTP names it in what is kept with it; any other one has
        no thread that is somebody's.
        """
        if run.mode is not RunMode.DRY:
            return run.thread_id
        return str((await self._runs.metadata(run)).get("thread_id", run.thread_id))

    async def check(self, thread_id: str) -> None:
        """Go on only where the caller sees the thread.

        Raises:
            ProblemError: 404, as if there were none.
        """
        if not await self.sees(thread_id):
            raise ProblemError(404, f"There is no thread {thread_id!r}.")

    async def begin(self, thread_id: str) -> bool:
        """Make a new thread the caller's; return whether the caller may use the thread.

        Raises:
            InputError: no thread can have that id.
        """
        check_thread_id(thread_id)
        if not self._principal.subject and self._principal.may(Scope.ADMIN):
            return True  # The operator's threads are nobody's.
        if is_dry_thread(thread_id):
            return False
        [owner] = await self._threads.owners([thread_id])
        if owner is not None:
            return self._principal.sees(owner)
        if await self._threads.exists(thread_id):
            return self._principal.may(Scope.ADMIN)
        return await self._threads.claim(thread_id, self._principal.subject)

    async def seen(
        self, things: AsyncIterator[T], thread_of: Callable[[T], str]
    ) -> AsyncIterator[T]:
        """Yield the things whose threads the caller sees."""
        page: list[T] = []
        async for thing in things:
            if self._principal.may(Scope.ADMIN):
                yield thing
                continue
            page.append(thing)
            if len(page) == _PAGE:
                for one in await self._of_page(page, thread_of):
                    yield one
                page = []
        for one in await self._of_page(page, thread_of):
            yield one

    async def _of_page(self, page: list[T], thread_of: Callable[[T], str]) -> list[T]:
        owners = await self._threads.owners([thread_of(thing) for thing in page])
        pairs = zip(page, owners, strict=True)
        return [thing for thing, owner in pairs if self._principal.sees(owner)]


def check_namespace(namespace: tuple[str, ...]) -> None:
    """Let only administrators reach what is remembered of others.

    Raises:
        ProblemError: 403, when the namespace is not the caller's own.
    """
    principal = current_principal()
    if principal.may(Scope.ADMIN):
        return
    own = user_namespace(principal.subject)
    if namespace[: len(own)] != own:
        raise ProblemError(
            403, f"Namespaces of this caller begin with {list(own)}; others need 'admin'."
        )
