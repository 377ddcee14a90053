"""Questions over real prose, and what a good answer says."""

import re

import pytest

from tests.agents.embedded.corpus import (
    INSTALL,
    KENYA,
    LISBON,
    LOVELACE,
    PHOTOSYNTHESIS,
    REDIS,
    TELEPHONE,
    TOOLS,
    VALKEY,
    label,
    talk,
)
from treadle.core.sources import LABEL, Source

FACTS: list[tuple[str, Source, str]] = [
    ("How does the embedded Redis start?", REDIS, "starts a Redis server of its own"),
    ("Who stops the embedded Redis?", REDIS, "The last process that uses it stops it"),
    ("Why does the folder have mode 0700?", REDIS, "because other users of the machine"),
    ("Which environment variable sets the Redis address?", REDIS, "TREADLE_REDIS_URL"),
    ("What does unix:// mean?", REDIS, "a unix socket"),
    ("What is the difference between redis:// and rediss://?", REDIS, "TLS"),
    ("How do I set the address of Redis in treadle.toml?", REDIS, 'url = "redis://localhost'),
    ("Which Python version do I need?", INSTALL, "Python 3.11 or later"),
    ("How do I install Treadle?", INSTALL, "pip install treadle"),
    ("Which commands does the command line have?", INSTALL, "treadle doctor"),
    ("What are the exit codes?", INSTALL, "2 for bad usage"),
    ("What does exit code 2 mean?", INSTALL, "2 for bad usage"),
    ("What does treadle doctor do?", INSTALL, "says what is configured"),
    ("What is a tool?", TOOLS, "A tool is a function that an agent may call."),
    ("What is the default effect of a tool?", TOOLS, "The default for an undeclared tool is"),
    ("How long is the time limit of a tool?", TOOLS, "30 seconds"),
    ("What is the size limit of a tool?", TOOLS, "8,000 characters"),
    ("What happens when a tool fails?", TOOLS, "becomes a message to the model"),
    ("Why did you choose ddgs?", TOOLS, "because its author renamed the package"),
    ("What is Valkey?", VALKEY, "Valkey is an open-source in-memory data store"),
    ("Was ist Valkey?", VALKEY, "Valkey is an open-source in-memory data store"),
    ("When was Valkey forked?", VALKEY, "in March 2024"),
    ("Could you please tell me when Valkey was forked?", VALKEY, "in March 2024"),
    ("Which companies support Valkey?", VALKEY, "Amazon Web Services"),
    ("Who hosts the Valkey project?", VALKEY, "Linux Foundation"),
    ("Who invented the telephone?", TELEPHONE, "Alexander Graham Bell"),
    ("What is a telephone?", TELEPHONE, "A telephone is a device"),
    ("How tall is Mount Kenya?", KENYA, "5,199 metres"),
    ("Good morning! How high is Mount Kenya?", KENYA, "5,199 metres"),
    ("Where is Mount Kenya?", KENYA, "south of the equator"),
    ("Why are the glaciers of Mount Kenya shrinking?", KENYA, "the climate is getting warmer"),
    ("Who first climbed Mount Kenya? Who led the ascent?", KENYA, "Halford Mackinder"),
    ("How far is Mount Kenya from Nairobi?", KENYA, "150 km"),
    ("What is the capital of Portugal?", LISBON, "Lisbon is the capital"),
    ("Is Lisbon the capital of Portugal?", LISBON, "Lisbon is the capital"),
    ("How many inhabitants does Lisbon have?", LISBON, "567,131"),
    ("What happened in Lisbon in 1755?", LISBON, "earthquake"),
    ("In which year did the earthquake destroy Lisbon?", LISBON, "1755"),
    ("Who directed the rebuilding of Lisbon?", LISBON, "Marquis of Pombal"),
    ("What is photosynthesis?", PHOTOSYNTHESIS, "the process by which plants"),
    ("Explain photosynthesis to me like I am five", PHOTOSYNTHESIS, "the process by which"),
    ("Why are leaves green?", PHOTOSYNTHESIS, "because chlorophyll absorbs"),
    ("Who first described photosynthesis?", PHOTOSYNTHESIS, "Jan Ingenhousz"),
    ("When did Ada Lovelace die?", LOVELACE, "27 November 1852"),
    ("Who was Ada Lovelace's father?", LOVELACE, "Lord Byron"),
    ("How old was Ada Lovelace when she died?", LOVELACE, "at the age of 36"),
    ("Tell me about the 1755 earthquake", LISBON, "followed by a tsunami"),
    ("Where does photosynthesis take place?", PHOTOSYNTHESIS, "in chloroplasts"),
    ("what's valkey", VALKEY, "Valkey is an open-source in-memory data store"),
    ("WHAT IS VALKEY?", VALKEY, "Valkey is an open-source in-memory data store"),
    ("Qu'est-ce que Valkey ?", VALKEY, "Valkey is an open-source in-memory data store"),
    ("capital of portugal", LISBON, "Lisbon is the capital"),
    ("Hi, I'm Ben and I need to know what the capital of Portugal is.", LISBON, "Lisbon is"),
    ("Can other users read my conversations?", REDIS, "must not read the conversations"),
    ("Do I need Redis modules?", REDIS, "no modules are needed"),
    ("Please summarise the documents about tools.", TOOLS, "A tool is a function"),
    ("What was Ada Lovelace known for?", LOVELACE, "Analytical Engine"),
]


