"""What an incident's thread shows, rendered from a real store into a strict Slack."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from agents.reporter import Reporter
from bot.demo.workspace import Workspace
from bot.demo.workspace.model import StoredMessage
from handlers.slack.blocks.message import Message
from handlers.slack.delivery import Delivery
from handlers.slack.delivery.pace import Sleep, Urgency
from handlers.slack.due import KINDS, OWED_FOR
from handlers.slack.home import read_undelivered
from handlers.slack.thread import SlackThread
from handlers.slack.visibility import Visibility
from store import incidents
from store.database.session import Database
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId, UserId, new_id
from store.inbox import deliveries
from store.incidents import approvals, artifacts, investigations
from store.incidents.approvals import ApprovalState
from store.incidents.conversations import conversation
from store.people import users
from store.people.users import Role
from store.secrets.redaction import Redacted
from tests.bot.demo.workspace.support import MANIFEST
from tests.conftest import Clock
from tests.handlers.slack.blocks.examples import a_plan, a_symptom, a_verdict, words

LINK = "https://prometheus.example.com/graph"


def _shown(message: StoredMessage) -> str:
    return words(Message(text="x", blocks=tuple(message.blocks)))


class Connected:
    async def sources(self, tenant: TenantId) -> list[str]:
        return ["Prometheus", "logs", "git"]

    async def missing(self, tenant: TenantId) -> list[str]:
        return ["traces"]


@dataclass
class Naps:
    """Sleeps that take no time."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@dataclass(kw_only=True)
class Scene:
    """One incident with one running investigation of mia's."""

    slack: Workspace
    session: aiohttp.ClientSession
    db: Database
    tenant: TenantId
    root: str
    incident: IncidentId
    run: InvestigationId
    mia: UserId
    thread: SlackThread
    seq: int = 0

    async def another_run(self, number: int) -> InvestigationId:
        """In a thread of its own."""
        root = await self.slack.post("mia", "incidents", f"service {number} is slow")
        async with self.db.tenant(self.tenant) as s:
            incident = await incidents.open_incident(
                s,
                id=IncidentId(new_id()),
                title=Redacted.ours(f"service {number} is slow"),
                channel_id="C0INCIDENTS",
                thread_ts=root,
                opened_by=self.mia,
            )
            talk = await conversation(s, channel_id="C0INCIDENTS", thread_ts=root)
            assert talk is not None
            run = await investigations.create_investigation(
                s,
                id=InvestigationId(new_id()),
                incident_id=incident.id,
                conversation_id=talk.id,
                question=Redacted.ours("slow"),
                requested_by=self.mia,
            )
            await investigations.set_status(s, run.id, "running")
        return run.id

    def restarted(self) -> SlackThread:
        return _thread(self.slack, self.session, self.db)

    def told(self) -> list[StoredMessage]:
        return [one for one in self.slack.messages("incidents", self.root) if one.bot_id]

    async def append(self, role: str, content: Any, **meta: Any) -> None:
        async with self.db.tenant(self.tenant) as s:
            await investigations.append_message(s, self.run, seq=self.seq, role=role, content=content, meta=meta)
        self.seq += 1

    async def ask(self, use_id: str, name: str, **given: Any) -> None:
        await self.append("assistant", [{"type": "tool_use", "id": use_id, "name": name, "input": given}])

    async def read(self, use_id: str, *, is_error: bool = False, **facts: Any) -> None:
        async with self.db.tenant(self.tenant) as s:
            await artifacts.save_artifact(
                s,
                investigation_id=self.run,
                tool_use_id=use_id,
                tool="rank_causes",
                arguments={},
                text=Redacted.ours("checkout first\nmore"),
                source="prometheus",
                is_error=is_error,
                facts=facts,
            )

    async def conclude(self, **changes: Any) -> None:
        async with self.db.tenant(self.tenant) as s:
            await investigations.save_verdict(s, self.run, a_verdict(**changes).model_dump(mode="json"))
            await investigations.set_status(s, self.run, "concluded")
        await self.thread.concluded(self.tenant, self.run)

    async def propose(self) -> ApprovalId:
        approval = ApprovalId(new_id())
        async with self.db.tenant(self.tenant) as s:
            await approvals.propose(
                s,
                id=approval,
                incident_id=self.incident,
                investigation_id=self.run,
                remediation="rollback_deployment",
                plan=a_plan(requested_by="U0MIA").model_dump(mode="json"),
                target="checkout",
                target_version="4f2a91",
                risk="medium",
                expires_at=s.now() + timedelta(hours=24),
                preview_read_at=s.now(),
            )
        await self.thread.proposed(self.tenant, approval)
        return approval

    async def approve(self, approval: ApprovalId) -> None:
        async with self.db.tenant(self.tenant) as s:
            found = await approvals.approval(s, approval)
            assert found is not None
            await approvals.decide(
                s,
                approval,
                plan_hash=found.plan_hash,
                decision="approved",
                by=self.mia,
                approved_until=s.now() + timedelta(minutes=15),
            )
        await self.thread.approval_changed(self.tenant, approval)

    async def advance(self, approval: ApprovalId, to: ApprovalState, **changes: Any) -> None:
        async with self.db.tenant(self.tenant) as s:
            assert await approvals.advance(s, approval, to=to, expect=set(ApprovalState), **changes)
        await self.thread.approval_changed(self.tenant, approval)

    async def heal(self, approval: ApprovalId, word: ApprovalState, last: float) -> None:
        now = self.db.now()
        await self.advance(approval, ApprovalState.APPLYING)
        await self.advance(approval, ApprovalState.APPLIED, applied_at=now)
        await self.advance(approval, ApprovalState.VERIFYING)
        await self.advance(approval, word, outcome={"word": word.value, "last": last}, finished_at=now)
        await self.thread.outcome(self.tenant, approval)


