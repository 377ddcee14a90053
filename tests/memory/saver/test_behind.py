"""A graph goes on while its checkpoints are on the way; what rests on them waits."""

import asyncio
from collections import Counter

import pytest
from langchain_core.messages import AIMessage

from tests.memory.saver.graphs import Chat, chat_graph, said, texts, thread
from treadle.core.errors import RedisError
from treadle.memory import _drivers, connect
from treadle.memory.saver import RedisSaver, _behind, _scripts, fenced, writing_behind
from treadle.memory.saver._columns import Columns

TOKEN = "run/1"
HELLO = ["hello", "answer 1"]


class Delayed:
    """Redis's replies to what is stored: from one on held back, or an error in its place."""

    def __init__(self):
        self.replied, self.may_reply = 0, asyncio.Event()
        self.held_from, self.fails_from = 100, 100
        self.asked = Counter()
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
        if number >= self.held_from:
            await self.may_reply.wait()
        if number >= self.fails_from:
            raise RedisError("Redis is out of memory.")


@pytest.fixture
def delayed(monkeypatch):
    held, ask = Delayed(), _drivers.AsyncDriver.ask

    async def asked(driver, request):
        reply = await ask(driver, request)
        script = getattr(request, "script", None)
        held.asked[script] += 1
        if script is _scripts._STORE:
            await held.reply()
        return reply

    monkeypatch.setattr(_drivers.AsyncDriver, "ask", asked)
    return held


@pytest.fixture
def long_held(monkeypatch):
    """Let nothing go because it waited for long."""
    monkeypatch.setattr(_behind, "HOLD_SECONDS", 3_600)


@pytest.fixture
async def saver(redis_server):
    async with connect(redis_server.url) as client:
        yield RedisSaver(client)


def invoking(graph, token=TOKEN):
    work = graph.ainvoke(said("hello"), fenced(thread(), token), durability="sync")
    return asyncio.create_task(work)


async def history_of(saver):
    graph = chat_graph(saver)
    return [one async for one in graph.aget_state_history(thread())]


async def test_a_whole_run_that_calls_nothing_goes_in_one_trip(saver, delayed, long_held):
    with writing_behind(TOKEN) as behind:
        left = await invoking(chat_graph(saver))
        assert delayed.replied == 0
        await behind.settled()
    assert delayed.replied == 1
    newest, *before = await history_of(saver)
    assert newest.values == left
    assert texts(left["messages"]) == HELLO
    assert [texts(one.values.get("messages", [])) for one in before] == [["hello"], []]
    assert [texts(one.tasks[0].result["messages"]) for one in before] == [HELLO[1:], HELLO[:1]]


async def test_what_is_held_goes_by_itself_soon(saver, delayed):
    async def node(_: Chat):
        await delayed.until(1)
        found = await RedisSaver(saver._connection.driver._client).aget_tuple(thread())
        return {"messages": [AIMessage(found.checkpoint["channel_values"]["messages"][0].text)]}

    with writing_behind(TOKEN) as behind:
        left = await invoking(chat_graph(saver, node))
        await behind.settled()
    assert texts(left["messages"]) == ["hello", "hello"]


async def test_a_node_runs_while_the_checkpoint_before_it_is_on_the_way(saver, delayed):
    delayed.held_from, ran = 1, asyncio.Event()

    async def node(state: Chat):
        await delayed.until(1)
        ran.set()
        return {"messages": [AIMessage("answer")]}

    graph = chat_graph(saver, node)
    with writing_behind(TOKEN) as behind:
        task = invoking(graph)
        await ran.wait()
        settled = asyncio.create_task(behind.settled())
        for _ in range(100):
            await asyncio.sleep(0)
        assert (task.done(), settled.done()) == (False, False)
        delayed.may_reply.set()
        left = await task
        await settled
        await behind.settled()
    assert (await graph.aget_state(thread())).values == left
    assert texts(left["messages"]) == ["hello", "answer"]


@pytest.mark.parametrize("how", ["no context", "another token"])
async def test_others_wait_for_redis(saver, delayed, how):
    delayed.held_from, ran = 2, asyncio.Event()

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


async def test_what_a_node_changes_in_place_is_not_in_the_checkpoint_before_it(saver, long_held):
    async def node(state: Chat):
        state["messages"][0].content = "changed"
        return {"messages": [AIMessage("answer")]}

    with writing_behind(TOKEN) as behind:
        await invoking(chat_graph(saver, node))
        await behind.settled()
    said_then = [texts(one.values["messages"]) for one in await history_of(saver) if one.values]
    assert said_then == [["changed", "answer"], ["hello"], []]


@pytest.mark.parametrize("number", [1, 2])
async def test_once_a_checkpoint_could_not_be_kept_none_is(saver, delayed, long_held, number):
    delayed.fails_from = number

    async def node(_: Chat):
        behind.send()
        return {"messages": [AIMessage("answer")]}

    with writing_behind(TOKEN) as behind:
        [told] = await asyncio.gather(invoking(chat_graph(saver, node)), return_exceptions=True)
        assert isinstance(told, RedisError) == (number == 1), "the last one is held"
        for _ in range(2):
            with pytest.raises(RedisError, match="out of memory"):
                await behind.settled()
        await behind.aclose()
    assert delayed.replied == number


@pytest.mark.parametrize("is_threaded", [False, True])
async def test_a_node_finds_the_checkpoint_it_is_called_in(saver, long_held, is_threaded):
    found = []

    async def node(_: Chat):
        found.append(await graph.aget_state(thread()))
        return {}

    def threaded(_: Chat):
        found.append(graph.get_state(thread()))
        return {}

    graph = chat_graph(saver, threaded if is_threaded else node)
    with writing_behind(TOKEN) as behind:
        await invoking(graph)
        await behind.settled()
    assert texts(found[0].values["messages"]) == ["hello"]
    assert found[0].next == ("node",)


async def test_a_thread_known_to_be_blank_is_not_read(saver, delayed, long_held):
    with writing_behind(TOKEN, blank="t") as behind:
        left = await invoking(chat_graph(saver))
        assert not delayed.asked
        await behind.settled()
    assert (await history_of(saver))[0].values == left


async def test_what_nobody_will_read_again_is_dropped(saver, delayed, long_held):
    with writing_behind(TOKEN) as behind:
        await invoking(chat_graph(saver))
        behind.drop()
        await behind.settled()
        await behind.aclose()
    assert delayed.replied == 0
    assert await history_of(saver) == []


async def test_what_is_held_while_the_log_moves_points_to_the_right_messages(saver, long_held):
    graph = chat_graph(saver)
    for _ in range(3):
        await graph.ainvoke(said("before"), thread())

    async def node(state: Chat):
        other = RedisSaver(saver._connection.driver._client)
        await other.aprune(["t"])  # What is left lies elsewhere in the log.
        await chat_graph(other).ainvoke(said("meanwhile"), thread())
        return {"messages": [AIMessage(f"answer {len(state['messages'])}")]}

    with writing_behind(TOKEN) as behind:
        left = await invoking(chat_graph(saver, node))
        await behind.settled()
    said_there = [texts(one.values.get("messages", [])) for one in await history_of(saver)]
    assert texts(left["messages"]) in said_there
    assert texts(left["messages"][:-1]) in said_there
    assert said_there[0][-2:] == ["hello", "answer 7"]


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
