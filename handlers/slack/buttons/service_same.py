"""Answers "is this your service X?" with yes: the name becomes another one of X."""

from agents.connecting.correcting import answer
from agents.permission import Permission
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import HandlerContext
from store.ids import ServiceId


class ServiceSameButton(Button):
    name = "service_same"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = read_value(click.value)
        service = ServiceId(found[0] if found else "")
        await click.reply.privately(await answer(context.db, click.person, service, "same", source="slack"))


BUTTON = ServiceSameButton()
