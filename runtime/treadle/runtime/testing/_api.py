"""The API behind the sockets: from a request to the bytes that answer it."""

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from treadle.runtime.testing._chat import completion, completion_chunks
from treadle.runtime.testing._chat_rules import check_chat
from treadle.runtime.testing._checks import require, string
from treadle.runtime.testing._conversations import Conversations, Item
from treadle.runtime.testing._embeddings import check_embeddings, embedding_tokens, embeddings
from treadle.runtime.testing._errors import ApiError, bad_request
from treadle.runtime.testing._exchange import FIRST_CREATED_UNIX_SECONDS, Exchange, Wire
from treadle.runtime.testing._replies import Answer, Break, Broken, Failure
from treadle.runtime.testing._requests import Json, Rejected, Request, without_secrets
from treadle.runtime.testing._responses import output_items, response, response_events, response_id
from treadle.runtime.testing._responses_rules import check_conversation, check_responses
from treadle.runtime.testing._script import Script
from treadle.runtime.testing._tokens import Billed, count_prompt

_MODELS_PATH = "/v1/models"
_DEFAULT_MODELS = ("gpt-5-mini", "text-embedding-3-small")
_BROKEN_JSON = b'data: {"id": "cut off here\n\n'


class Api:
    """Answers requests from a script, as strictly as the real API; safe between threads.

    Attributes:
        requests: every request so far, in the order of arrival.
        rejected: those refused as the real API would refuse them.
        billed: what the answers so far cost.
    """

    def __init__(self, script: Script, *, api_key: str, models: Collection[str] | None) -> None:
        self._script = script
        self._api_key = api_key
        self._models = models
        self._lock = threading.Lock()
        self._conversations = Conversations()
        self._tag = secrets.token_hex(5)
        self._answers = 0
        self.requests: list[Request] = []
        self.rejected: list[Rejected] = []
        self.billed = Billed()

    def respond(self, method: str, target: str, headers: Mapping[str, str], sent: bytes) -> Wire:
        """Answer one request; ``headers`` by lower-case name."""
        body, unreadable = _parse(sent)
        path = target.split("?", 1)[0]
        request = Request(method, path, without_secrets(headers), body)
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        try:
            wire = self._routed(request, headers.get("authorization", ""), unreadable)
        except ApiError as error:
            if error.code != "script_mismatch":
                with self._lock:
                    self.rejected.append(
                        Rejected(request, error.status, error.message, error.param)
                    )
            wire = _error(error)
        except Exception as error:  # a fault of ours must fail the test, not hang its client
            wire = _error(self._script.problem(f"the server failed on {path}: {error!r}"))
        return replace(wire, headers={**wire.headers, "x-request-id": f"req_{self._tag}{number}"})

    def _routed(self, request: Request, authorization: str, unreadable: ApiError | None) -> Wire:
        endpoints: dict[str, Callable[[Request], Wire]] = {
            "/v1/chat/completions": self._chat,
            "/v1/responses": self._responses,
            "/v1/embeddings": self._embeddings,
        }
        lists_models = request.path == _MODELS_PATH or request.path.startswith(f"{_MODELS_PATH}/")
        if not lists_models and request.path not in endpoints:
            message = f"Invalid URL ({request.method} {request.path})"
            raise ApiError(404, message, code="unknown_url")
        if request.method != ("GET" if lists_models else "POST"):
            message = f"Not allowed to {request.method} on {request.path}."
            raise ApiError(405, message, code="method_not_supported")
        self._check_key(authorization)
        if lists_models:
            return self._list_models(request.path)
        if unreadable is not None:
            raise unreadable
        self._check_model(request.body)
        return endpoints[request.path](request)

    def _check_key(self, authorization: str) -> None:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            message = "You didn't provide an API key in an Authorization: Bearer header."
            raise ApiError(401, message)
        if not hmac.compare_digest(key.strip().encode(), self._api_key.encode()):
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")

    def _check_model(self, body: Json) -> None:
        model = require(body, "model")
        string(model, "model")
        if not model or (self._models is not None and model not in self._models):
            raise _no_model(model)

    def _list_models(self, path: str) -> Wire:
        names = _DEFAULT_MODELS if self._models is None else tuple(self._models)
        listed = [
            {
                "id": name,
                "object": "model",
                "created": FIRST_CREATED_UNIX_SECONDS,
                "owned_by": "script",
            }
            for name in names
        ]
        if path == _MODELS_PATH:
            return _json(200, {"object": "list", "data": listed})
        wanted = path.removeprefix(f"{_MODELS_PATH}/")
        for model in listed:
            if model["id"] == wanted:
                return _json(200, model)
        raise _no_model(wanted)

    def _chat(self, request: Request) -> Wire:
        check_chat(request.body)
        reply = self._script.reply_to(request)
        if isinstance(reply, Failure):
            return _error(reply.error())
        exchange = self._exchange(request, reply)
        if request.stream:
            events = map(_data_event, completion_chunks(exchange))
            return _delivered(reply, events=chain(events, [b"data: [DONE]\n\n"]))
        return _delivered(reply, body=completion(exchange))

    def _responses(self, request: Request) -> Wire:
        items = check_responses(request.body)
        self._check_conversation(request.body.get("previous_response_id"), items)
        reply = self._script.reply_to(request)
        if isinstance(reply, Failure):
            return _error(reply.error())
        exchange = self._exchange(request, reply)
        if isinstance(reply, Answer):
            self._keep(exchange, items)
        if request.stream:
            return _delivered(reply, events=map(_typed_event, response_events(exchange)))
        return _delivered(reply, body=response(exchange))

    def _check_conversation(self, previous_id: str | None, items: list[Item]) -> None:
        with self._lock:
            conversation = [*self._conversations.earlier(previous_id), *items]
            check_conversation(conversation)
            self._conversations.check_reasoning(conversation)

    def _keep(self, exchange: Exchange, items: list[Item]) -> None:
        with self._lock:
            self._conversations.keep(
                response_id(exchange),
                exchange.body.get("previous_response_id"),
                items,
                output_items(exchange),
                stored=exchange.body.get("store") is not False,
            )

    def _embeddings(self, request: Request) -> Wire:
        check_embeddings(request.body)
        tokens = embedding_tokens(request.body)
        with self._lock:
            self.billed = self.billed.plus(tokens)
        return _json(200, embeddings(request.body, tokens))

    def _exchange(self, request: Request, reply: Answer | Broken) -> Exchange:
        answer = reply.answer if isinstance(reply, Broken) else reply
        tokens = answer.tokens_for(count_prompt(request.body))
        with self._lock:
            self._answers += 1
            number = self._answers
            if not _is_silent(reply):
                self.billed = self.billed.plus(tokens)
        created = FIRST_CREATED_UNIX_SECONDS + number
        return Exchange(f"{self._tag}{number:05d}", created, request.body, answer, tokens)


