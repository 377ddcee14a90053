"""The Agent2Agent protocol at ``/a2a/{agent}``: a task is a run, a context is a thread.

It needs the extra ``a2a``; without it each of its addresses says so. Of the SDK its types and
their JSON are used, and nothing that keeps tasks or events: both are Treadle's own runs.
"""

from treadle.server.a2a._routes import a2a_router

__all__ = ["a2a_router"]
