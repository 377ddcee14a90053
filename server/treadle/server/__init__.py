"""The server: a project's agents over HTTP, for the clients people already have.

``app(runtime)`` makes the ASGI application; ``treadle serve`` runs it.
"""

from treadle.server._app import TITLE, app
from treadle.server._environment import adopt_environment
from treadle.server._reloading import serve_again
from treadle.server._serve import Listening, serve, url_of

__all__ = ["TITLE", "Listening", "adopt_environment", "app", "serve", "serve_again", "url_of"]
