"""What is compared and how, case by case."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from treadle.core.sources import Source, Unverified
from treadle.core.usage import Usage
from treadle.runtime._replies import make_reply
from treadle.runtime.citations import Checked, Evidence, ToolText, check

SOURCE = Source("Page", "https://example.org/page")
MARK = f"[^{SOURCE.label}]"
TEXT = """The mill has 12 looms and three wheels. It opened on 3 May 1871 at 08:30, and wove
1,234.5 m of cloth a day, 40% of it for export; a roll weighed 2 kg. The owner said: "We weave by
day and rest by night." See <https://mill.example.net/history?id=7&utm_source=x> and
version 7.2.4 of the plan."""


def checked(answer: str, *, text: str = TEXT, question: str = "And?", mode="mark") -> Checked:
    tools = (ToolText("call-1", "search", f"{MARK} Page\n{text}", (SOURCE,)),)
    return check(answer, Evidence(tools, (question,), (), is_researched=True), mode)


@pytest.mark.parametrize(
    "answer",
    [
        "There are 12 looms, or a dozen.",
        "There are 3 wheels and twelve looms.",
        "It wove 1234.5 metres a day, 1.2345 km, about 1,230 m, 1.2 thousand metres.",
        "It wove 1 234,5 m, or 1.234,5 m.",
        "40 % was exported; forty, that is 40 percent.",
        "It opened on May 3rd, 1871, at 8:30 am; 3.5.1871; 1871-05-03; in May 1871; in 1871.",
        "It opened in the 1870s, in the 19th century.",
        "Rolls of 2000 g.",
        "1. Twelve looms\n2. Three wheels\n10) more\n\n## 5. Heading\n\nStep 4: rest.",
        "Version 7.2.4, so Version 7.2 and Plan 7.",
        "IPv4, gpt-5-mini, H2O, COVID-19, sha256 and `x = 99`.\n\n```\ny = 98\n```",
        "Here are 2 facts [1] and (2) others.",
        "A \u201cpower loom\u201d is no quotation of three words.",
        "\u201cwe weave by day \u2026 rest by night.\u201d",
        "\u00abWe weave\nby day\u00bb, \u2018by day and rest\u2019, 'rest by night'.",
        'It says: "by *day* and rest".',
        "> We weave by day and rest by night.\n> \u2014 the owner",
        "He said that \u201c[they] weave by day [...] by night\u201d.",
        "[more](http://mill.example.net/history/?id=7#top), www.mill.example.net/history?id=7.",
        "mill.example.net has it, http://localhost:8000/x too.",
        "It's the owner's, isn't it; the weavers' day; so.",
    ],
)
def test_what_the_source_says_in_another_form_is_left_alone(answer: str) -> None:
    result = checked(answer)
    assert result.unverified == ()
    assert result.text == answer


@pytest.mark.parametrize(
    ("answer", "marked"),
    [
        ("It has 13 looms.", "It has [unverified: 13] looms."),
        ("It has four wheels.", "It has [unverified: four] wheels."),
        ("It has 40 looms.", "It has [unverified: 40] looms."),  # the source has 40%
        ("A roll weighed 12 kg.", "A roll weighed [unverified: 12] kg."),
        ("It wove 1,243.5 m.", "It wove [unverified: 1,243.5] m."),
        ("It wove 1,234.5 km.", "It wove [unverified: 1,234.5] km."),
        ("41% of it.", "[unverified: 41]% of it."),
        ("It opened on 4 May 1871.", "It opened on [unverified: 4 May 1871]."),
        ("It opened on 3 May 1872.", "It opened on [unverified: 3 May 1872]."),
        ("It opened on 3 June 1871.", "It opened on [unverified: 3 June 1871]."),
        ("It opened at 9:30.", "It opened at [unverified: 9:30]."),
        ("It opened at 8:30 pm.", "It opened at [unverified: 8:30 pm]."),
        ("In the 1880s.", "In the [unverified: 1880]s."),
        ("It is version 7.2.5.", "It is version [unverified: 7.2.5]."),
        ("He said: \u201cWe never weave by day\u201d.", "He said: We never weave by day {q}."),
        ("\u00abby day and not rest\u00bb", "by day and not rest {q}"),
        ("\u201crest by night \u2026 We weave\u201d", "rest by night \u2026 We weave {q}"),
        ("> We weave at sea.\n\nSo.", "We weave at sea. {q}\n\nSo."),
        ("[see](https://mill.example.net/x) it", "see {l} it"),
        ("See https://mill.example.net/history?id=8.", "See {l}."),
        ("<https://evil.example.net/history>", "{l}"),
        ("![x](https://evil.example.net/a.png)", "x {l}"),
        ("Ask www.mill-history.com/about or mill-history.com.", "Ask {l} or {l}."),
        ("`curl https://evil.example.net/x`", "`curl {l}`"),
        ("[run](javascript:alert(1))", "run {l}"),
    ],
)
def test_what_no_source_says_is_marked(answer: str, marked: str) -> None:
    quote, link = "[not a quotation found in the sources]", "[unverified link removed]"
    assert checked(answer).text == marked.replace("{q}", quote).replace("{l}", link)


def test_what_the_user_said_may_be_repeated() -> None:
    question = "Is \u201call cloth is grey\u201d at https://grey.example.com/x true for 77 weavers?"
    answer = "\u201cAll cloth is grey\u201d (https://grey.example.com/x) speaks of 77 weavers."
    assert checked(answer, question=question).unverified == ()


def test_what_was_calculated_may_be_rounded() -> None:
    found = ToolText("c1", "search", f"{MARK} Page\n{TEXT}", (SOURCE,))
    result = ToolText("c2", "calculate", "12 / 37 \u2248 0.324324324324324")
    evidence = Evidence((found, result), (), (), is_researched=True)
    assert check("That is 0.324, or 32.4%, about 32 %.", evidence).unverified == ()
    assert check("That is 0.325, or 33.4%.", evidence).unverified != ()


def test_words_of_the_agent_may_be_quoted_but_prove_nothing() -> None:
    said = ("I said it is a large mill, of 99 looms; \u201cthe owner weeps at night\u201d.",)
    tools = (ToolText("c", "search", TEXT, (SOURCE,)),)
    evidence = Evidence(tools, (), said, is_researched=True)
    kinds = [
        item.kind
        for item in check(
            "I said \u201cit is a large mill\u201d of 99 looms: \u201cowner weeps at night\u201d.",
            evidence,
        ).unverified
    ]
    assert kinds == ["number", "quote"]


def test_modes() -> None:
    answer = f"It has 13 looms {MARK}."
    item = Unverified("number", "13", "no tool returned this number")
    assert checked(answer).text == "It has [unverified: 13] looms [1]."
    reported = checked(answer, mode="report")
    assert (reported.text, reported.unverified) == ("It has 13 looms [1].", (item,))
    off = checked(answer, mode="off")
    assert (off.text, off.unverified) == ("It has 13 looms [1].", ())


def test_an_answer_without_research_is_left_alone() -> None:
    answer = AIMessage("In 1999, \u201ca b c d\u201d at https://made-up.com/x.")
    state = {"messages": [HumanMessage("Hi"), answer]}
    reply = make_reply(state, Usage(), "run", "thread")
    assert (reply.text, reply.unverified) == (answer.text, ())
    # A calculator returns no sources: what is said beside its result is the model's own.
    result = ToolMessage("1 + 1 = 2", tool_call_id="1", name="calculate", artifact={"sources": []})
    state = {"messages": [HumanMessage("Hi"), result, answer]}
    assert make_reply(state, Usage(), "run", "thread").text == answer.text


def test_an_unknown_label_is_marked_and_listed() -> None:
    result = checked("So [^zzzzzz].", mode="off")
    assert result.text == "So [unknown source]."
    assert [item.kind for item in result.unverified] == ["source"]


def test_every_claim_points_to_what_it_rests_on() -> None:
    answer = (
        f"The mill had twelve looms {MARK}. \u201cRest by night\u201d, said the owner. {MARK} "
        f"Nobody disputes that. It opened in May 1871{MARK}."
    )
    result = checked(answer)
    [citation] = result.citations
    assert [support.claim for support in citation.supports] == [
        "The mill had twelve looms.",
        "\u201cRest by night\u201d, said the owner.",
        "It opened in May 1871.",
    ]
    whole = f"{MARK} Page\n{TEXT}"
    quotes = [support.quote for support in citation.supports]
    for support in citation.supports:
        assert support.call_id == "call-1"
        assert whole[support.start : support.end] == support.quote
    assert quotes[0].startswith("The mill has 12 looms")
    assert "rest by night" in quotes[1]
    assert quotes[2].startswith("It opened on 3 May 1871")
    assert citation.to_dict()["supports"][0]["claim"] == "The mill had twelve looms."


def test_outcomes_that_left_the_state_still_count() -> None:
    answer = AIMessage(f"It has 12 looms {MARK}.")
    state = {"messages": [HumanMessage("And?"), answer]}
    earlier = [ToolText("old", "search", f"{MARK} Page\n{TEXT}", (SOURCE,))]
    reply = make_reply(state, Usage(), "run", "thread", earlier=earlier)
    assert reply.text == "It has 12 looms [1]."
    assert reply.citations[0].supports[0].call_id == "old"


@pytest.mark.parametrize(
    "piece",
    [
        *('"', "\u201c", "'", "> a\n", "[", "[](", "[a](b", "www.", "a.b.", "1", "1,", "1 "),
        *("May 1 ", "12:", "one ", "`", "\u2026", "\n", "1. a\n", "$1 million ", "1.1.1.", MARK),
    ],
)
def test_hostile_texts_are_read_in_linear_time(piece: str) -> None:
    # Anything but linear time would not end for minutes.
    text = piece * (20_000 // len(piece))
    assert isinstance(checked(text), Checked)
    assert isinstance(checked(f"It has 13 looms {MARK}", text=text), Checked)
