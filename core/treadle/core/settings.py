"""The settings of a project: ``treadle.toml`` and the environment.

Secrets are never settings: a model profile names the environment variable that holds its key.
"""

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from treadle.core.addresses import Allowed
from treadle.core.errors import ConfigError, InputError
from treadle.core.limits import Limits
from treadle.core.mcp import McpServer, ServerName
from treadle.core.model_settings import ModelSettingName
from treadle.core.notifying import NotificationSettings, SmtpSettings
from treadle.core.scheduling import QueueName, ScheduleName, ScheduleSettings
from treadle.core.tool_settings import ToolSettings
from treadle.core.usage import Price

SETTINGS_FILE = "treadle.toml"
EMBEDDED_MODEL = "embedded"
_TENANT = r"^[A-Za-z0-9._-]{1,100}$"


class _Section(BaseModel):
    """A table of the settings file: unknown keys are errors, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceSettings(_Section):
    """A model's price in US dollars per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cached_input: Decimal | None = Field(default=None, ge=0)

    def to_price(self) -> Price:
        """Return it as the `Price` that usage is computed with."""
        return Price(self.input, self.output, self.cached_input)


class ModelProfile(_Section):
    """A model by a name of the project's own, such as ``fast`` or ``smart``.

    Attributes:
        model: ``provider:model``, such as ``openai:gpt-5-mini``.
        base_url: an OpenAI-compatible server's address, for ``openai:`` models.
        api_key_env: the environment variable that holds the key; the provider's usual one when
            not set.
        context_tokens: how many tokens fit in a request, answer included.
        max_output_tokens: how long an answer may be.
        temperature: sampling temperature; the provider's default when not set.
        timeout_seconds: how long one attempt may take.
        max_retries: how often a failed attempt is repeated, with backoff.
        price: US dollars per million tokens; without it the cost in money is not known.
        fallbacks: models asked in order when this one fails.
        tool_calls: ``native`` by the provider's interface, or ``text`` for a model without one: it
            writes what to call.
        takes: the model settings that callers may give it, such as ``temperature`` and ``stop``;
            those that are known to reach it when not set. Name one for a provider other than
            OpenAI's only where its LangChain class passes it on.
    """

    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    context_tokens: int | None = Field(default=None, gt=0)
    max_output_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0, le=2)
    timeout_seconds: float = Field(default=60, gt=0)
    max_retries: int = Field(default=2, ge=0, le=10)
    price: PriceSettings | None = None
    fallbacks: tuple[str, ...] = ()
    tool_calls: Literal["native", "text"] = "native"
    takes: tuple[ModelSettingName, ...] | None = None


class RedisSettings(_Section):
    """Where Redis is.

    Attributes:
        url: as `treadle.memory.connect` takes it; the embedded Redis when not set.
    """

    url: str | None = None


class ThreadSettings(_Section):
    """How conversations are kept.

    Attributes:
        keep_days: how long a thread is kept after it was last written to, all of it together; for
            ever when not set.
        encryption: ``on`` encrypts checkpoints, transcripts and facts with the keys in
            ``TREADLE_ENCRYPTION_KEYS``, and recalls no earlier turns, as they are found by their
            words; ``switching-on`` also reads what was stored before it was on.
    """

    keep_days: float | None = Field(default=None, gt=0, le=36_500)
    encryption: Literal["off", "switching-on", "on"] = "off"

    @property
    def keep(self) -> timedelta | None:
        """How long a thread is kept, ``None`` for ever."""
        return None if self.keep_days is None else timedelta(days=self.keep_days)


class RunSettings(_Section):
    """How runs are kept and executed.

    Attributes:
        keep_days: how long a run and its journal are kept after they were last written to.
        lease_seconds: how soon the thread of a process that died is free again. A process that
            stands still for longer loses its run.
        concurrent: how many runs one process executes at once; others wait their turn.
    """

    keep_days: float = Field(default=30, gt=0, le=36_500)
    lease_seconds: float = Field(default=10, ge=1, le=3_600)
    concurrent: int = Field(default=32, ge=1, le=10_000)


class QueueSettings(_Section):
    """How workers execute queued runs.

    Attributes:
        attempts: how often a run is tried whose worker died or whose provider failed, before it is
            given up and kept among the dead.
        backoff_seconds: how long the second attempt waits after a failure; every further one waits
            twice as long, up to five minutes.
        drain_seconds: how long a worker that is told to stop lets its runs go on to the end of
            their superstep; what is not there by then is handed over as it stands.
        concurrency: how many runs of a named queue are at work at once over all workers; a queue
            that is not named here has no such limit.
    """

    attempts: int = Field(default=5, ge=1, le=1_000)
    backoff_seconds: float = Field(default=1, ge=0, le=300)
    drain_seconds: float = Field(default=10, ge=0, le=3_600)
    concurrency: Mapping[QueueName, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)


