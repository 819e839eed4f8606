"""`/autoheal connect [NAME]`: opens the form of a connector; without a name it shows what can be connected."""

from agents.connecting.connecting import connectable
from agents.permission import Permission
from handlers.slack.blocks.integrations import choices
from handlers.slack.blocks.message import Message, actions, button, sections
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext, open_modal
from handlers.slack.modal import Metadata
from handlers.slack.modals.connect import connect_view


class ConnectCommand(Command):
    name = "connect"
    usage = "[tool]"
    summary = "connect a tool, such as `github` or `prometheus`"
    permission = Permission.CONNECT

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        wanted = call.rest.split()[0].lower() if call.rest.split() else ""
        kind = connectable().get(wanted)
        if kind is None:
            shown = choices(connectable())
            words = f"I cannot connect {wanted[:40]!r}. What I can connect:" if wanted else shown.text
            await call.reply.privately(Message(text=words, blocks=(*sections(words), *shown.blocks)))
            return
        metadata = Metadata(subject=kind.name, channel_id=call.channel_id)
        client = await context.clients.client_for(call.person.tenant_id)
        if not await open_modal(client, call.trigger_id, connect_view(metadata, kind)):
            late = "That took too long for Slack to open the form. Please click here instead:"
            again = actions(button(f"connect:{kind.name}", f"Connect {kind.title}", kind.name))
            await call.reply.privately(Message(text=late, blocks=(*sections(late), *again)))


COMMAND = ConnectCommand()
