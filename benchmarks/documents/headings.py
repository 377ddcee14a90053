"""Find sections by their headings: the index as shipped against BM25 alone.

    python benchmarks/documents/headings.py [--questions 1000] [--embedded 20]

The documents are this project's own and the descriptions of the packages that are installed
(Markdown). A question is a heading of at least three words that occurs once; what is looked for is
a passage of the section below it. R@10 is the share of questions for which one is among the first
ten. *BM25 alone* ranks the same text, cut into windows of 1,200 characters without regard to
headings; *without headings* ranks the shipped passages by their text, the headings left out; *by
words and meaning* ranks them as ``embeddings = "minilm"`` does, for a part of the documents.
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from treadle.memory import connect
from treadle.memory.recall import Embedder
from treadle.memory.textindex import IndexedText, TextIndex, VectorSpace
from treadle.tools.documents._hybrid import HybridCollection
from treadle.tools.documents._markdown import read_markdown
from treadle.tools.documents._passages import LONGEST, cut

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Question:
    """A heading, and the lines of its section."""

    heading: str
    file: str
    first: int
    last: int


def documents() -> dict[str, str]:
    found = {path.name: path.read_text("utf-8") for path in sorted(DOCS.glob("*.md"))}
    for package in distributions():
        kind = package.metadata.get("Description-Content-Type") or ""
        text = package.metadata.get_payload()
        if "markdown" in kind and isinstance(text, str) and len(text) > 500:
            found[package.metadata["Name"]] = text
    return found


def questions(files: dict[str, str], most: int) -> list[Question]:
    """Return the headings that name one section only, a sample of them."""
    found = [question for name, text in files.items() for question in _sections(name, text)]
    seen = Counter(question.heading.casefold() for question in found)
    usable = [
        question
        for question in found
        if seen[question.heading.casefold()] == 1 and len(question.heading.split()) >= 3
    ]
    return random.Random(7).sample(usable, min(most, len(usable)))


def _sections(name: str, text: str) -> Iterator[Question]:
    blocks = read_markdown(text).blocks
    for at, block in enumerate(blocks):
        if not block.level:
            continue
        below = []
        for each in blocks[at + 1 :]:
            if each.level:
                break
            below.append(each)
        if below:
            yield Question(block.text, name, below[0].first, below[-1].last)


def shipped(files: dict[str, str]) -> list[IndexedText]:
    return [
        IndexedText(
            name,
            passage.text,
            context=" > ".join(passage.headings),
            fields={"lines": [passage.first, passage.last]},
        )
        for name, text in files.items()
        for passage in cut(read_markdown(text))
    ]


def windows(files: dict[str, str]) -> list[IndexedText]:
    """Cut each text into windows of lines, about as long as passages may be."""
    found = []
    for name, text in files.items():
        first, held = 1, ""
        for number, line in enumerate(text.split("\n"), 1):
            if held and len(held) + len(line) > LONGEST:
                found.append(IndexedText(name, held, fields={"lines": [first, number - 1]}))
                first, held = number, ""
            held += line + "\n"
        found.append(IndexedText(name, held, fields={"lines": [first, text.count("\n") + 1]}))
    return found


async def recall(index: TextIndex | HybridCollection, asked: list[Question]) -> float:
    hits = 0
    for question in asked:
        for hit in await index.search(question.heading, 10):
            first, last = hit.fields["lines"]
            if hit.id == question.file and first <= question.last and last >= question.first:
                hits += 1
                break
    return hits / len(asked)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--embedded", type=int, default=20, help="documents with vectors")
    options = parser.parse_args()
    files = documents()
    asked = questions(files, options.questions)
    texts = shipped(files)
    kinds = {
        "as shipped": texts,
        "without headings": [replace(text, context="") for text in texts],
        "BM25 alone": windows(files),
    }
    print(f"{len(files)} documents, {len(asked)} questions")
    with TemporaryDirectory(prefix="treadle-") as folder:
        async with connect(f"embedded://{folder}/redis") as client:
            for name, held in kinds.items():
                index = TextIndex(client, f"{{{name}}}")
                await index.add(held)
                print(f"{name}: R@10 {await recall(index, asked):.3f}, {len(held)} passages")
            few = dict(list(files.items())[: options.embedded])
            await by_meaning(client, few, options.questions)


async def by_meaning(client: Any, files: dict[str, str], most: int) -> None:
    """Give passages of a part of the documents vectors as ``embeddings = "minilm"`` does."""
    asked = questions(files, most)

    def index_in(space: VectorSpace | None) -> TextIndex:
        return TextIndex(client, "{by meaning}", space=space)

    words = index_in(None)
    await words.add(shipped(files))
    print(f"{len(files)} documents of these, {len(asked)} questions")
    print(f"as shipped: R@10 {await recall(words, asked):.3f}, {await words.count()} passages")
    collection = HybridCollection(index_in, Embedder("minilm"))
    began = time.process_time()
    assert not await collection.complete()
    took = time.process_time() - began
    print(f"by words and meaning: R@10 {await recall(collection, asked):.3f}", end=", ")
    print(f"{await collection.count() / took:.1f} passages embedded a second of CPU")


if __name__ == "__main__":
    asyncio.run(main())
