"""Real prose and real tools for the embedded model to work with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool

from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.sources import Passage, Source
from treadle.tools import Effect, ToolResult, tool
from treadle.tools.calculate import calculate
from treadle.tools.current_time import make_tool

REDIS = Source("Redis", "docs/redis.md", "lines 1-30")
INSTALL = Source("Installing", "docs/install.md", "lines 1-25")
TOOLS = Source("Tools", "docs/tools.md", "lines 1-18")
VALKEY = Source("Valkey", "https://wiki.example/Valkey")
TELEPHONE = Source("Telephone", "https://wiki.example/Telephone", "History")
KENYA = Source("Mount Kenya", "https://wiki.example/Mount_Kenya")
LISBON = Source("Lisbon", "https://wiki.example/Lisbon")
PHOTOSYNTHESIS = Source("Photosynthesis", "https://wiki.example/Photosynthesis")
LOVELACE = Source("Ada Lovelace", "https://wiki.example/Ada_Lovelace")

DOCUMENTS = {
    REDIS: """# Redis

Treadle keeps its memory in Redis. Any plain Redis from 6.2 on will do, and so will Valkey; no
modules are needed.

## Embedded Redis

When no URL is given, Treadle starts a Redis server of its own. It is a real `redis-server` child
process that listens on a unix socket in the user's data folder, and it writes an append-only file,
so that nothing is lost over a restart. The server is shared by every Treadle process of the user.
The last process that uses it stops it: when it exits, it sends SHUTDOWN and removes the socket.

The folder has mode 0700, because other users of the machine must not read the conversations.

## Addresses

| scheme | meaning | example |
|---|---|---|
| redis:// | plain TCP | redis://localhost:6379/0 |
| rediss:// | TLS | rediss://cache.example.org:6380 |
| unix:// | a unix socket | unix:///run/redis.sock |

Set the address with the environment variable `TREADLE_REDIS_URL`, or in `treadle.toml`:

```toml
[redis]
url = "redis://localhost:6379/0"
```
""",
    INSTALL: """# Installing

You need Python 3.11 or later. To install Treadle, run:

```sh
pip install treadle
```

The command line has these commands:

- `treadle ask` asks one question and prints the answer.
- `treadle chat` opens a conversation.
- `treadle index PATH` indexes documents so that they can be searched.
- `treadle doctor` says what is configured and what is missing.

Exit codes are 0 when done, 1 when the run failed, and 2 for bad usage or configuration.
""",
    TOOLS: """# Tools

A tool is a function that an agent may call. Every tool declares its effect: `read` tools may be
repeated freely, `keyed` tools are handed an idempotency key, and `once` tools are never repeated.
The default for an undeclared tool is `once`.

Each tool has a time limit of 30 seconds and a size limit of 8,000 characters. A failure becomes a
message to the model, never a traceback.

We chose `ddgs` rather than duckduckgo-search because its author renamed the package and the old
name gets no fixes.
""",
}
ARTICLES = {
    VALKEY: """Valkey is an open-source in-memory data store, used as a distributed key-value
database, cache and message broker. It was forked from Redis 7.2.4 in March 2024 after Redis Ltd.
changed the licence of Redis to the Server Side Public License. The project is hosted by the Linux
Foundation. Companies such as Amazon Web Services, Google Cloud and Oracle support it.""",
    TELEPHONE: """A telephone is a device that lets two or more people talk when they are too far
apart to be heard directly. Alexander Graham Bell was the first to be granted a United States patent
for a telephone, in 1876. Elisha Gray filed a caveat on the same day. The invention of the telephone
is disputed: Antonio Meucci showed a voice apparatus in 1849 in Havana.""",
    KENYA: """Mount Kenya is an extinct stratovolcano and the highest mountain in Kenya. It is the
second-highest peak in Africa after Kilimanjaro. Its highest summit, Batian, has an elevation of
5,199 metres (17,057 ft). The mountain lies about 16.5 km south of the equator, around 150 km
north-north-east of Nairobi. The glaciers of Mount Kenya are shrinking because the climate is
getting warmer. Halford Mackinder led the first recorded ascent in 1899.""",
    LISBON: """Lisbon is the capital and largest city of Portugal, with a population of 567,131 in
