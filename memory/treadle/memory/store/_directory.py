"""The directory of groups, for what looks beyond one group: listing, searching, forgetting.

A group is listed before its first item is written, so that nothing is ever hidden from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from langgraph.store.base import ListNamespacesOp, MatchCondition

from treadle.core.errors import InputError
from treadle.memory.store import _scripts as scripts
from treadle.memory.store._keys import (
    GROUP_LABELS,
    Group,
    Namespace,
    checked_prefix_of_namespaces,
    name_prefix,
)
from treadle.memory.store._operations import Context, Operation, together

_NAMES_PER_TRIP = 5_000
_ITEMS_PER_CALL = 2_000  # Redis does nothing else meanwhile


def groups_under(context: Context, prefix: Namespace) -> Operation[Sequence[Group]]:
    """Return the groups that may hold namespaces under a prefix: no round trip for a whole one."""
    if len(prefix) >= GROUP_LABELS:
        return [context.keys.located(prefix)[0]]
    names: list[bytes] = []
    while True:
        after = names[-1].decode() if names else ""
        found = yield scripts.find_groups(
            context.keys.directory, name_prefix(prefix), after, _NAMES_PER_TRIP
        )
        names += found
        if len(found) < _NAMES_PER_TRIP:
            return [context.keys.group_named(name) for name in names]


def list_namespaces(context: Context, op: ListNamespacesOp) -> Operation[list[Namespace]]:
    """List the namespaces that hold items."""
    for name, number in (("limit", op.limit), ("offset", op.offset)):
        if not isinstance(number, int) or number < 0:
            raise InputError(f"The {name} of a listing is {number!r}.", hint="Use 0 or more.")
    conditions = op.match_conditions or ()
    prefix = _literal_prefix(conditions)
    _, path = context.keys.located(prefix)
    groups = yield from groups_under(context, prefix)
    replies = yield from together([scripts.paths(group, path) for group in groups])
    found: set[Namespace] = set()
    empty: list[Group] = []
    for group, paths in zip(groups, replies, strict=True):
        namespaces = map(group.namespace, paths)
        found |= {
            name[: op.max_depth]
            for name in namespaces
            if all(_matches(name, condition) for condition in conditions)
        }
        if not paths and len(prefix) < GROUP_LABELS:
            empty.append(group)
    yield from _unlist(context, empty)
    return list(islice(sorted(found), op.offset, op.offset + op.limit))


@dataclass(slots=True)
class Forgotten:
    """What was removed.

    Attributes:
        items: how many items.
        vectors: how many of them could be found by meaning.
        namespaces: how many namespaces hold nothing any more.
    """

    items: int = 0
    vectors: int = 0
    namespaces: int = 0


def forget(context: Context, prefix: Namespace) -> Operation[Forgotten]:
    """Remove everything under a prefix."""
    if not checked_prefix_of_namespaces(prefix):
        raise InputError(
            "An empty namespace would forget the whole store.", hint="Give at least one label."
        )
    total = Forgotten()
    groups = yield from groups_under(context, prefix)
    _, path = context.keys.located(prefix)
    for group in groups:
        left = 1
        while left:
            items, vectors, namespaces, left = yield scripts.forget(group, path, _ITEMS_PER_CALL)
            total.items += items
            total.vectors += vectors
            total.namespaces += namespaces
    if path == "/":
        yield from _unlist(context, groups)
    return total


def _unlist(context: Context, groups: Sequence[Group]) -> Operation[None]:
    """Take groups that were found empty out of the directory."""
    if not groups:
        return
    yield scripts.unlist_groups(context.keys.directory, [group.name for group in groups])
    replies = yield from together([scripts.paths(group, "/") for group in groups])
    used = [group.name for group, paths in zip(groups, replies, strict=True) if paths]
    if used:  # someone wrote in between
        yield scripts.list_groups(context.keys.directory, used)


def _literal_prefix(conditions: Sequence[MatchCondition]) -> Namespace:
    """Return the labels that every match begins with."""
    for condition in conditions:
        if condition.match_type == "prefix":
            path = tuple(condition.path)
            return path[: path.index("*")] if "*" in path else path
    return ()


def _matches(namespace: Namespace, condition: MatchCondition) -> bool:
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    if condition.match_type == "prefix":
        pairs = zip(namespace, path, strict=False)
    elif condition.match_type == "suffix":
        pairs = zip(reversed(namespace), reversed(path), strict=False)
    else:
        raise InputError(
            f"A listing cannot match by {condition.match_type!r}.", hint="Use 'prefix' or 'suffix'."
        )
    return all(wanted in ("*", label) for label, wanted in pairs)
