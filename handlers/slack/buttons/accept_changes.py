"""Use what a connection offers differently since somebody last looked at it: the changes stand above the button."""

from agents.connecting.connecting import Consenting, NotConnected
from agents.permission import Permission
from handlers.slack.blocks import text as t
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import HandlerContext
from store.ids import ConnectionId


class AcceptChangesButton(Button):
    name = "accept_changes"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = read_value(click.value)
        done = None
        if found is not None:
            done = await context.connecting.accept(
                Consenting(tenant=click.person.tenant_id, user=click.person.user_id),
                ConnectionId(found[0]),
                seen=found[1],
                source="slack",
            )
        if done is None:
            words = "There is no such connection any more."
        else:
            words = done.reason if isinstance(done, NotConnected) else done.in_words()
        await click.reply.privately(t.prose(words, 1_000))


BUTTON = AcceptChangesButton()
