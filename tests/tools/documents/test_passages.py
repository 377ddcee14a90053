"""Cutting documents into passages."""

from hypothesis import given
from hypothesis import strategies as st

from treadle.tools.documents._passages import LONGEST, cut
from treadle.tools.documents.document import Block, Document


def block(text: str, first: int = 1, **values: object) -> Block:
    return Block(text, first, first + text.count("\n"), **values)


def test_passages_stand_under_their_headings():
    cuts = cut(
        Document(
            [
                block("before", 1),
                block("A", 2, level=1),
                block("in a", 3),
                block("B", 4, level=3),
                block("in b", 5),
                block("C", 6, level=2),
                block("in c", 7),
                block("D", 8, level=1),
            ]
        )
    )
    assert [(one.text, one.headings) for one in cuts] == [
        ("before", ()),
        ("in a", ("A",)),
        ("in b", ("A", "B")),
        ("in c", ("A", "C")),
    ]


def test_a_title_stands_for_a_missing_first_heading():
    blocks = [block("x", 1), block("A", 2, level=2), block("y", 3), block("B", 4, level=1)]
    cuts = cut(Document([*blocks, block("z", 5)], title="T"))
    assert [one.headings for one in cuts] == [("T",), ("T", "A"), ("B",)]


def test_short_blocks_share_a_passage_with_their_lines():
    (one,) = cut(Document([block("one\ntwo", 3), block("three", 7)]))
    assert (one.text, one.first, one.last) == ("one\ntwo\n\nthree", 3, 7)


def test_a_long_section_is_cut_into_passages_of_about_the_same_length():
    cuts = cut(Document([block("word " * 40, number) for number in range(1, 12)]))
    lengths = [len(one.text) for one in cuts]
    assert len(cuts) == 3
    assert max(lengths) < 1.5 * min(lengths)


def test_code_that_fits_is_not_cut():
    code = "\n".join(f"line {number}" for number in range(100))
    cuts = cut(Document([block("p" * 700), block(code, 3, kept_whole=True), block("q" * 700)]))
    assert any(code in one.text for one in cuts)


def test_code_that_does_not_fit_is_cut_between_lines():
    code = "\n".join(f"line {number:04}" for number in range(300))
    cuts = cut(Document([block(code, 11, kept_whole=True)]))
    assert "\n".join(one.text for one in cuts) == code
    for one in cuts:
        numbers = [int(line[5:]) for line in one.text.split("\n")]
        assert (one.first, one.last) == (numbers[0] + 11, numbers[-1] + 11)


def test_a_long_paragraph_is_cut_between_sentences():
    cuts = cut(Document([block("This is a sentence of some length. " * 100)]))
    assert all(one.text.endswith(".") for one in cuts)


def test_a_passage_stays_on_its_page():
    cuts = cut(Document([Block("a", 1, 1), Block("b", 2, 2), Block("c", 2, 2)], unit="page"))
    assert [(one.text, one.first, one.last) for one in cuts] == [("a", 1, 1), ("b\n\nc", 2, 2)]


texts = st.text(st.sampled_from("ab. \n"), min_size=1, max_size=5_000).filter(str.strip)


@given(st.lists(st.tuples(texts, st.booleans()), max_size=6))
def test_nothing_is_lost_or_too_long(written):
    blocks: list[Block] = []
    for text, whole in written:
        blocks.append(block(text, blocks[-1].last + 1 if blocks else 1, kept_whole=whole))
    cuts = cut(Document(blocks))
    assert all(0 < len(one.text) <= LONGEST and one.first <= one.last for one in cuts)
    whole_text = "".join("".join(one.text.split()) for one in cuts)
    assert whole_text == "".join("".join(one.text.split()) for one in blocks)
