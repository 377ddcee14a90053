"""Reading plain text: paragraphs, with the blank lines between them."""

from treadle.tools.documents.document import Block, Document


def read_plain(text: str) -> Document:
    """Read text as paragraphs."""
    return Document(list(paragraphs(text.split("\n"))))


def paragraphs(lines: list[str], first: int = 1) -> list[Block]:
    """Return the paragraphs of some lines.

    Args:
        lines: the lines.
        first: the number of the first of them.
    """
    blocks: list[Block] = []
    start = 0
    for end in range(len(lines) + 1):
        if end < len(lines) and lines[end].strip():
            continue
        if end > start:
            blocks.append(Block("\n".join(lines[start:end]), first + start, first + end - 1))
        start = end + 1
    return blocks
