"""Loading what a project names as ``path.py:name``."""

import importlib.util
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from treadle.core.errors import ConfigError, UnknownNameError

_RUNNING = threading.RLock()


def load_object(reference: str, project: Path) -> Any:
    """Load a Python object from one of the project's files.

    The file is run once per process, with its own folder importable while it runs.

    Args:
        reference: ``path.py:name``, the path relative to the project.
        project: the project's folder.

    Raises:
        ConfigError: when the reference is not of that form, leaves the project, or the file is
            missing or raises while it is loaded (with the line that raised).
        UnknownNameError: when the file holds nothing of that name.
    """
    file_part, _, name = reference.rpartition(":")
    if not file_part.endswith(".py") or not name.isidentifier():
        raise ConfigError(f"{reference!r} is not of the form 'path.py:name'.")
    path = (project / file_part).resolve()
    if not path.is_relative_to(project.resolve()):
        raise ConfigError(f"{reference!r} lies outside the project {project}.")
    if not path.is_file():
        raise ConfigError("there is no such file.", path=path)
    module = _run_file(path)
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise UnknownNameError(f"object in {file_part}", name, public)
    return getattr(module, name)


def _run_file(path: Path) -> Any:
    module_name = f"_treadle_project_{path.stem}_{abs(hash(path))}"
    with _RUNNING:  # Another thread must not find half of it.
        return sys.modules.get(module_name) or _run_as(module_name, path)


def _run_as(module_name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a .py file has both
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pydantic look the module up by name while it is being run.
    sys.modules[module_name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        line = _line_in(path, error)
        raise ConfigError(f"{type(error).__name__}: {error}", path=path, line=line) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _line_in(path: Path, error: BaseException) -> int | None:
    if isinstance(error, SyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)
