"""Reading files of each format into blocks."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pdfs import pdf
from treadle.tools.documents._formats import is_document, load, parse
from treadle.tools.documents.document import Block, Document, UnreadableError
from treadle.tools.documents.pdf import read_pdf


def read(name: str, content: str | bytes) -> Document:
    data = content.encode() if isinstance(content, str) else content
    return parse(Path(name), data)


def shown(document: Document) -> list[tuple[int, str, int, int]]:
    return [(block.level, block.text, block.first, block.last) for block in document.blocks]


MARKDOWN = """\
---
title: "The manual"
---
# Install `it` **now**

One paragraph
on two lines.

Sub title
---------
- item
- other

```sh
pip install it

it --version
```

| a | b |
|---|---|
| 1 | 2 |

<!-- not to be read -->
"""


def test_markdown():
    document = read("a.md", MARKDOWN)
    assert document.title == "The manual"
    assert shown(document) == [
        (1, "Install it now", 4, 4),
        (0, "One paragraph\non two lines.", 6, 7),
        (2, "Sub title", 9, 10),
        (0, "- item\n- other", 11, 12),
        (0, "```sh\npip install it\n\nit --version\n```", 14, 18),
        (0, "| a | b |\n|---|---|\n| 1 | 2 |", 20, 22),
    ]
    assert [block.kept_whole for block in document.blocks] == [False] * 4 + [True] * 2


HTML = """\
<!doctype html>
<html><head><title>The
 page</title><style>p {}</style></head>
<body>
<nav>Menu</nav>
<h1>Top <em>heading</em></h1>
<p>One paragraph
   with <b>bold</b> words.</p>
<div>Loose text <p>inner</p> more</div>
<ul><li>first</li><li><p>second</p></li></ul>
<table>
<tr><th>Name</th><th>Age</th></tr>
<tr><td><p>Ann</p></td><td>7</td></tr>
</table>
<pre>
code  kept
  as it is
</pre>
<script>alert("no")</script><p hidden>secret</p>
<!-- comment -->
<p>Last &amp; least</p>
</body></html>
"""


def test_html():
    document = read("a.html", HTML)
    assert document.title == "The page"
    assert shown(document) == [
        (1, "Top heading", 6, 6),
        (0, "One paragraph with bold words.", 7, 8),
        (0, "Loose text", 9, 9),
        (0, "inner", 9, 9),
        (0, "more", 9, 9),
        (0, "- first", 10, 10),
        (0, "second", 10, 10),
        (0, "Name | Age", 12, 12),
        (0, "Ann | 7", 13, 13),
        (0, "code  kept\n  as it is", 16, 17),
        (0, "Last & least", 21, 21),
    ]


def test_html_that_marks_its_main_part_is_read_there_alone():
    document = read("a.html", "<p>around</p><main><p>within</p></main><p>after</p>")
    assert [block.text for block in document.blocks] == ["within"]


def test_html_nested_deeper_than_python_recurses():
    document = read("a.html", "<div>" * 3_000 + "deep" + "</div>" * 3_000)
    assert [block.text for block in document.blocks] == ["deep"]


RST = """\
=====
Guide
=====

.. toctree::
   one

Intro text::

    first line

    second line

Part
----
Text right below.

.. code-block:: python

   x = 1

.. a comment

.. note:: Mind this.
"""


def test_rst():
    document = read("a.rst", RST)
    assert shown(document) == [
        (1, "Guide", 1, 3),
        (0, "Intro text::\n\n    first line\n\n    second line", 8, 12),
        (2, "Part", 14, 15),
        (0, "Text right below.", 16, 16),
        (0, ".. code-block:: python\n\n   x = 1", 18, 20),
        (0, ".. note:: Mind this.", 24, 24),
    ]


def test_plain_text():
    assert shown(read("a.txt", "one\ntwo\n\n \nthree\r\nfour\n")) == [
        (0, "one\ntwo", 1, 2),
        (0, "three\nfour", 5, 6),
    ]


def test_pdf():
    document = read("a.pdf", pdf(["First page exam-\nple.", "", "Third page."], title="Book"))
    assert document == Document(
        [Block("First page example.", 1, 1), Block("Third page.", 3, 3)], "Book", "page"
    )


def test_a_pdf_that_anybody_may_read_is_read():
    assert read("a.pdf", pdf(["Text."], user_password="")).blocks[0].text == "Text."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdf(["Text."], user_password="secret"), "encrypted: it needs a password"),
        (pdf(["Text."])[:400], "damaged PDF"),
        (b"%PDF-1.7 nothing", "damaged PDF"),
        (b"", "damaged PDF"),
        (pdf([""]), "holds no text"),
        (pdf(["x" * 9_000_000]), "page 1 unpacks to more than 8,000,000 bytes"),
    ],
)
def test_a_pdf_that_cannot_be_read_says_why(data, reason):
    with pytest.raises(UnreadableError, match=reason):
        read("a.pdf", data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("grün".encode(), "grün"),
        ("grün".encode("utf-8-sig"), "grün"),
        ("grün".encode("utf-16"), "grün"),
        ("grün und schön".encode("latin-1"), "grün und schön"),
        ("grün ".encode() * 3 + b"\xff", "grün grün grün \ufffd"),
        ("“quoted”".encode("cp1252"), "“quoted”"),
    ],
)
def test_encodings(data, text):
    assert read("a.txt", data).blocks[0].text == text


def test_binary_data_is_no_text():
    with pytest.raises(UnreadableError, match="binary"):
        read("a.txt", b"\x00\x01\x02")


@pytest.mark.parametrize("name", ["a.md", "a.html", "a.rst", "a.txt", "a.pdf", "a.MD"])
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_read_or_refused(name, data):
    try:
        document = read(name, data)
    except UnreadableError:
        return
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for block in document.blocks:
        assert block.text.strip()
        assert 1 <= block.first <= block.last <= lines


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("treadle.tools.documents._formats.LARGEST_TEXT_BYTES", 2**20)
    path = tmp_path / "big.txt"
    path.write_bytes(b"x" * (3 * 2**20))
    with pytest.raises(UnreadableError, match="too large: 3 MB, and at most 1 MB"):
        load(path)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.md", True),
        ("A.PDF", True),
        ("README", True),
        ("a.png", False),
        ("a.zip", False),
        ("noext", False),
        (".hidden", False),
    ],
)
def test_which_files_are_documents(name, wanted):
    assert is_document(Path(name)) is wanted


def test_a_pdf_is_not_read_on_when_the_time_is_up_in_the_middle_of_a_page():
    with pytest.raises(UnreadableError, match="the time was up at page 1"):
        read_pdf(pdf(["A line.\n" * 20_000]), seconds=0.05)


def test_a_page_that_would_take_too_long_is_left(monkeypatch):
    monkeypatch.setattr("treadle.tools._soup.MAX_SECONDS", 0.05)
    with pytest.raises(UnreadableError, match="takes too long to read"):
        read("a.html", ("<!--" * 20_000).encode())