@dataclass(frozen=True)
class Clients:
    slack: Workspace
    session: aiohttp.ClientSession

    async def client_for(self, tenant: TenantId) -> AsyncWebClient:
        return AsyncWebClient(token=self.slack.bot_token, base_url=self.slack.api_url, session=self.session)


def _thread(
    slack: Workspace,
    session: aiohttp.ClientSession,
    db: Database,
    *,
    until: asyncio.Event | None = None,
    sleep: Sleep | None = None,
) -> SlackThread:
    """`until`: Slack's pace lets a burst through, and no more before that. Other waits take no time."""
    clients, naps, ticks = Clients(slack, session), sleep or Naps(), iter(range(10**9))

    async def held_back(seconds: float) -> None:
        assert until is not None
        await until.wait()
        await naps(seconds)

    def clock() -> float:
        return 0.0 if until is not None and not until.is_set() else float(next(ticks))

    delivery = Delivery(clients.client_for, db, clock=clock, sleep=held_back if until else naps)
    return SlackThread(db, delivery, Connected(), sleep=naps, visibility=Visibility(db, clients))


@pytest.fixture
async def scene(sqlite_database: Database, two_tenants: tuple[TenantId, TenantId]) -> AsyncIterator[Scene]:
    db, tenant = sqlite_database, two_tenants[0]
    slack = Workspace(MANIFEST)
    await slack.start()
    root = await slack.post("mia", "incidents", "checkout is slow")
    async with db.tenant(tenant) as s:
        mia = await users.ensure_user(s, slack_user_id="U0MIA", role=Role.MEMBER)
        incident = await incidents.open_incident(
            s,
            id=IncidentId(new_id()),
            title=Redacted.ours("checkout is slow"),
            channel_id="C0INCIDENTS",
            thread_ts=root,
            opened_by=mia.id,
        )
        talk = await conversation(s, channel_id="C0INCIDENTS", thread_ts=root)
        assert talk is not None
        run = await investigations.create_investigation(
            s,
            id=InvestigationId(new_id()),
            incident_id=incident.id,
            conversation_id=talk.id,
            question=Redacted.ours("checkout is slow"),
            requested_by=mia.id,
        )
        await investigations.set_status(s, run.id, "running")
    async with aiohttp.ClientSession() as session:
        thread = _thread(slack, session, db)
        yield Scene(
            slack=slack,
            session=session,
            db=db,
            tenant=tenant,
            root=root,
            incident=incident.id,
            run=run.id,
            mia=mia.id,
            thread=thread,
        )
        await thread.close()
    assert slack.violations == []
    await slack.stop()


