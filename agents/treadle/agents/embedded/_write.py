"""Writing units down as an answer."""

from collections.abc import Sequence

from treadle.agents.embedded._markdown import Form
from treadle.agents.embedded._text import short
from treadle.agents.embedded._units import Unit

MAX_UNIT_CHARS = 500
MAX_CODE_CHARS = 1_100


def write(units: Sequence[Unit]) -> str:
    """Write units as an answer: sentences as prose, items as a list, code as code."""
    parts: list[str] = []
    last: Unit | None = None
    for unit in units:
        mark = f"[^{unit.label}]" if unit.label else ""
        if unit.form is Form.CODE:
            parts.append(f"\n\n{_fenced(unit.text)}" + (f"\n{mark}" if mark else ""))
        else:
            is_item = unit.form is not Form.SENTENCE and len(units) > 1
            bullet = "- " if is_item and not unit.text[:1].isdigit() else ""
            said = f"{bullet}{short(unit.text, MAX_UNIT_CHARS)} {mark}".rstrip()
            parts.append(_gap(last, unit, is_item) + said)
        last = unit
    return "".join(parts).strip("\n")


def _gap(last: Unit | None, unit: Unit, is_item: bool) -> str:
    if last is None or last.form is Form.CODE:
        return "\n\n"
    if is_item:
        return "\n"
    return " " if last.form is Form.SENTENCE else "\n\n"


def _fenced(code: str) -> str:
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}\n{code[:MAX_CODE_CHARS]}\n{fence}"
