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
from treadle.server.security import ApiKeys


@dataclass(frozen=True)
class Serving:
    """How a server was asked for.

    Attributes:
        opening: how its runtime is opened.
        listening: where it listens.
        is_open: whether whoever can connect is let in.
        workers: how many workers execute queued runs.
    """

    opening: Opening
    listening: Listening
    is_open: bool = False
    workers: int = 1

    def serve(self, sockets: list[socket.socket] | None) -> None:
        """Serve until somebody stops it.

        Raises:
            TreadleError: the runtime cannot be opened.
        """
        [bound] = sockets or []
        folder = project_folder(self.opening.project)
        for said in adopt_environment(folder):
            err.print(said, style="yellow", markup=False, soft_wrap=True)

        needs_key = not (self.is_open or self.listening.is_loopback)

        async def within(runtime: Runtime) -> None:
            if needs_key:
                await _check_keys(self.listening, runtime)
            made = app(
                runtime,
                requires_key=needs_key,
                hosts=self.listening.names,
                workers=self.workers,
            )
            async with runtime.unattended(made.state.serving.attends_to):
                url = url_of(bound)
                said = f"Serving {folder.name} at {url}; {url}/docs lists the routes."
                err.print(said, markup=False, highlight=False, soft_wrap=True)
                await serve(made, bound, runtime.settings.server.stop_seconds)

        self.opening.run(within)


def run_serve(serving: Serving, *, reload: bool) -> None:
    """Serve a project's agents until somebody stops it.

    Raises:
        TreadleError: the address cannot be listened on, or the runtime cannot be opened.
    """
    folder = project_folder(serving.opening.project)
    bound = serving.listening.bind()
    with bound:
        if reload:
            serve_again(partial(Serving.serve, serving), folder, bound)
        else:
            serving.serve([bound])


async def _check_keys(listening: Listening, runtime: Runtime) -> None:
    """Refuse to be reached by other machines where nobody could show a key.

    Raises:
        ConfigError: there is no key, and nothing else to know callers by.
    """
    server = runtime.settings.server
    if server.jwt or server.authenticate or await ApiKeys(runtime.redis).any():
        return
    raise ConfigError(
        f"{listening.host} can be reached from other machines, and there is no key to ask for.",
        hint="Make one with 'treadle keys create NAME', set up [server.jwt] in treadle.toml, or "
        "say --without-authentication.",
    )
