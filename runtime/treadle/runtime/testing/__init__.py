"""The testing kit: a scripted model provider on loopback, for testing agents offline.

A test writes down what the model says, points its agent or client at the server, and looks at
what was asked::

    with ScriptedOpenAI([call("get_time", city="Paris"), say("It is noon.")]) as server:
        ...  # run the agent with base_url=server.base_url, api_key=server.api_key
    assert server.requests[1].tool_outputs

It needs nothing but the standard library. As a pytest fixture, and for recorded runs as tests:
``treadle.runtime.testing.plugin``.
"""

from treadle.runtime.testing._errors import ScriptError
from treadle.runtime.testing._replies import (
    Answer,
    Broken,
    Failure,
    ModelReply,
    ToolCall,
    broken_call,
    call,
    calls,
    context_too_long,
    cut_off,
    disconnect,
    fail,
    half_stream,
    hang,
    malformed_json,
    quota_exceeded,
    rate_limited,
    refuse,
    say,
    server_error,
    unauthorized,
)
from treadle.runtime.testing._requests import Rejected, Request
from treadle.runtime.testing._server import ScriptedOpenAI
from treadle.runtime.testing._tokens import Billed, Tokens

__all__ = [
    "Answer",
    "Billed",
    "Broken",
    "Failure",
    "ModelReply",
    "Rejected",
    "Request",
    "ScriptError",
    "ScriptedOpenAI",
    "Tokens",
    "ToolCall",
    "broken_call",
    "call",
    "calls",
    "context_too_long",
    "cut_off",
    "disconnect",
    "fail",
    "half_stream",
    "hang",
    "malformed_json",
    "quota_exceeded",
    "rate_limited",
    "refuse",
    "say",
    "server_error",
    "unauthorized",
]
