"""`/autoheal services [NAME]`: the services that I know, who said so, and what I would like to know about them."""

from agents.permission import Denied, Permission, check
from handlers.slack.blocks.services import services
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext, open_modal
from handlers.slack.modal import Metadata
from handlers.slack.modals.service import service_view
from store.incidents import catalog


class ServicesCommand(Command):
    name = "services"
    usage = "[name]"
    summary = "the services I know; correct one by its name"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        tenant = call.person.tenant_id
        toolbox = await context.toolbox_for(tenant)
        may = not isinstance(check(call.person.role, Permission.CONNECT), Denied)
        wanted = call.rest.strip().lower()
        known = next((one for one in toolbox.services if one.name == wanted), None)
        if wanted and may:
            client = await context.clients.client_for(tenant)
            metadata = Metadata(subject=wanted, channel_id=call.channel_id)
            if await open_modal(client, call.trigger_id, service_view(metadata, known, wanted)):
                return
        async with context.db.tenant(tenant, readonly=True) as s:
            entries = await catalog.services(s)
        shown = [known] if known is not None else toolbox.services
        await call.reply.privately(services(shown, entries, may_change=may))


COMMAND = ServicesCommand()
