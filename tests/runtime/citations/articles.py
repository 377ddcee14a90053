"""Realistic results of tools: what the generated answers are about."""

from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from treadle.core.sources import Source


@dataclass(frozen=True)
class Fact:
    """A sentence of an article, and honest ways to say it otherwise."""

    sentence: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Article:
    source: Source
    facts: tuple[Fact, ...]
    links: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        return f"[^{self.source.label}]"

    @property
    def text(self) -> str:
        body = " ".join(fact.sentence for fact in self.facts)
        return body + "".join(f"\nSee also: {link}" for link in self.links)


def article(title: str, uri: str, *facts: tuple[str, ...], links: tuple[str, ...] = ()) -> Article:
    return Article(Source(title, uri), tuple(Fact(one[0], one[1:]) for one in facts), links)


ARTICLES = [
    article(
        "Mount Kenya",
        "https://en.wikipedia.org/wiki/Mount_Kenya",
        (
            "Its highest summit, Batian, has an elevation of 5,199 metres (17,057 ft).",
            "Batian, the highest summit, is 5199 m high.",
            "At 5.199 km, Batian is the highest point.",
            "The summit rises about 5,200 metres.",
            "Der höchste Gipfel ist 5.199 Meter hoch.",
        ),
        (
            "The mountain lies about 16.5 km south of the equator, around 150 km from Nairobi.",
            "It stands 16.5 kilometres south of the equator and 150 kilometres from Nairobi.",
            "It is 16,500 m from the equator.",
        ),
        (
            "Halford Mackinder led the first recorded ascent on 13 September 1899.",
            "On September 13, 1899, Mackinder's party reached the top.",
            "The first ascent dates from 1899-09-13.",
            "It was climbed in September 1899, in the late 19th century.",
        ),
        (
            "The national park covers 715 km², and twelve glaciers remained when it was surveyed.",
            "The park has an area of 715 square kilometres, with 12 glaciers left.",
        ),
        links=("https://whc.unesco.org/en/list/800",),
    ),
    article(
        "Lisbon",
        "https://en.wikipedia.org/wiki/Lisbon",
        (
            "Lisbon had a population of 567,131 in 2023, and its metropolitan area 2,961,177.",
            "In 2023, 567131 people lived in Lisbon.",
            "About 2.96 million people live in the metropolitan area.",
            "The city has 567 131 inhabitants; its region nearly 3 million.",
            "Lissabon hatte 2023 rund 567.131 Einwohner.",
        ),
        (
            "On 1 November 1755 an earthquake, followed by a tsunami, destroyed 85% of the city.",
            "The earthquake of 1 Nov. 1755 destroyed 85 percent of Lisbon.",
            "On November 1st, 1755, 85 % of the city was destroyed.",
            "The 18th century saw the city destroyed in the 1750s.",
        ),
        (
            "The bridge, opened on 6 August 1966, is 2,277 metres long and cost $32 million.",
            "The bridge opened on August 6, 1966, is 2.277 km long and cost 32 million dollars.",
            "Opened in August 1966, the bridge cost US$ 32,000,000.",
        ),
        links=("https://www.lisboa.pt/cidade?utm_source=wiki",),
    ),
    article(
        "Valkey",
        "https://valkey.io/blog/hello-world/",
        (
            "Valkey was forked from Redis 7.2.4 in March 2024 after the licence was changed.",
            "The fork from Redis 7.2.4 took place in March 2024.",
            "In 2024, Redis 7.2.4 was forked.",
        ),
        (
            "Version 8.0 reached 1.19 million requests per second, up from 360,000 before.",
            "Valkey 8.0 handles 1,190,000 requests per second instead of 360 thousand.",
            "Throughput rose from 360k to 1.19 million requests per second.",
        ),
        (
            "Its average latency fell by 69.8% from 1.792 milliseconds to 0.542 milliseconds.",
            "Latency dropped from 1.792 ms to 0.542 ms, by 69.8 percent.",
            "The latency is now 0.54 ms, which is 69.8 % less.",
        ),
        (
            "The project has 346 contributors, and more than 40 companies take part in it.",
            "Over 40 companies and 346 people contribute.",
        ),
        links=("https://github.com/valkey-io/valkey/releases/tag/8.0.0",),
    ),
    article(
        "Ada Lovelace",
        "https://en.wikipedia.org/wiki/Ada_Lovelace",
        (
            "Augusta Ada King was born on 10 December 1815 and died on 27 November 1852.",
            "She lived from December 10, 1815 to November 27, 1852.",
            "She was born on the 10th of December 1815.",
            "Born 1815-12-10, she died in November 1852.",
            "Sie starb am 27. November 1852.",
        ),
        (
            "She wrote, \u201cThe engine weaves patterns as the loom weaves leaves\u201d, in 1843.",
            "In 1843 she compared the engine with a loom.",
            "Her notes belong to the 1840s.",
        ),
        (
            "Her notes were three times longer than the article, some 20,000 words in all.",
            "The notes have 20 thousand words, 3 times the article.",
        ),
        (
            "She died at the age of 36, and was buried beside her father at 8:30 pm.",
            "She was thirty-six, or 36, when she died; the burial was at 20:30.",
        ),
    ),
    article(
        "Tools",
        "docs/tools.md",
        (
            "Each tool has a time limit of 30 seconds and a size limit of 8,000 characters.",
            "A tool may take 30 s and return 8000 characters.",
            "The limit is half a minute, that is 30 seconds, and 8'000 characters.",
        ),
        (
            "A failed call is repeated 3 times, with a pause of 1.5 seconds in between.",
            "There are three attempts, 1.5 s apart.",
            "After 1500 ms the call is tried again, up to 3 times.",
        ),
        (
            "At \u22125 \u00b0C the battery loses 20% of its charge; it weighs 4.2 kg.",
            "The 4.2 kg battery loses 20 percent at -5 \u00b0C.",
            "It loses 20% at 5 degrees below zero, and has a mass of 4200 g.",
        ),
        links=("https://docs.treadle.dev/tools?page=2#limits",),
    ),
]


def conversation(answer: str, question: str = "Tell me about it.") -> dict[str, list[BaseMessage]]:
    """Return the final state of a run whose tool returned all articles."""
    messages: list[BaseMessage] = [HumanMessage(question)]
    for number, one in enumerate(ARTICLES):
        call = {
            "name": "search",
            "args": {"query": f"about {one.source.title}"},
            "id": f"c{number}",
        }
        head = f"{one.label} {one.source.title}"
        messages += [
            AIMessage("", tool_calls=[call]),
            ToolMessage(
                f"{head}\n{one.text}",
                tool_call_id=f"c{number}",
                name="search",
                artifact={"sources": [one.source.to_dict()]},
            ),
        ]
    return {"messages": [*messages, AIMessage(answer)]}
