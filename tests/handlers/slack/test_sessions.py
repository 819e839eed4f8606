"""Agent sessions: what Slack shows beside a thread, its Stop button, its title, and an installation that lacks them."""

from datetime import timedelta

from agents.permission import Person
from bot.demo.workspace.model import AgentSession
from handlers.slack.home import show_home
from handlers.slack.inbound.arrival import SlackActor
from handlers.slack.inbound.in_view import KEPT_FOR, InView
from handlers.slack.sessions import AgentSessions, session_title
from store import incidents
from store.ids import IncidentId, TenantId, new_id
from store.incidents import investigations
from store.incidents.approvals import ApprovalState
from store.incidents.investigations import stop_requested
from store.people.users import Role
from store.secrets.redaction import Redacted
from store.tenancy.lacking import read_lacking
from tests.conftest import Clock
from tests.handlers.inbound import Slack, audited, finish, kept, set_person, stored_run, workspace_of
from tests.handlers.slack.test_thread import Scene
from tests.handlers.slack.test_thread import scene as scene  # noqa: PLC0414 -- a fixture

MISSING_STOP = "missing_agent_session_stopped_event_subscription"


def _session(scene: Scene) -> AgentSession:
    found = scene.slack.session("incidents", scene.root)
    assert found is not None
    return found


async def test_a_session_follows_the_work_and_is_suspended_while_an_approval_waits(scene: Scene) -> None:
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.thread.settle()
    assert (_session(scene).status, _session(scene).title) == ("processing", "checkout is slow")
    await scene.conclude()
    await scene.thread.settle()
    assert _session(scene).status == "active"
    assert _session(scene).title.startswith("checkout, 4f2a91 cut the DB pool")
    approval = await scene.propose()
    await scene.thread.settle()
    assert _session(scene).status == "suspended"
    await scene.approve(approval)
    await scene.advance(approval, ApprovalState.APPLYING)
    await scene.thread.settle()
    assert _session(scene).status == "active", "Slack's Stop button would stop nothing"
    await scene.heal(approval, ApprovalState.HEALED, 0.002)
    await scene.thread.settle()
    assert _session(scene).status == "active"
    async with scene.db.tenant(scene.tenant) as s:
        await incidents.resolve_incident(s, scene.incident, by=scene.mia)
    await scene.thread.ended(scene.tenant, scene.incident)
    await scene.thread.settle()
    assert _session(scene).status == "closed"


async def test_a_title_that_a_person_gave_stays(scene: Scene) -> None:
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.thread.settle()
    await scene.slack.rename_session("mia", "incidents", scene.root, "Black Friday")
    await scene.conclude()
    await scene.thread.settle()
    assert _session(scene).title == "Black Friday"


async def test_refused_sessions_cost_nothing_and_are_noted_once(scene: Scene) -> None:
    scene.slack.faults.fail("agents.sessions.setStatus", "unknown_method", times=9)
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.thread.settle()
    await scene.conclude()
    await scene.propose()
    await scene.thread.settle()
    assert len(scene.slack.calls("agents.sessions.setStatus")) == 1
    assert len(scene.told()) == 3


async def test_slacks_stop_button_stops_the_investigation_and_says_so(slack: Slack) -> None:
    run = await stored_run(slack)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        found = await investigations.investigation(s, run)
        assert found is not None
        incident = await incidents.incident(s, found.incident_id)
    assert incident is not None
    sessions = slack.context.sessions
    assert sessions is not None
    await sessions.show(slack.tenant, incident.id)
    await slack.workspace.stop_session("mia", "incidents", incident.thread_ts)
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["Stopping. What was found so far stays here."]
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await stop_requested(s, run)
    session = slack.workspace.session("incidents", incident.thread_ts)
    assert session is not None
    assert session.status == "active"
    await finish(slack)
    await sessions.show(slack.tenant, incident.id, anew=True)
    assert "slack.investigation.stop_requested" in await audited(slack)


async def test_after_a_stop_nothing_of_the_plan_is_in_progress(scene: Scene) -> None:
    stated = [{"id": "H1", "text": "deploy 4f2a91", "state": "open", "reason": ""}]
    await scene.ask("h1", "state_hypotheses", hypotheses=stated)
    await scene.ask("u1", "rank_causes")
    await scene.thread.opened(scene.tenant, scene.run)
    await scene.thread.progressed(scene.tenant, scene.run)
    await scene.thread.settle()
    plan = scene.told()[1]
    assert {one["status"] for one in plan.tasks} == {"in_progress"}
    async with scene.db.tenant(scene.tenant) as s:
        await investigations.request_stop(s, scene.run, scene.mia)
        await investigations.set_status(s, scene.run, "stopped")
    await scene.thread.concluded(scene.tenant, scene.run)
    await scene.thread.settle()
    assert plan.tasks
    assert "in_progress" not in {one["status"] for one in plan.tasks}
    assert all(one.text for one in scene.told())
    assert "Stopped" in scene.told()[-1].text
    assert _session(scene).status == "active"


