"""Answers "is this one of your services?" with no: it is not asked about again."""

from agents.connecting.correcting import answer
from agents.permission import Permission
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import Office
from store.ids import ServiceId


class ServiceDismiss(Button):
    name = "service_dismiss"
    permission = Permission.CONNECT

    async def press(self, click: Click, office: Office) -> None:
        found = read_value(click.value)
        service = ServiceId(found[0] if found else "")
        await click.reply.privately(await answer(office.db, click.person, service, "dismiss", source="slack"))


BUTTON = ServiceDismiss()
