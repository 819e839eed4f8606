"""From a webhook to one message, one investigation, and its end."""

from datetime import timedelta
from typing import Any

from handlers.slack.thread import SlackThread
from store.ids import IncidentId, TenantId, stable_id
from store.incidents import alerts, incident, open_incident, resolve_incident
from store.incidents.alerts import StoredGroup
from store.incidents.investigations import running_investigations, save_verdict
from store.secrets.redaction import Redacted
from tests.conftest import Clock
from tests.handlers.inbound import Slack, audited, finish
from tests.handlers.slack.blocks.examples import a_verdict
from tests.handlers.webhooks.hooks import Hooks, a_body, an_alert, open_hooks

CHANNEL = "C0INCIDENTS"


async def groups(slack: Slack) -> list[StoredGroup]:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        return sorted(await alerts.groups_since(s, slack.db.now() - timedelta(days=30)), key=lambda one: one.opened_at)


async def runs(slack: Slack) -> int:
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        return len(await running_investigations(s))


async def told(hooks: Hooks, **policy: Any) -> None:
    await hooks.slack.settings(triage_channels=(CHANNEL,))
    async with hooks.slack.db.tenant(hooks.slack.tenant) as s:
        await alerts.save_policy(s, policy, by=None)


async def fire(hooks: Hooks, made: Any) -> None:
    await hooks.send(made, a_body(an_alert(startsAt=hooks.slack.db.now().isoformat())))
    await hooks.done()


async def turn(hooks: Hooks, made: Any, clock: Clock) -> None:
    """The alert fires, and is over half a minute later."""
    starts = hooks.slack.db.now().isoformat()
    await fire(hooks, made)
    clock.advance(timedelta(seconds=30))
    over = an_alert(status="resolved", startsAt=starts, endsAt=hooks.slack.db.now().isoformat())
    await hooks.send(made, a_body(over, status="resolved"))
    await hooks.done()


async def test_an_alert_is_one_message_and_one_investigation_however_often_it_is_sent(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        await told(hooks)
        made = await hooks.make()
        for _ in range(30):
            hooks.now += 400
            assert await hooks.send(made, a_body(an_alert())) == 202
        await hooks.done()
        (group,) = await groups(slack)
        assert (group.status, group.decision, group.service) == ("firing", "investigate", "checkout")
        assert group.facts["sources"] == {"alertmanager": 30}
        assert await runs(slack) == 1
        (message,) = slack.said("incidents")
        assert message.startswith("Firing, critical: *checkout* HighErrors: 58 % of requests fail")
        assert "system.alert_group.opened" in await audited(slack)


async def test_a_cascade_is_one_group_and_its_message_is_edited(slack: Slack) -> None:
    edges = [("web", "checkout"), ("checkout", "payment")]
    async with open_hooks(slack, services=("web", "checkout", "payment"), edges=edges) as hooks:
        await told(hooks)
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert("PoolEmpty", "payment")))
        await hooks.done()
        await hooks.send(made, a_body(an_alert("HighErrors", "checkout", startsAt="2026-11-05T02:40:30Z")))
        await hooks.send(made, a_body(an_alert("Slow", "web", startsAt="2026-11-05T02:40:50Z")))
        await hooks.done()
        (group,) = await groups(slack)
        assert set(group.facts["services"]) == {"payment", "checkout", "web"}
        assert len(slack.said("incidents")) == 1
        assert await runs(slack) == 1
        own = next(one for one in slack.workspace.messages("incidents") if one.user == slack.workspace.bot_user_id)
        assert "3 alerts (3 firing)" in str(own.blocks)
        assert "Runbook" in str(own.blocks)


async def test_a_service_is_known_by_the_names_that_the_catalog_has_for_it(slack: Slack) -> None:
    async with open_hooks(slack, services=("web", "checkout"), spellings={"till-7": "checkout"}) as hooks:
        await told(hooks)
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert("HighErrors", "till-7")))
        await hooks.send(made, a_body(an_alert("Slow", "checkout")))
        await hooks.done()
        (group,) = await groups(slack)
        assert group.service == "checkout"


