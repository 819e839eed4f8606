"""What the rules only offer is looked into on a click."""

from datetime import timedelta

from store.incidents import alerts
from store.incidents.investigations import running_investigations
from tests.handlers.inbound import Slack
from tests.handlers.webhooks.hooks import a_body, an_alert, open_hooks


async def test_a_click_starts_the_investigation_in_the_thread_of_the_message(slack: Slack) -> None:
    async with open_hooks(slack) as hooks:
        await slack.settings(triage_channels=("C0INCIDENTS",))
        async with slack.db.tenant(slack.tenant) as s:
            await alerts.save_policy(s, {"rules": [{"action": "offer"}]}, by=None)
        made = await hooks.make()
        await hooks.send(made, a_body(an_alert()))
        await hooks.done()
        own = next(one for one in slack.workspace.messages("incidents") if one.user == slack.workspace.bot_user_id)
        await slack.workspace.click("mia", own.ts, "investigate_alerts")
        await slack.handled(1)
        await hooks.work.sweep()
        await hooks.done()
        async with slack.db.tenant(slack.tenant, readonly=True) as s:
            (run,) = await running_investigations(s)
            (group,) = await alerts.groups_since(s, slack.db.now() - timedelta(days=30))
        assert group.incident_id == run.incident_id
        assert group.decision == "investigate"
        assert "Investigate" not in str(own.blocks[-1])
