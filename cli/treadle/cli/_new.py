"""``treadle new``."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from shlex import quote

from treadle.cli._console import err
from treadle.core.errors import InputError
from treadle.core.settings import SETTINGS_FILE

_HIDDEN = {"gitignore": ".gitignore"}
"""Files that wheels and their tools would take for their own, under a plain name."""

_PLACEHOLDER = "NAME"


def make_project(folder: Path) -> None:
    """Make a project in a new folder, or in one that is empty.

    Raises:
        InputError: the folder holds something, or cannot be made.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            hint = "Name a folder that is new."
            raise InputError(f"{folder} already holds something.", hint=hint)
        with as_file(files("treadle.cli") / "project-template") as template:
            shutil.copytree(
                template,
                folder,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        settings = folder / SETTINGS_FILE
        settings.write_text(settings.read_text().replace(_PLACEHOLDER, _tenant_of(folder)))
        for plain, hidden in _HIDDEN.items():
            (folder / plain).rename(folder / hidden)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}.") from None
    for line in (
        f"Made a project in {folder}. Now:\n",
        f"  cd {quote(str(folder))}",
        "  treadle index docs",
        '  treadle ask --agent guide "When does the workshop open?"',
    ):
        err.print(line, markup=False, highlight=False, soft_wrap=True)


def _tenant_of(folder: Path) -> str:
    """Return the folder's name as a tenant can be called."""
    name = folder.resolve().name
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in name)
    return plain.strip("-")[:100] or "project"
