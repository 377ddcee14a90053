"""Who is told how a run ended, or that it waits for a person; as a project's settings have it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Told = Literal["success", "error", "timeout", "cancelled", "interrupted"]


class NotificationSettings(BaseModel):
    """One who is told. Exactly one of ``webhook``, ``email`` and ``command`` says how.

    Attributes:
        webhook: an address that is sent a signed request, as Standard Webhooks has it.
        secret_env: the environment variable with the secret that signs it.
        email: addresses that are sent a mail; needs ``[smtp]``.
        command: a program with its arguments; it reads the message as JSON.
        on: how a run must stand to be told of.
        agents: patterns for the agents whose runs are told of.
        runs: ``all`` that fit, or only those whose schedule or request has ``named`` it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook: str | None = Field(default=None, pattern=r"^https?://", max_length=2_000)
    secret_env: str | None = Field(default=None, min_length=1)
    email: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    on: tuple[Told, ...] = ("error", "timeout", "interrupted")
    agents: tuple[str, ...] = ("*",)
    runs: Literal["all", "named"] = "all"

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        ways = [name for name in ("webhook", "email", "command") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError("exactly one of webhook, email and command says how to tell")
        if (self.webhook is None) != (self.secret_env is None):
            raise ValueError(
                "a webhook is signed: name the environment variable with its secret in secret_env"
                if self.webhook
                else "only a webhook has a secret_env"
            )
        wrong = [one for one in self.email if "@" not in one or not one.isprintable()]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no mail address")
        return self


class SmtpSettings(BaseModel):
    """The server that mails go through.

    Attributes:
        host, port: where it is.
        security: ``starttls``, ``tls`` from the first byte, or ``none``.
        sender: the address that mails come from.
        user: the name to log in with; nobody logs in without it.
        password_env: the environment variable with the password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    user: str | None = None
    password_env: str | None = None
