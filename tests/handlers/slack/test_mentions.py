"""Mentions, direct messages, replies and alerts, from Slack to the incident service."""

import pytest
from sqlalchemy import select

from handlers.slack.mentions import read_intent, without_mention
from store.database.schema import InboxRow, NoteRow
from store.ids import InboxId, TenantId
from store.incidents.conversations import chat, conversation
from store.incidents.investigations import running_investigations, stop_requested, take_notes
from store.people.users import Role
from tests.fakes.incidents import open_incidents
from tests.handlers.inbound import Slack, audited, finish, kept, set_person, words


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", "help"),
        ("Help!", "help"),
        (" status. ", "status"),
        ("STOP", "stop"),
        ("stop the deploys of checkout", "ask"),
        ("what is the status of payments?", "ask"),
    ],
)
def test_only_a_whole_message_is_a_command(said: str, meant: str) -> None:
    assert read_intent(said) == meant


def test_only_the_apps_own_mention_is_taken_out() -> None:
    assert without_mention("<@U0BOT> ask <@U0MIA|mia> about it", "U0BOT") == "ask <@U0MIA|mia> about it"


async def test_a_mention_starts_an_investigation_in_its_own_thread(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.until(lambda: slack.engine.of("investigate"))
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (incident,) = await open_incidents(s)
        (run,) = await running_investigations(s)
    assert (incident.thread_ts, str(run.question)) == (ts, "checkout is failing")


async def test_the_conversation_keeps_what_was_asked(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing, password=hunter2hunter2")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        thread = await conversation(s, channel_id="C0INCIDENTS", thread_ts=ts, create=False)
        assert thread is not None
        (message,) = await chat(s, thread.id)
    assert (message.slack_user_id, message.kind) == ("U0MIA", "mention")
    assert "hunter2" not in message.text


async def test_an_empty_mention_gets_help_that_only_the_asker_sees(slack: Slack) -> None:
    await slack.workspace.post("mia", "incidents", "@autoheal")
    await slack.handled(1)
    (told,) = slack.private("incidents", "mia")
    assert "`/autoheal investigate <what is wrong>`" in told.replace("&lt;", "<").replace("&gt;", ">")
    assert slack.said("incidents") == []


async def test_a_reply_that_mentions_the_bot_steers_the_running_investigation_without_a_message(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await slack.workspace.post("raj", "incidents", "@autoheal not payments, already rolled back", ts)
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant) as s:
        (run,) = await running_investigations(s)
        (note,) = await take_notes(s, run.id, turn=1)
    assert note.text == "not payments, already rolled back"
    assert slack.said("incidents") == []
    assert slack.private("incidents", "raj") == []
    assert ("progressed", run.id) in slack.heard.told


async def test_a_mention_after_the_verdict_is_a_follow_up_in_the_same_incident(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await finish(slack)
    await slack.workspace.post("raj", "incidents", "@autoheal and what about payments?", ts)
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (incident,) = await open_incidents(s)
        (run,) = await running_investigations(s)
    assert (run.incident_id, run.attempt) == (incident.id, 2)


async def test_stop_and_status_alone_are_commands(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await slack.workspace.post("raj", "incidents", "@autoheal status", ts)
    await slack.handled(2)
    await slack.workspace.post("raj", "incidents", "@autoheal stop", ts)
    await slack.handled(3)
    status, stopping = slack.private("incidents", "raj")
    assert status.startswith("*#1 checkout*: investigating")
    assert "A draft for stakeholders" not in stopping
    assert stopping.startswith("Stopping")
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (run,) = await running_investigations(s)
        assert await stop_requested(s, run.id)


async def test_a_second_mention_of_the_same_symptom_is_led_to_the_first_thread(slack: Slack) -> None:
    first = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    second = await slack.workspace.post("raj", "checkout-team", "@autoheal Checkout is failing")
    await slack.handled(2)
    (answer,) = [m for m in slack.workspace.messages("checkout-team", second) if m.user == slack.workspace.bot_user_id]
    assert f"p{first.replace('.', '')}" in words(answer.blocks)
    assert len(slack.engine.of("investigate")) == 1


async def test_a_viewer_may_ask_for_status_and_not_for_an_investigation(slack: Slack) -> None:
    await set_person(slack, "raj", Role.VIEWER)
    await slack.workspace.post("raj", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await slack.workspace.post("raj", "incidents", "@autoheal status")
    await slack.handled(2)
    refused, status = slack.private("incidents", "raj")
    assert refused == "Your role is viewer. This needs a member or admin."
    assert status == "No incident is open here."
    assert slack.engine.of("investigate") == []


async def test_a_guest_is_refused_privately_and_the_refusal_is_audited(slack: Slack) -> None:
    await slack.workspace.post("gus", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    assert slack.private("incidents", "gus")[0].startswith("Guests cannot use Autoheal")
    assert "slack.request.refused" in await audited(slack)
    assert slack.engine.of("investigate") == []


async def test_people_of_another_organisation_are_refused_also_where_shared_channels_are_allowed(slack: Slack) -> None:
    await slack.settings(allow_external_channels=True)
    await slack.workspace.post("eve", "shared-with-acme", "@autoheal what broke?")
    await slack.handled(1)
    assert "connected organisations" in slack.private("shared-with-acme", "eve")[0]
    assert slack.engine.of("investigate") == []


async def test_a_shared_channel_is_refused_until_the_tenant_allows_it(slack: Slack) -> None:
    await slack.workspace.post("mia", "shared-with-acme", "@autoheal what broke?")
    await slack.handled(1)
    assert "shared with another organisation" in slack.private("shared-with-acme", "mia")[0]
    await slack.settings(allow_external_channels=True)
    await slack.workspace.post("mia", "shared-with-acme", "@autoheal what broke?")
    await slack.handled(2)
    assert len(slack.engine.of("investigate")) == 1


async def test_channel_talk_without_a_mention_is_not_even_kept(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await finish(slack)
    other = await slack.workspace.post("raj", "incidents", "lunch?")
    await slack.workspace.post("raj", "incidents", "autoheal would like lunch, too", other)
    await slack.workspace.post("raj", "incidents", "it was me, sorry", ts)
    await slack.until(lambda: slack.intake.counts["nothing"] >= 4)  # the mention's own message event is one
    assert await kept(slack) == ["mention"]


async def notes_of(slack: Slack) -> list[str]:
    async with slack.db.tenant(slack.tenant) as s:
        (run,) = await running_investigations(s)
        return [str(note.text) for note in await take_notes(s, run.id, turn=1)]


async def test_while_it_runs_a_plain_reply_steers_and_is_kept(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await slack.workspace.post("raj", "incidents", "not payments, token ghp_" + "a" * 36, ts)
    await slack.workspace.post("raj", "incidents", "thanks!", ts)
    await slack.workspace.post("raj", "incidents", "<@U0MIA> lunch?", ts)
    await slack.handled(2)
    (note,) = await notes_of(slack)
    assert note.startswith("not payments")
    assert "ghp_a" not in note
    assert slack.said("incidents") == []
    assert await kept(slack) == ["mention", "channel_message"]


async def test_who_may_not_investigate_is_not_heard(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await set_person(slack, "raj", Role.VIEWER)
    await slack.workspace.post("raj", "incidents", "not payments", ts)
    await slack.handled(2)
    assert await notes_of(slack) == []
    assert slack.private("incidents", "raj") == []


async def test_muted_it_hears_mentions_only_until_somebody_takes_that_back(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    for handled, said in enumerate(("mute please", "autoheal, are you there?", "unmute", "look at the pool"), start=2):
        await slack.workspace.post("raj", "incidents", "we talk among ourselves", ts) if handled == 3 else None
        await slack.workspace.post("raj", "incidents", said, ts)
        await slack.handled(handled)
    assert await notes_of(slack) == ["look at the pool"]
    told = slack.private("incidents", "raj")
    assert ["only mentions" in told[0], "was muted" in told[1], "listen to replies" in told[2]] == [True] * 3


async def test_a_plain_stop_stops(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await slack.workspace.post("raj", "incidents", "stop", ts)
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (run,) = await running_investigations(s)
        assert await stop_requested(s, run.id)


async def test_who_addresses_it_without_a_mention_afterwards_is_told_once(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await finish(slack)
    for handled, said in enumerate(("Autoheal, are you sure?", "hey autoheal: hello?"), start=2):
        await slack.workspace.post("raj", "incidents", said, ts)
        await slack.handled(handled)
    (told,) = slack.private("incidents", "raj")
    assert "with a mention of me" in told
    assert len(slack.engine.of("investigate")) == 1


async def test_in_a_channel_that_opted_in_a_reply_steers_without_a_mention(slack: Slack) -> None:
    await slack.settings(open_threads=("C0INCIDENTS",))
    ts = await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    elsewhere = await slack.workspace.post("mia", "incidents", "who has the keys?")
    await slack.workspace.post("raj", "incidents", "I do", elsewhere)
    await slack.workspace.post("raj", "incidents", "not payments", ts)
    await slack.handled(3)
    async with slack.db.tenant(slack.tenant) as s:
        (run,) = await running_investigations(s)
        (note,) = await take_notes(s, run.id, turn=1)
    assert note.text == "not payments"
    assert len(slack.engine.of("investigate")) == 1


async def test_an_alert_of_another_bot_starts_triage_in_chosen_channels_only(slack: Slack) -> None:
    attachment = {"fallback": "x", "title": "HighErrorRate", "text": "checkout 9% errors", "fields": []}
    await slack.workspace.post("pagerbot", "incidents", "", attachments=[attachment])
    await slack.until(lambda: slack.intake.counts["nothing"] >= 1)
    assert await kept(slack) == []
    await slack.settings(triage_channels=("C0INCIDENTS",))
    ts = await slack.workspace.post("pagerbot", "incidents", "", attachments=[attachment])
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (incident,) = await open_incidents(s)
        (run,) = await running_investigations(s)
    assert incident.thread_ts == ts
    assert "HighErrorRate" in run.question
    assert "checkout 9% errors" in run.question


async def test_a_mention_under_an_alert_is_about_the_alert(slack: Slack) -> None:
    alert = await slack.workspace.post(
        "pagerbot", "incidents", "", attachments=[{"fallback": "x", "text": "payments p95 4 s"}]
    )
    await slack.workspace.post("mia", "incidents", "@autoheal take a look", alert)
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (run,) = await running_investigations(s)
    assert run.question.startswith("take a look")
    assert "payments p95 4 s" in run.question


async def test_a_direct_message_needs_no_mention(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "dm", "payments is slow")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (incident,) = await open_incidents(s)
    assert incident.thread_ts == ts
    await slack.workspace.post("mia", "dm", "help")
    await slack.handled(2)
    assert any("Your role is member" in one for one in slack.said("D0MIA"))


async def test_what_slack_delivers_twice_is_done_once(slack: Slack) -> None:
    slack.workspace.faults.deliver_twice(2)
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.until(lambda: slack.intake.counts["repeated"] >= 1)
    await slack.handled(1)
    assert len(slack.engine.of("investigate")) == 1
    assert await kept(slack) == ["mention"]


async def test_a_mention_in_a_private_channel_is_answered_there(slack: Slack) -> None:
    ts = await slack.workspace.post("mia", "leads", "@autoheal checkout is failing")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (incident,) = await open_incidents(s)
    assert incident.thread_ts == ts


async def test_a_mention_that_died_between_its_row_and_its_queue_starts_its_own_run(slack: Slack) -> None:
    slack.engine.dies_before = "investigate"
    await slack.workspace.post("mia", "#incidents", "@autoheal checkout fails")
    await slack.until(lambda: slack.engine.of("receive"))
    tenant, arrived = slack.engine.of("receive")[0]
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant) as s:
        await s.update(InboxRow, InboxRow.id == arrived, values={"state": "received"})
    slack.engine.dies_before = ""
    await slack.receiver.receive(TenantId(tenant), InboxId(arrived))
    (started,) = slack.engine.of("investigate")
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (run,) = await running_investigations(s)
        assert await s.all(select(NoteRow)) == []
    assert run.id == started[1]
