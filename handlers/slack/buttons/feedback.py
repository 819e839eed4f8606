"""Thumbs on a verdict. The value is `<investigation id>:good` or `:bad`; the last thumb of a person counts.

A thumb down is noted at once, and then asks what was wrong.
"""

from agents.incidents.requests import DoneNow
from agents.permission import Denied, Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext, open_modal
from handlers.slack.investigation_lookup import UNKNOWN, read_run
from handlers.slack.modal import Metadata
from handlers.slack.modals.feedback import feedback_view


class FeedbackButton(Button):
    name = "feedback"
    permission = Permission.READ

    async def press(self, click: Click, context: HandlerContext) -> None:
        run = await read_run(click.person, click.value, context, here=click.reply.channel_id)
        word = click.value.partition(":")[2]
        if run is None or word not in ("good", "bad"):
            await click.reply.privately(UNKNOWN)
            return
        asks = False
        if word == "bad":  # before the note: a form must be opened within three seconds of the click
            metadata = Metadata(subject=run.id, channel_id=click.reply.channel_id, thread_ts=click.reply.thread_ts)
            client = await context.clients.client_for(click.person.tenant_id)
            asks = await open_modal(client, click.trigger_id, feedback_view(metadata))
        match await context.incident_service.feedback(click.person, run.id, positive=word == "good"):
            case DoneNow() if word == "good":
                await click.reply.privately("Thank you, noted as right.")
            case DoneNow():
                if not asks:
                    await click.reply.privately(
                        "Thank you, noted as wrong. Reply with a mention and say what is off: I look again."
                    )
            case Denied(reason=reason):
                await click.reply.privately(reason)


BUTTON = FeedbackButton()