async def test_the_normal_path_takes_five_messages_and_three_pushes(scene: Scene) -> None:
    reporter: Reporter = scene.thread
    await reporter.opened(scene.tenant, scene.run)
    await scene.thread.settle()
    await scene.ask("u1", "rank_causes")
    await reporter.progressed(scene.tenant, scene.run)
    await scene.read("u1", summary="checkout first", symptom=a_symptom().model_dump(mode="json"), link=LINK)
    await reporter.progressed(scene.tenant, scene.run)
    await scene.conclude()
    approval = await scene.propose()
    await scene.approve(approval)
    await scene.heal(approval, ApprovalState.HEALED, 0.002)
    await scene.thread.settle()
    opening, plan, verdict, card, outcome = scene.told()
    assert scene.slack.pushes("incidents", scene.root) == 3
    assert [message.notified for message in (opening, plan, verdict, card, outcome)] == [False, False, True, True, True]
    assert opening.text == "Checking checkout since 02:41 UTC: 9% of its requests fail (0.3% before)"
    assert plan.text == "H1 deploy 4f2a91: supported. H2 payment provider: ruled out."
    assert plan.tasks == []
    assert "Investigated checkout" in str(plan.blocks)
    assert verdict.text.endswith("High. Rollback ready.")
    assert _shown(card).startswith(
        "*Roll back checkout to 9c01be*\nApproved by <@U0MIA> 02:41:00, applied 02:41:00, *healed* 02:41."
    )
    assert outcome.text.startswith("checkout recovered at 02:3")
    assert "errors 9% → 0.2%" in outcome.text
    assert all(0 < len(message.text) <= 120 for message in scene.told())


async def a_second_look(scene: Scene, **look: Any) -> None:
    await scene.conclude()
    approval = await scene.propose()
    await scene.heal(approval, ApprovalState.HEALED, 0.002)
    outcome = {"last": 0.002, "second_look": {"after_s": 1800.0, **look}}
    await scene.advance(approval, ApprovalState.HEALED, outcome=outcome)
    for _ in range(2):
        await scene.thread.looked_again(scene.tenant, approval)
    await scene.thread.settle()


async def test_what_held_edits_the_end_message_and_rings_no_phone(scene: Scene) -> None:
    await a_second_look(scene, word="held", last=0.002)
    assert "and held for 30 min" in scene.told()[-1].text
    assert scene.told()[-1].text.startswith("checkout recovered at ")
    assert not any(message.text.startswith("Came back") for message in scene.told())


async def test_what_came_back_is_one_push_in_the_thread(scene: Scene) -> None:
    since = scene.db.now().timestamp()
    await a_second_look(scene, word="came_back", last=0.08, since=since, at=since)
    *before, outcome, came_back = scene.told()
    assert "and came back at " in outcome.text
    assert came_back.text.startswith("Came back: checkout errors 0.2% → 8% since ")
    assert came_back.notified
    assert sum(one.text.startswith("Came back") for one in before) == 0


async def test_everything_may_be_told_again_in_another_process(scene: Scene) -> None:
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.thread.settle()
    await scene.ask("u1", "rank_causes")
    await scene.thread.progressed(scene.tenant, scene.run)
    await scene.thread.close()
    scene.thread = again = scene.restarted()
    await again.opened(scene.tenant, scene.run)
    await again.progressed(scene.tenant, scene.run)
    await scene.read("u1", summary="checkout first")
    await scene.conclude()
    await again.concluded(scene.tenant, scene.run)
    approval = await scene.propose()
    await again.proposed(scene.tenant, approval)
    await scene.heal(approval, ApprovalState.HEALED, 0.002)
    await again.outcome(scene.tenant, approval)
    assert len(scene.told()) == 5
    assert scene.slack.pushes("incidents", scene.root) == 3


