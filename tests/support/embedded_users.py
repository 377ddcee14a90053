"""Run as a script: processes that use an embedded server, for tests that count or kill them.

    python embedded_users.py FOLDER COUNT

Each of the COUNT processes enters the context at the same instant, prints ``using PID RUN_ID``,
stays until standard input ends, leaves, and prints ``left PID``. An error is printed instead.
"""

import os
import sys
from pathlib import Path

import redis

from treadle.core.errors import RedisError
from treadle.memory import EmbeddedRedis


def use(folder: Path) -> None:
    try:
        with EmbeddedRedis(folder) as server:
            client = redis.Redis(unix_socket_path=str(server.socket))
            run_id = client.info("server")["run_id"]
            client.close()
            say(f"using {os.getpid()} {run_id}")
            while os.read(0, 1):
                pass
        say(f"left {os.getpid()}")
    except RedisError as error:
        say(f"failed {os.getpid()} {error}")


def say(words: str) -> None:
    os.write(1, f"{words}\n".encode())  # one write, so that processes do not mix their lines


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    starting_gun, held = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os.close(held)
            os.read(starting_gun, 1)
            use(folder)
            os._exit(0)
        children.append(child)
    os.close(held)  # everybody starts now
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
