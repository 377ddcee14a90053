"""A call waits for a person, and is made as they say: once, as asked or as changed."""

import pytest

from tests.runtime.approvals.conftest import MAIL, SCRIPT, mailer, only
from treadle.agents import Rule
from treadle.core.errors import UnknownNameError
from treadle.runtime.approvals import ApprovalStatus, _store
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls


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


async def test_those_that_wait_are_chosen_and_read_page_by_page(opened):
    pay = call("pay", amount=3)
    with ScriptedOpenAI([MAIL, pay, MAIL, MAIL, MAIL]) as server:
        async with opened(server) as rt:
            asks = Rule(then="ask")
            for number, name in enumerate(["mailer", "payer", "mailer", "payer", "mailer"]):
                agent = mailer(asks).model_copy(update={"name": name})
                await rt.ask(agent, "Go.", thread=f"t{number}")
            waiting = await rt.approvals.pending()
            assert [one.thread_id for one in waiting] == ["t0", "t1", "t2", "t3", "t4"]

            async def chosen(**which):
                return [one.thread_id for one in await rt.approvals.pending(**which)]

            assert await chosen(agent="payer") == ["t1", "t3"]
            assert await chosen(tool="send_*") == ["t0", "t2", "t3", "t4"]
            assert await chosen(tool="send_*", agent="mailer", limit=2) == ["t0", "t2"]
            assert await chosen(thread="t1", tool="send_*") == []
            assert await chosen(after=waiting[1].id, limit=2) == ["t2", "t3"]
            assert await chosen(thread="t3", after=waiting[1].id) == ["t3"]
            await rt.approvals.approve(waiting[2].id, by="Grace")
            assert await chosen(after=waiting[2].id, agent="mailer") == ["t4"]
            with pytest.raises(UnknownNameError, match="nothing"):
                await rt.approvals.pending(after="nothing")


async def test_every_one_that_waits_is_read_once_however_small_the_pages(opened, monkeypatch):
    monkeypatch.setattr(_store, "_PAGE", 2)
    asked = calls(*(call("pay", amount=number) for number in range(7)))
    with ScriptedOpenAI([asked]) as server:
        async with opened(server) as rt:
            await rt.ask(mailer(Rule(then="ask")), "Pay.")
            seen: list[str] = []
            while page := await rt.approvals.pending(limit=3, after=seen[-1] if seen else None):
                seen += [one.id for one in page]
            assert len(seen) == len(set(seen)) == 7