class OutgoingSettings(_Section):
    """Where tools and webhooks may send requests besides the public internet.

    Attributes:
        allow: hosts such as ``wiki.internal`` or ``localhost:8888``, and networks such as
            ``10.0.5.0/24``.
    """

    allow: tuple[str, ...] = ()

    @field_validator("allow")
    @classmethod
    def _can_be_read(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        Allowed.parse(entries)
        return entries

    def allowed(self) -> Allowed:
        """Return it as what requests are checked against."""
        return Allowed.parse(self.allow)


class BudgetSettings(_Section):
    """What all runs of a tenant may use together.

    Attributes:
        per_day: on one day, UTC; a run belongs to the day on which it begins.
        total: over all days.
    """

    per_day: Limits = Limits()
    total: Limits = Limits()


class JwtSettings(_Section):
    """Which tokens (JWT) of an OpenID provider the server takes.

    Attributes:
        issuer: the provider's address, as its tokens name it.
        audience: the name of this server, as its tokens name it.
        jwks_url: where its keys are; asked of the issuer when not set.
        algorithms: how tokens may be signed; nothing else is taken.
        scope_claim: the claim that says what may be done: ``read``, ``run`` or ``admin``.
        scope_prefix: what those words begin with, such as ``treadle:``.
        tenant_claim: the claim that names the tenant; the project's own tenant when not set.
    """

    issuer: str
    audience: str
    jwks_url: str | None = None
    algorithms: tuple[Literal["RS256", "PS256", "ES256", "Ed25519"], ...] = ("RS256", "ES256")
    scope_claim: str = "scope"
    scope_prefix: str = ""
    tenant_claim: str | None = None


class ServerSettings(_Section):
    """Whom ``treadle serve`` lets in, and with what.

    Attributes:
        hosts: names by which the server is asked, beside loopback and the address it listens on;
            ``*`` for any.
        origins: origins whose pages may ask, such as ``https://chat.example.com``; none by
            default but the server's own.
        require_key: whether a key is needed on loopback too, as behind a proxy.
        public_docs: whether ``/docs`` and ``/openapi.json`` are told to anybody: a browser has no
            way to send a key.
        authenticate: a check of the project's own, as ``path.py:name``.
        jwt: which tokens are taken beside API keys.
        webhook_secret_env: the environment variable with the secret that signs what is sent to the
            addresses runs name as ``webhook``; they can name none where it is not set.
        requests_per_minute: how many requests of one caller are answered, where its key says
            nothing else; any number when not set.
        runs_at_once: how many requests of one caller may run something at once, as above.
        max_body_bytes: how long a request's body may be.
        max_json_depth: how deep it may be nested.
        body_seconds: how long it may take to arrive.
        stop_seconds: how long answers may take to end once the server was told to stop; a stream
            that is cut then can be read on from any server.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    require_key: bool = False
    public_docs: bool = False
    authenticate: str | None = None
    jwt: JwtSettings | None = None
    webhook_secret_env: str | None = Field(default=None, min_length=1)
    requests_per_minute: int | None = Field(default=None, ge=1)
    runs_at_once: int | None = Field(default=None, ge=1)
    max_body_bytes: int = Field(default=4_000_000, ge=1_000, le=1_000_000_000)
    max_json_depth: int = Field(default=64, ge=4, le=500)
    body_seconds: float = Field(default=30, gt=0, le=3_600)
    stop_seconds: int = Field(default=10, ge=0, le=3_600)


class Settings(_Section):
    """All settings of a project.

    Attributes:
        tenant: whose data it is; a part of every key in Redis.
        model: the default model: a profile, ``provider:model``, or ``embedded``.
        shipped_agents: whether the agents that come with Treadle (``assistant``, ``digest``,
            ``researcher``) are served and listed beside the project's own.
        redis: where Redis is.
        models: model profiles by name.
        tools: settings of the tools.
        threads: how conversations are kept.
        runs: how runs are kept and executed.
        queue: how workers execute queued runs.
        budget: what all runs may use together.
        outgoing: where tools and webhooks may send requests besides the public internet.
        server: whom ``treadle serve`` lets in, and with what.
        mcp: MCP servers by name, whose tools agents may be given.
        schedules: tasks that run by themselves, by name.
        notifications: who is told how runs ended, by name.
        smtp: the server that mails go through.
    """

    tenant: str = Field(default="main", pattern=_TENANT)
    model: str = EMBEDDED_MODEL
    shipped_agents: bool = True
    redis: RedisSettings = RedisSettings()
    models: Mapping[str, ModelProfile] = Field(default_factory=dict)
    tools: ToolSettings = ToolSettings()
    threads: ThreadSettings = ThreadSettings()
    runs: RunSettings = RunSettings()
    queue: QueueSettings = QueueSettings()
    budget: BudgetSettings = BudgetSettings()
    outgoing: OutgoingSettings = OutgoingSettings()
    server: ServerSettings = ServerSettings()
    mcp: Mapping[ServerName, McpServer] = Field(default_factory=dict)
    schedules: Mapping[ScheduleName, ScheduleSettings] = Field(default_factory=dict)
    notifications: Mapping[ScheduleName, NotificationSettings] = Field(default_factory=dict)
    smtp: SmtpSettings | None = None

    @property
    def prefix(self) -> str:
        """What every key of this tenant in Redis begins with."""
        return f"treadle:{self.tenant}:"

    @classmethod
    def load(cls, project: Path, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings of a project.

        ``TREADLE_REDIS_URL``, ``TREADLE_MODEL`` and ``TREADLE_TENANT`` overrule the file.

        Args:
            project: the project's folder; it need not hold a settings file.
            environment: the environment variables; the process's own when not given.

        Raises:
            ConfigError: when the file cannot be read or holds something unknown or wrong.
        """
        path = project / SETTINGS_FILE
        data = _read_toml(path) if path.is_file() else {}
        variables = os.environ if environment is None else environment
        for variable, keys in _OVERRIDES.items():
            if value := variables.get(variable):
                _set(data, keys, value)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            # An unknown key often explains a missing one.
            first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
            key = ".".join(str(part) for part in first["loc"])
            allowed = ""
            if first["type"] == "extra_forbidden":
                allowed = f" Known keys there: {', '.join(_known_keys(cls, first['loc'][:-1]))}."
            said = first["msg"].replace("valid tuple", "valid list")  # As TOML has it.
            said = said.removeprefix("Value error, ")
            # What is wrong with a table as a whole names its keys itself.
            value = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
            raise ConfigError(f"{key}{value}: {said}.{allowed}", path=path) from None


_OVERRIDES = {
    "TREADLE_REDIS_URL": ("redis", "url"),
    "TREADLE_MODEL": ("model",),
    "TREADLE_TENANT": ("tenant",),
}


def checked_tenant(name: str) -> str:
    """Return a tenant's name as it is.

    Raises:
        InputError: it cannot be a part of every key in Redis.
    """
    if not re.fullmatch(_TENANT, name):
        raise InputError(
            f"The tenant {name!r} is not a name.",
            hint="Use up to 100 letters, digits, '.', '_' and '-'.",
        )
    return name


def home() -> Path:
    """Return the folder for the user's own data: ``TREADLE_HOME``, or the system's usual place."""
    chosen = os.environ.get("TREADLE_HOME")
    return Path(chosen).expanduser() if chosen else user_data_path("treadle")


def project_folder(project: str | Path) -> Path:
    """Return the project's folder as an absolute path.

    Raises:
        ConfigError: when there is no such folder.
    """
    folder = Path(project).resolve()
    if not folder.is_dir():
        raise ConfigError(f"the project folder {str(project)!r} does not exist.")
    return folder


def project_collection(project: Path, settings: Settings) -> str:
    """Return the name of the project's document index.

    Without a setting it is made of the folder's name and a digest of its path, so that two
    projects that share a Redis keep their documents apart.
    """
    if settings.tools.documents.collection:
        return settings.tools.documents.collection
    place = project.resolve()
    digest = hashlib.sha256(str(place).encode()).hexdigest()[:8]
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in place.name)[:60]
    return f"{name or 'root'}-{digest}"


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"this is not valid TOML: {error}.", path=path) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", path=path) from None


def _set(data: dict[str, object], keys: tuple[str, ...], value: str) -> None:
    *tables, last = keys
    for table in tables:
        inner = data.setdefault(table, {})
        if not isinstance(inner, dict):
            return  # The file holds something wrong there; validation says so.
        data = inner
    data[last] = value


_NAMED: Mapping[str, type[BaseModel]] = {
    "models": ModelProfile,
    "schedules": ScheduleSettings,
    "notifications": NotificationSettings,
    "smtp": SmtpSettings,
    "mcp": McpServer,
    "jwt": JwtSettings,
    "price": PriceSettings,
}
"""What is in the tables that may be missing, or whose keys are names of the project's own."""


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # It is a name of the project's own.
        found = field.annotation
        if isinstance(found, type) and issubclass(found, BaseModel):
            model = found
        else:
            model = _NAMED.get(str(part), model)
    return sorted(model.model_fields)
