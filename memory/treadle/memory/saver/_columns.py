"""The bodies of a channel, field by field, so that a long thread is handled in a few loops.

Copying the messages of a thread for the graph, and telling which of them the graph gave back
unchanged, is most of what a turn of a long thread takes. It does what pydantic's own copy and
comparison do, but for all messages at once, in loops that run in C where there is one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

from treadle.memory._codec import Codec
from treadle.memory.saver._bodies import Body, copied, image
from treadle.memory.saver._collection import collection_postponed
from treadle.memory.saver._messages import FIELD_NAMES

_EXTRA = attrgetter("__pydantic_extra__")
_new: Callable[[Any], Any] = object.__new__
_slots: Any = vars(BaseModel)
_set_fields = _slots["__dict__"].__set__
_set_fields_set = _slots["__pydantic_fields_set__"].__set__
_set_extra = _slots["__pydantic_extra__"].__set__
_set_private = _slots["__pydantic_private__"].__set__


class Columns:
    """Bodies in their order. Never changes, so that it may be read by several threads.

    Args:
        bodies: the bodies.
        before: columns that may begin with the same bodies; what they know is taken over.
    """

    def __init__(self, bodies: Sequence[Body], before: "Columns | None" = None) -> None:
        self.bodies = bodies
        self._kinds: list[Any] = []
        self._templates: list[Any] = []
        self._empty_dicts: dict[str, list[int]] = {}
        self._empty_lists: dict[str, list[int]] = {}
        self._full: list[tuple[int, Body]] = []
        self._exact: list[tuple[int, Body]] = []
        self._n_opaque = 0
        n_known = 0
        if before is not None and bodies[: len(before.bodies)] == before.bodies:
            n_known = len(before.bodies)
            self._take_over(before)
        for number in range(n_known, len(bodies)):
            self._append(number, bodies[number])

    def _take_over(self, before: "Columns") -> None:
        self._kinds = before._kinds.copy()
        self._templates = before._templates.copy()
        self._empty_dicts = {name: n.copy() for name, n in before._empty_dicts.items()}
        self._empty_lists = {name: n.copy() for name, n in before._empty_lists.items()}
        self._full = before._full.copy()
        self._exact = before._exact.copy()
        self._n_opaque = before._n_opaque

    def _append(self, number: int, body: Body) -> None:
        fields = body.fields or {}
        self._kinds.append(body.kind)
        self._templates.append(fields)
        for name in body.empty:
            columns = self._empty_dicts if type(fields[name]) is dict else self._empty_lists
            columns.setdefault(name, []).append(number)
        if body.full:
            self._full.append((number, body))
        if body.exact:
            self._exact.append((number, body))
        self._n_opaque += body.fields is None

    def copies(self, codec: Codec) -> list[Any]:
        """Return what the bodies hold, as objects of the caller's own."""
        if not self._n_opaque:
            with collection_postponed():
                return self._copies()
        known = Columns([body for body in self.bodies if body.fields is not None])
        made = iter(known.copies(codec))
        return [codec.decode(b.frame) if b.fields is None else next(made) for b in self.bodies]

    def _copies(self) -> list[Any]:
        messages = list(map(_new, self._kinds))
        fields = list(map(dict.copy, self._templates))
        for name, numbers in self._empty_dicts.items():
            for number in numbers:
                fields[number][name] = {}
        for name, numbers in self._empty_lists.items():
            for number in numbers:
                fields[number][name] = []
        for number, body in self._full:
            for name in body.full:
                fields[number][name] = copied(fields[number][name])
        _each(_set_fields, messages, fields)
        # The names of the fields that were set are all there are, so that setting one adds none:
        # the messages of one list may share them, and half of the memory of a message is saved.
        names = {kind: kind_names.copy() for kind, kind_names in FIELD_NAMES.items()}
        _each(_set_fields_set, messages, map(names.__getitem__, self._kinds))
        _each(_set_extra, messages, [{} for _ in messages])
        _each(_set_private, messages, repeat(None))
        return messages

    def prefix(self, values: Sequence[Any]) -> int:
        """Return how many of ``values``, from the first on, would be stored as these bodies."""
        n = len(self.bodies)
        if len(values) >= n and self.are_held(values[:n]):
            return n
        pairs = list(zip(values, self.bodies, strict=False))
        differing = (i for i, (value, body) in enumerate(pairs) if not is_held(value, body))
        return next(differing, len(pairs))

    def are_held(self, values: Sequence[Any]) -> bool:
        """Tell whether ``values`` would be stored as these bodies, no more and no less."""
        if list(map(type, values)) != self._kinds:
            return False
        try:
            return (
                [value.__dict__ for value in values] == self._templates
                and not any(map(_EXTRA, values))
                and all(_is_exact(values[number], body) for number, body in self._exact)
            )
        except Exception:  # the graph's objects may refuse to be compared, as arrays do
            return False


def is_held(value: Any, body: Body) -> bool:
    """Whether serialising ``value`` would give ``body`` again."""
    if type(value) is not body.kind:
        return False
    try:
        is_same = value.__dict__ == body.fields and not value.__pydantic_extra__
        return bool(is_same and _is_exact(value, body))
    except Exception:  # as above
        return False


def _is_exact(value: Any, body: Body) -> bool:
    return image(value.__dict__, body.exact) == body.image


def _each(work: Callable[[Any, Any], None], messages: list[Any], values: Iterable[Any]) -> None:
    deque(map(work, messages, values), maxlen=0)
