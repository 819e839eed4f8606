"""The form for a secret that a sender made; what cannot be one is not stored."""

from agents.webhooks import discover_providers
from store.inbox import webhooks
from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


def test_two_vendors_make_theirs() -> None:
    made = {name for name, one in discover_providers().items() if one.vendor_makes_secret({})}
    assert made == {"pagerduty", "sentry"}
    assert not discover_providers()["pagerduty"].vendor_makes_secret({"scheme": "token"})


async def open_form(slack: Slack, provider: str) -> str:
    await set_person(slack, "mia", Role.ADMIN)
    await slack.workspace.slash("mia", "incidents", f"/autoheal webhook add {provider}")
    await slack.handled(1)
    told = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for][-1]
    await slack.workspace.click("mia", told.ts, "webhook_secret")
    await slack.handled(2)
    (view_id,) = slack.workspace.views
    return view_id


async def test_what_is_too_short_is_refused_and_the_old_one_stays(slack: Slack) -> None:
    view_id = await open_form(slack, "pagerduty")
    await slack.workspace.submit_view("mia", view_id, {"secret:secret": "short"})
    await slack.handled(3)
    told = slack.private("incidents", "mia")[-1]
    assert told == "The secret was not stored: a secret has at least 12 characters."
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (known,) = await webhooks.webhooks(s)
    assert known.rotated_at is None


async def test_a_webhook_that_was_deleted_meanwhile_is_told(slack: Slack) -> None:
    view_id = await open_form(slack, "sentry")
    async with slack.db.tenant(slack.tenant) as s:
        (known,) = await webhooks.webhooks(s)
        await webhooks.remove_webhook(s, known.id)
    await slack.workspace.submit_view("mia", view_id, {"secret:secret": "a-client-secret-4711"})
    await slack.handled(3)
    assert slack.private("incidents", "mia")[-1] == "This webhook has been deleted."
