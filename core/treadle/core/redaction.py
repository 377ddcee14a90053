"""Taking secrets out of what is written down: of texts, of data, of messages and of streams."""

import dataclasses
import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Self, TypeVar

from pydantic import BaseModel

from treadle.core import _secret_forms, _secrets
from treadle.core._secrets import SecretPattern
from treadle.core.settings import Settings

MAX_HELD_CHARS = 8_192
"""The most that a `StreamRedactor` holds back, in characters; longer than any usual key."""

MAX_DEPTH = 200
"""How deep data may be nested; what lies deeper is taken out unread."""

_MAX_PASSES = 4
_SHORT_JSON_CHARS = 16_384
_SHORT_TEXT_CHARS = 64
_TOO_DEEP = "nested too deeply"
_LONGEST_BEGIN = 32
_NOT_IN_A_WORD = r"(?:(?<![^\W_])|(?=[\W_]))"
"""A place that has no letter or digit before it, or none behind it."""
_FIELD_GROWING = re.compile(rf"(?:{_secrets.FIELD_GROWING})\Z")
_T = TypeVar("_T")
_Span = tuple[int, int, str]


class Redactor:
    """Replaces secrets by placeholders that say what they were, such as ``[redacted: JWT]``.

    What is redacted twice is as if redacted once, and a text without secrets is returned as it is.
    It takes time linear in the text. An instance may be shared by threads and tasks.
    """

    def __init__(
        self,
        values: Mapping[str, str],
        patterns: Iterable[SecretPattern] = _secrets.PATTERNS,
    ) -> None:
        """Take what to look for.

        Args:
            values: known secrets, each with its name. They are also found URL-encoded,
                JSON-escaped and in base64; those shorter than eight characters are not looked for.
            patterns: formats of keys; those of well-known services when not given.
        """
        self._patterns = tuple(patterns)
        self._starts = tuple({start for pattern in self._patterns for start in pattern.starts})
        self._forms = {
            form: _name(name)
            for value, name in values.items()
            for form in _secret_forms.forms(value)
        }
        kinds = {
            *self._forms.values(),
            *(pattern.kind for pattern in self._patterns),
            *_secrets.SECRET_KINDS,
            _TOO_DEEP,
        }
        self._growing = [
            (pattern, re.compile(rf"(?:{pattern.growing})\Z")) for pattern in self._patterns
        ]
        begins = {begin for pattern in self._patterns for begin in pattern.begins}
        begun = {begin[:size] for begin in begins for size in range(1, len(begin))}
        self._any_begin = re.compile(_any_of(begins), re.IGNORECASE)
        self._begun_begin = re.compile(rf"{_NOT_IN_A_WORD}(?:{_any_of(begun)})\Z", re.IGNORECASE)
        self._short_json = lru_cache(maxsize=512)(self._json)
        self._short_text = lru_cache(maxsize=4_096)(self._text)
        self._placeholder = re.compile(
            rf"\[redacted: (?:{'|'.join(map(re.escape, sorted(kinds)))})\]"
        )

    @classmethod
    def from_settings(cls, settings: Settings, environment: Mapping[str, str]) -> Self:
        """Make one that knows a project's keys and its Redis password, besides all key formats.

        Args:
            settings: name the variables that hold keys, and the Redis URL.
            environment: the environment variables.
        """
        return cls(_secret_forms.known_secrets(settings, environment))

    def redact_text(self, text: str) -> str:
        """Return the text with its secrets replaced.

        Short texts are remembered: names of fields, models and tools come again and again.
        """
        if len(text) > _SHORT_TEXT_CHARS:
            return self._text(text)
        clean = self._short_text(text)
        return text if clean == text else clean

    def _text(self, text: str) -> str:
        # What stood behind a secret may itself be one that its neighbour hid.
        for _ in range(_MAX_PASSES):
            spans = self.spans(text)
            if not spans:
                break
            text = _replaced(text, spans)
        return text

    def redact(self, data: _T) -> _T:
        """Return data with the secrets in it replaced, however deep.

        Dictionaries (keys too), lists, tuples, sets, bytes, dataclasses and pydantic models, so
        LangChain messages, are looked into. The value of a field that is named like a secret
        (``password``, ``api_key``, ``authorization``, ``token`` …) is replaced if it is a text.
        The data itself is not changed; where it holds no secret, it is returned itself.
        """
        redacted: _T = self._any(data, MAX_DEPTH)
        return redacted

    def redact_json(self, text: str) -> str:
        """Return a JSON text with the secrets in its data replaced, in the compact form.

        Short texts are remembered: prompts and tools are sent again and again.

        Raises:
            ValueError: it is no JSON.
        """
        return self._short_json(text) if len(text) <= _SHORT_JSON_CHARS else self._json(text)

    def _json(self, text: str) -> str:
        clean = self.redact(json.loads(text))
        return json.dumps(clean, ensure_ascii=False, separators=(",", ":"))

    def stream(self) -> "StreamRedactor":
        """Return a redactor for one text that arrives in pieces."""
        return StreamRedactor(self)

    def unfinished(self, text: str) -> int:
        """Return where that begins which may become a secret if the text goes on.

        That is the length of the text if there is no such thing.
        """
        starts = [len(text)]
        if self._any_begin.search(text):  # nearly no piece of a text has any
            lowered = text.lower()
            for pattern, growing in self._growing:
                if any(begin in lowered for begin in pattern.begins):
                    starts += [found.start() for found in [growing.search(text)] if found]
        starts += [found.start() for found in [_FIELD_GROWING.search(text)] if found]
        begun = self._begun_begin.search(text, max(0, len(text) - _LONGEST_BEGIN))
        starts += [begun.start()] if begun else []
        starts += [_begun(form, text) for form in self._forms]
        return min(starts)

    def _any(self, data: Any, depth: int) -> Any:
        if isinstance(data, str):
            return self.redact_text(data)
        if isinstance(data, bytes):
            text = data.decode("utf-8", "surrogateescape")
            clean = self.redact_text(text)
            return data if clean == text else clean.encode("utf-8", "surrogateescape")
        if data is None or isinstance(data, int | float):
            return data
        if depth == 0:
            return _placeholder(_TOO_DEEP)
        return self._container(data, depth - 1)

    def _container(self, data: Any, depth: int) -> Any:
        if isinstance(data, Mapping):
            return self._mapping(data, depth)
        if isinstance(data, list | tuple | set | frozenset):
            return self._sequence(data, depth)
        if isinstance(data, BaseModel):
            changes = self._changes(dict(data), depth)
            return data.model_copy(update=changes) if changes else data
        if dataclasses.is_dataclass(data) and not isinstance(data, type):
            fields = [field.name for field in dataclasses.fields(data) if field.init]
            changes = self._changes({name: getattr(data, name) for name in fields}, depth)
            return dataclasses.replace(data, **changes) if changes else data
        return data

    def _changes(self, held: Mapping[str, Any], depth: int) -> dict[str, Any]:
        clean = {name: self._field(name, value, held, depth) for name, value in held.items()}
        return {name: value for name, value in clean.items() if value is not held[name]}

    def _mapping(self, data: Mapping[Any, Any], depth: int) -> Any:
        changed = False
        clean: dict[Any, Any] = {}
        for key, value in data.items():
            new_key = self.redact_text(key) if isinstance(key, str) else key
            new_value = self._field(key, value, data, depth)
            changed = changed or new_key is not key or new_value is not value
            while new_key is not key and (new_key in clean or new_key in data):
                new_key += "'"
            clean[new_key] = new_value
        return clean if changed else data

    def _field(self, name: Any, value: Any, held: Mapping[Any, Any], depth: int) -> Any:
        if isinstance(name, str) and isinstance(value, str) and value:
            kind = _secrets.secret_field(name)
            # Providers call a piece of text and its probability a token, too.
            if kind and not (kind == "token" and "logprob" in held):
                return value if self._placeholder.fullmatch(value) else _placeholder(kind)
        return self._any(value, depth)

    def _sequence(self, data: Any, depth: int) -> Any:
        clean = [self._any(item, depth) for item in data]
        if all(new is old for new, old in zip(clean, data, strict=True)):
            return data
        # A named tuple takes its items one by one.
        return type(data)(*clean) if hasattr(data, "_fields") else type(data)(clean)

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Return where the secrets are and what they are, in order and apart from each other."""
        found = [*self._value_spans(text), *self._pattern_spans(text), *_field_spans(text)]
        if not found:
            return []
        if "[redacted: " in text:
            done = [match.span() for match in self._placeholder.finditer(text)]
            found = _outside(found, done)
        return _merged(found)

    def _value_spans(self, text: str) -> Iterator[_Span]:
        present = [form for form in self._forms if form in text]
        if not present:
            return
        longest_first = sorted(present, key=len, reverse=True)
        for match in re.finditer("|".join(map(re.escape, longest_first)), text):
            yield *match.span(), self._forms[match[0]]

    def _pattern_spans(self, text: str) -> Iterator[_Span]:
        for start in self._starts:  # nearly every text holds none, and this is the quickest way
            if start in text:
                break
        else:
            return
        for pattern in self._patterns:
            if any(start in text for start in pattern.starts):
                for match in pattern.match.finditer(text):
                    yield *match.span(match.re.groups), pattern.kind


class StreamRedactor:
    """Redacts a text that arrives in pieces, though a secret may be cut by their edges.

    It holds back only what could still become a secret, at most `MAX_HELD_CHARS` characters.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""
        self._before = ""  # The character before: it decides whether a key begins here.

    def feed(self, text: str) -> str:
        """Take the next piece, and return what can be told of the text so far."""
        return self._tell(self._held + text, is_end=False)

    def close(self) -> str:
        """Return what was held back; the text has ended."""
        return self._tell(self._held, is_end=True)

    def _tell(self, text: str, *, is_end: bool) -> str:
        if not text:
            return ""
        seen = self._before + text
        spans = self._redactor.spans(seen)
        cut = len(seen)
        if not is_end:
            window = max(0, len(seen) - MAX_HELD_CHARS)
            cut = window + self._redactor.unfinished(seen[window:])
            cut = min((start for start, end, _ in spans if start < cut < end), default=cut)
            # What was told cannot be held back any more.
            cut = len(seen) if len(seen) - cut > MAX_HELD_CHARS else max(cut, len(self._before))
        self._held = seen[cut:]
        told = _replaced(seen[:cut], [span for span in spans if span[1] <= cut])
        told = told[len(self._before) :]
        self._before = seen[max(0, cut - 1) : cut]
        return told


