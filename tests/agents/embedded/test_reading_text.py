"""Cutting text into sentences and pieces."""

import pytest

from treadle.agents.embedded._markdown import Form, pieces
from treadle.agents.embedded._sentences import sentences
from treadle.agents.embedded._words import stem

SENTENCES = [
    ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
    ("Dr. Smith met J. R. Jones. They ate.", ["Dr. Smith met J. R. Jones.", "They ate."]),
    ("It costs 3.50 euro. Cheap.", ["It costs 3.50 euro.", "Cheap."]),
    ("Use e.g. Redis 6.2. It works.", ["Use e.g. Redis 6.2.", "It works."]),
    ("See https://a.example/b.html. Then go.", ["See https://a.example/b.html.", "Then go."]),
    ("It is in the U.S. and grows.", ["It is in the U.S. and grows."]),
    ("Redis Ltd. changed it. So what.", ["Redis Ltd. changed it.", "So what."]),
    ("See fig. 3 and No. 5. Done.", ["See fig. 3 and No. 5.", "Done."]),
    ("The answer is no. Next one.", ["The answer is no.", "Next one."]),
    ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
    ("A fact. [^k3x9qa] Another. [^k3x9qa]", ["A fact. [^k3x9qa]", "Another. [^k3x9qa]"]),
    ("A line\nbroken in two. End.", ["A line broken in two.", "End."]),
    ("A heading\n\nA paragraph.", ["A heading", "A paragraph."]),
    ("\u4e00\u3002\u4e8c\uff1f", ["\u4e00\u3002", "\u4e8c\uff1f"]),
    ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
    ("", []),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


MARKDOWN = """\
Top
===

Some *prose* with a [link](https://a.example/b "t") and
an ![image](x.png)image. More <b>bold</b> but `<thread>` stays.

## Steps ##

Do this:

1. First
   goes on.
2. Second.

* bullet

| name | size |
|------|-----:|
| a    | 1    |
| b    |      |

~~~python
x = 1  # not a heading

# nor this
~~~

---
**Run-in.** Its text.
"""


def test_markdown_is_cut_where_it_means_to() -> None:
    found = [(piece.form, piece.text, piece.headings) for piece in pieces(MARKDOWN.split("\n"))]
    steps = "Top > Steps"
    assert found == [
        (Form.SENTENCE, "Some *prose* with a link and an image.", "Top"),
        (Form.SENTENCE, "More bold but `<thread>` stays.", "Top"),
        (Form.SENTENCE, "Do this:", steps),
        (Form.ITEM, "1. First goes on.", steps),
        (Form.ITEM, "2. Second.", steps),
        (Form.ITEM, "bullet", steps),
        (Form.ROW, "name: a; size: 1", steps),
        (Form.ROW, "name: b", steps),
        (Form.CODE, "x = 1  # not a heading\n\n# nor this", steps),
        (Form.SENTENCE, "**Run-in.** Its text.", steps),
    ]


def test_a_list_knows_what_introduces_it() -> None:
    leads = {piece.lead for piece in pieces(MARKDOWN.split("\n")) if piece.form is Form.ITEM}
    assert leads == {"Do this:"}


def test_a_table_without_its_head_is_read_too() -> None:
    assert [piece.text for piece in pieces(["| a | 1 |", "| b | 2 |"])] == ["a; 1", "b; 2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stopped", "stopping"),
        ("chose", "choose"),
        ("children", "child"),
        ("Z\u00fcrich".lower(), "zurich"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)
