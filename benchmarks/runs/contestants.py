# ruff: noqa: PLC0415 - each stack is imported only in an environment that has it
"""The stacks that are compared, each a function that opens it and gives what makes one run.

Every run asks the same question, calls the model, calls the tool ``add``, and calls the model
again. Each import is inside its function: a stack runs in an environment that has only it.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

QUESTION = "What is two and two?"
KEY = "key"

Run = Callable[[], Awaitable[object]]
Stack = Callable[[str], AbstractAsyncContextManager[Run]]


async def add(a: int, b: int) -> str:
    """Add two numbers.

    Args:
        a: the first.
        b: the second.
    """
    return str(a + b)


@asynccontextmanager
async def create_agent(url: str) -> AsyncIterator[Run]:
    from langchain.agents import create_agent
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from langgraph.checkpoint.memory import InMemorySaver

    model = ChatOpenAI(model="gpt-5-mini", base_url=url, api_key=KEY)
    graph = create_agent(model, [tool(add)], checkpointer=InMemorySaver())
    threads = iter(range(10**9))

    async def run() -> object:
        config = {"configurable": {"thread_id": str(next(threads))}}
        return (await graph.ainvoke({"messages": [HumanMessage(QUESTION)]}, config))["messages"][-1]

    yield run


@asynccontextmanager
async def treadle_graph(url: str) -> AsyncIterator[Run]:
    from langchain_core.messages import HumanMessage

    from treadle.agents.models import Models
    from treadle.graphs import GraphParts, react
    from treadle.memory.window import ContextWindow
    from treadle.tools import tool

    models = Models(_settings(url))
    parts = GraphParts(models.resolve("one").chat, tools=[tool(add)], window=ContextWindow(16_000))
    graph = react(parts)

    async def run() -> object:
        return (await graph.ainvoke({"messages": [HumanMessage(QUESTION)]}))["messages"][-1]

    try:
        yield run
    finally:
        await models.aclose()


@asynccontextmanager
async def treadle_runtime(url: str) -> AsyncIterator[Run]:
    from treadle.agents import Agent, Budget
    from treadle.runtime import Runtime

    with tempfile.TemporaryDirectory() as folder:
        source = "from benchmarks.runs.contestants import add\n"
        Path(folder, "adding.py").write_text(source, "utf-8")
        budget = Budget(model_calls=10, tool_calls=10, tokens=100_000, usd=1)
        agent = Agent(name="adder", tools=("adding.py:add",), budget=budget)
        Path(folder, "agents").mkdir()
        text = agent.model_dump_json(exclude_defaults=True)
        Path(folder, "agents", "adder.yaml").write_text(text, "utf-8")
        async with Runtime.open(
            f"embedded://{folder}/redis", folder, settings=_settings(url)
        ) as rt:

            async def run() -> object:
                return (await rt.ask("adder", QUESTION)).text

            run.redis = rt._context.redis  # type: ignore[attr-defined]
            yield run


def _settings(url: str) -> Any:
    from treadle.core.settings import ModelProfile, PriceSettings, Settings

    os.environ["BENCHMARK_KEY"] = KEY
    profile = ModelProfile(
        model="openai:gpt-5-mini",
        base_url=url,
        api_key_env="BENCHMARK_KEY",
        price=PriceSettings(input=1, output=2),
    )
    return Settings(model="one", models={"one": profile})


@asynccontextmanager
async def pydantic_ai(url: str) -> AsyncIterator[Run]:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("gpt-5-mini", provider=OpenAIProvider(base_url=url, api_key=KEY))
    agent = Agent(model, tools=[add])

    async def run() -> object:
        return (await agent.run(QUESTION)).output

    yield run


@asynccontextmanager
async def openai_agents(url: str) -> AsyncIterator[Run]:
    from agents import (
        Agent,
        OpenAIChatCompletionsModel,
        Runner,
        function_tool,
        set_tracing_disabled,
    )
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=url, api_key=KEY)
    model = OpenAIChatCompletionsModel(model="gpt-5-mini", openai_client=client)
    agent = Agent(name="adder", model=model, tools=[function_tool(add)])

    async def run() -> object:
        return (await Runner.run(agent, QUESTION)).final_output

    yield run


@asynccontextmanager
async def agno(url: str) -> AsyncIterator[Run]:
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat

    model = OpenAIChat(id="gpt-5-mini", base_url=url, api_key=KEY)
    agent = Agent(model=model, tools=[add], telemetry=False)

    async def run() -> object:
        return (await agent.arun(QUESTION)).content

    yield run


STACKS: dict[str, tuple[Stack, str]] = {
    "create_agent, InMemorySaver": (create_agent, "langchain"),
    "pydantic-ai": (pydantic_ai, "pydantic-ai-slim"),
    "openai-agents": (openai_agents, "openai-agents"),
    "agno": (agno, "agno"),
    "treadle graph, no runtime": (treadle_graph, "treadle"),
    "treadle runtime, Redis": (treadle_runtime, "treadle"),
}
"""What is compared: how it is opened, and the distribution it comes from."""


def version_of(name: str) -> str:
    """Return the version of a stack's distribution, empty where it is not installed."""
    try:
        return version(STACKS[name][1])
    except ImportError:
        return ""
