"""Thumbs on a verdict. The value is `<investigation id>:good` or `:bad`; the last thumb of a person counts."""

from agents.incidents.requests import Done
from agents.permission import Denied, Permission
from handlers.slack.button import Button, Click
from handlers.slack.context import Office
from handlers.slack.investigation_lookup import UNKNOWN, read_run


class Feedback(Button):
    name = "feedback"
    permission = Permission.READ

    async def press(self, click: Click, office: Office) -> None:
        run = await read_run(click.person, click.value, office, here=click.reply.channel_id)
        word = click.value.partition(":")[2]
        if run is None or word not in ("good", "bad"):
            await click.reply.privately(UNKNOWN)
            return
        match await office.desk.feedback(click.person, run.id, positive=word == "good"):
            case Done():
                await click.reply.privately(
                    "Thank you, noted as right."
                    if word == "good"
                    else "Thank you, noted as wrong. Reply with a mention and say what is off: I look again."
                )
            case Denied(reason=reason):
                await click.reply.privately(reason)


BUTTON = Feedback()
