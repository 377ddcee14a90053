"""What was true when: facts about one thing, and how a new one fits in between."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from treadle.core.errors import InputError
from treadle.memory._keys import checked_text
from treadle.memory._storage_errors import RecordError

MAX_TEXT_LENGTH = 4_000
MAX_ABOUT_LENGTH = 200

_LEADING = re.compile(r"^(?:(?:the|a|an|my|our|his|her|their|your|user(?:'s|s')?|person's) )+")
_NEVER = datetime.max.replace(tzinfo=UTC)
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is, or was, true.

    Attributes:
        id: what identifies it; remembering the same id again changes nothing.
        text: the fact as a sentence.
        about: what it is about, as it was given.
        said_at: when it was said, which is when it began to hold.
        until: when another fact took its place; ``None`` while it holds.
        source: where it comes from, such as a message's id; may be empty.
    """

    id: str
    text: str
    about: str
    said_at: datetime
    until: datetime | None = None
    source: str = ""

    @classmethod
    def of(
        cls,
        text: str,
        about: str,
        *,
        said_at: datetime | None = None,
        source: str = "",
        id: str | None = None,  # noqa: A002 - what it is
    ) -> "Fact":
        """Return a new fact; arguments as for `Facts.remember`.

        Raises:
            InputError: the text or what it is about is empty or too long.
        """
        text = checked_text("text of the fact", text, MAX_TEXT_LENGTH).strip()
        about = checked_text("thing the fact is about", about, MAX_ABOUT_LENGTH).strip()
        if not text or not normalised(about):
            raise InputError(
                f"The fact {text[:60]!r} about {about[:60]!r} says nothing or is about nothing.",
                hint="Give a sentence, and a few words for what it is about.",
            )
        moment = utc(said_at or datetime.now(UTC))
        name = id or _digest(thing(about), moment.isoformat(), text)
        return cls(name, text, about, moment, source=source)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Fact":
        """Return the fact that an item of a store holds.

        Raises:
            RecordError: it holds none.
        """
        try:
            until = value["until"]
            return cls(
                id=str(value["id"]),
                text=str(value["text"]),
                about=str(value["about"]),
                said_at=utc(datetime.fromisoformat(value["said_at"])),
                until=None if until is None else utc(datetime.fromisoformat(until)),
                source=str(value["source"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise RecordError(f"It is no fact: {problem!r}.", hint="Delete the item.") from problem

    def to_dict(self) -> dict[str, Any]:
        """Return what `read` reads."""
        return {
            "id": self.id,
            "text": self.text,
            "about": self.about,
            "said_at": self.said_at.isoformat(),
            "until": self.until.isoformat() if self.until else None,
            "source": self.source,
        }

    def held_at(self, moment: datetime) -> bool:
        """Whether the fact was true at a moment."""
        return self.said_at <= moment and (self.until is None or moment < self.until)

    def says(self, other: "Fact") -> bool:
        """Whether both say the same, however it is spaced and capitalised."""
        return normalised(self.text) == normalised(other.text)


def fitted(past: Sequence[Fact], current: Fact, new: Fact) -> tuple[Fact, list[Fact]]:
    """Fit in a fact that was said before the current one.

    Args:
        past: the facts about the same thing that no longer hold.
        current: the one that holds.
        new: the one to fit in.

    Returns:
        The fact as it is now known, and the facts of the past that change, none when what was
        known already says so.
    """
    line = in_order([*past, current])
    before = [fact for fact in line if fact.said_at <= new.said_at]
    after = next(fact for fact in line if fact.said_at > new.said_at)
    known = replace(new, until=after.said_at)
    if not before:
        return known, [known]
    last = before[-1]
    if last.says(new):
        return last, []
    return known, [replace(last, until=new.said_at), known]


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Return facts about one thing in the order in which they took each other's place."""
    # Of facts said at one moment, those that were never valid came first.
    return sorted(facts, key=lambda fact: (fact.said_at, fact.until or _NEVER))


def thing(about: str) -> str:
    """Return the key of what a fact is about, the same however it is put."""
    return _digest(normalised(about))


def normalised(text: str) -> str:
    """Return text without case, extra spaces, outer punctuation and leading articles."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    bare = _EDGES.sub("", " ".join(folded.split()))
    return _LEADING.sub("", bare) or bare


def utc(moment: datetime) -> datetime:
    """Return a moment in UTC, which one without a time zone is taken to be in."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
