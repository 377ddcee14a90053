"""Reading reStructuredText: its headings, literal blocks and paragraphs."""

import re
from dataclasses import replace

from treadle.tools.documents._plain import paragraphs
from treadle.tools.documents.document import Block, Document

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+[ \t]*$")
_CODE = re.compile(r"\.\. (?:code|code-block|sourcecode|parsed-literal|literalinclude)::")
_INVISIBLE = re.compile(r"\.\.(?: (?!\S*::|\[).*)?$|\.\. (?:index|toctree|contents|meta)::|\.\. _")


def read_rst(text: str) -> Document:
    """Read reStructuredText; the blocks keep their source as it is written."""
    lines = text.split("\n")
    blocks: list[Block] = []
    styles: list[tuple[str, bool]] = []
    for block in paragraphs(lines):
        _add(block, blocks, styles)
    return Document(blocks)


def _add(block: Block, blocks: list[Block], styles: list[tuple[str, bool]]) -> None:
    """Add a paragraph: as the end of the literal block before it, a heading, or itself."""
    before = blocks[-1] if blocks else None
    if _is_indented(block) and before and (before.kept_whole or _opens_literal(before)):
        text = f"{before.text}{chr(10) * (block.first - before.last)}{block.text}"
        blocks[-1] = replace(before, text=text, last=block.last, kept_whole=True)
        return
    lines = block.text.split("\n")
    heading, used, style = _heading(lines)
    if heading:
        if style not in styles:
            styles.append(style)
        level = min(styles.index(style) + 1, 6)
        blocks.append(Block(heading, block.first, block.first + used - 1, level=level))
        for rest in paragraphs(lines[used:], block.first + used):
            _add(rest, blocks, styles)
    elif not _INVISIBLE.match(lines[0]):
        blocks.append(block)


def _heading(lines: list[str]) -> tuple[str, int, tuple[str, bool]]:
    """Return the title that the lines begin with, its number of lines and its style."""
    if len(lines) >= 3 and _ADORNMENT.match(lines[0]) and lines[2].strip() == lines[0].strip():
        return lines[1].strip(), 3, (lines[0][0], True)
    underlined = len(lines) >= 2 and _ADORNMENT.match(lines[1]) and not _ADORNMENT.match(lines[0])
    if underlined and len(lines[1].strip()) >= min(len(lines[0].rstrip()), 4):
        return lines[0].strip(), 2, (lines[1][0], False)
    return "", 0, ("", False)


def _opens_literal(block: Block) -> bool:
    last = block.text.rstrip().rsplit("\n", 1)[-1]
    return block.level == 0 and (last.endswith("::") or bool(_CODE.match(block.text)))


def _is_indented(block: Block) -> bool:
    return block.text[:1] in (" ", "\t")
