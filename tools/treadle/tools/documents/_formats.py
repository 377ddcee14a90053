"""Which formats there are, and reading a file of any of them."""

import codecs
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from treadle.tools.documents.document import Document, UnreadableError

LARGEST_TEXT_BYTES = 8 * 2**20
LARGEST_PDF_BYTES = 64 * 2**20

_TEXT_FORMATS = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mdx"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    ".rst": "rst",
}
_READERS = {
    "html": "html",
    "markdown": "_markdown",
    "pdf": "pdf",
    "plain": "_plain",
    "rst": "_rst",
}
"""The module that reads each format."""
_PLAIN_SUFFIXES = """
.txt .text .log .csv .tsv .org .adoc .asciidoc .tex .json .jsonl .yaml .yml .toml .ini .cfg
.conf .xml .sql .py .pyi .js .jsx .ts .tsx .java .kt .c .h .cc .cpp .hpp .cs .go .rs .rb .php
.sh .bash .ps1 .swift .scala .r .lua .pl .ipynb .proto .graphql .vtt .srt .eml
"""
_PLAIN = frozenset(_PLAIN_SUFFIXES.split())
_BARE_NAMES = frozenset({"readme", "license", "copying", "notice", "changelog", "authors", "todo"})
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_document(path: Path) -> bool:
    """Whether a file in a folder is one to index, judged by its name."""
    suffix = path.suffix.lower()
    if not suffix:
        return path.name.lower() in _BARE_NAMES
    return suffix == ".pdf" or suffix in _TEXT_FORMATS or suffix in _PLAIN


def load(path: Path) -> bytes:
    """Read a file's bytes.

    Raises:
        UnreadableError: it may not be read, or is too large.
    """
    largest = LARGEST_PDF_BYTES if path.suffix.lower() == ".pdf" else LARGEST_TEXT_BYTES
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(largest + 1)
    except OSError as error:
        raise UnreadableError((error.strerror or type(error).__name__).lower()) from None
    if len(data) > largest:
        raise UnreadableError(
            f"too large: {max(size, len(data)) / 2**20:.0f} MB, and at most {largest // 2**20} MB "
            "of its kind are read"
        )
    return data


def parse(path: Path, data: bytes) -> Document:
    """Make a document of a file's bytes.

    Raises:
        UnreadableError: they are damaged, encrypted or not text.
    """
    if path.suffix.lower() == ".pdf" or data.startswith(b"%PDF-"):
        return _reader("pdf")(data)
    read = _reader(_TEXT_FORMATS.get(path.suffix.lower(), "plain"))
    try:
        return read(_decode(data))
    except RecursionError:
        raise UnreadableError("nested too deeply") from None


def _reader(form: str) -> Callable[..., Document]:
    """Load what reads a format only when a file needs it: parsers take long to import."""
    module = import_module(f"treadle.tools.documents.{_READERS[form]}")
    return cast("Callable[..., Document]", getattr(module, f"read_{form}"))


def _decode(data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _with_plain_newlines(data.decode(encoding, "replace"))
    if b"\0" in data:
        raise UnreadableError("binary, not text")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _decode_damaged(data)
    return _with_plain_newlines(text)


def _decode_damaged(data: bytes) -> str:
    """Decode what is not UTF-8: UTF-8 with a few wrong bytes, or else the old western encoding."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    foreign = sum(character > "\x7f" for character in text) - wrong
    return text if foreign > wrong else data.decode("cp1252", "replace")


def _with_plain_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
