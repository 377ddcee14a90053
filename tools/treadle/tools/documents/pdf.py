"""Reading PDF."""

import io
import logging
import re
import time
from typing import Any

from pypdf import PageObject, PasswordType, PdfReader
from pypdf.errors import DependencyError, PyPdfError

from treadle.tools.documents._plain import paragraphs
from treadle.tools.documents.document import Block, Document, UnreadableError

_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[a-zß-ÿ])")

# It warns of every oddity it gets over; what it does not get over is raised, and reported.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


MAX_SECONDS = 300.0
"""How long reading may compute; a small file can hold many pages that unpack to a lot."""


MAX_PAGE_BYTES = 8_000_000
"""How much one page may unpack to; its drawing alone can be thousands of times the file's size."""


def read_pdf(data: bytes, seconds: float = MAX_SECONDS) -> Document:
    """Read a PDF's text, page by page.

    Args:
        data: the file.
        seconds: how long reading it may compute.

    Raises:
        UnreadableError: it is damaged, needs a password, holds no text or takes too long.
    """
    end = time.thread_time() + seconds
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise UnreadableError("encrypted: it needs a password")
        blocks = [
            Block(block.text, number, number)
            for number, page in enumerate(reader.pages, 1)
            for block in _page(page, number, end)
        ]
        title = reader.metadata.title if reader.metadata else ""
    except UnreadableError:
        raise
    except DependencyError as error:
        raise UnreadableError(f"encrypted: {error}") from None
    # What a damaged file makes the parser raise is not only its own errors.
    except (PyPdfError, Exception) as error:
        raise UnreadableError(f"damaged PDF: {error or type(error).__name__}") from None
    if not blocks:
        raise UnreadableError("holds no text: its pages may be scanned pictures")
    return Document(blocks, str(title or "").strip(), "page")


def _page(page: PageObject, number: int, end: float) -> list[Block]:
    def look(*_: Any) -> None:
        if time.thread_time() > end:
            raise UnreadableError(f"takes too long to read: the time was up at page {number}")

    look()
    contents = page.get_contents()
    if contents is not None and len(contents.get_data()) > MAX_PAGE_BYTES:
        raise UnreadableError(f"page {number} unpacks to more than {MAX_PAGE_BYTES:,} bytes")
    text = page.extract_text(visitor_operand_before=look)
    return paragraphs(_BROKEN_WORD.sub("", text).split("\n"))
