"""Answers "is this one of your services?" with no: it is not asked about again."""

from agents.connecting.correcting import answer
from agents.permission import Permission
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import HandlerContext
from store.ids import ServiceId


class ServiceDismissButton(Button):
    name = "service_dismiss"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = read_value(click.value)
        service = ServiceId(found[0] if found else "")
        await click.reply.privately(await answer(context.db, click.person, service, "dismiss", source="slack"))


BUTTON = ServiceDismissButton()
