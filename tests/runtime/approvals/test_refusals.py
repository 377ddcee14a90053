"""An approval holds for one call, once, in time: whatever else is tried, nothing is executed."""

import asyncio
from datetime import timedelta

import pytest

from tests.runtime.approvals.conftest import MAIL, SCRIPT, mailer, only
from tests.support.waiting import eventually
from treadle.agents import Rule
from treadle.core.errors import ApprovalError, InputError, UnknownNameError
from treadle.runtime.approvals import ApprovalStatus
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, say

SOON = Rule(tool="send_*", then="ask", expires=timedelta(milliseconds=20))


async def asked(rt, agent=None):
    """Ask for a mail and return the run that waits, and its approval."""
    reply = await rt.ask(agent or mailer(), "Write to Ada.")
    return reply.run_id, await only(rt, thread=reply.thread_id)


async def lapsed(rt, approval):
    async def is_over():
        return (await rt.approvals.get(approval.id)).status is ApprovalStatus.EXPIRED

    await eventually(is_over)


async def test_an_answer_is_given_once(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            await rt.approvals.approve(approval.id, by="Grace")
            for again in (
                rt.approvals.approve(approval.id, by="Eve"),
                rt.approvals.reject(approval.id, "No.", by="Eve"),
                rt.approvals.edit(approval.id, {"to": "eve@example.org", "text": ""}, by="Eve"),
            ):
                with pytest.raises(ApprovalError, match="is approved already by Grace"):
                    await again
            await rt.resume(run, agent=mailer())
            with pytest.raises(ApprovalError, match="is used already"):
                await rt.approvals.approve(approval.id, by="Grace")
            assert project.calls == ["mail ada@example.org Hello 1"]


async def test_of_answers_at_the_same_time_one_holds(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt, opened(server) as other:
            run, approval = await asked(rt)
            results = await asyncio.gather(
                *(
                    answer
                    for _ in range(5)
                    for answer in (
                        rt.approvals.approve(approval.id, by="Grace"),
                        other.approvals.reject(approval.id, "No.", by="Eve"),
                    )
                ),
                return_exceptions=True,
            )
            [held] = [one for one in results if not isinstance(one, BaseException)]
            assert sum(isinstance(one, ApprovalError) for one in results) == 9
            await rt.resume(run, agent=mailer())
            approved = held.status is ApprovalStatus.APPROVED
            assert len(project.calls) == (1 if approved else 0)


async def test_nobody_answers_in_time(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(SOON), "Write to Ada.")
            [waits] = await rt.runs.interrupts(reply.run_id)
            approval = await rt.approvals.get(waits["value"]["approval"])
            await lapsed(rt, approval)
            assert await rt.approvals.pending() == []
            for late in (
                rt.approvals.approve(approval.id, by="Grace"),
                rt.approvals.reject(approval.id, "No.", by="Grace"),
            ):
                with pytest.raises(ApprovalError, match="expired at 20"):
                    await late
            done = await rt.resume(reply.run_id, agent=mailer(SOON))
            assert done.text == "Done."
            [told] = server.requests[1].tool_outputs.values()
            assert "nobody approved it in time" in told
            assert project.calls == []
            assert (await rt.runs.replay(reply.run_id)).difference is None


async def test_an_approval_is_used_too_late(opened, project, redis_6_2):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            await rt.approvals.approve(approval.id, by="Grace")
            with redis_6_2.client() as client:
                [key] = client.scan_iter(f"*:approval:{approval.id}")
                client.hset(key, "expires_ms", int(approval.asked.timestamp() * 1000))
            done = await rt.resume(run, agent=mailer())
            assert done.text == "Done."
            assert project.calls == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("digest", "0" * 64),
        ("edited", '{"to": "eve@example.org", "text": "Hello"}'),
        ("edited_digest", "0" * 64),
        ("arguments", "{"),
        ("arguments", '{"to": "bob@example.org", "text": "Hello", "copies": 1}'),
        ("tool", "read_mail"),
        ("rule", "send_mail: ask"),
        ("expires_ms", "never"),
        ("status", "granted"),
    ],
)
async def test_an_approval_was_changed_in_redis(opened, project, redis_6_2, field, value):
    with ScriptedOpenAI([MAIL]) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            await rt.approvals.approve(approval.id, by="Grace")
            with redis_6_2.client() as client:
                [key] = client.scan_iter(f"*:approval:{approval.id}")
                client.hset(key, field, value)
            with pytest.raises(ApprovalError, match=r"is for another call|is damaged|is granted"):
                await rt.resume(run, agent=mailer())
            assert (await rt.runs.get(run)).status is RunStatus.ERROR
            assert await rt.approvals.pending() == []
            await rt.resume(run, agent=mailer())
            assert (await only(rt)).id == approval.id
            assert project.calls == []