async def test_the_opening_states_its_assumption_before_anything_is_read(scene: Scene) -> None:
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.thread.settle()
    [opening] = scene.told()
    assert "Checking *checkout is slow*. Reading Prometheus, logs, git. No traces connected." in str(opening.all_blocks)
    assert [one["text"]["text"] for one in opening.all_blocks[-1]["elements"]] == ["Wrong service", "Stop"]


async def test_progress_is_shown_a_few_times_a_second_at_most(scene: Scene) -> None:
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.ask("u0", "rank_causes")
    for n in range(20):
        await scene.thread.progressed(scene.tenant, scene.run)
        if n == 10:
            await scene.read("u0", summary="checkout first")
    await scene.thread.progressed(scene.tenant, scene.run)
    await scene.thread.close()
    assert len(scene.slack.calls("chat.startStream")) == 2
    assert len(scene.slack.calls("chat.update")) <= 2
    assert scene.told()[1].tasks[0]["status"] == "complete"


async def test_closing_does_not_wait_for_an_investigation_that_goes_on(scene: Scene) -> None:
    await scene.ask("u0", "rank_causes")

    async def go_on() -> None:
        while True:
            await scene.thread.progressed(scene.tenant, scene.run)
            await asyncio.sleep(0)

    working = asyncio.create_task(go_on())
    await scene.slack.wait_for(lambda w: w.calls("chat.startStream"))
    await asyncio.wait_for(scene.thread.close(), 60)
    said = len(scene.slack.calls())
    await asyncio.sleep(0.05)
    working.cancel()
    assert len(scene.slack.calls()) == said


async def test_steering_and_explanations_show_in_the_plan(scene: Scene) -> None:
    await scene.append("system", "A person in the thread says: x", kind="steering", text="not payments")
    line = {"id": "H1", "text": "deploy 4f2a91", "state": "open"}
    await scene.ask("u1", "state_hypotheses", hypotheses=[line])
    await scene.ask("u2", "rank_causes")
    await scene.read("u2", is_error=True)
    await scene.thread.progressed(scene.tenant, scene.run)
    await scene.thread.close()
    [plan] = scene.told()
    assert [(task["title"], task["status"]) for task in plan.tasks] == [
        ("H1 deploy 4f2a91: open", "in_progress"),
        ("Heard: not payments", "complete"),
        ("Rank causes", "error"),
    ]


async def test_the_verdict_links_only_what_a_connector_gave(scene: Scene) -> None:
    for n in range(3):
        await scene.read(f"u{n}", link=LINK if n == 2 else None)
    await scene.conclude()
    assert f"<{LINK}|prometheus>" in str(scene.told()[0].blocks)


async def test_an_ended_run_offers_no_stop_button(scene: Scene) -> None:
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.thread.settle()
    await scene.conclude()
    await scene.thread.settle()
    opening = scene.told()[0]
    assert [one["action_id"] for one in opening.all_blocks[-1]["elements"]] == ["wrong_service"]


async def test_the_card_is_one_message_that_is_edited(scene: Scene) -> None:
    approval = await scene.propose()
    [card] = scene.told()
    await scene.approve(approval)
    assert scene.told() == [card]
    assert "Checking the target again before it is applied" in str(card.blocks)
    assert "'approve'" not in str(card.blocks)
    async with scene.db.tenant(scene.tenant, readonly=True) as s:
        found = await approvals.approval(s, approval)
    assert found is not None
    assert (found.message_channel, found.message_ts) == ("C0INCIDENTS", card.ts)


async def test_what_did_not_heal_strikes_the_explanation_through(scene: Scene) -> None:
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.ask("u1", "rank_causes")
    await scene.read("u1")
    await scene.thread.progressed(scene.tenant, scene.run)
    await scene.conclude()
    approval = await scene.propose()
    await scene.heal(approval, ApprovalState.NOT_HEALED, 0.087)
    await scene.thread.settle()
    _, plan, verdict, _, outcome = scene.told()
    assert "~H1 deploy 4f2a91~" in str(plan.blocks)
    assert "~4f2a91 cut the DB pool from 50 to 5~" in str(verdict.blocks)
    assert outcome.text == "Not healed: checkout errors 9% → 8.7%. The rollback was not the fix."
    assert [one["action_id"] for one in outcome.blocks[-1]["elements"]] == ["undo", "keep"]


