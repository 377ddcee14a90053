"""What users see of the package: every public name says what it is and how it fails."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import pytest

from tests.support.rooms import ROOMS, module_name, python_files
from treadle.core.errors import ConfigError, TreadleError


def public_modules() -> list[str]:
    """Return the modules whose names a user may import."""
    names = [module_name(path) for room in ROOMS for path in python_files(room)]
    return [name for name in names if all(map(_is_public, name.split(".")))]


def _is_public(part: str) -> bool:
    return part.isidentifier() and not part.startswith("_")


def public_names(module: ModuleType) -> list[str]:
    """Return a module's public names: those it lists, or else those it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and not isinstance(value, TypeVar)
    ]


@pytest.mark.parametrize("name", public_modules())
def test_every_public_name_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    missing = [] if module.__doc__ else ["the module itself"]
    for public in public_names(module):
        missing += _undocumented(public, getattr(module, public))
    assert not missing, f"{name} has names without a docstring: {', '.join(missing)}"


def _undocumented(name: str, value: Any) -> list[str]:
    if inspect.isclass(value):
        own = vars(value).get("__doc__") or ""
        # A dataclass without a docstring is given its signature.
        missing = [] if own and not own.startswith(f"{name}(") else [name]
        return missing + [f"{name}.{part}" for part in _undocumented_parts(value)]
    if inspect.isroutine(value):
        return [] if value.__doc__ else [name]
    return [] if name in documented_values() else [name]


def _undocumented_parts(cls: type) -> list[str]:
    return [
        name
        for name, part in vars(cls).items()
        if not name.startswith("_")
        and (inspect.isroutine(part) or isinstance(part, property | classmethod | staticmethod))
        and not inspect.getdoc(getattr(cls, name))
    ]


@cache
def documented_values() -> set[str]:
    """Return the names of module-level values that a string literal below them explains."""
    found: set[str] = set()
    for room in ROOMS:
        for path in python_files(room):
            body = ast.parse(path.read_text("utf-8")).body
            for statement, below in pairwise(body):
                if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
                    continue
                if isinstance(statement, ast.Assign):
                    targets = statement.targets
                elif isinstance(statement, ast.AnnAssign):
                    targets = [statement.target]
                else:
                    continue
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("name", public_modules())
def test_every_error_that_a_public_function_raises_is_in_its_docstring(name: str) -> None:
    module = importlib.import_module(name)
    silent = [
        f"{where} raises {error.__name__}"
        for public in public_names(module)
        for where, function in _functions(public, getattr(module, public))
        for error in _raised(function)
        # Naming the family is enough.
        if not any(base.__name__ in (function.__doc__ or "") for base in error.__mro__[:-3])
    ]
    assert not silent, f"{name}: add to 'Raises:': {', '.join(silent)}"


def _functions(name: str, value: Any) -> Iterator[tuple[str, FunctionType]]:
    """Yield the package's public functions: the value, or its methods that are no overrides."""
    if inspect.isclass(value) and value.__module__.startswith("treadle."):
        foreign = [base for base in value.__mro__[1:] if not base.__module__.startswith("treadle.")]
        for part, method in vars(value).items():
            inner = getattr(method, "__func__", method)
            overrides = any(hasattr(base, part) for base in foreign)
            if isinstance(inner, FunctionType) and not part.startswith("_") and not overrides:
                yield f"{name}.{part}", inner
    elif isinstance(value, FunctionType) and value.__module__.startswith("treadle."):
        yield name, value


def _raised(function: Callable[..., Any]) -> list[type[TreadleError]]:
    """Return the errors of ours that a function's own body raises by name."""
    unwrapped = inspect.unwrap(function)
    found = []
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(unwrapped))).body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    waiting: list[ast.AST] = [*definition.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            error = unwrapped.__globals__.get(ast.unparse(node.exc.func))
            if inspect.isclass(error) and issubclass(error, TreadleError):
                found.append(error)
        waiting += ast.iter_child_nodes(node)
    return found


def test_the_check_sees_what_a_function_raises() -> None:
    def refuse(value: int) -> int:
        def inner() -> None:
            raise TreadleError("not by refuse itself")

        if value:
            raise ConfigError("no")
        raise ValueError(inner)

    assert _raised(refuse) == [ConfigError]
