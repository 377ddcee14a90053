"""How somebody is told: real requests, a real mail server, real programs."""

import asyncio
import json
import sys
from datetime import timedelta

import pytest
from aiosmtpd import smtp as smtp_server
from standardwebhooks import Webhook as Verifier

from tests.runtime.notifications.conftest import message
from tests.support.web_server import Answer, Fault, web_server
from treadle.core.errors import ConfigError, OutgoingError, RunError
from treadle.core.notifying import NotificationSettings, SmtpSettings
from treadle.core.outgoing import Outgoing
from treadle.core.settings import OutgoingSettings, Settings
from treadle.runtime.notifications import Notifier, Ways
from treadle.runtime.notifications._ways import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = OutgoingSettings(allow=("127.0.0.1",))
BODY = json.dumps(
    {
        "type": "run.error",
        "data": {
            "run_id": "r",
            "agent": "writer",
            "status": "error",
            "question": "Write it.\r\nBcc: eve@evil.org",
            "reply": "",
            "error": "The model is away — für immer.",
            "waits_for": [],
            "schedule": "d",
        },
    },
    ensure_ascii=False,
)


def told(outgoing=LOOPBACK, smtp=None, **one):
    settings = Settings(notifications={"ops": one}, outgoing=outgoing, smtp=smtp)
    return Ways(settings, {"SECRET": SECRET}).get("ops")


def webhook(url, **changes):
    return told(webhook=url, secret_env="SECRET", **changes)


async def test_a_webhook_is_signed_as_the_standard_has_it():
    async with web_server() as web:
        await webhook(f"{web.url}/hook").send(message(body=BODY))
        [request] = web.requests
        assert request.headers["webhook-id"] == "msg_1"
        seen = Verifier(SECRET).verify(request.body, request.headers)
        assert seen["data"]["error"] == "The model is away — für immer."


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(status=500), "It answered 500"),
        (Answer(status=404), "It answered 404"),
        (Answer(status=410), "wants no more"),
        (Answer(status=302, headers={"location": "http://169.254.169.254/"}), "It answered 302"),
        (Answer(fault=Fault.DROP), "broke off"),
    ],
)
async def test_a_receiver_that_fails_or_leads_elsewhere_did_not_take_it(answer, why):
    async with web_server() as web:
        web.answer = answer
        with pytest.raises(RunError, match=why):
            await webhook(f"{web.url}/hook").send(message(body=BODY))
        assert len(web.requests) == 1


async def test_a_receiver_that_hangs_is_left_after_a_while():
    async with web_server() as web:
        web.answer = Answer(fault=Fault.HANG)
        slow = Outgoing(LOOPBACK.allowed(), seconds=0.2, max_redirects=0)
        with pytest.raises(OutgoingError, match=r"no answer within 0\.2 seconds"):
            await Webhook(f"{web.url}/hook", SECRET, slow).send(message(body=BODY))


async def test_a_receiver_that_recovers_gets_the_same_id(outbox, store):
    async with web_server() as web:
        web.answer = Answer(status=503)
        nothing = (timedelta(0),) * 2
        notifier = Notifier(outbox, {"ops": webhook(f"{web.url}/h")}, store, backoff=nothing)
        await outbox.put(message(body=BODY))
        await notifier.step()
        assert [one.id for one in await outbox.dead(1)] == ["msg_1"]
        web.answer = Answer(status=204)
        await outbox.replay("msg_1")
        await notifier.step()
        assert [one.headers["webhook-id"] for one in web.requests] == ["msg_1"] * 4
        assert await outbox.dead(1) == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "169.254.169.254"]
)
async def test_nothing_is_sent_to_a_private_address_unless_allowed(address):
    async with web_server() as web:
        port = web.url.rpartition(":")[2]
        way = webhook(f"http://{address}:{port}/hook", outgoing=OutgoingSettings())
        with pytest.raises(OutgoingError):
            await way.send(message(body=BODY))
        assert web.requests == []


class Letters:
    """Keeps what a mail server takes."""

    def __init__(self):
        self.taken = []
        self.says = "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the library's name
        if self.says.startswith("250"):
            self.taken.append(envelope)
        return self.says


@pytest.fixture
async def letters():
    handler, loop = Letters(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: smtp_server.SMTP(handler, loop=loop), "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    yield handler
    server.close()
    await server.wait_closed()


def smtp(port):
    return SmtpSettings(host="127.0.0.1", port=port, security="none", sender="bot@example.org")


async def test_a_mail_says_what_happened_and_nothing_in_it_becomes_a_header(letters):
    way = told(email=("ada@example.org",), smtp=smtp(letters.port))
    await way.send(message(body=BODY))
    [envelope] = letters.taken
    assert envelope.rcpt_tos == ["ada@example.org"]
    text = envelope.content.decode()
    assert "Message-ID: <msg_1@example.org>" in text
    assert "Subject: writer failed: Write it. Bcc: eve@evil.org" in text
    assert "\r\nBcc:" not in text.partition("\r\n\r\n")[0]
    assert "Schedule: d" in text


async def test_a_mail_server_that_refuses_or_is_away(letters):
    letters.says = "451 Later, please"
    with pytest.raises(RunError, match="Later, please"):
        await told(email=("ada@example.org",), smtp=smtp(letters.port)).send(message(body=BODY))
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(RunError, match="refused"):
        await told(email=("ada@example.org",), smtp=smtp(port)).send(message(body=BODY))


async def test_a_command_reads_the_message_and_sees_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    script = tmp_path / "tell.py"
    script.write_text(
        "import json, os, sys\n"
        "body = json.load(sys.stdin)\n"
        "told = [os.environ['TREADLE_MESSAGE_ID'], body['type'], 'OPENAI_API_KEY' in os.environ]\n"
        "open(sys.argv[1], 'w').write(json.dumps(told))\n"
    )
    out = tmp_path / "out $(touch pwned)"
    await told(command=(sys.executable, str(script), str(out))).send(message(body=BODY))
    assert json.loads(out.read_text()) == ["msg_1", "run.error", False]


async def test_a_command_that_fails_or_is_not_there():
    failing = (sys.executable, "-c", "import sys; sys.exit('Nobody is here.')")
    with pytest.raises(RunError, match=r"ended with 1: Nobody is here\."):
        await told(command=failing).send(message(body=BODY))
    with pytest.raises(RunError, match="cannot be run"):
        await told(command=("/no/such/program",)).send(message(body=BODY))


@pytest.mark.parametrize(
    ("one", "why"),
    [
        ({}, "exactly one of webhook, email and command"),
        ({"webhook": "https://a.example", "command": ["x"]}, "exactly one of"),
        ({"webhook": "https://a.example"}, "a webhook is signed"),
        ({"webhook": "ftp://a.example", "secret_env": "S"}, "should match pattern"),
        ({"email": ["ada"]}, "'ada' is no mail address"),
        ({"command": ["x"], "on": ["late"]}, "Input should be 'success'"),
    ],
)
def test_settings_that_cannot_be_used(one, why):
    with pytest.raises(ValueError, match=why):
        NotificationSettings.model_validate(one)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        ({"webhook": "https://a.example", "secret_env": "UNSET"}, "the secret in UNSET"),
        ({"email": ["ada@example.org"]}, r"Add \[smtp\]"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_to_be_sent(one, why):
    with pytest.raises(ConfigError, match=why):
        told(**one)