async def test_a_stopped_run_says_who_stopped_it(scene: Scene) -> None:
    await scene.ask("u1", "rank_causes")
    async with scene.db.tenant(scene.tenant) as s:
        await investigations.request_stop(s, scene.run, scene.mia)
        await investigations.set_status(s, scene.run, "stopped")
    await scene.thread.concluded(scene.tenant, scene.run)
    assert "*Stopped* by <@U0MIA>" in str(scene.told()[0].blocks)


async def test_a_failed_run_gives_its_reference_and_what_was_found(scene: Scene) -> None:
    await scene.ask("u1", "rank_causes")
    await scene.read("u1", summary="checkout first")
    async with scene.db.tenant(scene.tenant) as s:
        await investigations.set_status(s, scene.run, "failed")
    await scene.thread.concluded(scene.tenant, scene.run)
    told = str(scene.told()[0].blocks)
    assert f"Reference `{scene.run}`" in told
    assert "Rank causes: checkout first" in told


async def test_nothing_is_raised_when_slack_or_the_store_has_no_answer(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = InvestigationId(new_id())
    await scene.thread.opened(scene.tenant, nowhere)
    await scene.thread.progressed(scene.tenant, nowhere)
    await scene.thread.concluded(scene.tenant, nowhere)
    await scene.thread.outcome(scene.tenant, ApprovalId(new_id()))
    assert caplog.text.count("reference=") == 4


async def test_the_agents_never_wait_for_what_only_shows_progress(scene: Scene) -> None:
    scene.slack.faults.slow("chat.startStream", 3600)
    async with asyncio.timeout(60):
        await scene.thread.opened(scene.tenant, scene.run)
        await scene.ask("u1", "rank_causes")
        await scene.thread.progressed(scene.tenant, scene.run)
        await scene.conclude()
    assert [one.text for one in scene.told()][-1].endswith("High. Rollback ready.")


def _held_back(thread: SlackThread, urgency: Urgency) -> list[Urgency]:
    """Those of this urgency that wait until Slack's pace lets them through."""
    buckets = thread._delivery.calls._pace._buckets.values()
    return [one for bucket in buckets for one, _, _ in bucket._waiting if one is urgency]


def _verdicts(scene: Scene) -> int:
    """Those that stand in the channel: the pace lets the first few through at once."""
    return sum("Rollback ready" in one.text for one in scene.slack.messages("incidents") if one.bot_id)


async def test_in_a_storm_the_verdicts_go_first_and_a_run_that_has_ended_says_nothing_else(scene: Scene) -> None:
    runs = [scene.run, *[await scene.another_run(n) for n in range(1, 30)]]
    released = asyncio.Event()
    thread = scene.thread = _thread(scene.slack, scene.session, scene.db, until=released)
    for run in runs:
        await thread.opened(scene.tenant, run)
    for run in runs:
        async with scene.db.tenant(scene.tenant) as s:
            await investigations.save_verdict(s, run, a_verdict().model_dump(mode="json"))
            await investigations.set_status(s, run, "concluded")
    told = [asyncio.create_task(thread.concluded(scene.tenant, run)) for run in runs]
    async with asyncio.timeout(60):
        while len(_held_back(thread, Urgency.FIRST)) + _verdicts(scene) < len(runs):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    released.set()
    await asyncio.gather(*told)
    await thread.settle()
    words = [one.text for one in scene.slack.messages("incidents") if one.bot_id]
    openings = [n for n, text in enumerate(words) if text.startswith("Checking")]
    assert _verdicts(scene) == len(runs)
    assert len(openings) <= 10
    assert len([text for text in words if "Rollback ready" not in text and not text.startswith("Checking")]) == 0


# What a thread is owed


@pytest.mark.parametrize("error", ["service_unavailable", "invalid_auth"])
async def test_a_verdict_that_slack_did_not_take_is_told_when_it_answers_again(scene: Scene, error: str) -> None:
    scene.slack.faults.fail("chat.postMessage", error, times=40)
    await scene.conclude()
    await scene.thread.settle()
    assert [one.text.endswith("Rollback ready.") for one in scene.told()] == [True]


async def test_what_a_process_left_owed_is_told_by_the_next(scene: Scene) -> None:
    scene.slack.faults.fail("chat.postMessage", "service_unavailable", times=10**6)
    scene.thread = _thread(scene.slack, scene.session, scene.db, until=asyncio.Event())  # no wait of it ever ends
    async with scene.db.tenant(scene.tenant) as s:
        await investigations.save_verdict(s, scene.run, a_verdict().model_dump(mode="json"))
        await investigations.set_status(s, scene.run, "concluded")
    telling = asyncio.create_task(scene.thread.concluded(scene.tenant, scene.run))
    await scene.slack.wait_for(lambda w: w.calls("chat.postMessage"))
    telling.cancel()
    await scene.thread.close()
    assert scene.told() == []
    scene.slack.faults.take_all("chat.postMessage")
    scene.thread = scene.restarted()
    await scene.thread.resume()
    await scene.thread.settle()
    assert [one.text.endswith("Rollback ready.") for one in scene.told()] == [True]
    await scene.thread.resume()
    await scene.thread.settle()
    assert len(scene.told()) == 1


@pytest.mark.parametrize("code", ["is_archived", "not_in_channel", "restricted_action", "some_new_refusal"])
async def test_what_is_refused_for_good_is_told_to_whoever_asked(scene: Scene, code: str) -> None:
    scene.slack.faults.fail("chat.postMessage", code)
    await scene.conclude()
    await scene.thread.settle()
    assert scene.told() == []
    [told] = scene.slack.messages("D0MIA")
    assert "I cannot post what I found in the thread of incident #1" in str(told.blocks)
    assert "Rollback ready" in told.text
    async with scene.db.tenant(scene.tenant, readonly=True) as s:
        seen = {scene.incident: await incidents.incident(s, scene.incident)}
        [line] = await read_undelivered(s, {key: one for key, one in seen.items() if one})
        assert await deliveries.due(s, of=KINDS, since=s.now() - OWED_FOR) == []
    assert line.startswith("*#1*")


async def test_whoever_may_not_see_the_channel_hears_only_that_there_is_something(scene: Scene) -> None:
    channel = scene.slack.channels["incidents"]
    channel.is_private = True
    channel.members.discard("U0MIA")
    scene.slack.faults.fail("chat.postMessage", "is_archived")
    await scene.conclude()
    await scene.thread.settle()
    [told] = scene.slack.messages("D0MIA")
    assert "I cannot post what I found" in str(told.blocks)
    assert "Rollback ready" not in f"{told.text}{told.blocks}"
    # This app's manifest has no groups:read; and mia cannot be named as who began the thread's session.
    assert {one.error for one in scene.slack.violations} <= {"missing_scope", "user_not_in_channel"}
    scene.slack.violations.clear()


async def test_after_a_day_it_is_given_up_and_told_elsewhere(scene: Scene, clock: Clock) -> None:
    scene.slack.faults.fail("chat.postMessage", "service_unavailable", times=10)  # twice all attempts

    async def nap(_seconds: float) -> None:
        clock.advance(timedelta(hours=3))
        await asyncio.sleep(0)

    scene.thread = _thread(scene.slack, scene.session, scene.db, sleep=nap)
    await scene.conclude()
    await scene.thread.settle()
    assert scene.told() == []
    [told] = scene.slack.messages("D0MIA")
    assert "I cannot post what I found" in str(told.blocks)


async def test_a_card_that_was_told_elsewhere_is_brought_up_to_date_there(scene: Scene) -> None:
    scene.slack.faults.fail("chat.postMessage", "is_archived")
    approval = await scene.propose()
    await scene.thread.settle()
    [card] = scene.slack.messages("D0MIA")
    assert "Reject" in str(card.blocks)
    await scene.approve(approval)
    [card] = scene.slack.messages("D0MIA")
    assert "Approved by <@U0MIA>" in str(card.blocks)


async def test_another_tenant_cannot_tell_this_ones_story(scene: Scene, two_tenants: tuple[TenantId, TenantId]) -> None:
    await scene.thread.opened(two_tenants[1], scene.run)
    assert scene.told() == []
