"""The agent looks at the wrong service: opens a modal to pick the right one among those that are declared."""

from agents.permission import Permission
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.investigation_lookup import UNKNOWN, read_run
from handlers.slack.modal import Metadata
from handlers.slack.modals.wrong_service import wrong_service_view


class WrongServiceButton(Button):
    name = "wrong_service"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, context: HandlerContext) -> None:
        run = await read_run(click.person, click.value, context, here=click.reply.channel_id)
        if run is None:
            await click.reply.privately(UNKNOWN)
            return
        services = (await context.toolbox_for(click.person.tenant_id)).service_names()
        if not services:
            await click.reply.privately(
                "No service is declared, so there is none to pick. Reply with a mention and name it."
            )
            return
        metadata = Metadata(subject=run.id, channel_id=click.reply.channel_id, thread_ts=click.reply.thread_ts)
        await show_form(click, wrong_service_view(metadata, services), context)


BUTTON = WrongServiceButton()