@pytest.mark.parametrize(("question", "source", "said"), FACTS)
async def test_the_answer_holds_the_fact_and_cites_its_source(
    question: str, source: Source, said: str
) -> None:
    [told] = await talk(question)
    assert said in told.text
    assert label(source) in told.text
    assert "closest" not in told.text, "a full answer is not hedged"
    assert len(told.text) < 1_000


NOTHING = [
    "Who is the CEO of Acme?",
    "How many moons does Jupiter have?",
    "What is the weather like on Mars?",
    "Which is the longest river?",
    "asdf qwer zxcv",
]


@pytest.mark.parametrize("question", NOTHING)
async def test_what_is_not_there_is_not_guessed(question: str) -> None:
    [told] = await talk(question)
    assert told.text.startswith("I found nothing about")
    assert "search_documents and wikipedia" in told.text
    assert not LABEL.search(told.text)


PARTIAL = [
    ("valkey persistence", "persistence", "and so will Valkey"),
    ("How many characters may a tool's result have?", "result", "8,000 characters"),
    ("Who wrote the first computer program?", "wrote", "called the first computer program"),
    ("Which brother of Ada Lovelace was a painter?", "brother", "Lovelace"),
]


@pytest.mark.parametrize(("question", "missing", "closest"), PARTIAL)
async def test_a_partial_answer_says_what_it_does_not_speak_to(
    question: str, missing: str, closest: str
) -> None:
    [told] = await talk(question)
    said, _, rest = told.text.partition("The closest I found is:")
    assert f"“{missing}”" in said
    assert closest in rest


async def test_each_sentence_carries_its_label() -> None:
    [told] = await talk("Tell me about Ada Lovelace.")
    sentences = re.split(r"(?<=\])\s+(?=[A-Z])", told.text)
    assert len(sentences) >= 3
    assert all(sentence.endswith(label(LOVELACE)) for sentence in sentences)


async def test_an_overview_is_told_in_the_order_of_the_source() -> None:
    [told] = await talk("Summarise photosynthesis.")
    assert told.text.index("Water and carbon dioxide") < told.text.index("chlorophyll absorbs")


async def test_a_comparison_speaks_of_both() -> None:
    [told] = await talk("Compare photosynthesis and Valkey.")
    assert "the process by which" in told.text
    assert "open-source in-memory data store" in told.text


FOLLOW_UPS: list[tuple[tuple[str, ...], str]] = [
    (("How does the embedded Redis start?", "And how does it stop?"), "sends SHUTDOWN"),
    (("What is Valkey?", "When was it forked?"), "March 2024"),
    (("What is Valkey?", "When was it forked?", "Who supports it?"), "Oracle support it"),
    (("How tall is Mount Kenya?", "Where does it lie?"), "south of the equator"),
    (("How tall is Mount Kenya?", "Why are its glaciers shrinking?"), "climate"),
    (("What is the capital of Portugal?", "And its population?"), "567,131"),
    (("I live in Portugal. What is its capital?",), "Lisbon is the capital"),
    (("Who was Ada Lovelace?", "How did she die?"), "uterine cancer"),
]


@pytest.mark.parametrize(("said", "expected"), FOLLOW_UPS)
async def test_a_follow_up_is_completed_from_the_turn_before(
    said: tuple[str, ...], expected: str
) -> None:
    told = await talk(*said)
    assert expected in told[-1].text


async def test_more_is_not_the_same_again() -> None:
    first, more = await talk("Tell me about Mount Kenya.", "Tell me more.")
    said = {part for part in LABEL.split(first.text) if len(part) > 20}
    assert not any(part in more.text for part in said)


async def test_two_questions_at_once_are_both_answered() -> None:
    [told] = await talk("What is Valkey? Who invented the telephone?")
    assert "open-source in-memory data store" in told.text
    assert "telephone" in told.text


async def test_code_comes_with_its_fence_and_its_introduction() -> None:
    [told] = await talk("How do I install Treadle?")
    assert "run:" in told.text
    assert f"```\npip install treadle\n```\n{label(INSTALL)}" in told.text


async def test_a_text_in_the_message_is_read_without_a_tool() -> None:
    [told] = await talk(
        "Here is a report. The Zorb engine was built in 1987 by Mira Stone in Graz. It has four "
        "pistons and runs on ethanol. Its noise is famous, because the exhaust has no silencer. "
        "Today a single engine survives in a museum. Why is its noise famous?"
    )
    assert not told.calls
    assert "because the exhaust has no silencer" in told.text
