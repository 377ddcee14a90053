"""Answers that fit a JSON schema: mended where that is safe, else asked for again."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.structured_output import StructuredOutputValidationError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.runnables import Runnable

from treadle.core.errors import ModelError
from treadle.graphs._cut_short import cut_short
from treadle.graphs._prompts import Prompts
from treadle.graphs._repair import problem_of, read_arguments
from treadle.memory.window import aside

REPAIRS = 2
"""How often an answer that does not fit its schema is asked for again."""

_MAX_SHOWN = 4_000
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_Ask = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


class MisfitError(ModelError):
    """The model's answer does not fit the output schema, however often it was asked."""


def structured(schema: dict[str, Any]) -> Callable[[BaseChatModel], Runnable[Any, Any]]:
    """Return how a model is made to fill the schema."""
    return lambda model: model.with_structured_output(schema, include_raw=True)


def misfit(data: object, schema: dict[str, Any]) -> str:
    """Return what of some data does not fit a JSON schema; nothing when all of it does."""
    jsonschema = import_module("jsonschema")
    registry = import_module("referencing").Registry()  # An empty one: nothing is fetched.
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    error = jsonschema.exceptions.best_match(kind(schema, registry=registry).iter_errors(data))
    return "" if error is None else f"{error.json_path}: {error.message}"


async def filled(
    ask: Callable[[list[AnyMessage]], Awaitable[Mapping[str, Any]]],
    prompt: Sequence[BaseMessage],
    schema: dict[str, Any],
    prompts: Prompts,
) -> tuple[AIMessage, Any]:
    """Ask for data until it fits, at most `REPAIRS` times more than once.

    What was refused or cut off is not asked for again: it would be again.

    Args:
        ask: asks the model, as `structured` makes it.
        prompt: what it is asked.
        schema: what the data must fit.
        prompts: where it is said how to ask again.

    Returns:
        The reply, and its data; ``None`` where it was refused or cut off.

    Raises:
        MisfitError: it does not fit in the end.
    """
    messages: list[Any] = list(prompt)
    for _ in range(REPAIRS + 1):
        result = await ask(messages)
        raw = result["raw"]
        data, problem = _read(result["parsed"], raw.text, schema)
        if not problem:
            return raw, data
        if cut_short(raw):
            return raw, None
        messages = [*messages, *_again(raw, problem, prompts)]
    raise _does_not_fit(problem)


class OutputRepair(AgentMiddleware[Any, Any]):
    """Has ``create_agent`` answer with data that fits the schema.

    Args:
        schema: the schema; without one nothing is changed.
        prompts: where it is said how to ask again.
    """

    def __init__(self, schema: dict[str, Any] | None, prompts: Prompts) -> None:
        super().__init__()
        self._schema = schema
        self._prompts = prompts

    async def awrap_model_call(self, request: ModelRequest[Any], handler: _Ask) -> Any:
        """Pass the call on, and ask again while the data does not fit."""
        schema = self._schema
        if schema is None or request.response_format is None:
            return await handler(request)
        if not request.tools:
            return await self._without_tools(request, schema)
        for _ in range(REPAIRS + 1):
            data: Any = None
            try:
                response = await handler(request)
            except StructuredOutputValidationError as error:
                result: list[BaseMessage] = [error.ai_message]
            else:
                result, data = response.result, response.structured_response
                if data is None:
                    return response
            data, problem = _read(data, result[0].text, schema)
            if not problem:
                return ModelResponse(result, data)
            if isinstance(result[0], AIMessage) and cut_short(result[0]):
                return ModelResponse(result)
            messages = [*request.messages, *_again(result[0], problem, self._prompts)]
            request = request.override(messages=messages)
        raise _does_not_fit(problem)

    async def _without_tools(
        self, request: ModelRequest[Any], schema: dict[str, Any]
    ) -> ModelResponse[Any]:
        """Ask as graphs without tools do: providers refuse an empty list of tools."""
        system = [request.system_message] if request.system_message else []
        model = structured(schema)(request.model)
        prompt = [*system, *request.messages]
        raw, data = await filled(model.ainvoke, prompt, schema, self._prompts)
        return ModelResponse([raw], data)


def _read(data: Any, text: str, schema: dict[str, Any]) -> tuple[Any, str]:
    """Return the data of a reply, and what is wrong with it."""
    if text.strip():
        # LangChain closes what a reply left open, and so makes another answer of one cut short.
        fenced = _FENCED.search(text)
        data = read_arguments(fenced[1] if fenced else text)
    if data is None:
        return None, f"it is no JSON object: {problem_of(text)}."
    return data, misfit(data, schema)


def _again(raw: BaseMessage, problem: str, prompts: Prompts) -> list[AnyMessage]:
    """Return what is said to have an answer that does not fit again."""
    return [AIMessage(raw.text[:_MAX_SHOWN]), aside(f"{prompts('fit_output')}\n\n{problem}")]


def _does_not_fit(problem: str) -> MisfitError:
    return MisfitError(
        f"The model's answer does not fit the output schema: {problem}",
        hint="Ask again, simplify the schema, or use a stronger model.",
    )
