"""The ways to tell somebody: a signed webhook, a mail, a command."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import shutil
import smtplib
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from typing import Protocol

from treadle.core.certificates import distrust
from treadle.core.errors import ConfigError, RunError, TreadleError
from treadle.core.notifying import NotificationSettings, SmtpSettings
from treadle.core.outgoing import Outgoing
from treadle.core.settings import Settings
from treadle.runtime.notifications._outbox import Message

SECONDS = 15
"""How long one attempt may take."""
COMMAND_SECONDS = 30
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets of the standard begin with
_LEAST_SECRET_BYTES = 16
_GONE = 410
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ")


class GoneError(RunError):
    """Whoever was to be told wants to hear no more."""


class Way(Protocol):
    """A way to tell somebody."""

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            GoneError: it need not be tried again.
            RunError: it was not taken.
        """
        ...

    async def check(self) -> None:
        """Look whether a message could be sent, without sending one.

        Raises:
            RunError: it could not.
        """
        ...


class Webhook:
    """A request signed as Standard Webhooks has it (https://www.standardwebhooks.com).

    Args:
        url: where it goes; it is checked as every address is that somebody else chose.
        secret: ``whsec_`` and base64, or any text of 16 bytes and more.
        outgoing: sends the request. A redirect is not followed: it is no answer.
    """

    def __init__(self, url: str, secret: str, outgoing: Outgoing) -> None:
        self._url = url
        self._key = key_of(secret)
        self._outgoing = outgoing

    async def send(self, message: Message) -> None:
        """See `Way`."""
        sent_at = str(int(time.time()))
        content = message.body.encode()
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": sent_at,
            "webhook-signature": signature(self._key, message.id, sent_at, content),
        }
        response = await self._outgoing.request("POST", self._url, headers=headers, content=content)
        if response.status_code == _GONE:
            raise GoneError("It answered 410: it wants no more of these.")
        if response.is_redirect:
            where = response.headers.get("location", "")[:200]
            raise RunError(f"It answered {response.status_code} and led to {where!r}.")
        if not response.is_success:
            raise RunError(f"It answered {response.status_code}.")

    async def check(self) -> None:
        """See `Way`."""
        await self._outgoing.check(self._url)


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for.

    Raises:
        ValueError: it is no base64 after ``whsec_``, or too short.
    """
    if not secret.startswith(_SECRET_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX) + "==", validate=False)
        except binascii.Error:
            raise ValueError("what follows whsec_ is not base64") from None
    if not key:
        raise ValueError("it is not set, or empty")
    if len(key) < _LEAST_SECRET_BYTES:
        raise ValueError(f"it has {len(key)} bytes; at least {_LEAST_SECRET_BYTES} are needed")
    return key


def signature(key: bytes, id_: str, timestamp: str, content: bytes) -> str:
    """Return the signature of a request: of its id, its time and its body."""
    signed = f"{id_}.{timestamp}.".encode() + content
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class Mail:
    """A mail through the operator's server.

    Args:
        addresses: to whom.
        smtp: the server.
        password: what is logged in with, where a user is named.
    """

    def __init__(self, addresses: tuple[str, ...], smtp: SmtpSettings, password: str) -> None:
        self._addresses = addresses
        self._smtp = smtp
        self._password = password

    async def send(self, message: Message) -> None:
        """See `Way`."""
        try:
            await asyncio.to_thread(self._send, self._written(message))
        except (OSError, smtplib.SMTPException, ValueError) as problem:
            if (certificate := distrust(problem)) is not None:
                said = f"The mail server {certificate.problem}."
                raise RunError(said, hint=certificate.hint) from None
            told = " ".join(str(problem).split())
            raise RunError(f"The mail server did not take it: {told or type(problem)}.") from None

    async def check(self) -> None:
        """See `Way`; whether the server takes anything is known when it is asked."""

    def _written(self, message: Message) -> EmailMessage:
        body = json.loads(message.body)
        data = body["data"]
        mail = EmailMessage()
        mail["From"] = self._smtp.sender
        mail["To"] = ", ".join(self._addresses)
        mail["Message-ID"] = f"<{message.id}@{self._smtp.sender.rpartition('@')[2]}>"
        about = f"{data['agent']} {_SAID[data['status']]}"
        mail["Subject"] = " ".join(f"{about}: {data['question']}".split())[:200]
        parts = [
            ("Asked", data["question"]),
            ("Answer", data["reply"]),
            ("Error", data["error"]),
            ("Waits for", "\n".join(data["waits_for"])),
            ("Schedule", data["schedule"]),
            ("Run", data["run_id"]),
        ]
        if data["status"] == "interrupted":
            parts.append(("Answer it", f"treadle inbox show {data['run_id']}"))
        mail.set_content("\n\n".join(f"{name}: {text}" for name, text in parts if text))
        return mail

    def _send(self, mail: EmailMessage) -> None:
        smtp, context = self._smtp, ssl.create_default_context()
        if smtp.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                smtp.host, smtp.port, timeout=SECONDS, context=context
            )
        else:
            client = smtplib.SMTP(smtp.host, smtp.port, timeout=SECONDS)
        with client:
            if smtp.security == "starttls":
                client.starttls(context=context)
            if smtp.user:
                client.login(smtp.user, self._password)
            client.send_message(mail)


_SAID = {
    "success": "is done",
    "error": "failed",
    "timeout": "reached its time limit",
    "cancelled": "was stopped",
    "interrupted": "waits for you",
}


class Command:
    """A program of the operator's; it reads the message on standard input.

    Args:
        command: the program and its arguments. No shell is between.
    """

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command

    async def send(self, message: Message) -> None:
        """See `Way`."""
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={**kept, "TREADLE_MESSAGE_ID": message.id},
            )
        except OSError as problem:
            raise RunError(f"{self._command[0]!r} cannot be run: {problem.strerror}.") from None
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                _, said = await process.communicate(message.body.encode())
        except TimeoutError:
            raise RunError(f"It was not done within {COMMAND_SECONDS} seconds.") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            told = " ".join(said.decode(errors="replace").split())[-200:]
            raise RunError(f"It ended with {process.returncode}: {told}".rstrip(": "))

    async def check(self) -> None:
        """See `Way`."""
        if shutil.which(self._command[0]) is None:
            raise RunError(f"{self._command[0]!r} cannot be run: there is no such program.")


class Ways:
    """The ways to tell those of the settings, by name, and addresses that runs name.

    Args:
        settings: the project's settings.
        environment: where secrets are.

    Raises:
        ConfigError: a secret is missing or cannot be used, or there is no mail server.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._named = {
            name: _way(name, one, settings, environment)
            for name, one in settings.notifications.items()
        }
        variable = settings.server.webhook_secret_env
        self._secret = environment.get(variable, "") if variable else None
        self._outgoing = Outgoing(settings.outgoing.allowed(), seconds=SECONDS, max_redirects=0)
        if variable:
            _webhook("server", "https://localhost", variable, environment, self._outgoing)

    def get(self, target: str) -> Way | None:
        """Return the way to tell somebody, or ``None`` when there is none."""
        if self._secret is not None and target.startswith(("http://", "https://")):
            return Webhook(target, self._secret, self._outgoing)
        return self._named.get(target)


