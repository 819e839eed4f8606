"""Stop a running investigation. The thread shows who stopped it; what was found stays."""

from agents.incidents.requests import DoneNow, NothingToDo
from agents.permission import Denied, Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext
from handlers.slack.investigation_lookup import UNKNOWN, read_run


class StopButton(Button):
    name = "stop"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, context: HandlerContext) -> None:
        run = await read_run(click.person, click.value, context, here=click.reply.channel_id)
        if run is None:
            await click.reply.privately(UNKNOWN)
            return
        match await context.incident_service.stop(click.person, run.id):
            case DoneNow():
                await click.reply.privately("Stopping. What was found so far stays here.")
            case NothingToDo(reason=reason) | Denied(reason=reason):
                await click.reply.privately(reason)


BUTTON = StopButton()