async def test_when_alerts_end_the_incident_is_mitigated_and_comes_back_with_them(slack: Slack, clock: Clock) -> None:
    async with open_hooks(slack) as hooks:
        await told(hooks)
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert()))
        await hooks.done()
        over = an_alert(status="resolved", endsAt="2026-11-05T02:40:40Z")
        await hooks.send(made, a_body(over, status="resolved"))
        await hooks.done()
        (group,) = await groups(slack)
        assert group.status == "resolved"
        assert group.incident_id is not None
        async with slack.db.tenant(slack.tenant, readonly=True) as s:
            still = await incident(s, group.incident_id)
        assert still is not None
        assert still.status == "mitigated"
        await finish(slack)
        assert slack.said("incidents")[0].startswith("Resolved")
        clock.advance(timedelta(hours=2))
        starts = slack.db.now().isoformat()
        await hooks.send(made, a_body(an_alert(startsAt=starts)))
        await hooks.done()
        (group,) = await groups(slack)
        assert (group.status, group.recurrences) == ("firing", 1)
        assert any("Fires again, for the 2nd time" in one for one in slack.said("incidents"))
        assert {"system.alert_group.resolved", "system.alert_group.reopened"} <= set(await audited(slack))
        async with slack.db.tenant(slack.tenant, readonly=True) as s:
            back = await incident(s, group.incident_id)
        assert back is not None
        assert back.status == "investigating"
        assert await runs(slack) == 1, "the first has ended"
        assert {"slack.incident.mitigated", "slack.incident.reopened"} <= set(await audited(slack))


async def test_what_fires_again_shortly_after_its_end_opens_its_incident_again(slack: Slack, clock: Clock) -> None:
    async with open_hooks(slack) as hooks:
        await told(hooks)
        made = await hooks.make()
        await turn(hooks, made, clock)
        (group,) = await groups(slack)
        assert group.incident_id is not None
        await finish(slack)
        async with slack.db.tenant(slack.tenant) as s:
            assert await resolve_incident(s, group.incident_id, by="alert")
            await alerts.note_decision(s, group.id, "offer")  # nobody looks into it anew
            await alerts.save_policy(s, {"rules": [{"action": "offer"}]}, by=None)
        clock.advance(timedelta(minutes=4))
        await fire(hooks, made)
        async with slack.db.tenant(slack.tenant, readonly=True) as s:
            back = await incident(s, group.incident_id)
        assert back is not None
        assert (back.status, back.resolved_at) == ("open", None)
        assert (await audited(slack)).count("slack.incident.reopened") == 1
        (again,) = [one for one in slack.said("incidents") if one.startswith("Fires again")]
        assert "4 min after it was over. Within 30 min that is the same outage: its incident is open again." in again


async def test_what_fires_again_long_after_its_end_opens_nothing_by_itself(slack: Slack, clock: Clock) -> None:
    async with open_hooks(slack) as hooks:
        await told(hooks)
        made = await hooks.make()
        await turn(hooks, made, clock)
        (group,) = await groups(slack)
        assert group.incident_id is not None
        await finish(slack)
        async with slack.db.tenant(slack.tenant) as s:
            await resolve_incident(s, group.incident_id, by="alert")
            await alerts.note_decision(s, group.id, "offer")
            await alerts.save_policy(s, {"rules": [{"action": "offer"}]}, by=None)
        clock.advance(timedelta(minutes=31))
        await fire(hooks, made)
        async with slack.db.tenant(slack.tenant, readonly=True) as s:
            still = await incident(s, group.incident_id)
        assert still is not None
        assert still.status == "resolved"


