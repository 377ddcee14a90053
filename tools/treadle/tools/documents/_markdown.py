"""Reading Markdown."""

import re
from collections.abc import Mapping
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from treadle.tools.documents.document import Block, Document

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_LONGEST_FRONT_MATTER = 8_000
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_KEPT_WHOLE = {"fence", "code_block", "table_open"}


def read_markdown(text: str) -> Document:
    """Read CommonMark with tables; the blocks keep their source as it is written."""
    title = ""
    meta: Mapping[str, Any] = {}
    if front := _FRONT_MATTER.match(text):
        meta = _front_matter(front[1])
        found = _TITLE.search(front[1])
        title = found[1].strip("\"'") if found else ""
        text = "\n" * front[0].count("\n") + text[front.end() :]
    lines = text.split("\n")
    tokens = _MARKDOWN.parse(text)
    blocks = []
    for position, token in enumerate(tokens):
        if token.level == 0 and token.map and token.nesting >= 0:
            block = _block(token, tokens, position, lines)
            if block.text.strip():
                blocks.append(block)
    return Document(blocks, title, meta=meta)


def _front_matter(text: str) -> Mapping[str, Any]:
    """Read what a file says of itself; nothing where it is not the YAML it should be."""
    if len(text) > _LONGEST_FRONT_MATTER:
        return {}
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, Mapping) else {}


def _block(token: Token, tokens: list[Token], position: int, lines: list[str]) -> Block:
    start, end = token.map or (0, 0)
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    if token.type == "heading_open":
        heading = _plain_text(tokens[position + 1])
        return Block(heading, start + 1, end, level=int(token.tag[1:]))
    source = "\n".join(lines[start:end])
    if token.type == "html_block":
        source = _COMMENT.sub("", source)
    if token.type == "hr":
        source = ""
    return Block(source.strip("\n"), start + 1, end, kept_whole=token.type in _KEPT_WHOLE)


def _plain_text(inline: Token) -> str:
    kinds = {"text", "code_inline"}
    parts = [child.content for child in inline.children or [] if child.type in kinds]
    return " ".join("".join(parts).split())
