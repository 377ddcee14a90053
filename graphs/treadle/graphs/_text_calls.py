"""Tool calls that a model writes as text: how they are asked for, read, and shown again."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treadle.graphs._repair import read_arguments

MAX_CALLS = 8
"""How many calls of one reply are made; a model that writes more has lost the thread."""

_MAX_CHARS = 100_000
_MARK = r"[ \t>*_#`]*"
_LABEL = re.compile(
    rf"^{_MARK}(Thought|Action[ _]Input|Action|Observation|Final[ _]Answer|Answer)"
    rf"{_MARK}:{_MARK}",
    re.MULTILINE | re.IGNORECASE,
)
_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)
_NAME = re.compile(r"[\w.-]+")
_NAMES, _ARGUMENTS = ("action", "name", "tool"), ("action_input", "arguments", "args", "parameters")


Tools = Mapping[str, Mapping[str, Any]]
"""The JSON schemas of the arguments of each tool, by name."""


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as it was written.

    Attributes:
        name: the tool's, as it was written.
        arguments: by name; ``None`` where they cannot be read.
        text: what was written as arguments.
    """

    name: str
    arguments: Mapping[str, Any] | None
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote.

    Attributes:
        text: its answer, or where it calls tools its reasoning before that.
        calls: the calls, in order.
    """

    text: str
    calls: tuple[WrittenCall, ...] = ()


def read(text: str, tools: Tools) -> Written:
    """Read what a model wrote: an answer, or calls of tools.

    ``Action`` and ``Action Input`` lines, an object with the tool's name and its arguments in a
    code fence or by itself, and ``<tool_call>`` tags are understood. What the model wrote of a
    tool's result itself, and all that it made of that, is left out.

    Args:
        text: the reply.
        tools: what each takes. The text of one that takes one text and nothing else may be written
            without JSON, and one that takes nothing needs no input.
    """
    text = text[:_MAX_CHARS]
    parts = _parts(text)
    if calls := _labelled(parts, tools):
        return Written(_thought(parts), tuple(calls[:MAX_CALLS]))
    if any(label == "answer" for label, _ in parts):
        return Written(next(said for label, said in parts if label == "answer"))
    before, calls = _objects(text)
    if calls:
        return Written(before, tuple(calls[:MAX_CALLS]))
    return Written(_thought(parts))


def _parts(text: str) -> list[tuple[str, str]]:
    """Split a reply at its labels, up to the first result that it invents; an answer ends it."""
    labels = list(_LABEL.finditer(text))
    first = labels[0].start() if labels else len(text)
    parts = [("thought", text[:first].strip())]
    for label, after in zip(labels, [*labels[1:], None], strict=False):
        kind = label[1].lower().replace("_", " ").replace("final ", "")
        if kind == "observation":
            break
        if kind == "answer":
            parts.append((kind, text[label.end() :].strip()))
            break
        parts.append((kind, text[label.end() : after.start() if after else len(text)].strip()))
    return parts


def _thought(parts: Sequence[tuple[str, str]]) -> str:
    """Return the reasoning before the first call."""
    thoughts: list[str] = []
    for label, said in parts:
        if label == "action":
            break
        thoughts.append(said)
    return "\n".join(said for said in thoughts if said)


def _labelled(parts: Sequence[tuple[str, str]], tools: Tools) -> list[WrittenCall]:
    calls: list[WrittenCall] = []
    for number, (label, said) in enumerate(parts):
        if label != "action":
            continue
        following = parts[number + 1] if number + 1 < len(parts) else ("", "")
        given = following[1] if following[0] == "action input" else None
        call = _one_call(said.strip("`* \n"), given, tools)
        if call is not None:
            calls.append(call)
    return calls


def _one_call(said: str, given: str | None, tools: Tools) -> WrittenCall | None:
    """Read ``name``, ``name(arguments)``, ``name[text]`` or an object that names the tool."""
    if given is None and (known := _from_object(said)):
        return known
    found = _NAME.match(said)
    if found is None or found[0].lower() in {"none", "n"}:
        return None  # "Action: None" is how some say that they call nothing.
    rest = said[found.end() :].strip()
    if given is None:
        inside = rest[1:-1] if rest[:1] + rest[-1:] in {"()", "[]"} else rest
        given = inside.strip()
    return WrittenCall(found[0], _arguments(given, tools.get(found[0])), given)


def _arguments(text: str, takes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not text or text.lower() in {"none", "n/a"}:
        # Where something is taken, a reply may have been cut short before it.
        return None if takes else {}
    fenced = _FENCED.fullmatch(text)
    inner = (fenced[1] if fenced else text).strip().strip("`").strip()
    found = read_arguments(inner)
    if found is not None:
        return found
    only = _only_text(takes or {})
    if only is None or inner[:1] in {"{", "["}:
        return None  # What was begun as JSON and does not end as JSON may have been cut short.
    return {only: inner.strip("\"'")}


def _only_text(takes: Mapping[str, Any]) -> str | None:
    """Return the argument of a tool that takes one text and nothing else."""
    names = list(takes)
    return names[0] if len(names) == 1 and takes[names[0]].get("type") == "string" else None


def _objects(text: str) -> tuple[str, list[WrittenCall]]:
    """Return calls that are written as objects, and what stands before the first."""
    for pattern in (_TAGGED, _FENCED):
        found = [(match, _from_object(match[1])) for match in pattern.finditer(text)]
        calls = [(match, call) for match, call in found if call is not None]
        if calls:
            return text[: calls[0][0].start()].strip(), [call for _, call in calls]
    whole = _from_object(text.strip())
    return "", [whole] if whole else []


def _from_object(text: str) -> WrittenCall | None:
    found = read_arguments(text) if "{" in text else None
    if found is None or len(found) > 3:
        return None
    name = next((found[key] for key in _NAMES if isinstance(found.get(key), str)), None)
    given = next((found[key] for key in _ARGUMENTS if key in found), None)
    if name is None or (given is None and len(found) > 1):
        return None
    if isinstance(given, str):
        return WrittenCall(name, read_arguments(given), given)
    arguments = given if isinstance(given, Mapping) else {} if given is None else None
    return WrittenCall(name, arguments, json.dumps(given, ensure_ascii=False))


def shown(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as the model is to write it."""
    return f"Action: {name}\nAction Input: {json.dumps(arguments, ensure_ascii=False)}"
