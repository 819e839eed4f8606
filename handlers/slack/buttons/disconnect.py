"""End a connection: revoked at the vendor where it can be, deleted here, its work stopped; and it says what it did."""

from agents.permission import Permission
from handlers.slack.blocks import text as t
from handlers.slack.button import Button, Click, read_value
from handlers.slack.context import HandlerContext
from store.ids import ConnectionId


class DisconnectButton(Button):
    name = "disconnect"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = read_value(click.value)
        done = None
        if found is not None:
            done = await context.disconnecting.disconnect(click.person, ConnectionId(found[0]), source="slack")
        await click.reply.privately("It is disconnected already." if done is None else t.prose(done.in_words(), 1_000))


BUTTON = DisconnectButton()
