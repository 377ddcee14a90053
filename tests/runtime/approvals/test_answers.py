"""A call waits for a person, and is made as they say: once, as asked or as changed."""

from tests.runtime.approvals.conftest import SCRIPT, mailer, only
from treadle.runtime.approvals import ApprovalStatus
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI


async def test_an_approved_call_is_made_after_a_restart(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Write to Ada.")
            assert (await rt.runs.get(reply.run_id)).status is RunStatus.INTERRUPTED
            assert project.calls == []
        async with opened(server) as rt:
            approval = await only(rt)
            assert approval.arguments == {"to": "ada@example.org", "text": "Hello", "copies": 1}
            assert approval.rule == "send_*: ask"
            assert approval == await only(rt, thread=reply.thread_id)
            approved = await rt.approvals.approve(approval.id, by="Grace")
            assert (approved.status, approved.by) == (ApprovalStatus.APPROVED, "Grace")
        async with opened(server) as rt:
            assert await rt.approvals.pending() == []
            done = await rt.resume(reply.run_id, agent=mailer())
            assert done.text == "Done."
            assert project.calls == ["mail ada@example.org Hello 1"]
            used = await rt.approvals.get(approval.id)
            assert used.status is ApprovalStatus.USED
            assert used.used is not None
            assert (await rt.runs.replay(reply.run_id)).difference is None
        assert len(server.requests) == 2


async def test_an_edited_call_is_made_as_edited_and_the_journal_shows_both(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Write to Ada.")
            approval = await only(rt)
            edited = {"to": "bob@example.org", "text": "Hello"}
            answered = await rt.approvals.edit(approval.id, edited, by="Grace")
            assert answered.status is ApprovalStatus.EDITED
            await rt.resume(reply.run_id, agent=mailer())
            assert project.calls == ["mail bob@example.org Hello 1"]
            journal = await rt.runs.journal(reply.run_id)
            [used] = [one.data for one in journal.entries if one.type == "approval.used"]
            assert used["arguments"] == edited
            [asked] = [one for one in journal.calls() if one.name == "send_mail"]
            [blob] = asked.request["to"]
            assert journal.blobs[blob] == '"ada@example.org"'
            assert (await rt.runs.replay(reply.run_id)).difference is None


async def test_a_rejected_call_is_not_made_and_the_model_learns_why(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Write to Ada.")
            approval = await only(rt)
            await rt.approvals.reject(approval.id, "She is on holiday.", by="Grace")
            await rt.resume(reply.run_id, agent=mailer())
            [told] = server.requests[1].tool_outputs.values()
            assert "a person rejected it (She is on holiday.)" in told
            assert project.calls == []
            assert (await rt.runs.replay(reply.run_id)).difference is None


async def test_a_run_that_waits_replays(opened, project):
    with ScriptedOpenAI(SCRIPT[:1]) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Write to Ada.")
            assert (await rt.runs.replay(reply.run_id)).difference is None
