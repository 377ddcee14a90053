"""A graph goes on while its checkpoint is on the way; what rests on the checkpoint waits."""

import asyncio

import pytest
from langchain_core.messages import AIMessage

from tests.memory.saver.graphs import Chat, chat_graph, said, texts, thread
from treadle.core.errors import RedisError
from treadle.memory import _drivers, connect
from treadle.memory.saver import RedisSaver, _scripts, fenced, writing_behind
from treadle.memory.saver._columns import Columns

TOKEN = "run/1"


class Delayed:
    """Redis's replies to checkpoints: from the second on held back, or an error in their place."""

    def __init__(self):
        self.replied, self.may_reply, self.fails_from = 0, asyncio.Event(), 100
        self._changed = asyncio.Condition()

    async def until(self, replies):
        """Return when Redis replied that often."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.replied >= replies)

    async def reply(self):
        async with self._changed:
            self.replied += 1
            number = self.replied
            self._changed.notify_all()
        if number > 1:
            await self.may_reply.wait()
        if number >= self.fails_from:
            raise RedisError("Redis is out of memory.")


@pytest.fixture
def delayed(monkeypatch):
    held, ask = Delayed(), _drivers.AsyncDriver.ask

    async def asked(driver, request):
        reply = await ask(driver, request)
        if getattr(request, "script", None) is _scripts._PUT:
            await held.reply()
        return reply

    monkeypatch.setattr(_drivers.AsyncDriver, "ask", asked)
    return held


@pytest.fixture
async def saver(redis_server):
    async with connect(redis_server.url) as client:
        yield RedisSaver(client)


def invoking(graph, token=TOKEN):
    work = graph.ainvoke(said("hello"), fenced(thread(), token), durability="sync")
    return asyncio.create_task(work)


async def test_a_node_runs_while_the_checkpoint_before_it_is_on_the_way(saver, delayed):
    ran = asyncio.Event()

    async def node(state: Chat):
        ran.set()
        return {"messages": [AIMessage("answer")]}

    graph = chat_graph(saver, node)
    with writing_behind(TOKEN) as behind:
        task = invoking(graph)
        await ran.wait()
        settled = asyncio.create_task(behind.settled())
        await delayed.until(2)
        assert (task.done(), settled.done()) == (False, False)
        delayed.may_reply.set()
        left = await task
        await settled
        await behind.settled()
    assert (await graph.aget_state(thread())).values == left
    assert texts(left["messages"]) == ["hello", "answer"]


@pytest.mark.parametrize("how", ["no context", "another token"])
async def test_others_wait_for_redis(saver, delayed, how):
    ran = asyncio.Event()

    async def node(_: Chat):
        ran.set()
        return {}

    if how == "no context":
        task = invoking(chat_graph(saver, node))
    else:
        with writing_behind("run/2"):
            task = invoking(chat_graph(saver, node))
    await delayed.until(2)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not ran.is_set()
    delayed.may_reply.set()
    await task
    assert ran.is_set()


async def test_what_a_node_changes_in_place_is_not_in_the_checkpoint_before_it(saver, delayed):
    async def node(state: Chat):
        state["messages"][0].content = "changed"
        delayed.may_reply.set()
        return {"messages": [AIMessage("answer")]}

    graph = chat_graph(saver, node)
    with writing_behind(TOKEN) as behind:
        await invoking(graph)
        await behind.settled()
    history = [one async for one in graph.aget_state_history(thread())]
    said_then = [texts(one.values["messages"]) for one in history if one.values.get("messages")]
    assert said_then == [["changed", "answer"], ["hello"]]


@pytest.mark.parametrize("number", [2, 3])
async def test_once_a_checkpoint_could_not_be_kept_none_is(saver, delayed, number):
    delayed.fails_from = number

    async def node(_: Chat):
        delayed.may_reply.set()
        return {"messages": [AIMessage("answer")]}

    graph = chat_graph(saver, node)
    with writing_behind(TOKEN) as behind:
        [told] = await asyncio.gather(invoking(graph), return_exceptions=True)
        assert isinstance(told, RedisError) or number == 3, "the last one is on the way"
        for _ in range(2):
            with pytest.raises(RedisError, match="out of memory"):
                await behind.settled()
        await behind.aclose()
    assert delayed.replied == number


async def test_what_was_kept_last_is_known_again_without_comparing_it(saver, monkeypatch):
    graph = chat_graph(saver)
    with writing_behind(TOKEN) as behind:
        left = (await graph.ainvoke(said("hello"), fenced(thread(), TOKEN)))["messages"]
        await behind.settled()
        compared = saver.entries.reference("t", "messages", list(left))
        monkeypatch.setattr(Columns, "are_held", lambda *_: pytest.fail("compared"))
        assert saver.entries.reference("t", "messages", left) == compared is not None


async def test_what_somebody_else_kept_since_is_not_taken_for_it(saver):
    graph = chat_graph(saver)
    with writing_behind(TOKEN) as behind:
        left = (await graph.ainvoke(said("hello"), fenced(thread(), TOKEN)))["messages"]
        await behind.settled()
        await graph.aupdate_state(thread(), said("more"))
        assert saver.entries.reference("t", "messages", left) is None
