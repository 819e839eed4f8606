"""Look into a group of alerts that the rules only offer."""

from agents.permission import Denied, Permission
from handlers.slack.alert_groups import investigate_group
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import Office
from store.incidents import alerts


class InvestigateAlerts(Button):
    name = "investigate_alerts"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, office: Office) -> None:
        value = read_value(click.value)
        async with office.db.tenant(click.person.tenant_id, readonly=True) as s:
            group = None if value is None else await alerts.group(s, value[0])
        if group is None or group.channel_id != click.reply.channel_id:
            await click.reply.privately("These alerts are not known here any more.")
            return
        if group.status == "resolved":
            await click.reply.privately("These alerts are over.")
            return
        answer = await investigate_group(office.db, office.desk, click.person, group)
        if isinstance(answer, Denied):
            await click.reply.privately(answer.reason)
            return
        async with office.db.tenant(click.person.tenant_id) as s:
            await alerts.note_decision(s, group.id, "investigate")
            await alerts.show_again(s, group.id)


BUTTON = InvestigateAlerts()