async def test_flapping_is_told_in_the_groups_message_and_rings_once(slack: Slack, clock: Clock) -> None:
    async with open_hooks(slack) as hooks:
        await told(hooks)
        made = await hooks.make()
        for _ in range(7):
            await turn(hooks, made, clock)
            clock.advance(timedelta(minutes=3))
        await fire(hooks, made)
        (group,) = await groups(slack)
        assert (group.recurrences, group.facts["flapping"]) == (7, True)
        again = [one for one in slack.said("incidents") if one.startswith("Fires again")]
        assert len(again) == 2, "the first return, and the one with which it began to flap"
        assert "It keeps coming and going" in again[-1]
        first = slack.said("incidents")[0]
        assert first.startswith("Firing, critical, flapping")
        message = next(one for one in slack.workspace.messages("incidents") if one.ts == group.thread_ts)
        assert "Came back 7 times and keeps coming and going" in str(message.blocks)


async def test_rules_offer_ignore_and_bound(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        rules = [{"action": "ignore", "service": ["batch"]}, {"action": "offer", "name": ["disk"]}]
        await told(hooks, rules=rules, budget=1, labels=["team", "region"])
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert("Late", "batch")))
        await hooks.send(made, a_body(an_alert("DiskFull", "db", labels={"team": "data", "region": "eu"})))
        await hooks.send(made, a_body(an_alert("A", "one")))
        await hooks.done()
        await hooks.send(made, a_body(an_alert("B", "two")))
        await hooks.send(made, a_body(an_alert("W", "three", labels={"severity": "info"})))
        await hooks.done()
        decided = {one.service: one.decision for one in await groups(slack)}
        assert decided == {"batch": "ignore", "db": "offer", "one": "investigate", "two": "offer", None: "ignore"}
        assert await runs(slack) == 1
        said = "\n".join(slack.said("incidents"))
        assert "batch" not in said
        own = [one for one in slack.workspace.messages("incidents") if "DiskFull" in str(one.blocks)]
        assert "*team*\\ndata" in str(own[0].blocks)
        assert "Investigate" in str(own[0].blocks)


async def test_without_a_channel_admins_are_told_and_nothing_is_lost(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert()))
        await hooks.done()
        assert "no channel is chosen" in hooks.told.said[0][1]
        await told(hooks)
        await hooks.work.sweep()
        await hooks.done()
        assert len(slack.said("incidents")) == 1
        assert await runs(slack) == 1


async def test_a_watchdog_and_an_unknown_shape_start_nothing(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        await told(hooks)
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert("Watchdog", "prometheus")))
        await hooks.send(made, {"quite": "another thing"})
        await hooks.done()
        assert await groups(slack) == []
        assert slack.said("incidents") == []


async def test_a_deployment_goes_to_the_change_log(slack: Slack) -> None:
    from agents.alerting.change_log import WebhookChanges
    from agents.evidence.types import Window

    async with open_hooks(slack) as hooks:
        made = await hooks.make("generic", change="deployment")
        body = {"title": "checkout 2.1 to prod", "version": "2.1", "service": "checkout", "url": "https://ci.example/7"}
        await hooks.send(made, {**body, "id": 7, "status": "success"})
        await hooks.send(made, {"title": "orphan", "id": 8, "repository": "acme/nobody"})
        await hooks.done()
        log = WebhookChanges(slack.db, slack.tenant, lambda: ("checkout",))
        now = slack.db.now()
        read = await log.read_changes(Window(start=now - timedelta(hours=1), end=now + timedelta(hours=1)))
        (change,) = read.changes
        assert (change.service, change.version, change.kind) == ("checkout", "2.1", "deployment")
        assert "https://ci.example/7" in change.summary
        assert "1 changes belong to no known service: orphan" in read.gaps[0]