async def test_who_may_not_stop_is_told_and_the_session_goes_on(slack: Slack) -> None:
    run = await stored_run(slack)
    await set_person(slack, "mia", Role.VIEWER)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        found = await investigations.investigation(s, run)
        assert found is not None
        incident = await incidents.incident(s, found.incident_id)
    assert incident is not None
    assert slack.context.sessions is not None
    await slack.context.sessions.show(slack.tenant, incident.id)
    await slack.workspace.stop_session("mia", "incidents", incident.thread_ts)
    await slack.handled(1)
    assert len(slack.private("incidents", "mia")) == 1
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert not await stop_requested(s, run)
    session = slack.workspace.session("incidents", incident.thread_ts)
    assert session is not None
    assert session.status == "processing"
    await slack.workspace.rename_session("mia", "incidents", incident.thread_ts, "mine")
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        renamed = await incidents.incident(s, incident.id)
    assert renamed is not None
    assert renamed.title == incident.title


async def test_the_incident_is_called_what_its_thread_is_called(slack: Slack) -> None:
    run = await stored_run(slack)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        found = await investigations.investigation(s, run)
        assert found is not None
        incident = await incidents.incident(s, found.incident_id)
    assert incident is not None
    assert slack.context.sessions is not None
    await slack.context.sessions.show(slack.tenant, incident.id)
    await slack.workspace.rename_session("mia", "incidents", incident.thread_ts, "Black  Friday")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        renamed = await incidents.incident(s, incident.id)
    assert renamed is not None
    assert renamed.title == "Black Friday"
    assert renamed.titled_by is not None
    assert "slack.incident.renamed" in await audited(slack)


async def test_an_installation_without_the_event_is_told_on_home_with_one_link(slack: Slack) -> None:
    run = await stored_run(slack)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        found = await investigations.investigation(s, run)
    assert found is not None
    sessions = AgentSessions(slack.db, slack.context.delivery)
    slack.workspace.forget_event("agent_session_stopped")
    await sessions.show(slack.tenant, found.incident_id)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await read_lacking(s) == ("agent_session_stopped",)
    await set_person(slack, "mia", Role.ADMIN)
    person = await slack.caller.person(await workspace_of(slack), SlackActor(user_id="U0MIA"), None)
    assert isinstance(person, Person)
    await show_home(person, slack.context)
    home = slack.workspace.home("mia")
    assert home is not None
    assert "Stop button stops nothing" in str(home.view)
    assert str(home.view).count("|install the app again>") == 1
    slack.workspace.forget_event("agent_session_stopped", back=True)
    await sessions.show(slack.tenant, found.incident_id, anew=True)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await read_lacking(s) == ()


async def test_what_somebody_has_open_is_used_and_not_written_down(slack: Slack) -> None:
    slack.workspace.look_at("mia", "incidents")
    view = slack.context.in_view
    assert view is not None
    await slack.until(lambda: view.channel_of(slack.tenant, "U0MIA") == "C0INCIDENTS")
    slack.workspace.look_at("mia", None)
    await slack.until(lambda: view.channel_of(slack.tenant, "U0MIA") is None)
    assert await kept(slack) == []


async def test_status_in_a_direct_message_means_the_incident_of_the_channel_that_is_open(slack: Slack) -> None:
    await stored_run(slack)
    async with slack.db.tenant(slack.tenant) as s:
        later = IncidentId(new_id())
        words = Redacted.ours("search is slow")
        await incidents.open_incident(
            s, id=later, title=words, channel_id="D0MIA", thread_ts="1.000001", opened_by=None
        )
    view = slack.context.in_view
    assert view is not None
    await slack.workspace.post("mia", "dm", "status")
    await slack.handled(1)
    slack.workspace.look_at("mia", "incidents")
    await slack.until(lambda: view.channel_of(slack.tenant, "U0MIA"))
    await slack.workspace.post("mia", "dm", "status")
    await slack.handled(2)
    first, second = slack.said("D0MIA")
    assert "search is slow" in first
    assert second.startswith("*#1 checkout*")


def test_what_somebody_had_open_is_forgotten(clock: Clock) -> None:
    tenant, view = TenantId("t"), InView(clock)
    view.note(tenant, "U1", "C1")
    assert view.channel_of(tenant, "U1") == "C1"
    assert view.channel_of(tenant, "U2") is None
    clock.advance(KEPT_FOR + timedelta(seconds=1))
    assert view.channel_of(tenant, "U1") is None


def test_a_title_is_one_line_that_slack_keeps_as_it_is() -> None:
    assert session_title("checkout: pods/api \n are slow") == "checkout, pods-api are slow"
    assert len(session_title("word " * 50)) <= 80
    assert session_title("  ") == "Incident"
