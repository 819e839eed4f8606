"""Look into a group of alerts that the rules only offer."""

from agents.permission import Denied, Permission
from handlers.slack.alert_groups import investigate_group
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import HandlerContext
from store.incidents import alerts


class InvestigateAlertsButton(Button):
    name = "investigate_alerts"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, context: HandlerContext) -> None:
        value = read_value(click.value)
        async with context.db.tenant(click.person.tenant_id, readonly=True) as s:
            group = None if value is None else await alerts.group(s, value[0])
        if group is None or group.channel_id != click.reply.channel_id:
            await click.reply.privately("These alerts are not known here any more.")
            return
        if group.status == "resolved":
            await click.reply.privately("These alerts are over.")
            return
        answer = await investigate_group(context.db, context.incident_service, click.person, group)
        if isinstance(answer, Denied):
            await click.reply.privately(answer.reason)
            return
        async with context.db.tenant(click.person.tenant_id) as s:
            await alerts.note_decision(s, group.id, "investigate")
            await alerts.show_again(s, group.id)


BUTTON = InvestigateAlertsButton()