def _field_spans(text: str) -> Iterator[_Span]:
    if '"' not in text or not any(start in text for start in _secrets.FIELD_STARTS):
        return
    for match in _secrets.FIELD_IN_JSON.finditer(text):
        if kind := _secrets.secret_field_in_json(match[1]):
            yield *match.span(2), kind


def _outside(found: Iterable[_Span], done: list[tuple[int, int]]) -> list[_Span]:
    """Return the spans that do not lie in a placeholder."""
    kept = []
    for span in found:
        at = bisect_right(done, (span[0], sys.maxsize)) - 1
        if at < 0 or span[1] > done[at][1]:
            kept.append(span)
    return kept


def _any_of(texts: Iterable[str]) -> str:
    """Return the pattern of any of the texts; of nothing where there are none."""
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or r"(?!)"


def _begun(form: str, text: str) -> int:
    """Return where the end of the text begins that may be the beginning of the form."""
    at = text.find(form[0], max(0, len(text) - len(form) + 1))
    while at != -1 and not form.startswith(text[at:]):
        at = text.find(form[0], at + 1)
    return len(text) if at == -1 else at


def _merged(found: Iterable[_Span]) -> list[_Span]:
    """Join spans that overlap; the one that begins first gives the name."""
    merged: list[_Span] = []
    for start, end, kind in sorted(found, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, kind))
    return merged


def _replaced(text: str, spans: Iterable[_Span]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, kind in spans:
        parts += text[at:start], _placeholder(kind)
        at = end
    return "".join((*parts, text[at:]))


def _placeholder(kind: str) -> str:
    return f"[redacted: {kind}]"


def _name(name: str) -> str:
    """Return the name such that it cannot end its placeholder."""
    return re.sub(r"[\[\]\s]+", " ", name).strip()[:64]