async def post_as_bots(slack: Slack, *posted: str, services: tuple[str, ...] = ("checkout", "payments")) -> None:
    """Each by a bot of its own, in the channel and in this order."""
    from dataclasses import replace

    from agents.alerting.absorber import Absorber, Surroundings
    from handlers.slack import mentions
    from handlers.slack.inbound.arrival import ChannelMessage, SlackActor

    async def around(_tenant: str) -> Surroundings:
        return Surroundings(services=services)

    async def fetch(_url: str) -> bytes:
        return b""

    context = replace(slack.context, absorber=Absorber(slack.db, around, fetch=fetch))
    workspace = await slack.caller.workspace_of(slack.tenant)
    assert workspace is not None
    person = await slack.caller.alert_source(workspace)
    for number, words in enumerate(posted):
        ts = await slack.workspace.post("mia", "incidents", words)
        message = ChannelMessage(
            actor=SlackActor(user_id="", bot_id=f"B{number}"), channel_id=CHANNEL, ts=ts, text=words
        )
        await mentions.triage_alert(person, message, context)


async def status_of(slack: Slack, group: StoredGroup) -> str:
    assert group.incident_id is not None
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        found = await incident(s, group.incident_id)
    assert found is not None
    return found.status


async def test_what_another_bot_posts_goes_the_same_way_and_one_end_of_two_ends_nothing(slack: Slack) -> None:
    first, second = "HighErrors checkout", "SlowCheckout checkout"
    await post_as_bots(slack, f"[FIRING:1] {first}", f"[FIRING:1] {second}", f"[RESOLVED] {first}")
    (group,) = await groups(slack)
    assert (group.service, group.status, group.facts["states"]["resolved"]) == ("checkout", "firing", 1)
    assert await runs(slack) == 1
    assert await status_of(slack, group) == "investigating"
    await post_as_bots(slack, f"[RESOLVED] {second}")
    (group,) = await groups(slack)
    assert (group.status, await status_of(slack, group)) == ("resolved", "mitigated")


async def test_an_end_in_other_words_is_that_of_the_one_alert_that_fires(slack: Slack) -> None:
    await post_as_bots(slack, "checkout is down", "Recovered: checkout is back up")
    (group,) = await groups(slack)
    assert (group.status, await status_of(slack, group)) == ("resolved", "mitigated")


async def test_whose_end_it_is_of_two_nobody_can_tell(slack: Slack) -> None:
    await post_as_bots(slack, "[FIRING:1] HighErrors checkout", "[FIRING:1] Slow checkout", "checkout: is back up")
    firing = [one for one in await groups(slack) if one.status == "firing"]
    assert [one.facts["states"]["firing"] for one in firing] == [2]
    assert await status_of(slack, firing[0]) == "investigating"


class NoSources:
    async def sources(self, _tenant: TenantId) -> list[str]:
        return []

    async def missing(self, _tenant: TenantId) -> list[str]:
        return []


async def test_the_verdict_stands_in_the_alerts_message_and_in_no_other_channel(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        await told(hooks)
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert()))
        await hooks.done()
        async with slack.db.tenant(slack.tenant) as s:
            (run,) = await running_investigations(s)
            await save_verdict(s, run.id, a_verdict().model_dump(mode="json"))
        await finish(slack)
        thread = SlackThread(slack.db, slack.context.delivery, NoSources())
        await thread.concluded(slack.tenant, run.id)
        await thread.settle()
        await hooks.work.sweep()
        await hooks.done()
        own = [one for one in slack.said("incidents") if one.startswith("Firing")]
        assert len(own) == 1, "edited in place"
        assert "\n*Verdict* checkout: " in own[0]
        await thread.close()
        (group,) = await groups(slack)
        async with slack.db.tenant(slack.tenant) as s:
            elsewhere = await open_incident(
                s,
                id=IncidentId(stable_id("incident", "elsewhere")),
                title=Redacted.ours("x"),
                channel_id="C0PRIVATE",
                thread_ts="9.9",
                opened_by=None,
            )
            await alerts.note_incident(s, group.id, elsewhere.id)
            await alerts.show_again(s, group.id)
        await hooks.work.sweep()
        await hooks.done()
        assert not any("*Verdict*" in one for one in slack.said("incidents") if one.startswith("Firing"))
