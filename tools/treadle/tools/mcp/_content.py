"""From what an MCP tool returned to what a model reads."""

import json
from collections.abc import Mapping
from typing import Any

from treadle.core.sources import Passage, Source
from treadle.tools._contract import ToolResult
from treadle.tools.mcp._definitions import clean

_MAX_LOCATOR_CHARS = 120


def text_of(result: Any) -> str:
    """Return the text of a ``CallToolResult``; what is no text is named."""
    parts = [_block(block) for block in result.content]
    text = "\n\n".join(part for part in parts if part.strip())
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    return clean(text.replace("\r\n", "\n"))


def result_of(server: str, tool: str, arguments: Mapping[str, Any], result: Any) -> ToolResult:
    """Return a result whose text stands under its source: the server, the tool and what it got."""
    text = text_of(result)
    if not text:
        return ToolResult(f"{tool} returned nothing.")
    locator = json.dumps(arguments, ensure_ascii=False) if arguments else ""
    source = Source(f"{tool} of {server}", f"mcp://{server}/{tool}", locator[:_MAX_LOCATOR_CHARS])
    return ToolResult(passages=[Passage(text, source)])


def _block(block: Any) -> str:
    match block.type:
        case "text":
            return str(block.text)
        case "resource_link":
            return f"{block.title or block.name}: {block.uri}"
        case "resource" if getattr(block.resource, "text", None) is not None:
            return f"{block.resource.uri}\n{block.resource.text}"
        case "resource":
            return f"({block.resource.uri}, {block.resource.mime_type}: not shown)"
        case kind:
            return f"({kind}, {block.mime_type}: not shown)"
