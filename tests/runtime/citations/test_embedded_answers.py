"""The embedded model only quotes what its tools return: nothing in its answers is touched."""

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from tests.agents.embedded.corpus import usual_tools
from tests.agents.embedded.test_answers import FACTS
from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.usage import Usage
from treadle.runtime._replies import make_reply


async def test_no_answer_of_the_embedded_model_is_touched() -> None:
    agent = create_agent(EmbeddedChatModel(), usual_tools())
    for question, source, _ in FACTS:
        state = await agent.ainvoke({"messages": [HumanMessage(question)]})
        reply = make_reply(state, Usage(), "run", "thread")
        assert reply.unverified == (), question
        assert source in [citation.source for citation in reply.citations]
        for citation in reply.citations:
            assert citation.supports, question
