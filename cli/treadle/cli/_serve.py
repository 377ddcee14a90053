"""``treadle serve``."""

import socket
from dataclasses import dataclass
from functools import partial

from treadle.cli._console import err
from treadle.cli._opening import Opening
from treadle.core.errors import ConfigError
from treadle.core.settings import project_folder
from treadle.runtime import Runtime
from treadle.server import Listening, adopt_environment, app, serve, serve_again, url_of


@dataclass(frozen=True)
class Serving:
    """How a server was asked for.

    Attributes:
        opening: how its runtime is opened.
        listening: where it listens.
    """

    opening: Opening
    listening: Listening

    def serve(self, sockets: list[socket.socket] | None) -> None:
        """Serve until somebody stops it.

        Raises:
            TreadleError: the runtime cannot be opened.
        """
        [bound] = sockets or []
        for said in adopt_environment(project_folder(self.opening.project)):
            err.print(said, style="yellow", markup=False, soft_wrap=True)

        async def within(runtime: Runtime) -> None:
            await serve(app(runtime), bound)

        self.opening.run(within)


def run_serve(serving: Serving, *, reload: bool) -> None:
    """Serve a project's agents until somebody stops it.

    Raises:
        TreadleError: the address cannot be listened on, or the runtime cannot be opened.
    """
    _check_reach(serving.listening)
    folder = project_folder(serving.opening.project)
    bound = serving.listening.bind()
    with bound:
        url = url_of(bound)
        said = f"Serving {folder.name} at {url}; {url}/docs lists the routes."
        err.print(said, markup=False, highlight=False, soft_wrap=True)
        if reload:
            serve_again(partial(Serving.serve, serving), folder, bound)
        else:
            serving.serve([bound])


def _check_reach(listening: Listening) -> None:
    if not listening.is_loopback:
        raise ConfigError(
            f"{listening.host} can be reached from other machines, and nobody is asked for a key.",
            hint="Listen on 127.0.0.1.",
        )
