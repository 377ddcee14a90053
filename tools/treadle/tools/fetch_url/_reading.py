"""From an answer of a web server to text."""

import logging
import re
from importlib import import_module

import httpx
from bs4.dammit import EncodingDetector, UnicodeDammit

from treadle.core.errors import ToolError
from treadle.tools.documents.document import Document, UnreadableError
from treadle.tools.documents.html import read_html
from treadle.tools.documents.pdf import read_pdf
from treadle.tools.fetch_url._page import Page

PDF_SECONDS = 20.0
"""How long reading a PDF may compute."""

MAX_ARTICLE_TAGS = 15_000
"""Where a page has more, its article is not looked for, which can take their number squared."""

_HTML = {"text/html", "application/xhtml+xml"}
_PLAIN = re.compile(r"text/.+|application/(.+\+)?(json|xml|yaml|x-yaml|javascript)")
# It reports every page without an article as an error; such a page is read whole.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

_BLANK_LINES = re.compile(r"\n\s*\n\s*")


def read(answer: httpx.Response) -> Page:
    """Read the text of an answer.

    Raises:
        ToolError: it is in no form that can be read, or holds no text.
    """
    url = str(answer.url)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = answer.content
    try:
        page = _read(url, kind, body, answer)
    except UnreadableError as error:
        raise ToolError(f"{url} cannot be read: {error}.") from None
    if not page.text.strip():
        raise ToolError(
            f"{url} holds no text.", hint="It may be built by scripts; look for another page."
        )
    return page


def _read(url: str, kind: str, body: bytes, answer: httpx.Response) -> Page:
    if body.startswith(b"%PDF-") or kind == "application/pdf":
        page = _page(url, read_pdf(body, PDF_SECONDS))
    elif kind in _HTML or (not kind and body.lstrip()[:1] == b"<"):
        page = _html(url, _decode(answer, is_html=True))
    elif not kind or _PLAIN.fullmatch(kind):
        page = Page(url, "", _decode(answer, is_html=False))
    else:
        raise ToolError(f"{url} is {kind}, which cannot be read as text.")
    return page


def _decode(answer: httpx.Response, *, is_html: bool) -> str:
    """Decode by the header, else the page's own word, else as UTF-8 or Windows-1252."""
    named = [answer.charset_encoding] if answer.charset_encoding else []
    declared = EncodingDetector.find_declared_encoding(answer.content, is_html=is_html)
    # Naming what to try leaves nothing to guesses by letter frequencies, which short texts fool.
    usual = [declared, "utf-8", "windows-1252"] if declared else ["utf-8", "windows-1252"]
    found = UnicodeDammit(answer.content, named, user_encodings=usual, is_html=is_html)
    return found.unicode_markup or answer.content.decode("utf-8", "replace")


def _html(url: str, text: str) -> Page:
    plain = _page(url, read_html(text))
    return Page(url, plain.title, _main_text(url, text) or plain.text)


def _main_text(url: str, text: str) -> str:
    """Return the article without what stands around it; nothing when none can be told."""
    if text.count("<") > MAX_ARTICLE_TAGS:
        return ""
    try:
        trafilatura = import_module("trafilatura")
    except ModuleNotFoundError:
        return ""
    try:
        return trafilatura.extract(text, url=url, output_format="markdown") or ""
    except Exception:  # What damaged pages make it raise is not only its own errors.
        return ""


def _page(url: str, document: Document) -> Page:
    text = "\n\n".join(block.text for block in document.blocks)
    return Page(url, document.title, _BLANK_LINES.sub("\n\n", text))
