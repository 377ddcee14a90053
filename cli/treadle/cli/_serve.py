"""``treadle serve``."""

import socket
import sys
from dataclasses import dataclass, replace
from functools import partial

from treadle.cli._console import err, log_runs
from treadle.cli._exit import exit_code
from treadle.cli._opening import Opening
from treadle.cli._sharing import tell_of_neighbour
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
        is_reloaded: whether it is started again at every change: then what streams is cut at once.
    """

    opening: Opening
    listening: Listening
    is_open: bool = False
    workers: int = 1
    is_reloaded: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether others than this machine's own programs can connect, and not all are let in."""
        return not (self.is_open or self.listening.is_loopback)

    def serve(self, sockets: list[socket.socket] | None) -> None:
        """Serve until somebody stops it.

        Raises:
            TreadleError: the runtime cannot be opened.
        """
        [bound] = sockets or []
        log_runs()
        folder = project_folder(self.opening.project)
        for said in adopt_environment(folder):
            err.print(said, style="yellow", markup=False, soft_wrap=True)

        async def within(runtime: Runtime) -> None:
            if self.needs_key:
                await _check_keys(self.listening, runtime)
            await tell_of_neighbour(runtime)
            made = app(
                runtime,
                requires_key=self.needs_key,
                hosts=self.listening.names,
                workers=self.workers,
            )
            async with runtime.unattended(made.state.serving.attends_to):
                self._tell(url_of(bound), runtime)
                settings = runtime.settings.server
                if self.is_reloaded:
                    settings = settings.model_copy(update={"stop_seconds": 0})
                await serve(made, bound, settings)

        self.opening.run(within)

    def _tell(self, url: str, runtime: Runtime) -> None:
        """Say that it serves, and to whom."""
        server = runtime.settings.server
        said = f"Serving {runtime.project.name} at {url}; {url}/docs lists the routes."
        if self.needs_key or server.require_key:
            said += " Requests need a key."
        err.print(said, markup=False, highlight=False, soft_wrap=True)
        if not (self.listening.names or server.hosts):
            said = (
                "It listens on every address of this machine, and answers as localhost and "
                "127.0.0.1 alone: [server] hosts in treadle.toml lists its other names."
            )
            err.print(said, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def serve_until_changed(self, sockets: list[socket.socket] | None) -> None:
        """Serve in a process of its own, and leave it; where that fails, say why and what next."""
        if code := exit_code(partial(self.serve, sockets)):
            err.print("It is started again when a file changes.", highlight=False, soft_wrap=True)
        sys.exit(code)


def run_serve(serving: Serving, *, reload: bool) -> None:
    """Serve a project's agents until somebody stops it.

    Raises:
        TreadleError: the address cannot be listened on, or the runtime cannot be opened.
    """
    folder = project_folder(serving.opening.project)
    bound = serving.listening.bind()
    with bound:
        if reload:
            served = replace(serving, is_reloaded=True)
            serve_again(served.serve_until_changed, folder, bound)
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
