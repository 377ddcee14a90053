"""A folder that only this user can read, and where a socket for it can be."""

import hashlib
import os
import stat
from pathlib import Path

from treadle.core.errors import RedisError
from treadle.memory._redis_url import HOME_VARIABLE

# The shortest limit of the systems Treadle runs on: macOS has room for 103 bytes and a NUL.
LONGEST_SOCKET_PATH_BYTES = 103
OTHERS = 0o077
HINT = f"Name another folder with {HOME_VARIABLE} or embedded:///absolute/folder."


def make_private(folder: Path, *, ours: str) -> None:
    """Make ``folder``, or see to it that an existing one is readable by this user alone.

    An existing folder is only closed to others when it is empty or was made by us: closing
    somebody's home folder, or ``/tmp``, would be no favour.

    Args:
        folder: an absolute path.
        ours: the name of a file in it that shows that it was made by us.

    Raises:
        RedisError: it is a file, belongs to somebody else, cannot be written to, or holds
            other files and is open to other users.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.geteuid():
            raise unusable(folder, f"it belongs to user {status.st_uid}")
        if stat.S_IMODE(status.st_mode) & OTHERS:
            if any(folder.iterdir()) and not (folder / ours).exists():
                raise unusable(folder, "it holds other files and is open to other users")
            folder.chmod(0o700)
    except FileExistsError:
        raise unusable(folder, "it is a file") from None
    except OSError as error:
        raise unusable(folder, error) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise unusable(folder, "it cannot be written to")


def socket_path(folder: Path) -> Path:
    """Return the path of the folder's socket: inside it, or in /tmp when that is too long."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    # Every process must come to the same place, so neither TMPDIR nor XDG_RUNTIME_DIR decides.
    return Path(f"/tmp/treadle-{os.geteuid()}", f"{name}.sock")  # noqa: S108 - made private


def make_socket_folder_private(socket: Path) -> None:
    """See to it that nobody else can put a socket of theirs at the path ``socket``.

    Raises:
        RedisError: somebody else made that folder first.
    """
    folder = socket.parent
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise unusable(folder, error) from error
    private = not stat.S_IMODE(status.st_mode) & OTHERS and status.st_uid == os.geteuid()
    if not stat.S_ISDIR(status.st_mode) or not private:
        raise RedisError(
            f"The folder {folder} for the embedded Redis's socket is open to other users.",
            hint=f"Remove it, or name a data folder with a shorter path with {HOME_VARIABLE}.",
        )


def unusable(folder: Path, why: str | OSError) -> RedisError:
    """Return the error that says why the embedded Redis cannot use ``folder``."""
    if isinstance(why, OSError):
        why = why.strerror or type(why).__name__
    return RedisError(f"The embedded Redis cannot use the folder {folder}: {why}.", hint=HINT)
