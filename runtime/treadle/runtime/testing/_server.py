"""The scripted server that tests talk to."""

import os
from collections.abc import Collection
from types import TracebackType
from typing import Self

from treadle.runtime.testing._api import Api
from treadle.runtime.testing._errors import ScriptError
from treadle.runtime.testing._http import HOST, Listener
from treadle.runtime.testing._requests import Rejected, Request
from treadle.runtime.testing._script import Script, ScriptLike
from treadle.runtime.testing._tokens import Billed


class ScriptedOpenAI:
    """An OpenAI-compatible server on loopback that answers from a script.

    Use it in a ``with`` block, in synchronous and asynchronous tests alike; it lives in threads
    of its own. It serves ``/v1/chat/completions``, ``/v1/responses``, ``/v1/embeddings`` and
    ``/v1/models``, and refuses what the real API refuses. A refused request takes no reply from
    the script; an embedding neither.

    Args:
        script: the replies, in the order in which requests will arrive. An item may be a
            function from the request to the reply; a function in place of the list answers
            every request. Functions are called one at a time.
        api_key: the one key that is accepted.
        models: the models there are; ``None`` takes any name.
        verify: check at the end of the block that script and requests matched; ``False`` leaves
            that to :meth:`verify`.

    Raises:
        TypeError: the script holds something that is no reply.
        ScriptError: at the end of the block: a request came after the last reply, a reply was
            left over, a reply called a tool that was not offered, or a function failed. When the
            block itself raised, that exception stays, with these findings as a note.
    """

    def __init__(
        self,
        script: ScriptLike,
        *,
        api_key: str = "test-key",
        models: Collection[str] | None = None,
        verify: bool = True,
    ) -> None:
        self.api_key = api_key
        self._script = Script(script)
        self._api = Api(self._script, api_key=api_key, models=models)
        self._verify_at_end = verify
        self._listener: Listener | None = None
        self._port = 0

    def __enter__(self) -> Self:
        if self._port:
            raise ScriptError("This ScriptedOpenAI was started before; make a new one.")
        self._listener = Listener(self._api.respond, self._failed)
        self._port = self._listener.port
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if not self._verify_at_end:
            return
        if error is None:
            self.verify()
        elif self._script.problems:
            error.add_note(self._findings())

    @property
    def base_url(self) -> str:
        """The address for a client's ``base_url``, such as ``http://127.0.0.1:41234/v1``.

        Raises:
            ScriptError: the server has not been started.
        """
        if not self._port:
            raise ScriptError("The server has not started: use it in a `with` block.")
        return f"http://{HOST}:{self._port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point OpenAI clients, and LangChain's, at this server."""
        no_proxy = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
        return {
            "OPENAI_API_KEY": self.api_key,
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_BASE": self.base_url,
            "NO_PROXY": ",".join(filter(None, [no_proxy, HOST])),
        }

    @property
    def requests(self) -> list[Request]:
        """Every request so far in the order of arrival, the refused ones too."""
        return list(self._api.requests)

    @property
    def rejected(self) -> list[Rejected]:
        """The requests refused as the real API would refuse them."""
        return list(self._api.rejected)

    @property
    def billed(self) -> Billed:
        """What a provider would have charged for so far."""
        return self._api.billed

    def verify(self) -> None:
        """Check that every request found its reply, and every reply its request.

        Raises:
            ScriptError: they did not match; the message lists each problem.
        """
        if self._script.problems or self._script.leftovers():
            raise ScriptError(self._findings())

    def close(self) -> None:
        """Stop at once, dropping the connections that are open; again is harmless."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _findings(self) -> str:
        found = [*self._script.problems, *self._script.leftovers()]
        refused = [f"refused with {one.status}: {one.message}" for one in self._api.rejected]
        return "\n- ".join(["The script and the requests did not match:", *found, *refused])

    def _failed(self, error: BaseException) -> None:
        self._script.problem(f"the server failed on a request: {error!r}")
