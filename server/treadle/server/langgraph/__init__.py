"""The protocol of LangGraph's server, for the clients people already have.

``langgraph_router`` holds assistants, threads, states, runs, crons and the store. An application
that includes it sets ``app.state.runtime_of`` to a coroutine function that returns the runtime of a
request's tenant. `ProtocolThreads` keeps what other protocols know of threads as well.
"""

from treadle.server._routing import collected
from treadle.server.langgraph import assistants, commands, crons, runs, states, store, threads
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads
from treadle.server.langgraph.threads import remove_thread

__all__ = ["ProtocolThreads", "Rt", "langgraph_router", "remove_thread"]

# Those are tried first that are asked most, but for crons: their paths would be those of runs too.
_PARTS = (crons, runs, threads, states, commands, assistants, store)

langgraph_router = collected(*(part.router for part in _PARTS))
"""The protocol's routes."""
