"""LangChain's ChatOpenAI, as agents use it, on both protocols."""

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import RateLimitError
from pydantic import BaseModel

from treadle.runtime.testing import (
    ScriptedOpenAI,
    call,
    calls,
    rate_limited,
    refuse,
    say,
)


@tool
def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"Sunny in {city}."


@pytest.fixture(params=[False, True], ids=["completions", "responses"])
def model_of(request):
    def build(server: ScriptedOpenAI, **options) -> ChatOpenAI:
        settings = {"model": "gpt-5-mini", "max_retries": 0, "use_responses_api": request.param}
        return ChatOpenAI(
            base_url=server.base_url, api_key=server.api_key, **{**settings, **options}
        )

    return build


def test_an_answer_with_its_usage(model_of):
    reply = say("Hi.", reasoning="Hm.").costing(
        input_tokens=100, output_tokens=20, cached_input_tokens=80, reasoning_tokens=5
    )
    with ScriptedOpenAI([reply]) as server:
        message = model_of(server).invoke("Hello?")
    assert message.text == "Hi."
    usage = message.usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (100, 20, 120)
    assert usage["input_token_details"]["cache_read"] == 80
    assert usage["output_token_details"]["reasoning"] == 5


async def test_an_async_stream_with_calls_and_usage(model_of):
    reply = calls(
        call("weather", city="Paris"), call("weather", city="Rome"), text="Looking it up."
    )
    with ScriptedOpenAI([reply]) as server:
        model = model_of(server, stream_usage=True).bind_tools([weather])
        chunks = [chunk async for chunk in model.astream("Hello?")]
    whole = sum(chunks[1:], chunks[0])
    assert len(chunks) > 4
    assert whole.text == "Looking it up."
    assert [one["args"] for one in whole.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert whole.usage_metadata["total_tokens"] == server.billed.total_tokens


async def test_an_agent_calls_tools_and_answers(model_of):
    script = [
        calls(call("weather", city="Paris"), call("weather", city="Rome"), reasoning="Both."),
        lambda request: say(" ".join(request.tool_outputs.values())),
        say("You are welcome."),
    ]
    with ScriptedOpenAI(script) as server:
        agent = create_agent(model_of(server), [weather], system_prompt="Be brief.")
        first = await agent.ainvoke({"messages": [HumanMessage("How is the weather?")]})
        second = await agent.ainvoke({"messages": [*first["messages"], HumanMessage("Thanks.")]})
    assert first["messages"][-1].text == "Sunny in Paris. Sunny in Rome."
    assert second["messages"][-1].text == "You are welcome."
    assert server.requests[1].system_text == "Be brief."
    assert server.requests[1].tool_names == ["weather"]
    assert server.rejected == []


def test_structured_output(model_of):
    class City(BaseModel):
        """A city."""

        name: str

    with ScriptedOpenAI([say('{"name": "Paris"}')]) as server:
        city = model_of(server).with_structured_output(City, method="json_schema").invoke("Where?")
    assert city == City(name="Paris")
    assert server.requests[0].response_format["type"] == "json_schema"


def test_a_fault_reaches_the_caller(model_of):
    with ScriptedOpenAI([rate_limited()]) as server, pytest.raises(RateLimitError):
        model_of(server).invoke("Hello?")


def test_retries_are_seen(model_of):
    with ScriptedOpenAI([rate_limited(retry_after_seconds=0.001), say("Hi.")]) as server:
        message = model_of(server, max_retries=1).invoke("Hello?")
    assert message.text == "Hi."
    assert len(server.requests) == 2


def test_a_refusal(model_of):
    with ScriptedOpenAI([refuse("No.")]) as server:
        message = model_of(server).invoke("Hello?")
    assert message.text == ""
    assert "No." in repr(message)


def test_an_unanswered_call_is_refused(model_of):
    asked = AIMessage("", tool_calls=[{"name": "weather", "args": {}, "id": "call_1"}])
    with ScriptedOpenAI([]) as server, pytest.raises(Exception, match="call_1"):
        model_of(server).invoke([HumanMessage("x"), asked, HumanMessage("y")])


def test_langchain_embeddings():
    with ScriptedOpenAI([]) as server:
        embeddings = OpenAIEmbeddings(
            base_url=server.base_url, api_key=server.api_key, check_embedding_ctx_length=False
        )
        assert len(embeddings.embed_query("river")) == 1536
