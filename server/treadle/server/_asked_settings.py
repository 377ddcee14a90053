"""What a request asks of the models that an agent calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle.core.model_settings import ModelSettings
from treadle.runtime import Runtime
from treadle.server._problems import refused

_USUAL: Mapping[str, Any] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "verbosity": "medium",
}
"""What OpenAI's API says it does where nothing is said; clients send it without meaning anything by
it, also to agents whose models can be told nothing."""


@dataclass(frozen=True)
class AskedSettings:
    """The model settings of a request.

    Attributes:
        values: the settings.
        places: where in the request each is that is not found under its own name.
    """

    values: ModelSettings = field(default_factory=ModelSettings)
    places: Mapping[str, str] = field(default_factory=dict)

    def taken_by(self, rt: Runtime, agent: str) -> "AskedSettings":
        """Return them without what an agent's models do anyway.

        Raises:
            RequestValidationError: its models do not take one of them.
        """
        given = self.values.given()
        if not given:
            return self
        taken = rt.settings_taken(agent)
        for name in given.keys() - taken:
            if given[name] != _USUAL.get(name):
                why = f"a model of the agent {agent!r} does not take it; leave it out"
                raise refused(self.places.get(name, name), why)
        kept = {name: value for name, value in given.items() if name in taken}
        return AskedSettings(ModelSettings.read(kept), self.places)

    def check_same(self, run_id: str, begun_with: ModelSettings) -> None:
        """See that a run can go on as it began: its models are given the same to its end.

        Raises:
            RequestValidationError: something else is asked for now.
        """
        before = begun_with.given()
        for name, value in self.values.given().items():
            if before.get(name) != value:
                was = f"with {before[name]!r}" if name in before else "without it"
                why = f"the run {run_id}, which goes on, began {was}; ask so again, or leave it out"
                raise refused(self.places.get(name, name), why)
