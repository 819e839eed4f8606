"""Keep what was applied although it did not heal."""

from agents.incidents.requests import DoneNow, NothingToDo
from agents.permission import Denied, Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, in_words, read_approval


class KeepButton(Button):
    name = "keep"
    permission = Permission.APPROVE_MEDIUM

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
        if found is None:
            await click.reply.privately(UNKNOWN)
            return
        match await context.incident_service.keep(click.person, found.id):
            case DoneNow():
                await click.reply.privately("Kept. The change stays applied.")
            case NothingToDo(reason=reason) | Denied(reason=reason):
                await click.reply.privately(await in_words(click.person, reason, context))


BUTTON = KeepButton()
