"""The button to the form of a webhook's secret is for admins, and says when the webhook is gone."""

from store.inbox import webhooks
from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


async def test_it_opens_nothing_for_a_webhook_that_is_gone_or_for_who_may_not(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    await slack.workspace.slash("mia", "incidents", "/autoheal webhook add pagerduty")
    await slack.handled(1)
    told = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for][-1]
    async with slack.db.tenant(slack.tenant) as s:
        (known,) = await webhooks.webhooks(s)
        await webhooks.remove_webhook(s, known.id)
    await slack.workspace.click("mia", told.ts, "webhook_secret")
    await slack.handled(2)
    assert slack.private("incidents", "mia")[-1] == "This webhook has been deleted."
    await set_person(slack, "mia", Role.MEMBER)
    await slack.workspace.click("mia", told.ts, "webhook_secret")
    await slack.handled(3)
    assert slack.workspace.views == {}
    assert "an admin" in slack.private("incidents", "mia")[-1]
