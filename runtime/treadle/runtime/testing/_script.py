"""The script: which reply comes next, and what did not fit."""

import reprlib
import threading
from collections.abc import Callable, Sequence

from treadle.runtime.testing._errors import ApiError
from treadle.runtime.testing._replies import Answer, Broken, ModelReply
from treadle.runtime.testing._requests import Request

Step = ModelReply | Callable[[Request], ModelReply]
ScriptLike = Sequence[Step] | Callable[[Request], ModelReply]

_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 120


class Script:
    """Hands out replies in the order in which requests arrive; safe between threads.

    Attributes:
        problems: what did not fit, one sentence each, so far.
    """

    def __init__(self, steps: ScriptLike) -> None:
        self._forever = steps if callable(steps) else None
        self._steps: list[Step] = [] if callable(steps) else _checked(steps)
        self._taken = 0
        self._lock = threading.Lock()
        self.problems: list[str] = []

    def reply_to(self, request: Request) -> ModelReply:
        """Return the next reply. Functions of the script are called one at a time.

        Raises:
            ApiError: there is none, or it does not fit the request; kept as a problem too.
        """
        with self._lock:
            self._taken += 1
            reply = self._next(request)
            self._check_offered(reply, request)
            return reply

    def leftovers(self) -> list[str]:
        """Return a sentence when replies were never asked for."""
        left = self._steps[self._taken :]
        if not left:
            return []
        shown = _shown.repr(left[0])
        return [f"{len(left)} of {len(self._steps)} replies were never asked for; next: {shown}"]

    def problem(self, sentence: str) -> ApiError:
        """Keep a problem, and return the error that tells the client not to try again."""
        self.problems.append(sentence)
        return ApiError(
            500,
            f"The test's script does not fit: {sentence}",
            kind="server_error",
            code="script_mismatch",
            headers={"x-should-retry": "false"},
        )

    def _next(self, request: Request) -> ModelReply:
        if self._forever is not None:
            return self._ask(self._forever, request)
        if self._taken > len(self._steps):
            raise self.problem(
                f"request {self._taken} ({_described(request)}) came after the "
                f"{len(self._steps)} replies of the script; add a reply, or see why it was sent"
            )
        step = self._steps[self._taken - 1]
        return step if isinstance(step, ModelReply) else self._ask(step, request)

    def _ask(self, function: Callable[[Request], ModelReply], request: Request) -> ModelReply:
        try:
            reply: object = function(request)
        except Exception as error:
            sentence = f"its function failed on request {self._taken} ({_described(request)})"
            raise self.problem(f"{sentence}: {error!r}") from error
        if isinstance(reply, ModelReply):
            return reply
        raise self.problem(
            f"its function returned {_shown.repr(reply)} for request {self._taken}, "
            "not a reply such as say(...) or call(...)"
        )

    def _check_offered(self, reply: ModelReply, request: Request) -> None:
        answer = reply.answer if isinstance(reply, Broken) else reply
        if not isinstance(answer, Answer):
            return
        for call in answer.tool_calls:
            if call.must_be_offered and call.name not in request.tool_names:
                offered = ", ".join(request.tool_names) or "no tool"
                raise self.problem(
                    f"reply {self._taken} calls {call.name!r}, but the request offers {offered}; "
                    "broken_call() is for a call that nobody offered"
                )


def _checked(steps: object) -> list[Step]:
    if not isinstance(steps, Sequence) or isinstance(steps, str | bytes):
        raise TypeError(f"a script is a list of replies or a function, not {_shown.repr(steps)}")
    for at, step in enumerate(steps):
        if not isinstance(step, ModelReply) and not callable(step):
            raise TypeError(
                f"reply {at + 1} of the script is {_shown.repr(step)}, not a reply such as "
                "say(...) or call(...), nor a function that returns one"
            )
    return list(steps)


def _described(request: Request) -> str:
    asked = _shown.repr(request.last_user_text)
    return f"{request.method} {request.path}, last user message {asked}"
