"""The ``remember`` and ``recall_memory`` tools: what is known across conversations.

They keep facts in the store of the graph they run in: those of the user that the run's config
names, or else those of its thread.
"""

from datetime import UTC, datetime, timedelta

from langgraph.config import get_config, get_store
from langgraph.store.base import BaseStore

from treadle.core.calls import Effect
from treadle.core.errors import ToolError
from treadle.core.sources import Passage, Source
from treadle.memory.store import Fact, Facts, thread_namespace, user_namespace
from treadle.tools._contract import Tool, ToolResult, tool
from treadle.tools._registry import ToolContext

_MOST = 50
_KIND = "facts"


def build_remember(context: ToolContext) -> Tool:
    """Make the ``remember`` tool; it needs nothing of the project."""

    @tool(effect=Effect.KEYED, time_limit=timedelta(seconds=15))
    async def remember(text: str, about: str, idempotency_key: str) -> str:
        """Keep a fact about the person, for this and later conversations.

        Use it when the person tells something that will still matter later: who they are, what
        they want, like or own, what was decided. Never keep secrets such as passwords, nor what
        only a document or a web page says.

        Args:
            text: the fact as one whole sentence that can be understood alone, such as "Her dog is
                called Rex."
            about: what the fact is about, in a few words, such as "dog's name". A new fact about
                the same thing takes the place of the old one, so use the same words for it.
        """
        fact = await _facts().remember(text, about=about, source="remember", id=idempotency_key)
        return f"Kept about {fact.about!r}: {fact.text}"

    return remember


def build_recall_memory(context: ToolContext) -> Tool:
    """Make the ``recall_memory`` tool; it needs nothing of the project."""

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=15))
    async def recall_memory(query: str = "", as_of: str = "", limit: int = 10) -> ToolResult:
        """Look up what was kept about the person in this and earlier conversations.

        Each fact comes with the day on which it was said.

        Args:
            query: what to look for, such as "dog"; everything, the latest first, when empty.
            as_of: a date such as "2026-03-01", to learn what was true then; now when empty.
            limit: how many facts at most, up to 50.
        """
        facts, most = _facts(), min(max(limit, 1), _MOST)
        moment = _moment(as_of)
        if moment is None:
            found = await facts.current(query, most)
        else:
            found = await facts.as_of(moment, query, most)
        if not found:
            return ToolResult(
                "Nothing was kept" + (f" that was true on {as_of}." if moment else ".")
            )
        return ToolResult(passages=[_passage(fact) for fact in found])

    return recall_memory


def _facts() -> Facts:
    """Return the facts of the user, or the thread, that the running graph serves.

    Raises:
        ToolError: there is no graph, no store, or neither user nor thread.
    """
    configurable = _config_of_the_graph()
    user, thread = configurable.get("user_id"), configurable.get("thread_id")
    if user:
        return Facts(_store_of_the_graph(), user_namespace(str(user), _KIND))
    if thread:
        return Facts(_store_of_the_graph(), thread_namespace(str(thread), _KIND))
    raise ToolError(
        "Memory does not know whose facts to keep: the run names neither a user nor a thread.",
        hint="Go on without memory.",
    )


def _config_of_the_graph() -> dict[str, object]:
    try:
        return dict(get_config().get("configurable") or {})
    except RuntimeError:  # what LangGraph raises outside a run
        raise _no_store() from None


def _store_of_the_graph() -> BaseStore:
    try:
        store = get_store()
    except (KeyError, RuntimeError):  # what LangGraph raises outside a graph
        raise _no_store() from None
    if store is None:
        raise _no_store()
    return store


def _no_store() -> ToolError:
    return ToolError(
        "Memory works only inside a graph with a store: builder.compile(store=RedisStore(...)).",
        hint="Go on without memory.",
    )


def _moment(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ToolError(f"{text[:40]!r} is no date.", hint="Write it as 2026-03-01.") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # A date alone means the whole day.
    is_day = len(text.strip()) == len("2026-03-01")
    return moment + timedelta(days=1, microseconds=-1) if is_day else moment


def _passage(fact: Fact) -> Passage:
    when = f"said on {fact.said_at:%Y-%m-%d}"
    if fact.until is not None:
        when += f", true until {fact.until:%Y-%m-%d}"
    return Passage(fact.text, Source(f"Remembered about {fact.about}", f"memory:{fact.id}", when))
