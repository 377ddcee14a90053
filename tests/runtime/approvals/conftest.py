"""What the tests of approvals share: a project whose tools write down that they were called."""

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent, Rule
from treadle.runtime import Runtime
from treadle.runtime.testing import call, say

MAIL = call("send_mail", to="ada@example.org", text="Hello")
SCRIPT = [MAIL, say("Done.")]

TOOLS = '''
import os
from pathlib import Path
from treadle.tools import Effect, tool

HERE = Path(__file__).parent

def note(line):
    if (HERE / "die").exists():
        os._exit(9)
    with (HERE / "calls.txt").open("a") as file:
        file.write(line + "\\n")

@tool(effect=Effect.ONCE)
def send_mail(to: str, text: str, copies: int = 1) -> str:
    """Send a mail.

    Args:
        to: to whom.
        text: what it says.
        copies: how many.
    """
    note(f"mail {to} {text} {copies!r}")
    return f"Sent to {to}."

@tool(effect=Effect.ONCE)
def pay(amount: float) -> str:
    """Pay.

    Args:
        amount: how much.
    """
    note(f"pay {amount!r}")
    return f"Paid {amount}."
'''


@dataclass(frozen=True)
class Project:
    """A project's folder with the tools, and what they wrote down."""

    path: Path

    @property
    def calls(self) -> list[str]:
        """The calls that were executed, sorted."""
        file = self.path / "calls.txt"
        return sorted(file.read_text().splitlines()) if file.exists() else []


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "effects", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "effects.py").write_text(TOOLS)
    return Project(tmp_path)


def mailer(*rules, **changes) -> Agent:
    """Return an agent with the tools, which asks before it sends a mail unless told otherwise."""
    policy = rules or (Rule(tool="send_*", then="ask", expires=timedelta(hours=1)),)
    return Agent(
        name="mailer", tools=("effects.py:send_mail", "effects.py:pay"), policy=policy, **changes
    )


@pytest.fixture
def opened(redis_url, project):
    """Return what opens a runtime: each a new one, as after a restart."""
    return lambda server: Runtime.open(redis_url, project.path, settings=settings_for(server))


async def only(runtime, **chosen):
    """Return the approval that waits."""
    [approval] = await runtime.approvals.pending(**chosen)
    return approval
