"""Answers "is this one of your services?": it is one, by itself."""

from agents.connecting.correcting import answer
from agents.permission import Permission
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import HandlerContext
from store.ids import ServiceId


class ServiceOwnButton(Button):
    name = "service_own"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = read_value(click.value)
        service = ServiceId(found[0] if found else "")
        await click.reply.privately(await answer(context.db, click.person, service, "own", source="slack"))


BUTTON = ServiceOwnButton()