def _parse(sent: bytes) -> tuple[Json, ApiError | None]:
    """Return the body, or an empty one and the error that says why it cannot be read."""
    try:
        body = json.loads(sent, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return {}, bad_request("We could not parse the JSON body of your request.")
    if not isinstance(body, dict):
        return {}, bad_request("The JSON body of your request is not an object.")
    return body, None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _no_model(name: str) -> ApiError:
    message = f"The model '{name}' does not exist or you do not have access to it."
    return ApiError(404, message, param="model", code="model_not_found")


def _is_silent(reply: Answer | Broken) -> bool:
    return isinstance(reply, Broken) and reply.after_chunks is None


def _delivered(
    reply: Answer | Broken, *, body: Json | None = None, events: Iterable[bytes] = ()
) -> Wire:
    """Return the answer as it travels: one body, or the events of a stream, whole or broken."""
    wire = _json(200, body) if body is not None else _stream(events)
    if isinstance(reply, Answer):
        return wire
    if reply.how is Break.GARBLE:
        return _garbled(wire, reply.after_chunks or 0)
    return replace(
        wire,
        parts=() if _is_silent(reply) else _start(wire, reply.after_chunks or 0),
        ending=reply.how,
        silent=_is_silent(reply),
        max_seconds=reply.max_seconds,
    )


def _garbled(wire: Wire, after_chunks: int) -> Wire:
    parts = list(_start(wire, after_chunks))
    if wire.length is None:
        return replace(wire, parts=[*parts, _BROKEN_JSON])
    return replace(wire, parts=parts, length=sum(map(len, parts)))


def _start(wire: Wire, after_chunks: int) -> Iterator[bytes]:
    if wire.length is None:
        yield from islice(wire.parts, after_chunks)
    else:
        yield b"".join(wire.parts)[: wire.length // 2]


def _error(error: ApiError) -> Wire:
    wire = _json(error.status, error.body())
    return replace(wire, headers={**wire.headers, **error.headers})


def _json(status: int, body: Json) -> Wire:
    written = json.dumps(body).encode("ascii")
    return Wire(status, [written], {"content-type": "application/json"}, len(written))


def _stream(events: Iterable[bytes]) -> Wire:
    return Wire(200, events, {"content-type": "text/event-stream; charset=utf-8"})


def _data_event(data: Json) -> bytes:
    return b"data: " + json.dumps(data).encode("ascii") + b"\n\n"


def _typed_event(data: Json) -> bytes:
    return f"event: {data['type']}\n".encode() + _data_event(data)
