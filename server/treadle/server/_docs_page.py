"""``/docs``: the OpenAPI document as a page, with no scripts and nothing from elsewhere."""

from collections.abc import Mapping
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
td {{ padding: .2rem 1rem .2rem 0; vertical-align: top }} code {{ white-space: nowrap }}
</style></head><body><h1>{title} {version}</h1>
<p>Machines read <a href="openapi.json">openapi.json</a>.</p>
{tables}</body></html>
"""


_LOCKED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A key is needed</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto }
</style></head><body><h1>A key is needed</h1>
<p>This page lists what the server can be asked for. A browser sends no key with an address, so ask
for it on a command line, with a key of the scope <code>read</code>:</p>
<pre>curl -H "Authorization: Bearer $KEY" {address} &gt; docs.html</pre>
<p>Whoever runs the server makes keys with <code>treadle keys create</code>, and shows this page to
anybody with <code>public_docs = true</code> under <code>[server]</code> in treadle.toml.</p>
</body></html>
"""


def locked_page(address: str) -> str:
    """Return what a browser shows in place of the page where a key is needed.

    Args:
        address: the page's.
    """
    return _LOCKED.replace("{address}", escape(address))


def docs_page(document: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = next(iter(operation.get("tags", ())), "other")
            by_tag.setdefault(tag, []).append(_row(method, path, operation))
    tables = (
        f"<h2>{escape(tag)}</h2>\n<table>{''.join(rows)}</table>\n" for tag, rows in by_tag.items()
    )
    about = document["info"]
    return _PAGE.format(
        title=escape(about["title"]), version=escape(about["version"]), tables="".join(tables)
    )


def _row(method: str, path: str, operation: Mapping[str, Any]) -> str:
    said = operation.get("description") or operation.get("summary", "")
    return (
        f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(said)}</td></tr>\n"
    )