@pytest.mark.parametrize("answer", ["approve", "edit"])
async def test_an_approval_under_another_rule_is_refused_and_asked_for_again(
    opened, project, answer
):
    stricter = mailer(Rule(tool="send_mail", then="ask"))
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            if answer == "approve":
                await rt.approvals.approve(approval.id, by="Grace")
            else:
                changed = {"to": "bob@example.org", "text": "Hi"}
                await rt.approvals.edit(approval.id, changed, by="Grace")
            with pytest.raises(ApprovalError, match="under another rule"):
                await rt.resume(run, agent=stricter)
            assert project.calls == []
            await rt.resume(run, agent=stricter)
            assert project.calls == []
            again = await only(rt)
            assert (again.rule, again.call_id) == ("send_mail: ask", approval.call_id)
            assert again.id != approval.id
            assert (await rt.approvals.get(approval.id)).status is ApprovalStatus.WITHDRAWN
            await rt.approvals.approve(again.id, by="Grace")
            await rt.resume(run, agent=stricter)
            assert project.calls == ["mail ada@example.org Hello 1"]


async def test_a_policy_that_denies_by_now_denies(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            await rt.approvals.approve(approval.id, by="Grace")
            await rt.resume(run, agent=mailer(Rule(tool="*", then="deny")))
            [told] = server.requests[1].tool_outputs.values()
            assert "the rule '*: deny' of the agent's policy forbids it" in told
            assert project.calls == []


async def test_what_is_denied_is_not_made_by_changing_arguments(opened, project):
    denying = mailer(
        Rule(tool="send_mail", when={"to": "eve@*"}, then="deny"), Rule(tool="*", then="ask")
    )
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt, denying)
            changed = {"to": "eve@example.org", "text": "Hello"}
            await rt.approvals.edit(approval.id, changed, by="Grace")
            await rt.resume(run, agent=denying)
            [told] = server.requests[1].tool_outputs.values()
            assert "the rule 'send_mail when" in told
            assert project.calls == []
            assert (await rt.runs.replay(run)).difference is None


async def test_an_approval_does_not_serve_another_call(opened, project):
    """The same tool with the same arguments, called twice: each is asked about."""
    with ScriptedOpenAI([MAIL, MAIL, say("Done.")]) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            await rt.approvals.approve(approval.id, by="Grace")
            await rt.resume(run, agent=mailer())
            second = await only(rt)
            assert second.id != approval.id
            assert second.arguments == approval.arguments
            assert len(project.calls) == 1
            await rt.approvals.reject(second.id, "Once is enough.", by="Grace")
            await rt.resume(run, agent=mailer())
            assert len(project.calls) == 1
            assert (await rt.runs.replay(run)).difference is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"to": "ada@example.org", "text": "Hi", "copies": "5"}, "copies: .* integer"),
        ({"to": "ada@example.org", "text": None}, "text: .* string"),
        ({"to": "ada@example.org"}, "text: Field required"),
        ({"to": "a", "text": "b", "bcc": "eve@example.org"}, "takes no argument 'bcc'"),
        ({"to": "a", "text": float("nan")}, "not JSON"),
        ({"to": "a", "text": "\ud800"}, "not JSON"),
        ({"to": "a", "text": "[redacted: JWT]"}, "placeholder of a secret"),
        ({"to": "a", "text": "x" * (1 << 20)}, "too much"),
    ],
)
async def test_changed_arguments_must_fit_the_tool(opened, project, arguments, problem):
    with ScriptedOpenAI([MAIL]) as server:
        async with opened(server) as rt:
            _, approval = await asked(rt)
            with pytest.raises(InputError, match=problem):
                await rt.approvals.edit(approval.id, arguments, by="Grace")
            assert (await only(rt)).status is ApprovalStatus.PENDING
            assert project.calls == []


async def test_wrong_answers_change_nothing(opened, project):
    with ScriptedOpenAI([MAIL]) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            with pytest.raises(UnknownNameError, match=r"No approval is named 'nonsense'\. There"):
                await rt.approvals.approve("nonsense", by="Grace")
            for nobody in ("", " ", "a\nb", "x" * 300):
                with pytest.raises(InputError, match="does not name who answers"):
                    await rt.approvals.approve(approval.id, by=nobody)
            with pytest.raises(InputError, match="characters"):
                await rt.approvals.reject(approval.id, "x" * 3_000, by="Grace")
            with pytest.raises(InputError, match="waits for approvals"):
                await rt.resume(run, {"approve": True}, agent=mailer())
            [waits] = await rt.runs.interrupts(run)
            forged = {waits["id"]: {"reason": "approval", "approval": approval.id}}
            with pytest.raises(InputError, match="waits for approvals"):
                await rt.resume(run, forged, agent=mailer())
            assert (await rt.runs.get(run)).status is RunStatus.INTERRUPTED
            assert await only(rt) == approval
            assert project.calls == []


async def test_an_approval_that_is_lost_is_asked_for_again(opened, project, redis_6_2):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            run, approval = await asked(rt)
            with redis_6_2.client() as client:
                client.delete(*client.scan_iter(f"*approval:{approval.id}*"))
            assert await rt.approvals.pending() == []
            await rt.resume(run, agent=mailer())
            again = await only(rt)
            assert again.id == approval.id
            await rt.approvals.approve(again.id, by="Grace")
            await rt.resume(run, agent=mailer())
            assert len(project.calls) == 1
