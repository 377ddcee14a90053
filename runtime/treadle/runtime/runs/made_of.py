"""What a run's agent is made of: its definition, the prompts, and the version of Treadle."""

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from treadle.agents import Agent
from treadle.core.redaction import Redactor
from treadle.runtime.journal import Difference, EntryType, Journal, first_difference

_PLACE = "the agent"


@cache
def _version() -> str:
    return version("treadle")


def made_of(agent: Agent, prompts: Mapping[str, str], redactor: Redactor) -> dict[str, Any]:
    """Return what the first entry of a journal says of it.

    Args:
        agent: the definition.
        prompts: the digests of its prompts and its graph's file; see `treadle.graphs.versions`.
        redactor: takes secrets out of the definition.
    """
    return {
        "definition": _definition(agent.model_dump_json(), redactor),
        "prompts": dict(prompts),
        "treadle": _version(),
    }


@lru_cache(maxsize=256)
def _definition(text: str, redactor: Redactor) -> Mapping[str, Any]:
    """Return a definition without secrets: the same one is looked through for every run."""
    found: Mapping[str, Any] = json.loads(redactor.redact_json(text))
    return found


def recorded(journal: Journal) -> Mapping[str, Any]:
    """Return what a recorded run's agent was made of; nothing where that is not told."""
    started = journal.of_type(EntryType.RUN_STARTED)
    return started[0].data if started else {}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return what is made otherwise: one difference for each field, prompt and version.

    What only one side tells of is left out: older journals tell less.
    """
    parts = [
        ("", _part(before, "definition"), _part(now, "definition")),
        ("prompts.", _part(before, "prompts"), _part(now, "prompts")),
        ("", _version_in(before), _version_in(now)),
    ]
    found = []
    for prefix, old, new in parts:
        if not old or not new:
            continue
        for name in dict.fromkeys([*old, *new]):
            inner = first_difference(old.get(name), new.get(name), f"{prefix}{name}")
            if inner is not None:
                found.append(Difference(_PLACE, *inner))
    return found


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}


def _version_in(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"treadle": told["treadle"]} if "treadle" in told else {}
