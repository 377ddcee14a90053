"""What installed packages bring: tools, graphs and models, named by their entry points.

A package says so in its ``pyproject.toml``::

    [project.entry-points."treadle.tools"]
    weather = "acme_weather.tools:weather"

Nothing of a package is loaded before it is named, so that a broken one stops nothing else.
"""

from collections import defaultdict
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from treadle.core.errors import ConfigError

Kind = Literal["tool", "graph", "model"]
"""What a package can bring; the group of its entry points is this with ``treadle.`` and an s."""


def plugin_names(kind: Kind) -> list[str]:
    """Return the names of what installed packages bring, without loading any of it."""
    return sorted(_found(kind))


def load_plugin(kind: Kind, name: str) -> Any:
    """Load what an installed package brings under that name.

    Raises:
        ConfigError: it cannot be loaded, or two packages bring it.
        KeyError: no package brings it.
    """
    first, *others = _found(kind)[name]
    if others:
        packages = ", ".join(sorted(map(package_of, (first, *others))))
        raise ConfigError(
            f"the {kind} {name!r} is brought by more than one package: {packages}.",
            hint="Uninstall one of them.",
        )
    try:
        return first.load()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"the {kind} {name!r} of the package {package_of(first)} cannot be loaded "
            f"({first.value}): {type(error).__name__}: {error}",
            hint="Repair or uninstall the package, or take the name out.",
        ) from error


def plugin_package(kind: Kind, name: str) -> str:
    """Return the package that brings what has that name, with its version.

    Raises:
        KeyError: no package brings it.
    """
    return package_of(_found(kind)[name][0])


def package_of(entry: EntryPoint) -> str:
    """Return the package that an entry point is of, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of an unknown name"


def _found(kind: Kind) -> dict[str, list[EntryPoint]]:
    found: defaultdict[str, list[EntryPoint]] = defaultdict(list)
    for entry in entry_points(group=f"treadle.{kind}s"):
        if entry not in found[entry.name]:
            found[entry.name].append(entry)
    return dict(found)
