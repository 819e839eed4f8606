"""Connect a tool: shows what there is, or opens the form of the one that was chosen."""

from agents.connecting.connecting import connectable
from agents.permission import Permission
from handlers.slack.blocks.integrations import choices
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.modal import Metadata
from handlers.slack.modals.connect import connect_view


class ConnectButton(Button):
    name = "connect"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        kind = connectable().get(click.value)
        if kind is None:
            await click.reply.privately(choices(connectable()))
            return
        metadata = Metadata(subject=kind.name, channel_id=click.reply.channel_id, thread_ts=click.reply.thread_ts)
        await show_form(click, connect_view(metadata, kind), context)


BUTTON = ConnectButton()