2023. It lies on the northern bank of the Tagus, near the Atlantic Ocean. On 1 November 1755 an
earthquake, followed by a tsunami and fires, destroyed much of the city. The Marquis of Pombal
directed its rebuilding. Lisbon's economy rests on services, finance, tourism and its port.""",
    PHOTOSYNTHESIS: """Photosynthesis is the process by which plants, algae and some bacteria turn
light energy into chemical energy. Water and carbon dioxide are used up, and sugars and oxygen are
produced. In plants it takes place in chloroplasts, which hold the green pigment chlorophyll. Leaves
are green because chlorophyll absorbs red and blue light and reflects green light. The process was
first described by Jan Ingenhousz in 1779.""",
    LOVELACE: """Augusta Ada King, Countess of Lovelace (10 December 1815 to 27 November 1852), was
an English mathematician and writer. She is known for her work on the Analytical Engine, a
mechanical general-purpose computer proposed by Charles Babbage. Her notes on the engine, published
in 1843, contain what is often called the first computer program. She was the only legitimate child
of the poet Lord Byron. She died of uterine cancer in London at the age of 36.""",
}


def find(query: str, texts: dict[Source, str], most: int) -> ToolResult:
    """Return the texts that share the most words with the query; a plain search engine."""
    wanted = {word.strip("?.,").lower()[:5] for word in query.split()}
    rated = []
    for place, (source, text) in enumerate(texts.items()):
        held = {word.strip("`.,:;()").lower()[:5] for word in f"{source.title} {text}".split()}
        if common := len(wanted & held):
            rated.append((-common, place, Passage(text, source)))
    if not rated:
        return ToolResult(f"Nothing matches {query!r}.")
    return ToolResult(passages=[passage for _, _, passage in sorted(rated)[:most]])


@tool(effect=Effect.READ)
def search_documents(query: str, max_results: int = 3) -> ToolResult:
    """Search the user's own documents.

    Args:
        query: what to look for.
        max_results: how many passages to return.
    """
    return find(query, DOCUMENTS, max_results)


@tool(effect=Effect.READ)
def wikipedia(query: str) -> ToolResult:
    """Look something up in Wikipedia, the free encyclopaedia.

    Args:
        query: what to look up.
    """
    return find(query, ARTICLES, 2)


def usual_tools() -> list[BaseTool]:
    clock = make_tool(lambda: datetime(2026, 11, 24, 8, 30, tzinfo=UTC))
    return [tool(effect=Effect.READ)(calculate), clock, search_documents, wikipedia]


@dataclass(frozen=True)
class Told:
    """What came of one question.

    Attributes:
        text: the answer.
        calls: the name and the arguments of each tool call, in order.
        thoughts: the text beside each tool call.
    """

    text: str
    calls: list[tuple[str, dict[str, str]]]
    thoughts: list[str]


async def talk(*said: str, tools: Sequence[BaseTool] | None = None) -> list[Told]:
    """Have a conversation with an agent on the embedded model, a turn for each message."""
    agent = create_agent(EmbeddedChatModel(), usual_tools() if tools is None else list(tools))
    messages: list[BaseMessage] = []
    told: list[Told] = []
    for text in said:
        before = len(messages) + 1
        messages = (await agent.ainvoke({"messages": [*messages, HumanMessage(text)]}))["messages"]
        turn = [message for message in messages[before:] if isinstance(message, AIMessage)]
        calls = [(call["name"], call["args"]) for message in turn for call in message.tool_calls]
        told.append(Told(turn[-1].text, calls, [m.text for m in turn if m.tool_calls]))
    return told


def asked(question: str, *results: tuple[str, str]) -> list[BaseMessage]:
    """Return the messages of a turn in which tools returned texts for a question."""
    messages: list[BaseMessage] = [HumanMessage(question)]
    for number, (name, text) in enumerate(results):
        call = {"name": name, "args": {"query": "x"}, "id": f"call-{number}"}
        messages.append(AIMessage("", tool_calls=[call]))
        messages.append(ToolMessage(text, tool_call_id=f"call-{number}", name=name))
    return messages


def label(source: Source) -> str:
    return f"[^{source.label}]"