async def faults(
    settings: Settings, environment: Mapping[str, str]
) -> dict[str, TreadleError | None]:
    """Return for each notification of the settings why nobody could be told; ``None`` if not so.

    Nothing is sent.
    """
    found: dict[str, TreadleError | None] = {}
    for name, one in settings.notifications.items():
        try:
            await _way(name, one, settings, environment).check()
        except TreadleError as error:
            found[name] = error
        else:
            found[name] = None
    return found


def _way(
    name: str, one: NotificationSettings, settings: Settings, environment: Mapping[str, str]
) -> Way:
    if one.webhook is not None:
        variable = one.secret_env or ""
        outgoing = Outgoing(settings.outgoing.allowed(), seconds=SECONDS, max_redirects=0)
        return _webhook(f"notifications.{name}", one.webhook, variable, environment, outgoing)
    if one.command:
        return Command(one.command)
    smtp = settings.smtp
    if smtp is None:
        raise ConfigError(
            f"notifications.{name}: mails need a server.",
            hint="Add [smtp] with host and sender to treadle.toml.",
        )
    password = environment.get(smtp.password_env or "", "")
    if smtp.user and not password:
        raise ConfigError(
            f"smtp.password_env: the variable {smtp.password_env!r} holds no password.",
            hint="Set it, or leave out smtp.user.",
        )
    return Mail(one.email, smtp, password)


def _webhook(
    place: str, url: str, variable: str, environment: Mapping[str, str], outgoing: Outgoing
) -> Webhook:
    try:
        return Webhook(url, environment.get(variable, ""), outgoing)
    except ValueError as problem:
        raise ConfigError(
            f"{place}: the secret in {variable} cannot be used: {problem}.",
            hint="Make one: echo whsec_$(openssl rand -base64 32)",
        ) from None
