"""The example of docs/documents.md."""

import asyncio
import re
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "documents.md"


async def test_the_example_does_what_it_says():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", example, stdout=-1, stderr=-1
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")
    lines = output.decode().splitlines()
    assert lines[0] == "1 1"
    assert lines[1].endswith("Geese (line 3)")
    assert lines[2:] == [
        "Geese fly south in October.",
        "[IndexedFile(uri='geese.md', passages=1)]",
    ]
