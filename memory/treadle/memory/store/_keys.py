"""How namespaces and keys become the keys of Redis.

Namespaces that share their first two labels are a *group*: everything in a group lives under one
hash tag, so that one script reads or writes it, and a user's is forgotten at once. Within its
group a namespace is a *path*, ``"/"`` for the two labels themselves, ``"/facts/"`` one below.
"""

from dataclasses import dataclass

from langgraph.store.base import InvalidNamespaceError

from treadle.core.errors import InputError
from treadle.memory._keys import checked_id, checked_prefix, checked_text, decoded, encoded

GROUP_LABELS = 2
MAX_LABELS = 32
MAX_LABEL_LENGTH = 2_000

Namespace = tuple[str, ...]


def user_namespace(user_id: str, *parts: str) -> Namespace:
    """Return the namespace of what is known of a user, such as ``("users", "alice", "facts")``.

    Everything under ``user_namespace(user_id)`` goes when the user is forgotten.

    Raises:
        InputError: the id is empty, longer than 512 characters or not text.
    """
    return "users", _label(checked_id("user_id", user_id)), *parts


def thread_namespace(thread_id: str, *parts: str) -> Namespace:
    """Return the namespace of what is known on a thread, as `user_namespace` does for a user."""
    return "threads", _label(checked_id("thread_id", thread_id)), *parts


def _label(text: str) -> str:
    # LangGraph's labels hold neither; an e-mail address does.
    return text.replace("%", "%25").replace(".", "%2E").replace("\x00", "%00")


@dataclass(frozen=True, slots=True)
class Group:
    """The namespaces that share their first labels.

    Attributes:
        labels: these labels, one or two.
        root: what its keys begin with; the braces are the hash tag.
    """

    labels: Namespace
    root: str

    @property
    def keys(self) -> tuple[str, str]:
        """The keys that every script on the group is given."""
        return f"{self.root}:meta", f"{self.root}:ns"

    @property
    def name(self) -> str:
        """What the directory calls it."""
        return _joined(self.labels)

    def namespace(self, path: bytes) -> Namespace:
        """Return the namespace at a path of this group."""
        return (*self.labels, *map(decoded, path.decode().split("/")[1:-1]))


class StoreKeys:
    """The keys under one prefix.

    Args:
        prefix: what every key begins with, such as ``"treadle:main:"``; the tenant is in it.

    Raises:
        ConfigError: the prefix holds a brace or a space, which would break the hash tag.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = checked_prefix(prefix)

    @property
    def directory(self) -> str:
        """The key of the directory of groups."""
        # No thread's hash tag holds a slash: ids are percent-encoded.
        return f"{self._prefix}{{store/}}:groups"

    def group(self, labels: Namespace) -> Group:
        """Return the group of these one or two labels."""
        return Group(labels, f"{self._prefix}{{store/{_joined(labels)[:-1]}}}")

    def group_named(self, name: bytes) -> Group:
        """Return the group that the directory calls ``name``."""
        return self.group(tuple(map(decoded, name.decode().split("/")[:-1])))

    def located(self, namespace: Namespace) -> tuple[Group, str]:
        """Return the group of a namespace, and its path there."""
        group = self.group(namespace[:GROUP_LABELS])
        return group, "/" + _joined(namespace[GROUP_LABELS:])


def name_prefix(labels: Namespace) -> str:
    """Return what the directory's names of all groups under ``labels`` begin with."""
    return _joined(labels)


def checked_namespace(namespace: Namespace) -> Namespace:
    """Return a namespace as it is, given that LangGraph's own rules hold.

    Raises:
        InvalidNamespaceError: it is empty.
        InputError: it has too many labels, or one is too long or no valid Unicode.
    """
    if not namespace:
        raise InvalidNamespaceError("Namespace cannot be empty.")
    return checked_prefix_of_namespaces(namespace)


def checked_prefix_of_namespaces(labels: Namespace) -> Namespace:
    """Return the beginning of a namespace, which may be empty; raises as `checked_namespace`."""
    if len(labels) > MAX_LABELS:
        raise InputError(
            f"The namespace {'.'.join(labels)[:60]}… has {len(labels)} labels.",
            hint=f"Use at most {MAX_LABELS}.",
        )
    for label in labels:
        # Longer than an id, because one that became a label may have grown threefold.
        checked_text(f"label of the namespace {'.'.join(labels)[:60]!r}", label, MAX_LABEL_LENGTH)
    return labels


def checked_key(namespace: Namespace, key: object) -> str:
    """Return the key of an item as its part of a key in Redis.

    Raises:
        InputError: it is empty, too long or not text.
    """
    return encoded(checked_id(f"key of an item in {'.'.join(namespace)[:60]!r}", key))


def _joined(labels: Namespace) -> str:
    return "".join(f"{encoded(label)}/" for label in labels)
